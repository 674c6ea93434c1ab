"""One draw: badge -> may he? -> intent on disk -> "commanded" on disk -> the command -> proof -> draw on disk.

The order is the whole point. Whatever a power cut leaves behind can be told apart afterwards: no intent, nothing
happened; an intent without the mark, no byte has left; with the mark, the device is asked and never driven again.
"""

from __future__ import annotations

import asyncio

import msgspec

from gateway.access import Decision
from gateway.ports import Confirm, JournalFull, NotStored, RecordRefused
from gateway.premises import Cabinet, CabinetUnreachableError, Given, Premises
from gateway.recording import Stamp, happened, stamp
from gateway.vending import Fact, State, verdict
from wire.ids import RecordKey
from wire.records import DeviceEvent, Draw, Intent


class DrawResult(msgspec.Struct, frozen=True):
    """What to tell the person: outcome (`refused` and `busy` besides a draw's own), pieces, the reason as a word and a
    sentence. `key` is the record's, None when nothing had to be written.
    """

    outcome: str
    qty: int = 0
    reason: str = ""
    sentence: str = ""
    key: RecordKey | None = None


BUSY = DrawResult("busy", reason="busy", sentence="Someone is being served. Wait until the door is closed.")
_running: set[asyncio.Task[DrawResult]] = set()


async def take_draw(
    premises: Premises, cabinet: Cabinet, badge: str, slot: str, *, quantity: int = 1, for_: str = ""
) -> DrawResult:
    """The whole draw. A caller that goes away (a browser that hangs up) does not stop it half-way."""
    if cabinet.device in premises.busy:
        return BUSY
    premises.busy.add(cabinet.device)
    task = asyncio.create_task(_draw(premises, cabinet, badge, slot, quantity=quantity, for_=for_))
    _running.add(task)
    task.add_done_callback(_running.discard)
    task.add_done_callback(lambda _: premises.busy.discard(cabinet.device))
    return await asyncio.shield(task)


async def _draw(premises: Premises, cabinet: Cabinet, badge: str, slot: str, *, quantity: int, for_: str) -> DrawResult:
    decision = premises.decide(cabinet.device, badge, slot, quantity)
    if not decision.allowed or decision.slot is None:
        return await refuse(premises, cabinet, decision, slot, quantity)
    try:
        before = await cabinet.look(slot)
    except CabinetUnreachableError as error:
        return DrawResult("refused", reason="unreachable", sentence=str(error))
    intent = intend(decision, stamp(premises.clock), cabinet, quantity, before=dict(before), for_=for_)
    try:
        (key,) = await premises.keep(intent)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return await carry_out(premises, cabinet, intent, key, decision.slot.confirm)


async def carry_out(
    premises: Premises, cabinet: Cabinet, intent: Intent, key: RecordKey, confirm: Confirm
) -> DrawResult:
    """From an intent that the journal holds to the draw: the mark, then the command, then the proof."""
    try:
        await premises.journal.mark_commanded(key)
    except NotStored as error:
        await premises.keep_for_sure(never_sent(intent, key, stamp(premises.clock)))
        return not_stored(error)
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
    return DrawResult(end.outcome, end.qty, end.incident, SENTENCES[end.outcome], draw_key)


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
    result = DrawResult("refused", reason=decision.reason, sentence=decision.sentence)
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
) -> Intent:
    """The record that goes to disk before the first byte of the command."""
    assert decision.slot is not None
    return Intent(
        v=1, z="", src=cabinet.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=decision.person, for_=for_, cfg=cabinet.cfg, q=list(decision.q),
        slot=decision.slot.slot, item=decision.slot.item, asked=quantity,
        planogram=decision.planogram, rules=decision.rules, before=before,
    )  # fmt: skip


def denied(decision: Decision, at: Stamp, cabinet: Cabinet, quantity: int, *, did: str = "") -> Draw:
    """A draw that was asked for and not allowed."""
    assert decision.slot is not None
    return Draw(
        v=1, z="", src=cabinet.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=decision.person, q=list(decision.q),
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
) -> Draw:
    """The draw that ends an intent."""
    end = verdict(given.fact, given.qty, state)
    flags = (*q, end.incident) if end.incident else q
    over = given.qty > intent.asked and end.outcome == "confirmed"
    return Draw(
        v=1, z="", src=intent.src, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=intent.who, for_=intent.for_, raw=raw, cfg=intent.cfg,
        q=[*intent.q, *flags, *(("over_take",) if over else ())],
        intent=f"{key.ep}/{key.n}", slot=intent.slot, item=intent.item, asked=intent.asked, qty=end.qty,
        outcome=end.outcome, actuation=given.actuation, confirmation=given.confirmation,
        planogram=intent.planogram, rules=intent.rules, unit=intent.unit, scale=intent.scale,
        before=intent.before, after=dict(given.after),
    )  # fmt: skip


def not_stored(error: Exception) -> DrawResult:
    """No record, no goods."""
    reason = "journal_full" if isinstance(error, JournalFull) else "not_stored"
    return DrawResult("refused", reason=reason, sentence="It could not be written down, so nothing was given.")


def never_sent(intent: Intent, key: RecordKey, at: Stamp) -> Draw:
    """An intent whose command never left."""
    given = Given(Fact.NEVER_SENT, 0, "not_commanded", "no byte of the command was sent")
    return draw(intent, key, given, at, state=State.INTENDED, q=("interrupted",))


SENTENCES = {
    "confirmed": "Taken. Thank you.",
    "not_dispensed": "It did not come out. Nothing was charged.",
    "jammed": "The slot is jammed. Nothing was charged; someone will look at it.",
    "not_taken": "Nothing was taken. Nothing was charged.",
    "unverified": "We could not see whether it came out. Someone will count the slot.",
    "void": "Nothing was given. Please try again.",
}
