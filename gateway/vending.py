"""The life of one draw, as a table. PURE.

    requested -> denied | authorised -> cancelled | intended -> void | commanded
    commanded -> confirmed | not_dispensed | jammed | not_taken | unverified
    unverified -> confirmed | not_dispensed        by evidence, never by repeating the command
    confirmed -> reversed                          by a new record; nothing is edited

The surprise is what we do *not* copy from payment: MDB takes a vend that a reset cut short for a sale. Here the goods
belong to the supplier until they are drawn, so an unproven line would spoil trust in all lines: it stays unverified,
provisionally off the shelf and off the bill, until a count or the device's own counter decides. A contract may choose
MDB's rule ("mdb_strict"): then the contract is the proof, and the record says so.
Source: vending.md section 5.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from gateway.device_events import Dispensed
from gateway.ports import Confirm


class State(StrEnum):
    """Where an attempt stands; the last eight end it."""

    REQUESTED = "requested"
    AUTHORISED = "authorised"
    INTENDED = "intended"
    COMMANDED = "commanded"
    DENIED = "denied"
    CANCELLED = "cancelled"
    VOID = "void"
    CONFIRMED = "confirmed"
    NOT_DISPENSED = "not_dispensed"
    JAMMED = "jammed"
    NOT_TAKEN = "not_taken"
    UNVERIFIED = "unverified"
    REVERSED = "reversed"


class Fact(StrEnum):
    """What can happen to an attempt."""

    REFUSED = "refused"
    ALLOWED = "allowed"
    WALKED_AWAY = "walked_away"
    KEPT = "kept"  # the intent is in the journal
    NEVER_SENT = "never_sent"  # proof that no byte of the command left
    SENT = "sent"
    DROPPED = "dropped"
    DROPPED_LATE = "dropped_late"  # only after an extra turn: two may have gone
    NO_DROP = "no_drop"
    NO_MOTOR = "no_motor"
    NOT_OPENED = "not_opened"
    JAM = "jam"
    TAKEN_BY_DOOR = "taken_by_door"
    DOOR_LEFT_OPEN = "door_left_open"
    NOTHING_TAKEN = "nothing_taken"
    COUNTER_MOVED = "counter_moved"
    COUNTER_STOOD = "counter_stood"
    NO_ANSWER = "no_answer"
    UNPROVEN = "unproven"  # it moved, but nothing at this slot can tell whether goods left
    SEEN_BY_POLICY = "seen_by_policy"  # nothing can tell, and the slot's policy takes the motor's word
    WITNESSED_GONE = "witnessed_gone"  # its owner has looked, and says on what it stands
    WITNESSED_HERE = "witnessed_here"
    CONTRACT = "contract"  # the contract counts a vend without evidence as sold
    TAKEN_BACK = "taken_back"


S, F = State, Fact

NEXT: dict[tuple[State, Fact], State] = {
    (S.REQUESTED, F.REFUSED): S.DENIED,
    (S.REQUESTED, F.ALLOWED): S.AUTHORISED,
    (S.AUTHORISED, F.WALKED_AWAY): S.CANCELLED,
    (S.AUTHORISED, F.KEPT): S.INTENDED,
    (S.INTENDED, F.NEVER_SENT): S.VOID,
    (S.INTENDED, F.SENT): S.COMMANDED,
    (S.COMMANDED, F.DROPPED): S.CONFIRMED,
    (S.COMMANDED, F.DROPPED_LATE): S.CONFIRMED,
    (S.COMMANDED, F.TAKEN_BY_DOOR): S.CONFIRMED,
    (S.COMMANDED, F.COUNTER_MOVED): S.CONFIRMED,
    (S.COMMANDED, F.NO_DROP): S.NOT_DISPENSED,
    (S.COMMANDED, F.NO_MOTOR): S.NOT_DISPENSED,
    (S.COMMANDED, F.NOT_OPENED): S.NOT_DISPENSED,
    (S.COMMANDED, F.COUNTER_STOOD): S.NOT_DISPENSED,
    (S.COMMANDED, F.JAM): S.JAMMED,
    (S.COMMANDED, F.NOTHING_TAKEN): S.NOT_TAKEN,
    (S.COMMANDED, F.DOOR_LEFT_OPEN): S.COMMANDED,
    (S.COMMANDED, F.NO_ANSWER): S.UNVERIFIED,
    (S.COMMANDED, F.UNPROVEN): S.UNVERIFIED,
    (S.COMMANDED, F.SEEN_BY_POLICY): S.CONFIRMED,
    (S.UNVERIFIED, F.DROPPED): S.CONFIRMED,
    (S.UNVERIFIED, F.DROPPED_LATE): S.CONFIRMED,
    (S.UNVERIFIED, F.COUNTER_MOVED): S.CONFIRMED,
    (S.UNVERIFIED, F.COUNTER_STOOD): S.NOT_DISPENSED,
    (S.UNVERIFIED, F.NO_DROP): S.NOT_DISPENSED,
    (S.UNVERIFIED, F.NO_MOTOR): S.NOT_DISPENSED,
    (S.UNVERIFIED, F.WITNESSED_GONE): S.CONFIRMED,
    (S.UNVERIFIED, F.WITNESSED_HERE): S.NOT_DISPENSED,
    (S.UNVERIFIED, F.CONTRACT): S.CONFIRMED,
    (S.CONFIRMED, F.TAKEN_BACK): S.REVERSED,
}

INCIDENTS: dict[Fact, str] = {
    F.DROPPED_LATE: "slot_slow",
    F.NO_DROP: "no_drop",
    F.NO_MOTOR: "no_motor",
    F.NOT_OPENED: "not_opened",
    F.JAM: "jam",
    F.DOOR_LEFT_OPEN: "door_open",
    F.NO_ANSWER: "comms",
}

# After these the slot's stock is in doubt until someone counts it.
DOUBTFUL = frozenset({F.DROPPED_LATE, F.NO_DROP, F.JAM, F.NO_ANSWER, F.UNPROVEN})

Ended = Literal["confirmed", "not_dispensed", "jammed", "not_taken", "unverified", "void", "denied", "cancelled"]
ENDS: dict[State, Ended] = {
    S.CONFIRMED: "confirmed",
    S.NOT_DISPENSED: "not_dispensed",
    S.JAMMED: "jammed",
    S.NOT_TAKEN: "not_taken",
    S.UNVERIFIED: "unverified",
    S.VOID: "void",
    S.DENIED: "denied",
    S.CANCELLED: "cancelled",
}


class OutOfOrderError(ValueError):
    """A fact that cannot happen to an attempt in this state; the caller records it as a fact without an attempt."""

    def __init__(self, state: State, fact: Fact) -> None:
        super().__init__(f"{fact} cannot happen to an attempt that is {state}")
        self.state = state
        self.fact = fact


def after(state: State, fact: Fact) -> State:
    """The state that follows; raises OutOfOrderError."""
    try:
        return NEXT[state, fact]
    except KeyError:
        raise OutOfOrderError(state, fact) from None


class Verdict(msgspec.Struct, frozen=True):
    """What to write down: outcome, pieces, change of the shelf, on the bill or not, what a person should see."""

    outcome: Ended
    qty: int
    billable: bool
    stock: int
    incident: str = ""
    doubt: bool = False


def verdict(fact: Fact, qty: int, state: State = State.COMMANDED) -> Verdict:
    """The end that `fact` brings to an attempt about `qty` pieces; raises OutOfOrderError when it brings none.

    qty is what really left where that is known (over-taking is a fact, not an error), else what was asked.
    """
    ended = after(state, fact)
    incident, doubt = INCIDENTS.get(fact, ""), fact in DOUBTFUL
    outcome = ENDS.get(ended)
    if outcome is None:
        raise OutOfOrderError(state, fact)
    gone = qty if outcome in ("confirmed", "unverified") else 0
    return Verdict(outcome, gone, billable=outcome == "confirmed", stock=-gone, incident=incident, doubt=doubt)


def dispensed(result: Dispensed, confirm: Confirm, asked: int, before: int | None) -> tuple[Fact, int]:
    """What a cabinet's result proves at a slot confirmed by `confirm`, and the pieces; `before`: counter at the intent.

    What the sensor saw is gone, also when the motor stuck afterwards.
    """
    if result.motor == "unknown":
        return counted(before, result.ctr, asked, fresh=True)
    if result.qty and result.drop in ("seen", "extra"):
        return (Fact.DROPPED if result.drop == "seen" else Fact.DROPPED_LATE), result.qty
    if result.motor == "jam":
        return Fact.JAM, 0
    if result.motor == "none":
        return Fact.NO_MOTOR, 0
    if result.drop == "none" and confirm == "sensor":
        return Fact.NO_DROP, 0
    # Nothing sees the goods here: what the policy of the slot makes of a motor that has turned.
    by_motor = confirm == "motor" and result.motor == "ok" and result.qty
    return (Fact.SEEN_BY_POLICY, result.qty) if by_motor else (Fact.UNPROVEN, asked)


def counted(before: int | None, now: int | None, asked: int, *, fresh: bool) -> tuple[Fact, int]:
    """What a drop counter proves about an attempt that was cut off, and the pieces; an old one proves no absence."""
    if before is None or now is None or now < before:
        return Fact.NO_ANSWER, asked
    if now > before:
        return Fact.COUNTER_MOVED, now - before
    return (Fact.COUNTER_STOOD, 0) if fresh else (Fact.NO_ANSWER, asked)
