"""One slot of a refill, in one commit: found, filled, removed, spoiled; by lot, by serial number, by order.

The surprise is which numbers are facts. A count is one; "full" is a claim (somebody pressed a button) and is marked so.
What is taken out again has no record kind of its own: it is a count of what is left, with the reason beside it, so that
the difference is never booked as somebody's loss by mistake. A piece with a serial number is a refill of its own.
"""

from __future__ import annotations

import msgspec

from gateway.ports import NotStored, RecordRefused, Slot
from gateway.premises import Cabinet, CabinetUnreachableError, Premises
from gateway.recording import Stamp, happened, stamp
from gateway.take_count import resolved
from gateway.take_draw import DrawResult, not_stored
from gateway.visitors import Visitor
from wire.records import Count, Record, Refill

WRONG = {
    "unknown_slot": "There is no such slot in this cabinet.",
    "quantity": "A number of pieces is zero or more.",
    "lot_needed": "Say the lot: it stands on the package.",
    "serials_needed": "Say the serial number of each piece that was put in.",
    "serial_twice": "This serial number lies there already. Read it again.",
}


class Filled(msgspec.Struct, frozen=True):
    """What was done at one slot. `found` None: nobody counted before. `serials`: of the pieces that were filled
    in; `request`: the flag of who asks (``answered``).
    """

    slot: str
    found: int | None = None
    filled: int = 0
    removed: int = 0
    spoiled: int = 0
    full: bool = False
    lot: str = ""
    expires: int | None = None
    serials: tuple[str, ...] = ()
    request: str = ""


class Work(msgspec.Struct, frozen=True):
    """The slot that is filled: what lies there by the books or by the count, what was put in, the cabinet's numbers."""

    place: Slot
    visitor: Visitor
    done: Filled
    at: Stamp
    base: int | None
    filled: int
    snapshot: dict[str, int]


async def fill_slot(premises: Premises, cabinet: Cabinet, visitor: Visitor, done: Filled) -> DrawResult:
    """Writes down what was done. Refused for what no package says: a lot or numbers that the item needs."""
    place, _ = premises.place(cabinet.device, done.slot)
    if place is None:
        return _no("unknown_slot")
    held = premises.lies_in(cabinet.device, done.slot).on_hand
    base = held if done.found is None else done.found
    whole = max(0, place.capacity - (base or 0) + done.removed + done.spoiled)
    filled = whole if done.full else done.filled or len(done.serials)
    if wrong := _wrong(premises, place, cabinet.device, done, filled):
        return _no(wrong)
    now = await snapshot(cabinet, done.slot)
    at = stamp(premises.clock)
    try:
        if done.found is not None:
            # A resolution has no number before its own commit, and a count names what it stands behind.
            decided = premises.decided_by(cabinet.device, done.slot, done.found)
            if decided:
                await premises.keep(*(resolved(one, at, f"count of {done.found}") for one in decided))
        records = _records(premises, Work(place, visitor, done, at, base, filled, now))
        if not records:
            return DrawResult("refused", reason="quantity", sentence="Say what was found, filled or removed.")
        keys = await premises.keep(*records)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return DrawResult("refilled", filled, sentence="The refill is written down. Thank you.", key=keys[-1])


async def snapshot(cabinet: Cabinet, slot: str) -> dict[str, int]:
    """The cabinet's own numbers of a slot, where it has any and can be asked."""
    try:
        return dict(await cabinet.look(slot))
    except CabinetUnreachableError:
        return {}


def _wrong(premises: Premises, place: Slot, cabinet: str, done: Filled, filled: int) -> str:
    """Why this cannot be written down, as a reason."""
    if min(done.filled, done.removed, done.spoiled, done.found or 0) < 0 or (done.full and not place.capacity):
        return "quantity"
    if done.found is not None and done.removed + done.spoiled > done.found + filled:
        # More than was counted there cannot have been taken out.
        return "quantity"
    item = premises.desired.current.book.item(place.item)
    if filled and item.lot and not done.lot:
        return "lot_needed"
    counted = item.serial and cabinet not in premises.sees_serials
    if (counted or done.serials) and len(done.serials) != filled:
        return "serials_needed"
    here = premises.lies_in(cabinet, place.slot).serials
    return "serial_twice" if len({*done.serials, *here}) < len(done.serials) + len(here) else ""


def _records(premises: Premises, work: Work) -> list[Record]:
    done, at, src = work.done, work.at, work.visitor.cabinet
    who, held = work.visitor.person.person, premises.lies_in(src, work.place.slot)
    records: list[Record] = []
    if done.found is not None:
        records.append(_count(premises, work, done.found, ["manual"], held.last))
    after = (work.base or 0) + work.filled
    if work.filled:
        records += _refills(premises, work, after)
    if done.removed or done.spoiled:
        data: dict[str, int | str | bool] = {
            "removed": done.removed, "spoiled": done.spoiled, "visit": work.visitor.visit,
        }  # fmt: skip
        records.append(happened("goods_removed", at, src, slot=work.place.slot, who=who, data=data))
        q = ["manual", *(["removed"] if done.removed else []), *(["spoiled"] if done.spoiled else [])]
        records.append(_count(premises, work, max(0, after - done.removed - done.spoiled), q, ""))
    return records


def _count(premises: Premises, work: Work, qty: int, q: list[str], position: str) -> Count:
    at, place = work.at, work.place
    return Count(
        v=1, z="", src=work.visitor.cabinet, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        who=work.visitor.person.person, q=[*q, *_asked(work)], slot=place.slot, item=place.item, qty=qty,
        unit=premises.desired.current.book.item(place.item).unit, position=position,
    )  # fmt: skip


def _refills(premises: Premises, work: Work, after: int) -> list[Refill]:
    """One record, or one a piece where each has a number."""
    place, done, at, visitor = work.place, work.done, work.at, work.visitor
    over = place.capacity and after > place.capacity + done.removed + done.spoiled
    q = ["manual", *(["claimed_full"] if done.full else []), *(["over_capacity"] if over else []), *_asked(work)]
    found, here = [], work.base
    for qty, serial in [(1, one) for one in done.serials] or [(work.filled, "")]:
        then = (here or 0) + qty
        found.append(Refill(
            v=1, z="", src=visitor.cabinet, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
            who=visitor.person.person, q=q, slot=place.slot, item=place.item, qty=qty,
            unit=premises.desired.current.book.item(place.item).unit, visit=visitor.visit,
            order=visitor.orders.get(place.slot, ""),
            before={**visitor.before.get(place.slot, {}), **({} if here is None else {"on_hand": here})},
            after={**work.snapshot, "on_hand": then}, lot=done.lot, serial=serial,
            expires=msgspec.UNSET if done.expires is None else done.expires,
        ))  # fmt: skip
        here = then
    return found


def _asked(work: Work) -> list[str]:
    return [work.done.request] if work.done.request else []


def _no(reason: str) -> DrawResult:
    return DrawResult("refused", reason=reason, sentence=WRONG[reason])
