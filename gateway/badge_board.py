"""A badge that a reader read, on its way to the kiosk's page: PIN pad, refusal and language are the page's business.

The surprise is how short it lives. A badge that nobody's page was waiting for opens the session itself; one that was
shown some seconds ago belongs to a person who may have gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.clock import Clock

Open = Callable[[str, str], Awaitable[object]]
LIVES_MS = 3_000
LONGEST_WAIT = 20.0


class BadgeBoard:
    """One for the gateway. `show` is the readers', `wait` the page's."""

    def __init__(self, clock: Clock, open_session: Open) -> None:
        self._clock = clock
        self._open = open_session
        self._waiting: dict[str, list[asyncio.Future[str]]] = {}
        self._last: dict[str, tuple[str, int]] = {}
        self._watched: dict[str, int] = {}

    async def show(self, cabinet: str, badge: str) -> None:
        """A reader read this. Without a page at the cabinet the session is opened here."""
        now = self._clock.mono_ms()
        waiting = self._waiting.pop(cabinet, [])
        if waiting:
            for one in waiting:
                if not one.done():
                    one.set_result(badge)
        elif now - self._watched.get(cabinet, -LIVES_MS) < LIVES_MS:
            self._last[cabinet] = (badge, now)
        else:
            await self._open(cabinet, badge)

    async def wait(self, cabinet: str) -> str:
        """The next badge at this cabinet; empty after some seconds without one."""
        badge, at = self._last.pop(cabinet, ("", 0))
        if badge and self._clock.mono_ms() - at < LIVES_MS:
            return badge
        coming: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(cabinet, []).append(coming)
        try:
            async with asyncio.timeout(LONGEST_WAIT / self._clock.scale):
                return await coming
        except TimeoutError:
            return ""
        finally:
            self._watched[cabinet] = self._clock.mono_ms()
            if coming in self._waiting.get(cabinet, []):
                self._waiting[cabinet].remove(coming)
