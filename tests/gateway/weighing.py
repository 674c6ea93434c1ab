"""A bin on a scale, perhaps behind a lock, on one line in memory, with a real journal: for tests of weigh bins."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from firmware_sim.bench import Line, LineSpec, MemoryPort
from firmware_sim.devices.lock_8a import Lock8A as LockTwin
from firmware_sim.devices.weigh_bin import WeighBin as BinTwin
from firmware_sim.faults import LineFaults, LinePlan
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import drivers
from gateway.boot import remember
from gateway.clock import Clock, virtual_clock
from gateway.door import Door
from gateway.journal.store import Journal
from gateway.lock_cabinet import LockCabinet
from gateway.ports import LinkDown, Ports, SerialSettings
from gateway.premises import Premises
from gateway.recover_draws import recover_draws
from gateway.session import SerialSession
from gateway.shelf import Shelf
from gateway.take_visit import end_interrupted
from gateway.weigh_cabinet import WeighCabinet
from tests.gateway.site import MORNING, Told, desired, no_broker
from wire.records import DeviceEvent, decode

T = TypeVar("T")
BIN, BOARD = "cab-1", "lock-1"
UNIT = 12_350
BASE: dict[str, Any] = {"piece_mg": UNIT, "every": 0.5, "still_seconds": 1.0, "patience": 20}


@dataclass
class Site:
    """What a test may touch."""

    clock: Clock
    journal: Journal
    premises: Premises
    line: Line
    bin: BinTwin
    locks: LockTwin
    cabinet: WeighCabinet

    async def kinds(self, kind: type[T]) -> list[T]:
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [record for record in map(decode, (row[0] for row in rows)) if isinstance(record, kind)]

    async def events(self) -> list[str]:
        return [record.event for record in await self.kinds(DeviceEvent)]

    async def take(self, count: int = 1) -> None:
        """A hand takes pieces; some time passes."""
        self.bin.take(self.line.now, count)
        await self.clock.sleep(8)


Play = Callable[[Site], Coroutine[Any, Any, None]]


def weigh(
    folder: Path, play: Play, *, twin: BinTwin | None = None, plan: LinePlan | None = None, boot: str = "c" * 16,
    door: bool = False, at: int = MORNING, **settings: Any,
) -> BinTwin:  # fmt: skip
    """A bin (and perhaps a lock in front of it) on one line in memory, on a loop that owns time."""
    cell = twin or BinTwin([UNIT] * 40)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        clock = virtual_clock(boot, loop, origin_ms=at)
        salts = (f"{n:032x}" for n in itertools.count())
        journal = await Journal.open(folder / "journal.db", boot=boot, salt=lambda: next(salts), demo=True)
        unwatch = loop.watch(lambda: journal.busy)
        line = Line(LineSpec(), faults=LineFaults(plan or LinePlan(), "scale"))
        locks = LockTwin(board=2)
        line.attach(cell)
        line.attach(locks)
        port = MemoryPort(line, down=LinkDown)
        ports = Ports(clock, lambda: "", lambda _: port, no_broker)
        premises = Premises(clock, journal, Told(desired("sensor", BIN)), Shelf())
        await remember(journal, [BIN], premises.remember)
        driver = drivers.create("weigh_bin", {**BASE, **settings})
        board = drivers.create("lock_8a", {"board": 2, "watch": 0})
        session = SerialSession(SerialSettings("line-1", "memory"), {BIN: driver, BOARD: board}, ports, journal)
        cabinet = WeighCabinet(BIN, driver, premises)
        session.interpret(BIN, cabinet)
        lock = LockCabinet(BOARD, board, session, clock)
        session.interpret(BOARD, lock)
        if door:
            cabinet.door = Door(lock, "3")
        running = asyncio.create_task(session.run())
        cabinets = {BIN: cabinet}
        recovering = asyncio.create_task(end_interrupted(premises, cabinets, recover_draws(premises, cabinets)))
        try:
            await clock.sleep(6)
            await play(Site(clock, journal, premises, line, cell, locks, cabinet))
        finally:
            for task in (running, recovering):
                task.cancel()
            await asyncio.gather(running, recovering, return_exceptions=True)
            await journal.close()
            unwatch()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
    return cell
