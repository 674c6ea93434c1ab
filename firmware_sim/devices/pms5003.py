"""Plantower PMS5003: a dust sensor that talks unasked, and says nothing true for the first half minute.

::

    42 4D 00 1C  w1 .. w12  version error  sum16      words big-endian; the sum of all bytes before it
                 w1-3 PM1/2.5/10 "factory" (CF = 1), w4-6 the same in the atmosphere, w7-12 counts per 0.1 L
    command      42 4D cmd 00 data sum16              E1 mode (00 passive, 01 active), E2 read, E4 sleep 00 / wake 01
    answer       42 4D 00 04 cmd data sum16           none to a wake-up; a read is answered by a data frame

A frame about every second while the air changes and every 2.3 s while it does not. After power-on and after waking the
first frames are zero, then values rise to what they should be within 30 s. Up to 30 ug/m3 both scales agree; above, the
factory scale reads more. The T has temperature and humidity in words 11 and 12, the ST has HCHO and both in
words 13 to 15 of a longer frame.

Source: Plantower PMS5003 series data manual V2.3, appendix I; docs/protocols/pms5003.md. PURE.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.devices.twin import Transmit

_HEAD = b"\x42\x4d"
_MODE, _READ, _SLEEP = 0xE1, 0xE2, 0xE4
_COMMAND = 7
_VERSION_AND_ERROR = 0x9700
_RESTLESS_FRAMES = 8
_ANSWER_S = 0.02


@dataclass(frozen=True)
class Air:
    """What is in the air, ug/m3."""

    pm1: int
    pm25: int
    pm10: int


def framed(body: bytes) -> bytes:
    """The bytes with their 16-bit sum behind them."""
    return body + (sum(body) & 0xFFFF).to_bytes(2, "big")


class Pms5003:
    """One sensor. ``zero_s``: how long frames stay zero after a start; ``warm_s``: until values hold."""

    def __init__(
        self,
        *,
        now: float = 0.0,
        air: Air | None = None,
        zero_s: float = 8.0,
        warm_s: float = 30.0,
        fast_s: float = 1.0,
        stable_s: float = 2.3,
        model: str = "pms5003",
    ) -> None:
        self.model = model
        self.tenths = (212, 224)
        self._air = air or Air(4, 6, 8)
        self._zero = zero_s
        self._warm = warm_s
        self._fast = fast_s
        self._stable = stable_s
        self._active = True
        self._asleep = False
        self._powered = True
        self._restless = _RESTLESS_FRAMES
        self._woke = now
        self._next: float | None = now + fast_s
        self._heard = bytearray()

    # What the line sees

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        self._heard += data
        said: list[Transmit] = []
        while (command := self._next_command()) is not None:
            said += self._obey(*command, now)
        return said

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._next

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: the next frame of the active mode."""
        if self._next is None or now < self._next:
            return []
        self._restless = max(self._restless - 1, 0)
        self._next = self._next + (self._fast if self._restless else self._stable)
        return [Transmit(now, self._frame(now))]

    def power_off(self, now: float) -> None:  # noqa: ARG002 - it forgets the same at any time
        """See ``Twin``."""
        self._powered = False
        self._next = None
        self._heard.clear()

    def power_on(self, now: float) -> None:
        """See ``Twin``: active and awake, whatever it was told before."""
        self._powered = True
        self._active = True
        self._start(now)

    # What is around it

    def set_air(self, air: Air, now: float) -> None:  # noqa: ARG002 - the next frame shows it
        """The air from now on."""
        if air != self._air:
            self._restless = _RESTLESS_FRAMES
        self._air = air

    # Inside

    def _start(self, now: float) -> None:
        self._asleep = False
        self._woke = now
        self._restless = _RESTLESS_FRAMES
        self._next = now + self._fast if self._active else None

    def _next_command(self) -> tuple[int, int] | None:
        while len(self._heard) >= _COMMAND:
            frame = bytes(self._heard[:_COMMAND])
            if frame.startswith(_HEAD) and framed(frame[:-2]) == frame:
                del self._heard[:_COMMAND]
                return frame[2], frame[4]
            del self._heard[0]
        return None

    def _obey(self, command: int, data: int, now: float) -> list[Transmit]:
        answer = Transmit(now + _ANSWER_S, framed(_HEAD + bytes((0, 4, command, data))))
        if command == _SLEEP and data == 1:
            self._start(now)
            return []
        if self._asleep:
            return []
        if command == _SLEEP:
            self._asleep, self._next = True, None
            return [answer]
        if command == _MODE:
            self._active = data == 1
            self._next = now + self._fast if self._active else None
            return [answer]
        if command == _READ and not self._active:
            return [Transmit(now + _ANSWER_S, self._frame(now))]
        return []

    def _frame(self, now: float) -> bytes:
        words = [*self._words(now), _VERSION_AND_ERROR]
        if self.model == "pms5003t":
            # Same header and length: the two largest counts make room for temperature and humidity, in tenths.
            words[10:12] = self.tenths
        elif self.model == "pms5003st":
            words[12:12] = [18, *self.tenths, 0]
        return framed(
            _HEAD + (2 * len(words) + 2).to_bytes(2, "big") + b"".join(word.to_bytes(2, "big") for word in words)
        )

    def _words(self, now: float) -> list[int]:
        awake_ms, warm_ms = round((now - self._woke) * 1000), round(self._warm * 1000)
        if awake_ms < self._zero * 1000:
            return [0] * 12
        share = min(awake_ms, warm_ms)
        pm1, pm25, pm10 = (each * share // warm_ms for each in (self._air.pm1, self._air.pm25, self._air.pm10))
        factory = [each if each <= 30 else each + (each - 30) // 2 for each in (pm1, pm25, pm10)]
        counts = [150 * pm1 + 60, 45 * pm1 + 20, 8 * pm25, 2 * pm25, pm10 // 4, pm10 // 16]
        return [*factory, pm1, pm25, pm10, *(min(count, 0xFFFF) for count in counts)]
