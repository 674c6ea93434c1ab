"""A restocker at the cabinet: found, filled, removed, spoiled, slot by slot, with what was there before and after.

The surprise is which numbers are facts. A count is one; "full" is a claim (somebody pressed a button) and is marked so.
What is taken out again has no record kind of its own: it is a count of what is left, with the reason beside it, so that
the difference is never booked as somebody's loss by mistake. All of a slot is one commit.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.ports import NotStored, RecordRefused, Slot
from gateway.premises import Cabinet, CabinetUnreachableError, Premises
from gateway.recording import Stamp, happened, stamp
from gateway.take_count import resolved
from gateway.take_draw import DrawResult, not_stored
from gateway.take_return import SHUT, Admitting
from gateway.visitors import Visitor, standing_open
from wire.records import Count, Record, Refill

RESTOCKER = "restocker"


class Pick(msgspec.Struct, frozen=True):
    """What to bring to a slot: so many, up to `par`."""

    slot: str
    item: str
    name: str
    on_hand: int | None
    capacity: int
    par: int
    quantity: int
    order: str = ""


class Filled(msgspec.Struct, frozen=True):
    """What was done at one slot. `found` None: nobody counted before."""

    slot: str
    found: int | None = None
    filled: int = 0
    removed: int = 0
    spoiled: int = 0
    full: bool = False
    lot: str = ""
    expires: int | None = None
    serial: str = ""


def picks(premises: Premises, cabinet: str) -> list[Pick]:
    """The pick list, from the planogram and the shelf alone: as good in a basement as anywhere."""
    planogram = premises.desired.current.planograms.get(cabinet)
    book, found = premises.desired.current.book, []
    for place in planogram.slots if planogram else ():
        held = premises.shelf.look(cabinet, place.slot).on_hand
        par = min(place.max or place.capacity, place.capacity)
        item = book.item(place.item)
        wanted = max(0, par - max(0, held or 0))
        if item.pack > 1:
            # Whole packs, and never more than fits.
            wanted -= wanted % item.pack
        found.append(Pick(place.slot, place.item, item.name, held, place.capacity, par, wanted))
    return found


async def begin_visit(premises: Premises, cabinet: Cabinet, visitor: Visitor) -> DrawResult | str:
    """Service mode, with a snapshot of every slot that can be asked; the visit's name."""
    if RESTOCKER not in visitor.roles:
        return DrawResult("refused", reason="role_needed", sentence="This is for whoever refills the cabinet.")
    if cabinet.device in premises.busy:
        return DrawResult("busy", reason="busy", sentence="Someone is being served. Wait until the door is closed.")
    premises.service.add(cabinet.device)
    try:
        at = stamp(premises.clock)
        begun = happened("service_begun", at, cabinet.device, who=visitor.person.person, data={"by": visitor.by})
        (key,) = await premises.keep(begun)
    except (NotStored, RecordRefused) as error:
        premises.service.discard(cabinet.device)
        return not_stored(error)
    visitor.visit = f"{key.ep}/{key.n}"
    premises.stirred(cabinet.device)
    return visitor.visit


async def fill_slot(premises: Premises, cabinet: Cabinet, visitor: Visitor, done: Filled) -> DrawResult:
    """One slot of a visit, in one commit."""
    place, _ = premises.place(cabinet.device, done.slot)
    if place is None:
        return DrawResult("refused", reason="unknown_slot", sentence="There is no such slot in this cabinet.")
    if min(done.filled, done.removed, done.spoiled, done.found or 0) < 0 or (done.full and not place.capacity):
        return DrawResult("refused", reason="quantity", sentence="A number of pieces is zero or more.")
    now = await snapshot(cabinet, done.slot)
    held = premises.shelf.look(cabinet.device, done.slot).on_hand
    base = held if done.found is None else done.found
    filled = max(0, place.capacity - (base or 0) + done.removed + done.spoiled) if done.full else done.filled
    at = stamp(premises.clock)
    try:
        if done.found is not None:
            # A resolution has no number before its own commit, and a count names what it stands behind.
            decided = premises.shelf.resolutions(cabinet.device, done.slot, done.found)
            if decided:
                await premises.keep(*(resolved(one, at, f"count of {done.found}") for one in decided))
        records = _records(premises, place, visitor, done, at, base, filled, now)
        if not records:
            return DrawResult("refused", reason="quantity", sentence="Say what was found, filled or removed.")
        keys = await premises.keep(*records)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return DrawResult("refilled", filled, sentence="The refill is written down. Thank you.", key=keys[-1])


