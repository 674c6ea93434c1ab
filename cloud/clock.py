"""The cloud's only look at the time: milliseconds UTC, and sleeping. The simulator hands in its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


def _wall() -> float:
    return time.time()


class Clock:
    """Where the time comes from: ``wall`` gives Unix seconds, ``sleep`` waits that many of them."""

    def __init__(
        self, wall: Callable[[], float] = _wall, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._wall = wall
        self._sleep = sleep

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return int(self._wall() * 1000)

    async def sleep(self, seconds: float) -> None:
        """Waits ``seconds`` of this clock's time."""
        await self._sleep(seconds)


def monotonic() -> float:
    """Seconds for measuring how long something took; has no meaning as a date."""
    return time.perf_counter()


def demo_clock(origin_ms: int, since_ms: int, scale: float) -> Clock:
    """A clock that shows ``origin_ms`` at the real instant ``since_ms`` and runs ``scale`` times as fast.

    For demonstrations, in which a shop's day passes in a minute: all their programs share the three numbers.
    """

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / scale)

    return Clock(lambda: (origin_ms + (time.time() * 1000 - since_ms) * scale) / 1000, sleep)
