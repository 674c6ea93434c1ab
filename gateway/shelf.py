"""What lies in every slot, by our own records: refills and counts in, draws out. PURE.

The surprise: stock is never set. A count says what was seen; what is on hand afterwards is that count minus the draws
that follow it. An unverified draw is provisionally off the shelf, so that nobody is promised its piece; a count that
shows exactly one of the two possible worlds decides it, any other count leaves it to a person.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wire.ids import RecordKey
from wire.records import Count, Draw, DrawResolved, Outcome, Record, Ref, Refill

Place = tuple[str, str]


class Contents(msgspec.Struct):
    """One slot. `on_hand` is None until a count or refill gave it a beginning."""

    item: str = ""
    on_hand: int | None = None
    record: tuple[str, int] | None = None
    doubtful: bool = False
    unverified: dict[RecordKey, Draw] = {}

    @property
    def last(self) -> str:
        """The last record of the slot, as "ep/n"; empty when there is none."""
        return f"{self.record[0]}/{self.record[1]}" if self.record else ""


class Resolution(msgspec.Struct, frozen=True):
    """An unverified draw that a count has decided."""

    draw: Draw
    outcome: Outcome
    qty: int


class Shelf:
    """Feed it every record of goods in order, also those of earlier boots; ask it what is there."""

    def __init__(self) -> None:
        self._places: dict[Place, Contents] = {}
        self._draws: dict[RecordKey, Place] = {}

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
            case Count():
                place = self._place(record.src, record.slot, record)
                place.on_hand = record.qty
                place.doubtful = False
                place.unverified.clear()
            case DrawResolved():
                self._resolve(record)
            case _:
                pass

    def doubt(self, cabinet: str, slot: str) -> None:
        """Someone should count this slot."""
        self._places.setdefault((cabinet, slot), Contents(unverified={})).doubtful = True

    def doubtful(self) -> list[Place]:
        """Cabinet and slot of each that should be counted."""
        return sorted(where for where, place in self._places.items() if place.doubtful)

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
        return next((draw for draw in self.look(cabinet, slot).unverified.values() if draw.intent == intent), None)

    def _place(self, cabinet: str, slot: str, record: Draw | Refill | Count) -> Contents:
        place = self._places.setdefault((cabinet, slot), Contents(unverified={}))
        place.item, place.record = record.item, (record.ep, record.n)
        return place

    def _draw(self, draw: Draw) -> None:
        if draw.outcome == "denied":
            return
        place = self._place(draw.src, draw.slot, draw)
        if draw.qty and place.on_hand is not None:
            place.on_hand -= draw.qty
        if draw.outcome == "unverified":
            place.unverified[draw.key] = draw
            self._draws[draw.key] = (draw.src, draw.slot)
        if draw.outcome in ("unverified", "jammed"):
            place.doubtful = True

    def _resolve(self, resolved: DrawResolved) -> None:
        where = self._draws.pop(resolved.ref.key, None)
        draw = self._places[where].unverified.pop(resolved.ref.key, None) if where else None
        if where and draw is not None:
            place = self._places[where]
            place.record = (resolved.ep, resolved.n)
            if place.on_hand is not None:
                place.on_hand += draw.qty - resolved.qty


def ref(record: Draw) -> Ref:
    """How other records name this one."""
    return Ref(record.src, record.ep, record.n)
