"""What lies in every slot, by our own records: refills and counts in, draws out. PURE.

The surprise: stock is never set. A count says what was seen; what is on hand afterwards is that count minus the draws
that follow it. An unverified draw is provisionally off the shelf, so that nobody is promised its piece; a count that
shows exactly one of the two possible worlds decides it, any other count leaves it to a person.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from gateway.lots import Lot, first, leaving, level, put, serials, take, total
from wire.ids import RecordKey
from wire.records import (
    USED_MISSING,
    USED_TAKEN,
    Count,
    DeviceEvent,
    Draw,
    DrawResolved,
    Goods,
    Loan,
    LoanBack,
    OfLot,
    Outcome,
    Record,
    Ref,
    Refill,
    Return,
    Reversal,
)

Place = tuple[str, str]
# Where used and spoiled goods lie, of all sorts.
BURN, SCRAP = "burn", "scrap"
MIXED = (BURN, SCRAP)
# Said of a draw whose board has no motor for the slot: there is nothing to wait for.
NO_MOTOR = "motor_missing"
# Draws that a reversal may still name.
REMEMBERED = 5000


class Contents(msgspec.Struct):
    """One slot. `on_hand` is None until a count or refill gave it a beginning; `jams` in a row since a person was
    there; `off`: its motor is not there; `lots` in the order in which they end. `passed`: unverified draws that a count
    did not decide; they wait for a person, and what he says moves no stock any more.
    """

    item: str = ""
    on_hand: int | None = None
    record: tuple[str, int] | None = None
    doubtful: bool = False
    unverified: dict[RecordKey, Draw] = {}
    passed: dict[RecordKey, Draw] = {}
    jams: int = 0
    off: bool = False
    lots: list[Lot] = []

    @property
    def last(self) -> str:
        """The last record of the slot, as "ep/n"; empty when there is none."""
        return f"{self.record[0]}/{self.record[1]}" if self.record else ""

    @property
    def lot(self) -> Lot | None:
        """The lot that is drawn next."""
        return first(self.lots)

    def piece(self, serial: str) -> Lot | None:
        """The piece of this number; the lot that is drawn next where no number is named."""
        return next((one for one in self.lots if one.serial == serial), None) if serial else self.lot

    @property
    def serials(self) -> list[str]:
        """The numbers that are known to lie here, first expired first."""
        return serials(self.lots)

    def leaving(self, qty: int, serial: str = "") -> list[Lot]:
        """Of which lots so many pieces would be, or these numbers."""
        return leaving(self.lots, qty, serial)


class Resolution(msgspec.Struct, frozen=True):
    """An unverified draw that a count has decided."""

    draw: Draw
    outcome: Outcome
    qty: int


class Shelf:
    """Feed it every record of goods in order, also those of earlier boots; ask it what is there."""

    def __init__(self) -> None:
        self._places: dict[Place, Contents] = {}
        self._draws: dict[RecordKey, tuple[Place, list[Lot]]] = {}
        self._confirmed: OrderedDict[RecordKey, tuple[Place, str, list[Lot]]] = OrderedDict()
        self._ends: dict[tuple[str, str, str], int] = {}
        self._lot_of: dict[tuple[str, str], str] = {}
        self._decided: set[tuple[str, str]] = set()
        self._used: dict[tuple[str, str], int] = {}

    def look(self, cabinet: str, slot: str) -> Contents:
        """What we believe about one slot."""
        return self._places.get((cabinet, slot)) or Contents()

    def apply(self, record: Record) -> None:
        """Moves stock by one record that the journal holds. Records that move no goods are ignored."""
        match record:
            case Draw():
                self._draw(record)
            case Refill():
                place = self._place(record.src, record.slot, record)
                place.on_hand = (place.on_hand or 0) + record.qty
                place.jams, place.off = 0, False
                self._lots(place, record)
            case Count():
                # A card that was put back to an older image counted before it knew what it had recorded itself.
                unknowing = record.position not in ("", self.look(record.src, record.slot).last)
                place = self._place(record.src, record.slot, record)
                place.on_hand = record.qty
                place.doubtful = unknowing
                place.jams, place.off = 0, False
                place.passed |= place.unverified
                place.unverified.clear()
                level(place.lots, record.qty)
            case DrawResolved():
                self._resolve(record)
            case Loan() | LoanBack() | Return():
                self._moved(record)
            case Reversal():
                self._reverse(record)
            case DeviceEvent() if record.event in (USED_TAKEN, USED_MISSING):
                gone = record.data.get("quantity")
                self._box(record.src, str(record.data.get("item")), -gone if isinstance(gone, int) else 0)
            case DeviceEvent() if record.slot and record.event in ("slot_doubtful", "reported", "door_forced"):
                self.doubt(record.src, record.slot)
            case _:
                pass

    def used(self, cabinet: str, item: str) -> int:
        """How many used pieces of an item lie in the box of a cabinet, by what was brought back and taken again."""
        return self._used.get((cabinet, item), 0)

    def doubt(self, cabinet: str, slot: str) -> None:
        """Someone should count this slot."""
        self._begun((cabinet, slot)).doubtful = True

    def doubtful(self) -> list[Place]:
        """Cabinet and slot of each that should be counted."""
        return sorted(where for where, place in self._places.items() if place.doubtful)

    def waiting(self) -> list[Draw]:
        """Every unverified draw that nobody has decided, oldest first."""
        parts = (part for place in self._places.values() for part in (place.unverified, place.passed))
        found = [draw for part in parts for draw in part.values()]
        return sorted(found, key=lambda draw: (draw.t, draw.n))

    def resolutions(self, cabinet: str, slot: str, counted: int) -> Sequence[Resolution]:
        """What a count of so many pieces proves about the unverified draws of the slot; empty: nothing."""
        place = self.look(cabinet, slot)
        if place.on_hand is None or not place.unverified:
            return ()
        pieces = sum(draw.qty for draw in place.unverified.values())
        if counted == place.on_hand:
            return [Resolution(draw, "confirmed", draw.qty) for draw in place.unverified.values()]
        if counted == place.on_hand + pieces:
            return [Resolution(draw, "not_dispensed", 0) for draw in place.unverified.values()]
        return ()

    def unverified(self, cabinet: str, slot: str, intent: str) -> Draw | None:
        """The draw of this intent ("ep/n"), if nobody has decided it yet."""
        place = self.look(cabinet, slot)
        return next((one for one in (*place.unverified.values(), *place.passed.values()) if one.intent == intent), None)

    def ends(self, item: str, lot: str, serial: str) -> int | None:
        """When pieces of this lot or number end, ms UTC, as they were put in: what comes back ends as it would have."""
        return self._ends.get((item, lot, serial)) if lot or serial else None

    def decided(self, cabinet: str, intent: str) -> bool:
        """Whether the unverified draw of this intent ("ep/n") has been decided by evidence."""
        return (cabinet, intent) in self._decided

    def _box(self, cabinet: str, item: str, more: int) -> None:
        self._used[cabinet, item] = max(0, self.used(cabinet, item) + more)

    def _begun(self, where: Place) -> Contents:
        found = self._places.get(where)
        if found is None:
            found = self._places[where] = Contents(unverified={}, passed={}, lots=[])
        return found

    def _place(self, cabinet: str, slot: str, record: Draw | Goods) -> Contents:
        """The slot, which this record is now the last of. What a refill or a count names lies there from then on, and
        nothing is known any more of what lay there before.
        """
        place = self._begun((cabinet, slot))
        place.record = (record.ep, record.n)
        if place.item != record.item and (not place.item or isinstance(record, Refill | Count)):
            if place.item and slot not in MIXED:
                place.on_hand, place.doubtful, place.jams, place.off, place.lots = None, False, 0, False, []
                place.passed |= place.unverified
                place.unverified.clear()
            place.item = record.item
        return place

    def _draw(self, draw: Draw) -> None:
        if draw.outcome in ("denied", "cancelled"):
            return
        place = self._place(draw.src, draw.slot, draw)
        ours = place.item == draw.item
        if draw.qty and ours and place.on_hand is not None:
            place.on_hand -= draw.qty
        gone = take(place.lots, draw.qty, draw.lot, draw.serial, draw.lots) if draw.qty and ours else []
        gone = gone or self._said(draw)
        if draw.outcome == "confirmed":
            place.jams, place.off = 0, False
            self._confirmed[draw.key] = ((draw.src, draw.slot), draw.item, gone)
            if len(self._confirmed) > REMEMBERED:
                self._confirmed.popitem(last=False)
        if draw.outcome == "unverified":
            (place.unverified if ours else place.passed)[draw.key] = draw
            self._draws[draw.key] = (draw.src, draw.slot), gone
        if draw.outcome in ("unverified", "jammed") or "no_drop" in draw.q or "slot_slow" in draw.q:
            place.doubtful = True
        if draw.outcome == "jammed":
            place.jams += 1
        if NO_MOTOR in draw.q:
            place.off = True

    def _resolve(self, resolved: DrawResolved) -> None:
        where, gone = self._draws.pop(resolved.ref.key, (None, []))
        if where is None:
            return
        place = self._places[where]
        place.record = (resolved.ep, resolved.n)
        draw, late = place.unverified.pop(resolved.ref.key, None), place.passed.pop(resolved.ref.key, None)
        found = draw or late
        if found is not None and resolved.outcome != "unverified":
            self._decided.add((found.src, found.intent))
        if draw is not None:
            if place.on_hand is not None:
                place.on_hand += draw.qty - resolved.qty
            self._back(place, gone, draw.qty - resolved.qty)

    def _moved(self, record: Loan | LoanBack | Return) -> None:
        """What is lent leaves; what comes back lies there again (used goods name another slot: see ``take_return``)."""
        place = self._place(record.src, record.slot, record)
        if place.item != record.item and record.slot not in MIXED:
            return
        if record.slot == BURN and isinstance(record, Return):
            self._box(record.src, record.item, record.qty)
        if isinstance(record, Loan):
            take(place.lots, record.qty, record.lot, record.serial, record.lots)
        else:
            self._lots(place, record)
        if place.on_hand is not None or not isinstance(record, Loan):
            place.on_hand = (place.on_hand or 0) + (-record.qty if isinstance(record, Loan) else record.qty)

    def _reverse(self, record: Reversal) -> None:
        """Taken back on paper: the piece lies there after all."""
        where, item, gone = self._confirmed.get(record.ref.key, (None, "", []))
        place = self._places.get(where) if where is not None else None
        if place is not None and place.item == item and place.on_hand is not None:
            place.on_hand += record.qty
            self._back(place, gone, record.qty)

    def _back(self, place: Contents, gone: Sequence[Lot], qty: int) -> None:
        """Pieces that did not leave after all lie there with their lots, or their numbers when all of them stayed."""
        whole = qty >= total(gone)
        for one in reversed(gone):
            pieces = min(one.qty, qty)
            if pieces > 0 and (whole or not one.serial):
                put(place.lots, one.lot, one.expires, pieces, one.serial)
            qty -= pieces

    def _said(self, draw: Draw) -> list[Lot]:
        """What left by the record's own words, where nothing was known to lie there."""
        if draw.serial:
            return [Lot(draw.lot, self.ends(draw.item, draw.lot, one), 1, one) for one in draw.serial.split()]
        parts = draw.lots or ([OfLot(draw.lot, draw.qty)] if draw.lot and draw.qty else [])
        return [Lot(one.lot, self.ends(draw.item, one.lot, ""), one.qty) for one in parts]

    def _lots(self, place: Contents, record: Goods) -> None:
        """What a record names lies there: number by number, or lot by lot."""
        back = isinstance(record, Return | LoanBack)
        parts = record.lots if isinstance(record, Return | LoanBack) and not record.serial else []
        for part in parts:
            put(place.lots, part.lot, self.ends(record.item, part.lot, ""), part.qty)
        if parts or not (record.lot or record.expires or record.serial):
            return
        for number in record.serial.split() or [""]:
            # Of what comes back it is known by its number which lot it is of.
            lot = self._lot_of.get((record.item, number), record.lot) if back and number else record.lot
            ends = record.expires or self.ends(record.item, lot, number)
            if number:
                self._lot_of[record.item, number] = lot
            if ends is not None and (lot or number):
                self._ends[record.item, lot, number] = ends
            put(place.lots, lot, ends, record.qty, number)


def ref(record: Draw | Loan) -> Ref:
    """How other records name this one."""
    return Ref(record.src, record.ep, record.n)
