"""A real machine and a simulated one for the contract: programs are started on them, and their power can be cut."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from cloud.database import Store
from cloud.database_sqlite import SqliteStore
from firmware_sim import faults
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway.journal.connection import Busy
from gateway.journal.store import Journal
from tests.gateway.desk import BOOT
from tests.simulation.disk import Disk
from tests.simulation.life import Life, mark_tasks
from tests.simulation.stores import SimulatedDisks, SimulatedStore


class Machine(Protocol):
    """A computer with a disk: programs are started on it, and its power can be cut."""

    async def journal(self, **options: Any) -> Journal:
        """The gateway's journal in a new process."""

    async def store(self) -> Store:
        """The cloud's store in a new process."""

    async def cut(self) -> None:
        """The power goes and comes back; the processes are gone."""


class RealMachine:
    """Threads and files; what a copy of the disk has is what is left after a cut."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "0"
        self._folder.mkdir()
        self._busy = Busy()
        self._ends: list[Callable[[], Awaitable[None]]] = []
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.watch(lambda: self._busy.jobs)

    async def journal(self, **options: Any) -> Journal:
        made = await Journal.open(self._folder / "journal.db", demo=True, busy=self._busy, **_usual(options))
        self._ends.append(made.abandon)
        return made

    async def store(self) -> Store:
        made = SqliteStore(self._folder / "cloud.db")
        self._ends.append(made.close)
        return made

    async def cut(self) -> None:
        left = self._folder.with_name(str(int(self._folder.name) + 1))
        shutil.copytree(self._folder, left)
        for end in self._ends:
            await end()
        self._ends.clear()
        self._folder = left


class SimulatedMachine:
    """The simulator's."""

    def __init__(self, folder: Path) -> None:
        mark_tasks(asyncio.get_running_loop())
        self.disk = Disk(faults.stream("conformance"), lambda: None)
        self.life = Life("machine")
        self._folder = folder
        self._journals: list[Journal] = []

    async def journal(self, **options: Any) -> Journal:
        disks = SimulatedDisks(self.disk, self.life, faults.stream("paces"))
        made = await Journal.open(self._folder / "journal.db", demo=True, disk=disks, **_usual(options))
        self._journals.append(made)
        return made

    async def store(self) -> Store:
        return SimulatedStore(self._folder / "cloud.db", self.disk, self.life, faults.stream("paces"))

    async def cut(self) -> None:
        await self.life.kill()
        for journal in self._journals:
            await journal.abandon()
        self._journals.clear()
        self.disk.power_cut()
        self.life = Life("machine")


def _usual(options: dict[str, Any]) -> dict[str, Any]:
    salts = iter(range(10**6))
    return {"boot": BOOT, "salt": lambda: f"{next(salts):032x}", **options}


Script = Callable[[Machine], Coroutine[Any, Any, None]]
Play = Callable[[Script], None]
