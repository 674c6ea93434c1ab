"""One draw: badge -> may he? -> intent on disk -> "commanded" on disk -> the command -> proof -> draw on disk.

The order is the whole point. Whatever a power cut leaves behind can be told apart afterwards: no intent, nothing
happened; an intent without the mark, no byte has left; with the mark, the device is asked and never driven again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from gateway.access import Asked, Decision
from gateway.answered import FLAG as REQUEST
from gateway.handed_out import flag
from gateway.lots import MOST, Lot, labels, leaving, total
from gateway.ports import Confirm, JournalFull, NotStored, RecordRefused
from gateway.premises import Cabinet, CabinetUnreachableError, Given, Premises, still_open
from gateway.reasons import SENTENCES as ACCESS_SENTENCES
from gateway.recording import Stamp, happened, stamp
from gateway.vending import Fact, State, verdict
from wire.ids import RecordKey
from wire.records import DeviceEvent, Draw, Intent, Loan


class DrawResult(msgspec.Struct, frozen=True):
    """What to tell the person: outcome (`refused` and `busy` besides a draw's own), pieces, the reason as a word and a
    sentence, whom to ask. `key` is the record's, None when nothing had to be written. `facts` are for the sentence.
    """

    outcome: str
    qty: int = 0
    reason: str = ""
    sentence: str = ""
    key: RecordKey | None = None
    ask: str = ""
    facts: dict[str, int] = {}


BUSY = DrawResult("busy", reason="busy", sentence="Someone is being served. Wait until the door is closed.")
_running: set[asyncio.Task[DrawResult]] = set()


async def take_draw(
    premises: Premises, cabinet: Cabinet, badge: str, slot: str, *, quantity: int = 1, for_: str = "", serial: str = "",
    request: str = "",
) -> DrawResult:  # fmt: skip
    """The whole draw, by badge."""
    asked = Asked(cabinet.device, slot, quantity, badge=badge, for_=for_, serial=serial, request=request)
    return await take(premises, cabinet, asked)


async def take(premises: Premises, cabinet: Cabinet, asked: Asked, *, due: int | None = None) -> DrawResult:
    """The whole draw, or loan. A caller that goes away (a browser that hangs up) does not stop it half-way."""
    if cabinet.device in premises.busy:
        return BUSY
    closed = premises.closed(cabinet.device)
    if closed:
        return DrawResult("refused", reason=closed, sentence=ACCESS_SENTENCES[closed])
    premises.busy.add(cabinet.device)
    task = asyncio.create_task(_draw(premises, cabinet, asked, due))
    _running.add(task)
    task.add_done_callback(_running.discard)
    task.add_done_callback(lambda _: premises.over(cabinet.device))
    return await asyncio.shield(task)


async def _draw(premises: Premises, cabinet: Cabinet, asked: Asked, due: int | None) -> DrawResult:
    asked = named(premises, asked)
    if await still_open(cabinet):
        # What is behind that door belongs to whoever opened it; nothing more is opened beside it.
        return DrawResult("refused", reason="door_open", sentence=ACCESS_SENTENCES["door_open"])
    decision = premises.judge(asked)
    if not decision.allowed or decision.slot is None:
        return await refuse(premises, cabinet, decision, asked.slot, asked.quantity)
    try:
        before = dict(await cabinet.look(asked.slot))
    except CabinetUnreachableError as error:
        return DrawResult("refused", reason="unreachable", sentence=str(error))
    # Somebody may have drawn at another cabinet while this one was looked at: limits and credit are shared.
    decision = premises.judge(asked)
    if not decision.allowed or decision.slot is None:
        return await refuse(premises, cabinet, decision, asked.slot, asked.quantity)
    q = tags(premises, asked)
    if due is not None:
        before["due"] = due
    intent = intend(decision, stamp(premises.clock), cabinet, asked.quantity, before=before, for_=decision.for_, q=q)
    held = premises.uses.hold(intent)
    try:
        (key,) = await premises.keep(intent)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    finally:
        premises.uses.release(held)
    return await carry_out(premises, cabinet, intent, key, decision.slot.confirm)


async def carry_out(
    premises: Premises, cabinet: Cabinet, intent: Intent, key: RecordKey, confirm: Confirm
) -> DrawResult:
    """From an intent that the journal holds to the draw: the mark, then the command, then the proof."""
    premises.begun(cabinet.device, intent)
    try:
        await premises.journal.mark_commanded(key)
    except NotStored as error:
        await premises.keep_for_sure(never_sent(intent, key, stamp(premises.clock)))
        return not_stored(error)
    premises.begun(cabinet.device, intent, commanded=True)
    return await finish(premises, intent, key, await cabinet.give(intent, key, confirm))


async def finish(
    premises: Premises, intent: Intent, key: RecordKey, given: Given, *, q: tuple[str, ...] = ()
) -> DrawResult:
    """Writes the draw down, unless the cabinet's session has done so already, and says how it ended."""
    end = verdict(given.fact, given.qty)
    draw_key = given.recorded
    if draw_key is None:
        (draw_key,) = await premises.keep_for_sure(draw(intent, key, given, stamp(premises.clock), q=q))
    if end.doubt:
        premises.shelf.doubt(intent.src, intent.slot)
    outcome = "lent" if LOAN in intent.q and end.qty else end.outcome
    return DrawResult(outcome, end.qty, end.incident, SENTENCES[outcome], draw_key)


async def refuse(
    premises: Premises, cabinet: Cabinet, decision: Decision, slot: str, quantity: int, *, did: str = ""
) -> DrawResult:
    """A refusal is a fact too: written down with its reason, as far as the disk allows."""
    at = stamp(premises.clock)
    record: Draw | DeviceEvent
    if decision.slot is not None:
        record = denied(decision, at, cabinet, quantity, did=did)
    else:
        record = happened("draw_refused", at, cabinet.device, slot=slot[:64], data={"reason": decision.reason}, did=did)
    result = refused(decision)
    try:
        (key,) = await premises.keep(record)
    except (NotStored, RecordRefused):
        return result
    return msgspec.structs.replace(result, key=key)


def intend(
    decision: Decision,
    at: Stamp,
    cabinet: Cabinet,
    quantity: int,
    *,
    before: dict[str, int],
    for_: str = "",
    did: str = "",
    q: tuple[str, ...] = (),
) -> Intent:
    """The record that goes to disk before the first byte of the command."""
    assert decision.slot is not None
    return Intent(
        v=1, z="", src=cabinet.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=decision.person, for_=for_, cfg=cabinet.cfg, q=[*decision.q, *q],
        slot=decision.slot.slot, item=decision.slot.item, asked=quantity,
        planogram=decision.planogram, rules=decision.rules, before=before,
    )  # fmt: skip


def denied(decision: Decision, at: Stamp, cabinet: Cabinet, quantity: int, *, did: str = "") -> Draw:
    """A draw that was asked for and not allowed."""
    assert decision.slot is not None
    return Draw(
        v=1, z="", src=cabinet.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=decision.person, for_=decision.for_, q=list(decision.q),
        slot=decision.slot.slot, item=decision.slot.item, asked=quantity, qty=0, outcome="denied",
        actuation="none", confirmation=decision.reason, planogram=decision.planogram, rules=decision.rules,
    )  # fmt: skip


def draw(
    intent: Intent,
    key: RecordKey,
    given: Given,
    at: Stamp,
    *,
    state: State = State.COMMANDED,
    did: str = "",
    raw: str = "",
    q: tuple[str, ...] = (),
) -> Draw | Loan:
    """The record that ends an intent. A tool that went out on loan is one; one that did not is a draw of nothing."""
    end = verdict(given.fact, given.qty, state)
    flags = (*q, end.incident) if end.incident else q
    over = given.qty > intent.asked and end.outcome == "confirmed"
    lot, lots = labels(_pieces(intent, given, end.qty), end.qty)
    drawn = Draw(
        v=1, z="", src=intent.src, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=intent.who, for_=intent.for_, raw=raw, cfg=intent.cfg,
        q=[*_plain(intent), *flags, *(("over_take",) if over else ())],
        intent=f"{key.ep}/{key.n}", slot=intent.slot, item=intent.item, asked=intent.asked, qty=end.qty,
        outcome=end.outcome, actuation=given.actuation, confirmation=given.confirmation,
        planogram=intent.planogram, rules=intent.rules, unit=intent.unit, scale=intent.scale,
        before=intent.before, after=dict(given.after), lot=lot, lots=lots,
        serial=given.serial or (_tagged(intent, "serial") if end.qty else ""),
    )  # fmt: skip
    return loan_of(drawn, intent.before.get("due")) if LOAN in intent.q and end.qty else drawn


def loan_of(drawn: Draw, due: int | None) -> Loan:
    """Lent, or presumed so: who borrows is answerable either way, nothing is billed, and a count can undo it."""
    return Loan(
        v=1, z="", src=drawn.src, ep=drawn.ep, n=0, t=drawn.t, ts=drawn.ts, b=drawn.b, m=drawn.m,
        did=drawn.did, who=drawn.who, for_=drawn.for_, raw=drawn.raw, cfg=drawn.cfg,
        q=[*drawn.q, *(("unverified",) if drawn.outcome == "unverified" else ())],
        slot=drawn.slot, item=drawn.item, qty=drawn.qty, unit=drawn.unit, scale=drawn.scale,
        due=due if due is not None else msgspec.UNSET, intent=drawn.intent,
        actuation=drawn.actuation, confirmation=drawn.confirmation,
        lot=drawn.lot, serial=drawn.serial, lots=drawn.lots,
    )  # fmt: skip


def refused(decision: Decision) -> DrawResult:
    """What a refused person is told."""
    limit = decision.limit
    facts = {"used": limit.used, "allowed": limit.allowed} if limit is not None else {}
    return DrawResult("refused", reason=decision.reason, sentence=decision.sentence, ask=decision.ask, facts=facts)


def named(premises: Premises, asked: Asked) -> Asked:
    """Where only one piece lies in the slot, its number need not be said."""
    place, _ = premises.place(asked.cabinet, asked.slot)
    if place is None or asked.serial or not premises.desired.current.book.item(place.item).serial:
        return asked
    held = premises.lies_in(asked.cabinet, asked.slot)
    only = held.serials if held.on_hand == 1 and asked.cabinet not in premises.sees_serials else []
    return msgspec.structs.replace(asked, serial=only[0]) if len(only) == 1 else asked


def tags(premises: Premises, asked: Asked) -> tuple[str, ...]:
    """What an intent remembers for the record that ends it: that it lends, which lots are next, which one was named."""
    held = premises.lies_in(asked.cabinet, asked.slot)
    lot = held.piece(asked.serial)
    named = (("lot", lot.lot if lot else ""), ("serial", asked.serial))
    here = _lying(held.lots) if lot is not None and not asked.serial else []
    mixed = len(here) > 1 or total(here) < max(asked.quantity, held.on_hand or 0)
    put_by = premises.desired.current.book.put_by(asked.cabinet, asked.slot)
    return (
        *((LOAN,) if asked.lend else ()),
        *((asked.request,) if asked.request else ()),
        *(f"{name}:{value}" for name, value in named if value),
        *(f"{LOTS}{one.qty}:{one.lot}" for one in here if mixed),
        *(flag(one) for one in put_by if one.id == asked.waiting),
    )


def _lying(lots: Sequence[Lot]) -> list[Lot]:
    """The lots of a slot with their pieces, as many as an intent has room for."""
    found: list[Lot] = []
    for one in lots:
        if found and found[-1].lot == one.lot:
            found[-1].qty += one.qty
        else:
            found.append(Lot(one.lot, None, one.qty))
    return found[:MOST]


def _pieces(intent: Intent, given: Given, qty: int) -> Sequence[Lot]:
    """Of which lots the pieces are that left: as the cabinet saw it, else the first ones to end that lay there."""
    if given.pieces or given.serial or not qty:
        return given.pieces if qty else ()
    told = (one.removeprefix(LOTS).partition(":") for one in intent.q if one.startswith(LOTS))
    lay = [Lot(lot, None, int(pieces)) for pieces, _, lot in told]
    return leaving(lay, qty) if lay else [Lot(_tagged(intent, "lot"), None, qty)]


def _tagged(intent: Intent, name: str) -> str:
    return next((one.partition(":")[2] for one in intent.q if one.startswith(f"{name}:")), "")


def _plain(intent: Intent) -> list[str]:
    return [one for one in intent.q if one != LOAN and not one.startswith(("lot:", LOTS, "serial:", REQUEST))]


def not_stored(error: Exception) -> DrawResult:
    """No record, no goods."""
    reason = "journal_full" if isinstance(error, JournalFull) else "not_stored"
    return DrawResult("refused", reason=reason, sentence="It could not be written down, so nothing was given.")


def never_sent(intent: Intent, key: RecordKey, at: Stamp) -> Draw | Loan:
    """An intent whose command never left."""
    given = Given(Fact.NEVER_SENT, 0, "not_commanded", "no byte of the command was sent")
    return draw(intent, key, given, at, state=State.INTENDED, q=("interrupted",))


# What an intent says of what it is about: that it lends, and "lots:PIECES:LOT" of each where there are several.
LOAN, LOTS = "loan", "lots:"
SENTENCES = {
    "lent": "Lent to you. Bring it back here.",
    "confirmed": "Taken. Thank you.",
    "not_dispensed": "It did not come out. Nothing was charged.",
    "jammed": "The slot is jammed. Nothing was charged; someone will look at it.",
    "not_taken": "Nothing was taken. Nothing was charged.",
    "unverified": "We could not see whether it came out. Someone will count the slot.",
    "void": "Nothing was given. Please try again.",
}
