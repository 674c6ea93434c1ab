"""Sets the clocks of meters that are told the time by broadcast, once a day and never when our own is in doubt.

The surprise is how little is promised: nobody answers a broadcast, and a meter takes it only for a deviation of some
minutes. So what is recorded is that the time was told, and the meter's own date and time are read before it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.clock import Clock
from gateway.device_events import DeviceFault, Event, Request
from gateway.ports import DeviceStatus, Journal, Line, LinkDown, NotStored
from gateway.recording import happened, stamp

log = logging.getLogger(__name__)

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
# Nineteen o'clock UTC is three in the morning in Beijing: far from midnight, where meters refuse it.
AT_MS = 19 * HOUR_MS
LOOK = 60.0


class Told(Protocol):
    """A driver whose device takes the time by broadcast."""

    def broadcast_time(self, at: int) -> Request:
        """Sets the clock of every meter on the line; nobody answers."""

    def ask(self, what: str) -> Request:
        """Asks for `date` or `time`."""


class MeterClocks:
    """The meters of one line; a `Session` of its own, because it has only time to wait for."""

    def __init__(self, line: str, drivers: Mapping[str, Told], session: Line, clock: Clock, journal: Journal) -> None:
        self.name = f"{line} clocks"
        self.progress = clock.line()
        self._drivers = dict(drivers)
        self._session = session
        self._clock = clock
        self._journal = journal
        self._day: int | None = None

    def devices(self) -> list[DeviceStatus]:
        """It has none of its own."""
        return []

    async def run(self) -> None:
        """Once a day, until cancelled."""
        while True:
            self.progress = self._clock.line()
            day, of_day = divmod(self._clock.wall_ms() - AT_MS, DAY_MS)
            if of_day < HOUR_MS and self._clock.state() == "S" and day != self._day:
                try:
                    await self._tell()
                    self._day = day
                except (LinkDown, NotStored) as error:
                    log.info("%s: %s", self.name, error)
            await self._clock.sleep(LOOK)

    async def _tell(self) -> None:
        """Reads what every meter says, then tells all of them at once."""
        said: dict[str, dict[str, str]] = {}
        for device, driver in self._drivers.items():
            for what in ("date", "time"):
                events = await self._session.exchange(device, lambda driver=driver, what=what: driver.ask(what))  # type: ignore[misc]
                said.setdefault(device, {})[what] = _value(events or ())
        first, driver = next(iter(self._drivers.items()))
        await self._session.exchange(first, lambda: driver.broadcast_time(self._clock.wall_ms()))
        at = stamp(self._clock)
        await self._journal.append([
            happened("clock_told", at, device, data={"meter_date": one["date"], "meter_time": one["time"]})
            for device, one in said.items()
        ])  # fmt: skip


def _value(events: Sequence[Event]) -> str:
    found = next((event for event in events if isinstance(event, DeviceFault) and event.event == "told"), None)
    return str(found.data.get("value", "")) if found else ""
