"""The live page's stream: what each page is sent, and how little is asked of the database for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import httpx

from cloud.clock import Clock
from cloud.database import DatabaseAwayError, Tx
from cloud.web.boards import Boards
from cloud.web.languages import read_languages
from cloud.web.rendering import PARTS, Rendering
from tests.cloud.twins import CloudTwin
from tests.web.server import serving
from tests.web.shop import Shop, enter

T = TypeVar("T")
RENDERING = Rendering(read_languages())


class CountingStore:
    """A store that counts what is read, and can be out of reach."""

    def __init__(self, shop: Shop) -> None:
        self.store = shop.cloud.store
        self.reads = 0
        self.away = False
        self.dialect, self.writers = self.store.dialect, self.store.writers

    async def read(self, work: Callable[[Tx], T]) -> T:
        self.reads += 1
        if self.away:
            raise DatabaseAwayError("away")
        return await self.store.read(work)

    async def run(self, work: Callable[[Tx], T]) -> T:
        return await self.store.run(work)

    async def beside(self, work: Callable[[], T]) -> T:
        return await self.store.beside(work)

    async def close(self) -> None:
        await self.store.close()


class Steps:
    """A clock whose sleeper is woken by the test."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self.wake = asyncio.Event()
        self.clock = Clock(sleep=self._sleep)

    async def _sleep(self, _: float) -> None:
        self.asleep.set()
        await self.wake.wait()
        self.wake.clear()

    async def once(self) -> None:
        """Lets the watcher look once, to the end."""
        await self.asleep.wait()
        self.asleep.clear()
        self.wake.set()
        await self.asleep.wait()


async def yes() -> bool:
    return True


async def until_beat(stream: AsyncGenerator[str, None]) -> list[str]:
    """The ids of the parts that come before the next beat."""
    parts: list[str] = []
    async for event in stream:
        if event.startswith("event: beat"):
            return parts
        parts += [part for part in PARTS if f'id="{part}"' in event]
    raise AssertionError("the stream ended")


def test_a_new_page_gets_every_part_and_then_only_what_changed(shop: Shop) -> None:
    shop.gateway.keep(shop.draw("7", shop.cloud.clock.ms))
    body = shop.gateway.body(shop.sent, len(shop.gateway.leaves))

    async def look() -> tuple[list[str], list[str]]:
        steps = Steps()
        boards = Boards(shop.cloud.store, shop.cloud.clock, steps.clock, RENDERING)
        stream = boards.stream(shop.cloud.tenant, "en", yes)
        first = await until_beat(stream)
        await shop.cloud.http.post(f"/v1/logs/{shop.gateway.log}/entries", content=body)
        await steps.once()
        second = await until_beat(stream)
        await stream.aclose()
        return first, second

    first, second = shop.cloud.wait(look())

    assert first == list(PARTS)
    assert second == ["devices", "stock", "bill", "events"]


def test_many_pages_cost_the_database_no_more_than_one(shop: Shop) -> None:
    store = CountingStore(shop)

    async def look(pages: int) -> int:
        steps = Steps()
        boards = Boards(store, shop.cloud.clock, steps.clock, RENDERING)
        streams = [boards.stream(shop.cloud.tenant, language, yes) for language in ("en", "zh_CN") * pages]
        for stream in streams:
            await until_beat(stream)
        store.reads = 0
        for _ in range(3):
            await steps.once()
        for stream in streams:
            await stream.aclose()
        return store.reads

    assert shop.cloud.wait(look(1)) == shop.cloud.wait(look(20)) == 3


def test_a_page_whose_session_ended_is_told_so(shop: Shop) -> None:
    async def no() -> bool:
        return False

    async def look() -> list[str]:
        steps = Steps()
        boards = Boards(shop.cloud.store, shop.cloud.clock, steps.clock, RENDERING, beat_seconds=0)
        return [event async for event in boards.stream(shop.cloud.tenant, "en", no)]

    assert shop.cloud.wait(look())[-1] == "event: ended\ndata: \n\n"


def test_a_page_is_not_told_all_is_well_while_the_database_is_away(shop: Shop) -> None:
    store = CountingStore(shop)

    async def look() -> bool:
        steps = Steps()
        boards = Boards(store, shop.cloud.clock, steps.clock, RENDERING, beat_seconds=0)
        stream = boards.stream(shop.cloud.tenant, "en", yes)
        await until_beat(stream)
        store.away = True
        await steps.once()
        coming = asyncio.ensure_future(until_beat(stream))
        for _ in range(100):
            await asyncio.sleep(0)
        quiet = not coming.done()
        store.away = False
        await steps.once()
        return quiet and await coming == []

    assert shop.cloud.wait(look())


def test_an_open_page_does_not_hold_up_the_end_of_the_cloud(tmp_path: Path) -> None:
    database, state = f"sqlite:///{tmp_path}/cloud.db", tmp_path / "state"
    with CloudTwin(database, state) as cloud:
        session = enter(cloud)

    with ExitStack() as open_things:
        address = open_things.enter_context(serving(database, state, cloud.clock.ms))
        with httpx.stream("GET", f"{address}/live", headers={"cookie": f"tally_session={session}"}) as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line == "event: beat")
            open_things.close()

            assert not [line for line in lines if line.startswith("event: ended")]
