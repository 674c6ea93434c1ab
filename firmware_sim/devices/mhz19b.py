"""Winsen MH-Z19B: CO2 by infrared, nine bytes a question, nine an answer.

::

    asked   FF 01 cmd value 00 00 00 00 chk       86 read, 79 automatic baseline (A0 on, 00 off), 87/88/99 calibration
    answer  FF 86 ppm(2) temperature+40 x x x chk       chk makes the bytes 1 to 8 sum up to 0 (mod 256)

Only a read is answered. For three minutes after power-on it shows about 410 ppm, whatever there is.

Source: Winsen MH-Z19B user's manual V1.0; docs/protocols/mhz19b.md. PURE.
"""

from __future__ import annotations

from firmware_sim.devices.twin import Transmit

_LENGTH = 9
_WARM_S, _COLD_PPM = 180.0, 410
_ANSWER_S = 0.02


class MhZ19B:
    """One sensor. ``ppm`` and ``degrees`` are what is around it; ``baseline`` whether it corrects itself."""

    def __init__(self, *, now: float = 0.0, ppm: int = 636, degrees: int = 26) -> None:
        self.ppm = ppm
        self.degrees = degrees
        self.baseline = True
        self._since = now
        self._powered = True
        self._heard = bytearray()

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        self._heard += data
        said: list[Transmit] = []
        while len(self._heard) >= _LENGTH:
            frame = bytes(self._heard[:_LENGTH])
            if frame[0] != 0xFF or frame[1] != 0x01 or sum(frame[1:]) & 0xFF:
                del self._heard[0]
                continue
            del self._heard[:_LENGTH]
            if frame[2] == 0x79:
                self.baseline = frame[3] == 0xA0
            elif frame[2] == 0x86:
                said.append(Transmit(now + _ANSWER_S, self._reading(now)))
        return said

    def due(self) -> float | None:
        """See ``Twin``: it never speaks unasked."""
        return None

    def wake(self, now: float) -> list[Transmit]:  # noqa: ARG002 - see ``due``
        """See ``Twin``."""
        return []

    def power_off(self, now: float) -> None:  # noqa: ARG002 - it forgets the same at any time
        """See ``Twin``."""
        self._powered = False
        self._heard.clear()

    def power_on(self, now: float) -> None:
        """See ``Twin``: it warms up again."""
        self._powered = True
        self._since = now

    def _reading(self, now: float) -> bytes:
        ppm = self.ppm if now - self._since >= _WARM_S else _COLD_PPM
        body = bytes((0x86,)) + ppm.to_bytes(2, "big") + bytes((self.degrees + 40, 0, 0, 0))
        return b"\xff" + body + bytes((-sum(body) & 0xFF,))
