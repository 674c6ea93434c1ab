"""The slot map: for every slot its number, its item, and what is left, as a word and as a number. PURE."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from cloud.web.facts import Cabinet, Slot
from cloud.web.figures import number, quantity
from cloud.web.languages import Words
from cloud.web.views.state import State


class SlotTile(NamedTuple):
    """One slot. ``share`` is how full it is, 0 to 100, for the drawn bar; ``limits`` says the same limits in text."""

    slot: str
    item: str
    on_hand: str
    state: State
    limits: str
    notes: list[str]
    share: int
    low_mark: int


class CabinetMap(NamedTuple):
    """One cabinet's tiles, and one sentence that sums them up."""

    device_id: str
    name: str
    site: str
    summary: str
    tiles: list[SlotTile]


def slot_maps(words: Words, cabinets: tuple[Cabinet, ...]) -> list[CabinetMap]:
    """All cabinets, in the order given."""
    return [_map(words, cabinet) for cabinet in cabinets]


def state_of(words: Words, slot: Slot) -> State:
    """What is left, as a word."""
    _ = words.gettext
    if slot.on_hand is None:
        return State(_("Not counted"), "off")
    if slot.on_hand < 0:
        return State(_("Count it"), "bad")
    if slot.on_hand == 0:
        return State(_("Empty"), "bad")
    if slot.on_hand <= slot.minimum:
        return State(_("Low"), "warn")
    if slot.maximum and slot.on_hand >= slot.maximum:
        return State(_("Full"), "good")
    return State(_("Enough"), "good")


def _map(words: Words, cabinet: Cabinet) -> CabinetMap:
    return CabinetMap(
        device_id=cabinet.device_id,
        name=cabinet.name or cabinet.device_id,
        site=cabinet.site,
        summary=_summary(words, cabinet.slots),
        tiles=[_tile(words, slot) for slot in cabinet.slots],
    )


def _tile(words: Words, slot: Slot) -> SlotTile:
    _ = words.gettext
    least, most = number(words, slot.minimum), number(words, slot.maximum)
    notes = []
    if slot.ordered:
        notes.append(_("%(quantity)s on order", quantity=quantity(words, slot.ordered, slot.unit)))
    if slot.doubtful:
        notes.append(_("%(quantity)s in doubt", quantity=quantity(words, slot.doubtful, slot.unit)))
    whole = slot.capacity or slot.maximum
    return SlotTile(
        slot=slot.slot,
        item=slot.item,
        on_hand="" if slot.on_hand is None else quantity(words, slot.on_hand, slot.unit),
        state=state_of(words, slot),
        limits=_("min %(minimum)s, max %(maximum)s", minimum=least, maximum=most),
        notes=notes,
        share=_share(slot.on_hand or Decimal(0), whole),
        low_mark=_share(slot.minimum, whole),
    )


def _summary(words: Words, slots: tuple[Slot, ...]) -> str:
    """How many slots, and how many of them ask for somebody."""
    _ = words.gettext
    empty = sum(slot.on_hand is not None and slot.on_hand <= 0 for slot in slots)
    low = sum(slot.on_hand is not None and 0 < slot.on_hand <= slot.minimum for slot in slots)
    counted = words.ngettext("%(count)s slot", "%(count)s slots", len(slots))
    if empty and low:
        return _("%(slots)s, %(empty)s empty, %(low)s low", slots=counted, empty=empty, low=low)
    if empty:
        return _("%(slots)s, %(empty)s empty", slots=counted, empty=empty)
    if low:
        return _("%(slots)s, %(low)s low", slots=counted, low=low)
    return counted


def _share(part: Decimal, whole: Decimal) -> int:
    return 0 if whole <= 0 else int(min(max(part / whole, Decimal(0)), Decimal(1)) * 100)
