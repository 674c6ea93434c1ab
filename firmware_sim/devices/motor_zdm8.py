"""The ZDM8 board: Modbus RTU whose addresses are message numbers, and whose result is shown to one reader, once.

::

    10 2001 2 words    lane, type | drop detection, lift      starts a lane (row * 10 + column); refused while one turns
    03 0003 1 word     run, fault     run 00 idle, 01 turning, 02 dispensed, 03 not dispensed; 02 and 03 become 00
                                      by being read, the fault stays until the next start
    03 0001 2 words    hardware: year month | rows columns        03 0002 2 words    software: year year | month day
    03 0004 2 words    temperature x10, humidity x10              03 0005 1 word     lock: 01 00 closed, 00 00 open
    03 0008 1 word     light curtain: 1 in order                  03 0009 2 words    outputs
    03 000A 1 word     inputs, bit 10 the light curtain

The codes of run are from the sister registers of its lift; the printed table is not public.
Source: vendingZDM8.ts of laoapps/vending-server; vending.md 1.4 C; docs/protocols/motor_zdm8.md. PURE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_sim.devices.coil_motors import CoilMotors, Dropped
from firmware_sim.devices.modbus_slave import ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusSlave, RefusedError
from firmware_sim.devices.twin import Transmit

IDLE, TURNING, SUCCESS, FAILURE = 0, 1, 2, 3
_BUSY = 6


class MotorZdm8:
    """One board. ``lanes``: lane -> pieces. ``turns`` counts motor starts, ``shown`` the results that were read."""

    def __init__(
        self,
        lanes: Mapping[int, int],
        *,
        address: int = 1,
        turn_s: float = 2.0,
        on_drop: Callable[[Dropped], None] | None = None,
    ) -> None:
        self.coils = CoilMotors({str(lane): pieces for lane, pieces in lanes.items()}, turn_s, on_drop)
        self.turns = 0
        self.shown = 0
        self.closed = True
        self.curtain = True
        self.unplugged: set[str] = set()
        self._run, self._fault = IDLE, 0
        self._detect = False
        self._slave = ModbusSlave(address, self._read, write=self._write, turn_round_s=0.01)

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        return self._slave.receive(data, now)

    def due(self) -> float | None:
        """See ``Twin``."""
        turn = self.coils.turn
        times = [at for at in (self._slave.due(), turn.step_at if turn else None) if at is not None]
        return min(times, default=None)

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``."""
        turn = self.coils.turn
        if turn is not None and turn.step_at <= now:
            step = self.coils.step(turn, now)
            if step.motor != "turning":
                fine = step.motor == "ok" and (step.saw or not self._detect)
                self._run, self._fault = (SUCCESS if fine else FAILURE), 0x04 if step.motor == "jam" else 0
        return self._slave.wake(now)

    def power_off(self, now: float) -> None:
        """See ``Twin``: an end that nobody has read is gone."""
        self._slave.power_off(now)
        self.coils.stop()
        self._run, self._fault = IDLE, 0

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._slave.power_on(now)

    def _write(self, first: int, values: list[int], now: float) -> None:
        if first != 0x2001:
            raise RefusedError(ILLEGAL_ADDRESS)
        if len(values) != 2:
            raise RefusedError(ILLEGAL_VALUE)
        if self.coils.turn is not None:
            raise RefusedError(_BUSY)
        lane, self._detect = str(values[0] >> 8), bool(values[1] >> 8)
        if lane not in self.coils:
            raise RefusedError(ILLEGAL_VALUE)
        self._fault = 0
        if lane in self.unplugged:
            self._run, self._fault = FAILURE, 0x06
            return
        self._run = TURNING
        self.turns += 1
        self.coils.start("", lane, 1, "", now)

    def _read(self, function: int, first: int, count: int, now: float) -> bytes:  # noqa: ARG002 - the slave's shape
        replies = {
            (1, 2): bytes.fromhex("20020A0A"),
            (2, 2): bytes.fromhex("20200220"),
            (3, 1): bytes((self._run, self._fault)),
            (4, 2): (210).to_bytes(2, "big") + (550).to_bytes(2, "big"),
            (5, 1): bytes((int(self.closed), 0)),
            (8, 1): bytes((0, int(self.curtain))),
            (9, 2): bytes(4),
            (10, 1): (0x0400 if self.curtain else 0).to_bytes(2, "big"),
        }
        found = replies.get((first, count))
        if function != 3 or found is None:
            raise RefusedError(ILLEGAL_ADDRESS)
        if first == 3 and self._run in (SUCCESS, FAILURE):
            self._run = IDLE
            self.shown += 1
        return found
