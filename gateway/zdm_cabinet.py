"""A cabinet on a ZDM8 board: started by one question, and asked by others how it went.

The surprise: an end is shown to one reader, once. An answer that the line destroys may have been the end, and idle
afterwards then proves nothing; idle without any lost answer proves that the motor was never started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.clock import Clock
from gateway.coil_cabinet import CoilCabinet, CoilDriver, Open
from gateway.device_events import CommandTaken, Dispensed, Event, MotorState, Request
from gateway.ports import Line
from gateway.premises import CabinetUnreachableError, Given, Premises
from gateway.vending import Fact

ASK_EVERY = 0.3
# Idle for so long after the start, and every answer heard: it has not begun, or its end was shown to nobody.
IDLE_PROVES = 1.0


class ZdmDriver(CoilDriver, Protocol):
    """What this board's driver can be asked besides."""

    def state(self) -> Request:
        """How it went: shown once."""


class ZdmCabinet(CoilCabinet):
    """One board."""

    def __init__(self, device: str, driver: ZdmDriver, line: Line, clock: Clock, premises: Premises) -> None:
        super().__init__(device, driver, line, clock, premises)
        self._state: Callable[[], Request] = driver.state

    async def look(self, slot: str) -> Mapping[str, int]:
        """The board must stand still: an end that nobody has read is read (and written down) first."""
        self._must_drive(slot)
        events, _ = await self._command(self._state)
        if events is None or any(isinstance(event, Dispensed) for event in events):
            events, _ = await self._command(self._state)
        if events is None:
            raise CabinetUnreachableError(f"Board {self.device} does not answer. Check its power and its cable.")
        if any(isinstance(event, MotorState) and event.running for event in events):
            raise CabinetUnreachableError(f"Board {self.device} is still turning a motor. Wait a moment.")
        return {}

    async def _find_out(self, attempt: Open) -> Given | None:
        """The board may still turn, or still hold the end that nobody has read."""
        return await self._until_over(attempt, started=True)

    async def _drive(self, attempt: Open) -> Given | None:
        done = attempt.done
        events, word = await self._command(lambda: self._driver.drive(attempt.intent.slot))
        if word:
            return Given(Fact.NO_MOTOR, 0, "not_commanded", word)
        taken = next((event for event in events or () if isinstance(event, CommandTaken)), None)
        if taken is not None and not taken.taken:
            return Given(Fact.NO_MOTOR, 0, "refused", taken.why)
        given = await self._until_over(attempt, started=taken is not None)
        return None if attempt.given is not None or attempt.done > done else given

    async def _until_over(self, attempt: Open, *, started: bool) -> Given:
        """Asks until the end was shown, or certainly will not be. `started`: the board has confirmed the start."""
        unknown = self._unknown(attempt)
        begun, done, idle_since, lost = self._clock.line(), attempt.done, None, False
        while self._clock.line() - begun < self._driver.patience:
            events, _ = await self._command(self._state)
            if attempt.given is not None or attempt.done > done:
                return unknown
            now = self._clock.line()
            state = _state(events)
            lost = lost or events is None
            started = started or (state is not None and state.running)
            if state is not None and not state.running:
                idle_since = now if idle_since is None else idle_since
                if now - idle_since > IDLE_PROVES:
                    proven = not started and not lost
                    return Given(Fact.NO_MOTOR, 0, "not started", "the board is idle") if proven else unknown
            else:
                idle_since = None
            await self._clock.sleep(ASK_EVERY * self._clock.scale)
        return unknown


def _state(events: list[Event] | None) -> MotorState | None:
    return next((event for event in events or () if isinstance(event, MotorState)), None)
