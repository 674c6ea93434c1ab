"""Pieces that a slot's test at the set-up gave away and that no reversal has taken back yet, by the records. PURE.

The surprise is the power cut between a test's draw and its reversal: without this its piece would stand on a bill.
"""

from __future__ import annotations

from wire.ids import RecordKey
from wire.records import Draw, DrawResolved, Record, Reversal

FLAG = "slot_test"


class TriedOut:
    """Feed it every record of goods, also those of earlier boots."""

    def __init__(self) -> None:
        self._open: dict[RecordKey, int] = {}
        self._doubt: set[RecordKey] = set()

    def open(self) -> list[tuple[RecordKey, int]]:
        """The draws that are still to be taken back, with their pieces."""
        return list(self._open.items())

    def apply(self, record: Record) -> None:
        """Remembers a test that gave something away, and that it was taken back."""
        match record:
            case Draw() if FLAG in record.q and record.outcome == "confirmed" and record.qty:
                self._open[record.key] = record.qty
            case Draw() if FLAG in record.q and record.outcome == "unverified":
                self._doubt.add(record.key)
            case DrawResolved() if record.ref.key in self._doubt and record.outcome != "unverified":
                self._doubt.discard(record.ref.key)
                if record.qty:
                    self._open[record.ref.key] = record.qty
            case Reversal():
                self._open.pop(record.ref.key, None)
            case _:
                pass
