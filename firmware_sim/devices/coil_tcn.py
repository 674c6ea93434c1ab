"""TCN's spring-coil board: six bytes turn a coil, and the same six bytes turn it again.

::

    request   00 FF slot ~slot AA 55
    reply     00 status fault drop sum(all before it)       after the motor stands still
              status 5D home, 5C not; drop AA seen, CC seen after an extra turn, 33 not seen, 00 no sensor
              fault high nibble 1 and 2 transistor, 3 short circuit, 4 open circuit (no motor), 5 time-out

A board that turns hears nothing. A slot it does not have is answered with fault 86.
Source: TCN's spring machine protocol as restated in vending.md 1.4 B; docs/protocols/coil_tcn.md. PURE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firmware_sim.devices.coil_motors import CoilMotors, Dropped
from firmware_sim.devices.twin import Transmit

_REQUEST = 6
_INTER_BYTE_S = 0.1


def reply(status: int, fault: int, drop: int) -> bytes:
    """Five bytes."""
    body = bytes((0x00, status, fault, drop))
    return body + bytes((sum(body) % 256,))


class CoilTcn:
    """One board. ``slots``: slot -> pieces; ``sensor`` false: no drop sensor fitted. ``turns`` counts motor starts."""

    def __init__(
        self,
        slots: Mapping[int, int],
        *,
        sensor: bool = True,
        turn_s: float = 2.0,
        turn_round_s: float = 0.02,
        on_drop: Callable[[Dropped], None] | None = None,
    ) -> None:
        self.sensor = sensor
        self.turns = 0
        self.coils = CoilMotors({str(slot): pieces for slot, pieces in slots.items()}, turn_s, on_drop)
        self.unplugged: set[str] = set()
        self._turn_round = turn_round_s
        self._heard = bytearray()
        self._heard_at = 0.0
        self._powered = True

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered or self.coils.turn is not None:
            return []
        if now - self._heard_at > _INTER_BYTE_S + len(data) * 0.01:
            self._heard.clear()
        self._heard_at = now
        self._heard += data
        while len(self._heard) >= _REQUEST:
            frame = bytes(self._heard[:_REQUEST])
            if frame[:2] == b"\x00\xff" and frame[2] ^ frame[3] == 0xFF and frame[4:] == b"\xaa\x55":
                self._heard.clear()
                return self._obey(str(frame[2]), now)
            del self._heard[0]
        return []

    def due(self) -> float | None:
        """See ``Twin``."""
        return self.coils.turn.step_at if self.coils.turn else None

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: a turn has ended."""
        turn = self.coils.turn
        if turn is None or turn.step_at > now:
            return []
        step = self.coils.step(turn, now)
        if step.motor == "turning":
            return []
        if step.motor == "jam":
            return [Transmit(now + self._turn_round, reply(0x5C, 0x50, 0x33 if self.sensor else 0x00))]
        drop = (0xCC if turn.extra else 0xAA) if step.saw else 0x33
        return [Transmit(now + self._turn_round, reply(0x5D, 0x00, drop if self.sensor else 0x00))]

    def power_off(self, now: float) -> None:  # noqa: ARG002 - nothing is kept
        """See ``Twin``: the coil stands still and nobody will ever know."""
        self._powered = False
        self._heard.clear()
        self.coils.stop()

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._powered = True
        self._heard_at = now

    def _obey(self, slot: str, now: float) -> list[Transmit]:
        if slot not in self.coils:
            return [Transmit(now + self._turn_round, reply(0x5C, 0x86, 0x00))]
        if slot in self.unplugged:
            return [Transmit(now + self._turn_round, reply(0x5C, 0x40, 0x00))]
        self.turns += 1
        self.coils.start("", slot, 1, "", now)
        return []
