"""The gateway's clocks: the only place that reads time. The wall clock is information, never an order.

Three times, kept apart: the *wall* (what people bill by; may jump), *mono* (milliseconds since this process started,
the boot ``boot``; order and later repair), and *line* (seconds of the event loop; time-outs on wires and sockets).
A demo may run the first two ``scale`` times faster than life; a wire's time-out is never scaled.
"""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections.abc import Callable
from functools import cache
from typing import Literal

State = Literal["U", "I", "S", "R"]

# A wall clock before this instant was not set since power-on (2025-01-01T00:00:00Z).
PLAUSIBLE_MS = 1_735_689_600_000
_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000
_TIME_ERROR = 5


class Clock:
    """Time for one run of the gateway.

    ``wall`` returns ms UTC, ``line`` seconds of the event loop, ``synchronised`` whether the system vouches for the
    wall. ``scale``: wall and mono seconds per line second; sleeping is in scaled seconds.
    """

    def __init__(
        self,
        boot: str,
        *,
        wall: Callable[[], int],
        line: Callable[[], float],
        synchronised: Callable[[], bool],
        scale: float = 1.0,
        offset: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.boot = boot
        self.scale = scale
        self._wall = wall
        self._line = line
        self._synchronised = synchronised
        self._offset = offset
        self._start = line()

    def wall_ms(self) -> int:
        """Milliseconds UTC, right or wrong: see ``state``."""
        return self._wall()

    def mono_ms(self) -> int:
        """Milliseconds since this boot; never jumps."""
        return int((self._line() - self._start) * self.scale * 1000)

    def state(self) -> State:
        """S: the system says it is synchronised. I: it looks like a date. U: it does not."""
        if self._synchronised():
            return "S"
        return "I" if self._wall() >= PLAUSIBLE_MS else "U"

    def offset_us(self) -> int | None:
        """Microseconds by which the system still moves the wall, by its own word; None: it does not say."""
        return self._offset()

    def line(self) -> float:
        """Seconds for time-outs on wires; arbitrary zero, never scaled."""
        return self._line()

    async def sleep(self, seconds: float) -> None:
        """Waits ``seconds`` of schedule time (``seconds / scale`` of line time)."""
        await asyncio.sleep(seconds / self.scale)


# The real clock's ``line()``, for the threads that own a port.
line_now = time.monotonic


def system_clock(boot: str, *, scale: float = 1.0, origin_ms: int | None = None, since_ms: int | None = None) -> Clock:
    """The real clock, or a demo's.

    In a demo the wall shows ``origin_ms`` at the real instant ``since_ms`` and runs ``scale`` times as fast: processes
    that share these three numbers agree, also after a restart.
    """
    if origin_ms is None:
        return Clock(
            boot, wall=_real_ms, line=time.monotonic, synchronised=_now_and_then(kernel_synchronised), scale=scale,
            offset=kernel_offset_us,
        )  # fmt: skip
    zero = _real_ms() if since_ms is None else since_ms
    start = origin_ms

    def wall() -> int:
        return start + int((_real_ms() - zero) * scale)

    return Clock(boot, wall=wall, line=time.monotonic, synchronised=lambda: True, scale=scale)


def _now_and_then(ask: Callable[[], bool]) -> Callable[[], bool]:
    """The same answer for a second: every record carries it, and the kernel changes its mind in minutes."""
    known, until = False, 0.0

    def answer() -> bool:
        nonlocal known, until
        now = time.monotonic()
        if now >= until:
            known, until = ask(), now + 1.0
        return known

    return answer


def virtual_clock(boot: str, loop: asyncio.AbstractEventLoop, *, origin_ms: int, synchronised: bool = True) -> Clock:
    """All times from one event loop: for a simulated world whose loop owns time."""
    zero = loop.time()
    return Clock(
        boot,
        wall=lambda: origin_ms + int((loop.time() - zero) * 1000),
        line=loop.time,
        synchronised=lambda: synchronised,
    )


def _real_ms() -> int:
    return time.time_ns() // 1_000_000


class _Timex(ctypes.Structure):
    """The head of Linux's ``struct timex`` (adjtimex(2)), padded far enough for the kernel to fill."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


@cache
def _adjtimex() -> Callable[[object], int] | None:
    """The system's call, looked up once: each look-up builds classes."""
    try:
        found: Callable[[object], int] = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    return found


def kernel_synchronised() -> bool:
    """What chrony or timesyncd told the kernel. Containers without the call, and other systems: False."""
    answer = _asked_kernel()
    return answer is not None


def kernel_offset_us() -> int | None:
    """What is left of the last correction; None where the kernel was told nothing."""
    answer = _asked_kernel()
    if answer is None:
        return None
    offset = int(answer.offset)
    return offset // 1000 if int(answer.status) & _STA_NANO else offset


def _asked_kernel() -> _Timex | None:
    """The kernel's answer, if it says that it is synchronised."""
    adjtimex = _adjtimex()
    if adjtimex is None:
        return None
    answer = _Timex()
    verdict = int(adjtimex(ctypes.byref(answer)))
    return answer if verdict not in (-1, _TIME_ERROR) and not int(answer.status) & _STA_UNSYNC else None
