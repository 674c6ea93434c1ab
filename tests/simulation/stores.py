"""The simulated disk behind the product's two ports: the gateway's journal thread and the cloud's database.

Both run the work inline, one after the other, with the time a disk takes before and behind it; who stops waiting does
not stop the work, as with a real thread. ``tests/simulation/test_conformance.py`` holds them against the real ones.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Concatenate, ParamSpec, TypeVar

from cloud.database import Dialect, Tx
from cloud.database_sqlite import SqliteStore
from gateway.journal.connection import location
from tests.simulation.disk import Disk, DiskConnection
from tests.simulation.life import Life, pause

T = TypeVar("T")
P = ParamSpec("P")


class Turns:
    """Work of one thread: in the order it came, each piece with the time it takes."""

    def __init__(self, life: Life, chance: Random) -> None:
        self._life = life
        self._chance = chance
        self._turn = asyncio.Lock()

    async def take(self, work: Callable[[], T]) -> T:
        """What ``work`` returns; it is done even if nobody waits for it any more."""
        return await asyncio.shield(self._life.start(self._in_turn(work)))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        async with self._turn:
            await self._pause()
            self._life.must_live()
            result = work()
            await self._pause()
            return result

    async def _pause(self) -> None:
        """A fraction of a millisecond; now and then the quarter of a second that a card may take."""
        chance = self._chance.random()
        await pause(0.25 if chance > 0.998 else chance * 0.004)


class SimulatedThread:
    """The journal's port ``DiskThread``. ``done`` hears of each function that has run, with what it returned."""

    def __init__(self, db: DiskConnection, turns: Turns, done: Done) -> None:
        self._db = db
        self._turns = turns
        self._done = done

    async def run(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """See ``DiskThread``."""
        result = await self._turns.take(lambda: function(self._db, *args, **kw))
        self._done(function, args, result)
        return result

    async def close(self) -> None:
        """See ``DiskThread``."""
        if self._db.life.alive:
            await self._turns.take(self._db.close)


Done = Callable[[Callable[..., Any], tuple[Any, ...], Any], None]


class SimulatedDisks:
    """``Ports.disk`` of one life of a gateway."""

    def __init__(self, disk: Disk, life: Life, chance: Random, done: Done = lambda *_: None) -> None:
        self._disk = disk
        self._life = life
        self._chance = chance
        self._done = done

    async def __call__(self, path: Path, *, read_only: bool) -> SimulatedThread:
        """See ``OpenDisk``."""
        uri = location(path, "ro" if read_only else "rwc")
        turns = Turns(self._life, self._chance)
        db = await turns.take(lambda: self._disk.connect(path, self._life, uri=uri))
        return SimulatedThread(db, turns, self._done)


class SimulatedStore:
    """The cloud's port ``Store``: its real SQLite store on the simulated disk, with a thread's manners."""

    dialect: Dialect = "sqlite"
    writers = 1

    def __init__(self, path: Path, disk: Disk, life: Life, chance: Random) -> None:
        self._inner = SqliteStore(path, inline=True, connect=lambda path: disk.connect(path, life))
        self._life = life
        self._writing = Turns(life, chance)
        self._reading = Turns(life, chance)
        self._beside = Turns(life, chance)

    async def run(self, work: Callable[[Tx], T]) -> T:
        """See ``Store``."""
        return await self._writing.take(lambda: self._inner._write(work))

    async def read(self, work: Callable[[Tx], T]) -> T:
        """See ``Store``."""
        return await self._reading.take(lambda: self._inner._write(work))

    async def beside(self, work: Callable[[], T]) -> T:
        """See ``Store``."""
        return await self._beside.take(work)

    async def close(self) -> None:
        """See ``Store``."""
        if self._life.alive:
            await self._inner.close()
