"""Refill visits that have begun and not ended, by the records: what a start finds among them was cut off. PURE."""

from __future__ import annotations

import msgspec

from wire.records import DeviceEvent, Record, Refill


class OpenVisit(msgspec.Struct):
    """A visit and what was written of it so far: whose, and pieces by slot."""

    cabinet: str
    visit: str
    who: str
    filled: dict[str, int] = {}


class OpenVisits:
    """Feed it every record of a cabinet, also those of earlier boots."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], OpenVisit] = {}

    def all(self) -> list[OpenVisit]:
        """In the order in which they began."""
        return list(self._open.values())

    def apply(self, record: Record) -> None:
        """Remembers a beginning, what was filled since, and an end."""
        match record:
            case DeviceEvent() if record.event == "service_begun":
                visit = f"{record.ep}/{record.n}"
                self._open[record.src, visit] = OpenVisit(record.src, visit, record.who)
            case DeviceEvent() if record.event == "service_ended":
                self._open.pop((record.src, str(record.data.get("visit", ""))), None)
            case Refill() if (found := self._open.get((record.src, record.visit))) is not None:
                found.filled[record.slot] = found.filled.get(record.slot, 0) + record.qty
            case _:
                pass
