"""A draw's life played from a list of words, as test cases tell it: what happened, in order, and how it must end. PURE.

The surprise is that a case is judged at its end and not word by word: proof has an order (the board's own answer, its
counter, scale and tags and light barrier, the door) and not the order in which it was told. Nothing here knows outcomes
by itself; it collects facts and asks the table in ``vending``. Source: vending.md 5.2-5.4, `lifecycle` in its vectors.

The words of a case, letters and numbers at their end being the person or the pieces (badge_A, scale_minus_3):

    badge authorised denied intent command command_sent unlock timeout
    motor_ok motor_jam motor_none drop_seen drop_extra_turn no_drop sensor_off
    status_ok status_no_drop status_jam idle_after_reset counter_plus_N counter_same scale_minus_N scale_same
    tags_minus_N tags_same item_present item_gone door_open door_close door_open_timeout door_open_unsolicited
    power_cut boot no_evidence count_same count_minus_N duplicate echo restock_open restock_close
    confirmed_draw return_authorised item_back
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.lifecycle_words import KNOWN, meaning
from gateway.vending import Fact, OutOfOrderError, State, after, verdict

LATER = "at close or count"
MOST_WORDS = 10_000


class NotACaseError(ValueError):
    """What was given is no case; the message says what one looks like."""


FOLLOW_UPS: dict[str, str] = {
    "jam": "slot disabled after N jams; service task",
    "no_drop": "stock of the slot in doubt until counted; offer another slot",
    "no_motor": "slot off; service task",
    "not_opened": "the door stayed shut; nothing was given",
    "void": "proved by: command not written and cabinet counter/stock unchanged",
    "interrupted": "count asked; MDB payment rule would say success, our bill waits for the count",
    "comms": "never send the drive command again with a new PackNO",
    "over_take": "quota overrun flagged",
    "door_open": "next session on this door blocked",
    "unproven": "count asked; not fit for consigned goods",
    "forced_open": "cycle count of the compartment; loss booked to shrinkage, settlement per contract",
    "reversed": "two records, no edit",
}


class Told(msgspec.Struct):
    """What a case has told so far about the attempt."""

    state: State = State.REQUESTED
    asked: int = 1
    facts: list[Fact] = []
    motor: str = ""
    drop: str = ""
    counter: int | None = None
    sensed: int | None = None
    counted: int | None = None
    dropped: int | None = None
    door: str = ""
    cut: bool = False
    comms: bool = False
    left_open: bool = False
    touched: bool = False
    nothing: bool = False
    commands: int = 0


class Played(msgspec.Struct, frozen=True):
    """How a case ended. `stock_delta` is what is booked for good; `provisional` what is off the shelf until decided."""

    state: str
    qty: int | str
    billable: bool | str
    stock_delta: int | str
    incident: str | None = None
    follow_up: str | None = None
    actuation: str = ""
    confirmation: str = ""
    provisional: int = 0
    commands: int = 0
    owner: str = ""
    deadline_hours: int = 0
    not_understood: list[str] = []


def play(case: Mapping[str, Any]) -> Played:
    """The end of a case: its `events` under its `policy` (confirm: sensor, door, none; unseen: unverified, confirmed;
    mdb_strict; owner; resolve_hours). Words it does not know change nothing and are named in `not_understood`.
    """
    told, policy = case.get("events", ()), case.get("policy") or {}
    if not isinstance(told, list | tuple) or not isinstance(policy, Mapping) or len(told) > MOST_WORDS:
        raise NotACaseError(f"a case has `events`, a list of at most {MOST_WORDS} words; its `policy` is a table")
    words = [meaning(str(one)) for one in told]
    strange = [str(one) for one, word in zip(told, words, strict=True) if word[0] not in KNOWN]
    names = [name for name, _, _ in words]
    found = _of_the_house(names)
    if found is None:
        found = _attempt(words, policy)
    return msgspec.structs.replace(found, not_understood=strange)


def _of_the_house(names: Sequence[str]) -> Played | None:
    """Cases in which no attempt comes about."""
    if "door_open_unsolicited" in names and "command" not in names:
        return Played(
            "none", "n/a", billable=False, stock_delta=0, incident="forced_open", follow_up=FOLLOW_UPS["forced_open"]
        )
    if "item_back" in names:
        state = "confirmed + reversed by a return record"
        return Played(state, 0, "credit", 0, None, FOLLOW_UPS["reversed"])
    if "confirmed_draw" in names:
        return Played("confirmed", 1, billable=True, stock_delta=-1)
    opened = names.index("restock_open") if "restock_open" in names else -1
    begun = {"intent", "command"} & set(names[: max(0, opened)])
    if opened >= 0 and "badge" in names and not begun and "restock_close" not in names[opened:]:
        return Played("refused (service mode)", 0, billable=False, stock_delta=0)
    return None


def _attempt(words: Sequence[tuple[str, int | None, str]], policy: Mapping[str, Any]) -> Played:
    told, first, refused, there = Told(facts=[]), "", "", False
    for at, (name, number, person) in enumerate(words):
        sort = person if name == "moved" else ""
        someone = person or "B" if name == "other" else person
        if there and name in ("badge", "other") and someone and someone != (first or "A"):
            first = first or "A"
            if _over(told) and STEPS.keys() & {word for word, _, _ in words[at:]}:
                # The first one's draw has ended: what follows is the next one's own.
                return _both(_ended(told, policy), _attempt(words[at:], policy), first, someone)
            refused = f"{someone} refused ({'door open' if told.door == 'open' else 'busy'})"
            continue
        first, there = first or (person if name == "badge" else ""), there or name == "badge"
        if refused and person and not sort and person != first:
            continue
        _hear(told, name, number, sort)
    if refused and told.state is State.COMMANDED and not _heard(told):
        # The first person's draw goes on undisturbed: that is what the case is about.
        told.motor, told.drop = "ok", "seen"
    end = _ended(told, policy)
    if not refused:
        return end
    return msgspec.structs.replace(end, state=f"{first} {end.state}, {refused}")


def _over(told: Told) -> bool:
    """Whether nothing more can come of the attempt: the board has said its last word, or the door was shut again."""
    if told.state is not State.COMMANDED:
        return told.state in (State.DENIED, State.CANCELLED, State.VOID)
    shut = told.door == "closed" and not told.left_open
    return bool(told.drop) or told.motor in ("jam", "none", "shut") or shut


def _both(one: Played, two: Played, first: str, second: str) -> Played:
    """Two draws, one after the other."""
    rest = two.state if two.state.startswith(f"{second} ") else f"{second} {two.state}"
    numbers = all(isinstance(value, int) for value in (one.qty, two.qty, one.stock_delta, two.stock_delta))
    if not numbers:
        return msgspec.structs.replace(two, state=f"{first} {one.state}, {rest}")
    return msgspec.structs.replace(
        two, state=f"{first} {one.state}, {rest}", qty=int(one.qty) + int(two.qty),
        billable=bool(one.billable) or bool(two.billable), stock_delta=int(one.stock_delta) + int(two.stock_delta),
        incident=one.incident or two.incident, follow_up=one.follow_up or two.follow_up,
        provisional=one.provisional + two.provisional, commands=max(one.commands, two.commands),
    )  # fmt: skip


def _hear(told: Told, name: str, number: int | None, sort: str) -> None:
    """One word."""
    if name == "moved":
        if told.state is State.COMMANDED:
            # What was measured before is the snapshot, and no difference to it.
            setattr(told, sort, number)
        return
    step = STEPS.get(name)
    if step is not None:
        told.asked = number or told.asked
        told.commands += name == "command"
        _step(told, step)
    elif name.startswith(("motor_", "status_")) or name in ("drop_seen", "drop_extra_turn", "no_drop", "sensor_off"):
        _result(told, name)
        told.dropped = number if number is not None and name in ("drop_seen", "drop_extra_turn") else told.dropped
    elif name in ("door_open", "door_close"):
        told.door = "open" if name == "door_open" else "closed"
        told.touched = told.touched or told.cut
        told.left_open = told.left_open and name == "door_open"
    elif name in ("item_present", "item_gone"):
        told.sensed = told.asked if name == "item_gone" else 0
    else:
        _around(told, name)


def _around(told: Told, name: str) -> None:
    """What happens to the house rather than to the goods."""
    if name == "door_open_timeout":
        told.left_open = True
    elif name == "not_opened":
        told.motor = "shut"
    elif name == "no_evidence":
        told.nothing = True
    elif name == "power_cut":
        told.cut = True
        if told.state is State.INTENDED:
            _step(told, Fact.NEVER_SENT)
        elif told.state in (State.REQUESTED, State.AUTHORISED):
            told.state = State.CANCELLED
    elif name == "leave" and told.state is State.AUTHORISED:
        _step(told, Fact.WALKED_AWAY)
    elif name == "journal_full" and told.state in (State.REQUESTED, State.AUTHORISED):
        # No record, no draw.
        told.state = State.DENIED
    elif name in ("timeout", "idle_after_reset"):
        if told.state is State.AUTHORISED:
            _step(told, Fact.WALKED_AWAY)
        told.comms = told.comms or told.state is State.COMMANDED


STEPS: dict[str, Fact] = {
    "authorised": Fact.ALLOWED, "denied": Fact.REFUSED, "intent": Fact.KEPT, "command": Fact.SENT,
}  # fmt: skip


def _step(told: Told, fact: Fact) -> None:
    """One step of the table; cases leave out what goes without saying, and repeat what changes nothing."""
    if fact is Fact.KEPT and told.state is State.REQUESTED:
        told.state = after(told.state, Fact.ALLOWED)
    try:
        told.state = after(told.state, fact)
    except OutOfOrderError:
        return
    told.facts.append(fact)


def _result(told: Told, name: str) -> None:
    """The board's own words. What was seen to fall has fallen, whatever is said afterwards."""
    if name in ("status_ok", "drop_seen"):
        told.drop = told.drop if told.drop == "extra" else "seen"
    elif name == "drop_extra_turn":
        told.drop = "extra"
    elif name in ("no_drop", "status_no_drop"):
        told.drop = told.drop or "none"
    elif name == "sensor_off":
        told.drop = told.drop or "off"
    if name.startswith(("motor_", "status_")) and name != "status_no_drop":
        told.motor = {"motor_jam": "jam", "status_jam": "jam", "motor_none": "none"}.get(name, "ok")


