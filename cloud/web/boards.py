"""The live page of each tenant, read once for all who look at it and told to them as rendered fragments.

The surprise: one question a second asks only for a few sums; the page is read anew when one of them has changed, and
never for more than a tenth of the time, however long reading takes. Each stream is sent what differs from what it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial

import msgspec

from cloud.clock import Clock, monotonic
from cloud.database import DatabaseAwayError, Store
from cloud.web.facts import Overview
from cloud.web.figures import moment
from cloud.web.gather import gather
from cloud.web.rendering import Rendering
from cloud.web.repository import overview as rows

POLL_SECONDS = 1.0
BEAT_SECONDS = 10.0
REREAD_SECONDS = 30.0
PAUSE_PER_COST = 10
RETRY_MS = 2000
log = logging.getLogger("tallystick.web")
Allowed = Callable[[], Awaitable[bool]]


class Watcher:
    """One open page: its language, what it was sent, and what waits to be sent."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.news = asyncio.Event()
        self._sent: dict[str, str] = {}
        self._waiting: dict[str, str] = {}

    def give(self, parts: Mapping[str, str]) -> None:
        """Leaves those parts for it that it does not have."""
        self._waiting |= {name: html for name, html in parts.items() if self._sent.get(name) != html}
        self.news.set()

    def take(self) -> dict[str, str]:
        """What it is to be sent now."""
        self.news.clear()
        waiting, self._waiting = self._waiting, {}
        self._sent |= waiting
        return waiting


class Board:
    """One tenant's page as it was last read."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.watchers: list[Watcher] = []
        self.watching: asyncio.Task[None] | None = None
        self.overview: Overview | None = None
        self.version: tuple[int, ...] = ()
        self.read_at = 0.0
        self.cost = 0.0
        self.away = False
        self.departures = 0


class Boards:
    """The boards of a running cloud. ``clock`` is the cloud's, ``people`` the one that people live by."""

    def __init__(
        self, store: Store, clock: Clock, people: Clock, rendering: Rendering, *, beat_seconds: float = BEAT_SECONDS
    ) -> None:
        self._beat_seconds = beat_seconds
        self._store = store
        self._clock = clock
        self._people = people
        self._rendering = rendering
        self._boards: dict[str, Board] = {}
        self._closed = False

    def close(self) -> None:
        """Ends every stream, and those that come after."""
        self._closed = True
        for board in self._boards.values():
            for watcher in board.watchers:
                watcher.news.set()

    async def overview(self, tenant: str) -> Overview:
        """The tenant's page as it is now."""
        return await self._read(tenant, self._boards.setdefault(tenant, Board()))

    def departed(self, tenant: str) -> None:
        """Somebody signed out: every open page of the tenant is asked at once whether it is still allowed."""
        board = self._boards.setdefault(tenant, Board())
        board.departures += 1
        for watcher in board.watchers:
            watcher.news.set()

    async def stream(self, tenant: str, language: str, allowed: Allowed) -> AsyncGenerator[str, None]:
        """Server-sent events for one page until it goes away: ``part`` (a fragment), ``beat`` (now), ``ended``."""
        board, watcher = self._boards.setdefault(tenant, Board()), Watcher(language)
        board.watchers.append(watcher)
        try:
            yield f"retry: {RETRY_MS}\n\n"
            overview = await self._read(tenant, board)
            watcher.give(self._rendering.parts(language, overview))
            if board.watching is None:
                board.watching = asyncio.create_task(self._watch(tenant, board))
            asked, departures = monotonic(), board.departures
            while self._is_open(board):
                if monotonic() - asked >= self._beat_seconds or departures != board.departures:
                    asked, departures = monotonic(), board.departures
                    if not await allowed():
                        yield event("ended", "")
                        return
                for html in watcher.take().values():
                    yield event("part", html)
                if not board.away:
                    yield event("beat", self._now(language, overview.zone))
                await _at_most(self._beat_seconds, watcher.news)
        except DatabaseAwayError as error:
            log.warning("a stream of %s ends, its page will ask again: %s", tenant, error)
        finally:
            board.watchers.remove(watcher)
            if not board.watchers and board.watching is not None:
                board.watching.cancel()

    def _is_open(self, board: Board) -> bool:
        return board.watching is not None and not self._closed

    async def _watch(self, tenant: str, board: Board) -> None:
        """Looks for changes as long as somebody looks at the page; a stream without a watcher ends and comes again."""
        try:
            while board.watchers:
                await self._people.sleep(max(POLL_SECONDS, PAUSE_PER_COST * board.cost))
                shown = board.overview
                try:
                    overview = await self._read(tenant, board)
                except DatabaseAwayError as error:
                    board.away = True
                    log.warning("the page of %s cannot be read just now: %s", tenant, error)
                    continue
                board.away = False
                if overview is not shown:
                    self._tell(board, overview)
        finally:
            board.watching = None
            for watcher in board.watchers:
                watcher.news.set()

    def _tell(self, board: Board, overview: Overview) -> None:
        for language in {watcher.language for watcher in board.watchers}:
            parts = self._rendering.parts(language, overview)
            for watcher in board.watchers:
                if watcher.language == language:
                    watcher.give(parts)

    async def _read(self, tenant: str, board: Board) -> Overview:
        """The overview: the one at hand as long as no number has changed and it is not too old."""
        async with board.lock:
            version = await self._store.read(partial(rows.version, tenant=tenant))
            fresh = monotonic() - board.read_at < REREAD_SECONDS
            if board.overview is None or version != board.version or not fresh:
                began = monotonic()
                now_ms = self._clock.now_ms()
                board.overview = await self._store.read(partial(gather, tenant=tenant, now_ms=now_ms))
                board.version, board.read_at, board.cost = version, monotonic(), monotonic() - began
            return board.overview

    def _now(self, language: str, zone: str) -> str:
        now = moment(self._rendering.languages[language], self._clock.now_ms(), zone)
        return msgspec.json.encode({"iso": now.iso, "text": now.text}).decode()


def event(name: str, data: str) -> str:
    """One server-sent event."""
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\n{lines}\n"


async def _at_most(seconds: float, news: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass
