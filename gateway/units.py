"""The air units and relays of this site as things with levels: one by its register, the other by on and off.

The surprise: a command that the device refuses is no error of the line. It is simply not followed, and the reading back
that comes after every command says so.
"""

from __future__ import annotations

from typing import Protocol

from gateway.device_events import LevelState, Request
from gateway.ports import Line, LinkDown, Switch


class LevelDriver(Protocol):
    """A driver whose device has a speed."""

    levels: int

    def set_level(self, level: int) -> Request:
        """The command."""

    def look(self) -> Request:
        """Asks for the speed; a LevelState answers."""


class LineUnit:
    """An air unit on a serial line."""

    def __init__(self, device: str, driver: LevelDriver, line: Line) -> None:
        self.device = device
        self.levels = driver.levels
        self._driver = driver
        self._line = line

    async def level(self) -> int | None:
        """See `Unit`. A setting that is no level is the highest one: the unit runs, and nobody knows how fast."""
        told = await self._line.exchange(self.device, self._driver.look)
        state = next((event for event in told or () if isinstance(event, LevelState)), None)
        if state is None:
            return None
        return self.levels if state.level is None else state.level

    async def switch(self, level: int) -> None:
        """See `Unit`."""
        await self._line.exchange(self.device, lambda: self._driver.set_level(level))


class SwitchUnit:
    """A relay, a plug or a valve as a unit with one level."""

    levels = 1

    def __init__(self, switch: Switch) -> None:
        self.device = switch.device
        self._switch = switch

    async def level(self) -> int | None:
        """See `Unit`. Between two positions is no answer yet."""
        state = await self._switch.read_back()
        return None if state is None or state.on is None else int(state.on)

    async def switch(self, level: int) -> None:
        """See `Unit`. Raises LinkDown with the device's own words where it refuses."""
        answer = await self._switch.turn(on=level > 0)
        if answer is not None and not answer.taken:
            raise LinkDown(f"{self.device} refuses to be switched: {answer.why or 'it does not say why'}")