def _heard(told: Told) -> bool:
    proofs = (told.counter, told.sensed, told.counted)
    return bool(told.motor or told.drop or told.door or told.cut or told.comms) or any(
        one is not None for one in proofs
    )


def _proof(told: Told, policy: Mapping[str, Any]) -> tuple[Fact, int] | None:
    """The best proof there is, in the order of proof; None: the attempt has not ended."""
    found = _board(told) or _counter(told.counter)
    sensible = told.sensed is not None and told.sensed >= 0 and told.door != "open" and not (told.cut and told.touched)
    if found is None and sensible:
        found = _sensed(told, told.sensed or 0)
    return found or _counter(told.counted) or _without(told, policy)


def _board(told: Told) -> tuple[Fact, int] | None:
    """The board's own answer. What was seen to fall has fallen, whatever the motor did afterwards."""
    if told.drop in ("seen", "extra"):
        return (Fact.DROPPED if told.drop == "seen" else Fact.DROPPED_LATE), told.dropped or told.sensed or told.asked
    board = {"jam": Fact.JAM, "none": Fact.NO_MOTOR, "shut": Fact.NOT_OPENED}.get(told.motor)
    if board is None and told.drop == "none":
        board = Fact.NO_DROP
    return None if board is None else (board, 0)


def _counter(moved: int | None) -> tuple[Fact, int] | None:
    """A counter, or a count, against the snapshot of the intent; one that went back proves nothing."""
    if moved is None or moved < 0:
        return None
    return (Fact.COUNTER_MOVED, moved) if moved else (Fact.COUNTER_STOOD, 0)


