"""A restocker at the cabinet: found, filled, removed, spoiled, slot by slot, with what was there before and after.

The surprise is which numbers are facts. A count is one; "full" is a claim (somebody pressed a button) and is marked so.
What is taken out again has no record kind of its own: it is a count of what is left, with the reason beside it, so that
the difference is never booked as somebody's loss by mistake. All of a slot is one commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

import msgspec

from gateway.door import admits, known, settle
from gateway.ports import NotStored, RecordRefused
from gateway.premises import Cabinet, CabinetUnreachableError, Premises, standing_open
from gateway.reasons import SENTENCES
from gateway.recording import happened, stamp
from gateway.stock_words import Stock, stock_word
from gateway.take_draw import DrawResult, not_stored
from gateway.take_return import SHUT
from gateway.visitors import Visitor
from wire.canonical import Deep, Deepest
from wire.records import DeviceEvent

RESTOCKER = "restocker"
# Slots of one snapshot: a leaf is at most 4 KiB.
AT_ONCE = 20


class Pick(msgspec.Struct, frozen=True):
    """What to bring to a slot: so many, up to `par`, by which order; `needs`: whether lot or serial are asked for."""

    slot: str
    item: str
    name: str
    on_hand: int | None
    capacity: int
    par: int
    quantity: int
    order: str = ""
    needs: list[str] = []
    stock: Stock = "unknown"


def picks(premises: Premises, cabinet: str) -> list[Pick]:
    """The pick list, from the planogram and the shelf alone: as good in a basement as anywhere."""
    planogram = premises.desired.current.planograms.get(cabinet)
    book, found = premises.desired.current.book, []
    for place in planogram.slots if planogram else ():
        held = premises.lies_in(cabinet, place.slot).on_hand
        par = min(place.max or place.capacity, place.capacity)
        item = book.item(place.item)
        wanted = max(0, par - max(0, held or 0))
        if item.pack > 1:
            # Whole packs, and never more than fits.
            wanted -= wanted % item.pack
        needs = [name for name, needed in (("lot", item.lot), ("serial", item.serial)) if needed]
        order = premises.desired.current.order(cabinet, place)
        found.append(
            Pick(
                place.slot,
                place.item,
                item.name,
                held,
                place.capacity,
                par,
                wanted,
                order,
                needs,
                stock_word(held, place),
            )
        )
    return found


async def begin_visit(premises: Premises, cabinet: Cabinet, visitor: Visitor) -> DrawResult | str:
    """Service mode, with a snapshot of every slot; the visit's name. Begun twice it is the same visit."""
    if RESTOCKER not in visitor.roles:
        return DrawResult("refused", reason="role_needed", sentence="This is for whoever refills the cabinet.")
    if visitor.visit:
        return visitor.visit
    if cabinet.device in premises.busy:
        return DrawResult("busy", reason="busy", sentence="Someone is being served. Wait until the door is closed.")
    if closed := premises.closed(cabinet.device):
        # The visit before is just being ended: a snapshot of both cannot be told apart.
        return DrawResult("refused", reason=closed, sentence=SENTENCES[closed])
    # What was taken before is somebody's draw; from now on it is not.
    premises.busy.add(cabinet.device)
    try:
        await settle(cabinet)
    finally:
        premises.over(cabinet.device)
    premises.service.add(cabinet.device)
    try:
        at = stamp(premises.clock)
        begun = happened("service_begun", at, cabinet.device, who=visitor.person.person, data={"by": visitor.by})
        key, *_ = await premises.keep(begun, *_portraits(premises, cabinet, visitor.person.person, "before"))
    except (NotStored, RecordRefused) as error:
        premises.service.discard(cabinet.device)
        return not_stored(error)
    visitor.visit = f"{key.ep}/{key.n}"
    visitor.before = {slot: known(cabinet, slot) for slot in _slots(premises, cabinet)}
    # What he has brought was picked by these orders, whatever the cloud says while he fills.
    visitor.orders = {one.slot: one.order for one in picks(premises, cabinet.device) if one.order}
    premises.stirred(cabinet.device)
    return visitor.visit


async def open_door(premises: Premises, cabinet: Cabinet, visitor: Visitor, slot: str) -> DrawResult:
    """A compartment is opened for the restocker; written down first."""
    if not admits(cabinet, slot):
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
    """Snapshots after; service mode ends. Of two who end it at once, one does."""
    visit, visitor.visit = visitor.visit, ""
    if not visit:
        return []
    await settle(cabinet)
    after: list[dict[str, object]] = [
        {"slot": slot, "after": premises.lies_in(cabinet.device, slot).on_hand} for slot in _slots(premises, cabinet)
    ]
    data: dict[str, Deep] = {"visit": visit, "why": why, "doors_open": len(standing_open(cabinet))}
    await _end(premises, cabinet, visitor.person.person, data)
    visitor.orders, visitor.before = {}, {}
    return after


async def end_interrupted(premises: Premises, cabinets: Mapping[str, Cabinet], recovered: Awaitable[object]) -> int:
    """At a start: ends the visits that a power cut left open, after the draws, each once; the number of them. Until
    then their cabinets stay in service: what a scale or a reader misses is what the restocker took out before the cut.
    """
    left = [one for one in premises.visits.all() if one.cabinet in cabinets]
    premises.service.update(one.cabinet for one in left)
    await recovered
    for one in left:
        cabinet = cabinets[one.cabinet]
        await settle(cabinet)
        slots: list[Deepest] = [*one.filled]
        data: dict[str, Deep] = {
            "visit": one.visit, "why": "interrupted", "doors_open": len(standing_open(cabinet)),
            "slots": slots[:AT_ONCE], "filled": sum(one.filled.values()),
        }  # fmt: skip
        await _end(premises, cabinet, one.who, data, ["interrupted"])
    return len(left)


async def _end(premises: Premises, cabinet: Cabinet, who: str, data: Mapping[str, Deep], q: Sequence[str] = ()) -> None:
    """Named after the visit: cut off again in the middle of this, it is still ended once."""
    at, name = stamp(premises.clock), f"visit/{data['visit']}"
    ended = happened("service_ended", at, cabinet.device, who=who, data=data, did=name)
    flagged = msgspec.structs.replace(ended, q=[*q])
    await premises.keep_for_sure(flagged, *_portraits(premises, cabinet, who, "after"))
    premises.service.discard(cabinet.device)
    premises.stirred(cabinet.device)


def _slots(premises: Premises, cabinet: Cabinet) -> list[str]:
    planogram = premises.desired.current.planograms.get(cabinet.device)
    return [place.slot for place in planogram.slots] if planogram else []


def _portraits(premises: Premises, cabinet: Cabinet, who: str, when: str) -> list[DeviceEvent]:
    """What lay in every slot, by the books (-1: nobody knows) and by the cabinet's own numbers: with one before and one
    after a visit, what was drawn meanwhile can be told from what was filled.
    """
    slots, at, made = _slots(premises, cabinet), stamp(premises.clock), []
    for first in range(0, len(slots), AT_ONCE):
        part = slots[first : first + AT_ONCE]
        held = [premises.lies_in(cabinet.device, slot).on_hand for slot in part]
        told = [" ".join(f"{name}={number}" for name, number in known(cabinet, slot).items()) for slot in part]
        data: dict[str, Deep] = {
            "when": when, "slots": [*part], "on_hand": [-1 if one is None else one for one in held], "told": [*told],
        }  # fmt: skip
        made.append(happened("snapshot", at, cabinet.device, who=who, data=data))
    return made