async def open_door(premises: Premises, cabinet: Cabinet, visitor: Visitor, slot: str) -> DrawResult:
    """A compartment is opened for the restocker; written down first."""
    if not isinstance(cabinet, Admitting):
        return DrawResult("refused", reason="unknown_slot", sentence="This cabinet has no doors of its own.")
    try:
        at = stamp(premises.clock)
        await premises.keep(
            happened("opened_for_service", at, cabinet.device, slot=slot[:64], who=visitor.person.person)
        )
        opened = await cabinet.admit(slot)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    except CabinetUnreachableError as error:
        return DrawResult("refused", reason="unreachable", sentence=str(error))
    if not opened:
        return DrawResult("refused", reason="unreachable", sentence=SHUT)
    return DrawResult("opened", sentence="The door is closed again.")


async def end_visit(
    premises: Premises, cabinet: Cabinet, visitor: Visitor, why: str = "done"
) -> list[dict[str, object]]:
    """Snapshots after; service mode ends."""
    planogram = premises.desired.current.planograms.get(cabinet.device)
    slots = [place.slot for place in planogram.slots] if planogram else []
    after: list[dict[str, object]] = [
        {"slot": slot, "after": premises.shelf.look(cabinet.device, slot).on_hand} for slot in slots
    ]
    data: dict[str, str | int] = {"visit": visitor.visit, "why": why, "doors_open": len(standing_open(cabinet))}
    await premises.keep_for_sure(
        happened("service_ended", stamp(premises.clock), cabinet.device, who=visitor.person.person, data=data)
    )
    visitor.visit = ""
    premises.service.discard(cabinet.device)
    premises.stirred(cabinet.device)
    return after


async def snapshot(cabinet: Cabinet, slot: str) -> dict[str, int]:
    """The cabinet's own numbers of a slot, where it has any and can be asked."""
    try:
        return dict(await cabinet.look(slot))
    except CabinetUnreachableError:
        return {}


def _records(
    premises: Premises, place: Slot, visitor: Visitor, done: Filled, at: Stamp, base: int | None, filled: int,
    now: dict[str, int],
) -> Sequence[Record]:  # fmt: skip
    src = visitor.cabinet
    unit = premises.desired.current.book.item(place.item).unit
    who, held = visitor.person.person, premises.shelf.look(src, place.slot)

    def count(qty: int, q: list[str], position: str) -> Count:
        return Count(
            v=1, z="", src=src, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, who=who, q=q,
            slot=place.slot, item=place.item, qty=qty, unit=unit, position=position,
        )  # fmt: skip

    records: list[Record] = []
    if done.found is not None:
        records.append(count(done.found, ["manual"], held.last))
    after = (base or 0) + filled
    if filled:
        over = ["over_capacity"] if place.capacity and after > place.capacity + done.removed + done.spoiled else []
        records.append(Refill(
            v=1, z="", src=src, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, who=who,
            q=["manual", *(["claimed_full"] if done.full else []), *over],
            slot=place.slot, item=place.item, qty=filled, unit=unit, visit=visitor.visit,
            before={**now, **({} if base is None else {"on_hand": base})}, after={**now, "on_hand": after},
            lot=done.lot, serial=done.serial,
            expires=msgspec.UNSET if done.expires is None else done.expires,
        ))  # fmt: skip
    if done.removed or done.spoiled:
        data: dict[str, int | str | bool] = {"removed": done.removed, "spoiled": done.spoiled, "visit": visitor.visit}
        records.append(happened("goods_removed", at, src, slot=place.slot, who=who, data=data))
        q = ["manual", *(["removed"] if done.removed else []), *(["spoiled"] if done.spoiled else [])]
        records.append(count(max(0, after - done.removed - done.spoiled), q, ""))
    return records