def _without(told: Told, policy: Mapping[str, Any]) -> tuple[Fact, int] | None:
    """Where nothing sees the goods: the door, by the slot's policy, or nothing at all."""
    if told.door == "closed" and not told.cut:
        return (Fact.TAKEN_BY_DOOR if policy.get("confirm") == "door" else Fact.UNPROVEN), told.asked
    if told.left_open:
        return None
    if told.cut or told.comms or told.nothing:
        return Fact.NO_ANSWER, told.asked
    if told.motor == "ok" or told.drop == "off":
        return (Fact.SEEN_BY_POLICY if policy.get("unseen") == "confirmed" else Fact.UNPROVEN), told.asked
    return None


def _sensed(told: Told, gone: int) -> tuple[Fact, int]:
    """What scale, tags or light barrier say: to a person at the door, or after a cut against the snapshot."""
    if told.cut or told.comms:
        return (Fact.COUNTER_MOVED, gone) if gone else (Fact.COUNTER_STOOD, 0)
    return (Fact.DROPPED, gone) if gone else (Fact.NOTHING_TAKEN, 0)


def _ended(told: Told, policy: Mapping[str, Any]) -> Played:
    if told.state is not State.COMMANDED:
        incident = "interrupted" if told.cut and told.state is not State.DENIED else None
        follow_up = FOLLOW_UPS["void"] if told.state is State.VOID else None
        return Played(
            told.state.value, 0, billable=False, stock_delta=0, incident=incident, follow_up=follow_up,
            actuation="not_commanded", commands=told.commands,
        )  # fmt: skip
    proof = _proof(told, policy)
    if proof is None:
        later = LATER if told.left_open else 0
        incident = "door_open" if told.left_open else None
        billable = LATER if told.left_open else False
        return Played(
            told.state.value, later, billable, later, incident, FOLLOW_UPS.get(incident or ""), commands=told.commands
        )
    fact, qty = proof
    end = verdict(fact, qty)
    told.state = State(end.outcome)
    billable, outcome = end.billable, end.outcome
    if outcome == "unverified" and policy.get("mdb_strict"):
        told.state, billable, outcome = after(told.state, Fact.CONTRACT), True, "confirmed"
    open_ = outcome == "unverified"
    return Played(
        told.state.value, end.qty, billable, 0 if open_ else end.stock, _incident(told, end.incident, end.qty),
        _follow_up(told, fact, end.qty), told.motor or ("opened" if told.door else "unknown"), fact.value,
        provisional=end.stock if open_ else 0, commands=told.commands,
        owner=str(policy.get("owner", "site")) if open_ else "",
        deadline_hours=int(policy.get("resolve_hours", 72)) if open_ else 0,
    )  # fmt: skip


def _incident(told: Told, incident: str, qty: int) -> str | None:
    if told.cut and incident != "jam":
        return "recovered" if told.state is State.CONFIRMED else "interrupted"
    if told.comms and told.state is State.UNVERIFIED:
        return "comms"
    if told.state is State.CONFIRMED and qty > told.asked:
        return "over_take"
    return incident or None


def _follow_up(told: Told, fact: Fact, qty: int) -> str | None:
    if told.state is State.CONFIRMED:
        return FOLLOW_UPS["over_take"] if qty > told.asked else None
    if told.state is State.UNVERIFIED:
        return FOLLOW_UPS["interrupted" if told.cut else "comms" if told.comms else "unproven"]
    named = {Fact.JAM: "jam", Fact.NO_DROP: "no_drop", Fact.NO_MOTOR: "no_motor", Fact.NOT_OPENED: "not_opened"}
    return FOLLOW_UPS.get(named.get(fact, ""))
