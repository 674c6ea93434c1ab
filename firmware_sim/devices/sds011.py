"""Nova SDS011: a dust sensor that talks unasked every second, or works half a minute out of so many.

::

    said     AA C0 pm25(2, low first) pm10(2) id(2) sum AB           tenths of a ug/m3; sum of bytes 3 to 8
    command  AA B4 what set value 10 x 00 id(2) sum AB               19 bytes; id FF FF: whoever hears it
    answer   AA C5 what set value 00 id(2) sum AB                    what: 02 reporting, 04 query, 06 sleep, 08 period

In a period of n minutes it sleeps n * 60 - 30 s, works 30 s and reports once, at the end. The period is kept without
power. A query is answered with a data frame.

Source: Nova laser dust sensor control protocol V1.3; docs/protocols/sds011.md. PURE.
"""

from __future__ import annotations

from firmware_sim.devices.twin import Transmit

_COMMAND, _PERIOD, _QUERY = 19, 8, 4
_WORK_S = 30.0
_ANSWER_S = 0.03


def framed(kind: int, six: bytes) -> bytes:
    """A frame of the sensor around six bytes."""
    return bytes((0xAA, kind)) + six + bytes((sum(six) & 0xFF, 0xAB))


class Sds011:
    """One sensor; ``pm25`` and ``pm10`` in tenths of a ug/m3."""

    def __init__(self, *, now: float = 0.0, pm25: int = 61, pm10: int = 93, number: bytes = b"\x58\xd9") -> None:
        self.pm25 = pm25
        self.pm10 = pm10
        self.period = 0
        self._number = number
        self._powered = True
        self._heard = bytearray()
        self._next: float | None = now + 1.0

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        self._heard += data
        said: list[Transmit] = []
        while len(self._heard) >= _COMMAND:
            frame = bytes(self._heard[:_COMMAND])
            if frame[0] == 0xAA and frame[1] == 0xB4 and frame[18] == 0xAB and sum(frame[2:17]) & 0xFF == frame[17]:
                del self._heard[:_COMMAND]
                said += self._obey(frame, now)
            else:
                del self._heard[0]
        return said

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._next

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: the next report."""
        if self._next is None or now < self._next:
            return []
        self._next += self.period * 60.0 or 1.0
        return [Transmit(now, self._report())]

    def power_off(self, now: float) -> None:  # noqa: ARG002 - it forgets the same at any time
        """See ``Twin``."""
        self._powered = False
        self._next = None
        self._heard.clear()

    def power_on(self, now: float) -> None:
        """See ``Twin``: works first, in a period too."""
        self._powered = True
        self._next = now + (_WORK_S if self.period else 1.0)

    def _obey(self, frame: bytes, now: float) -> list[Transmit]:
        if frame[15:17] not in (b"\xff\xff", self._number):
            return []
        if frame[2] == _QUERY:
            return [Transmit(now + _ANSWER_S, self._report())]
        if frame[2] == _PERIOD and frame[3] == 1 and frame[4] <= 30:
            self.period = frame[4]
            self._next = now + (_WORK_S if self.period else 1.0)
        return [Transmit(now + _ANSWER_S, framed(0xC5, frame[2:5] + b"\0" + self._number))]

    def _report(self) -> bytes:
        return framed(0xC0, self.pm25.to_bytes(2, "little") + self.pm10.to_bytes(2, "little") + self._number)
