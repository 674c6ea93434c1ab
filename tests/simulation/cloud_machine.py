"""The cloud as a machine: the real application, on a simulated disk, in a process that can be killed at any moment.

The web application is built once for all seeds, since it holds no state; what a process holds in memory (its queues,
its signing desk, who waits for news) is built anew at each start, as the real program does.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from fastapi import FastAPI

from cloud.app import build
from cloud.clock import Clock
from cloud.entropy import Entropy
from cloud.settings import Settings
from firmware_sim.world import Chance
from tests.simulation import books
from tests.simulation.disk import Disk
from tests.simulation.life import Life, pause
from tests.simulation.stores import SimulatedStore

if TYPE_CHECKING:
    from tests.simulation.world import World

FILE = "cloud.db"
# What the cloud sleeps between two looks at its database for a long poll; longer here, since nobody looks at a page.
SHORTEST_SLEEP, SLOWER = 15.0, 4


class CloudMachine:
    """Start, crash, back up, restore. ``late_ms``: how far its clock is from the world's."""

    def __init__(self, world: World, folder: Path, app: FastAPI, chance: Chance) -> None:
        self.life: Life | None = None
        self.late_ms = 0
        self.path = folder / FILE
        self.disk = Disk(world.stream("cloud disk"), self._cut)
        self.turn = asyncio.Lock()
        self._world = world
        self._app = app
        self._settings = Settings(state=folder)
        self._entropy = Entropy(chance.bytes)
        self._paces = world.stream("cloud paces")
        self._asgi = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.store: SimulatedStore | None = None

    @property
    def is_up(self) -> bool:
        """Whether anybody is there."""
        return self.life is not None and self.life.alive

    def now_ms(self) -> int:
        """What its clock shows."""
        return self._world.pace.now_ms() + self.late_ms

    def start(self) -> None:
        """A new process on what the disk holds."""
        assert not self.is_up
        life = self.life = Life("cloud")
        self.store = SimulatedStore(self.path, self.disk, life, self._paces)
        clock = Clock(lambda: self.now_ms() / 1000, lambda seconds: pause(max(seconds * SLOWER, SHORTEST_SLEEP)))
        self._app.state.context = build(self._settings, clock, self._entropy, self.store)
        self._world.trace.note("cloud", "up")

    async def crash(self) -> None:
        """Kill -9, or the power: the process is gone, and what was not durable."""
        if self.life is None:
            return
        await self.life.kill()
        self.disk.power_cut()
        self.life = None
        self._world.trace.note("cloud", "down")

    def backup(self) -> bytes:
        """What a copy of the database has now."""
        return self.disk.image(self.path)

    async def answer(self, request: httpx.Request) -> httpx.Response | None:
        """One request, worked on by this process; None when there is none, or it dies over it."""
        life = self.life
        if life is None or not life.alive:
            return None
        task = life.start(self._answer(request))
        await asyncio.wait([task])
        answer = None if task.cancelled() or task.exception() is not None else task.result()
        if answer is None or self.life is not life or not self.is_up:
            return None
        self._world.watcher.answered(request, answer, lambda origin: books.log_size(self.path, origin))
        return answer

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._asgi.handle_async_request(request)
        await answer.aread()
        return answer

    def _cut(self) -> None:
        self._world.power_goes(self, "cloud_cut_at_sync")
