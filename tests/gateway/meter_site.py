"""A site written as a `gateway.toml`: one serial line with twins on it, a real journal, on a loop that owns time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from firmware_sim.bench import Line, LineSpec, MemoryPort
from firmware_sim.devices.twin import Twin
from firmware_sim.faults import LineFaults, LinePlan
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import config_file
from gateway.clock import Clock, virtual_clock
from gateway.journal.store import Journal
from gateway.ports import LinkDown, Ports
from gateway.premises import Premises
from gateway.session import SerialSession
from gateway.shelf import Shelf
from gateway.wiring import wire_up
from tests.gateway.site import MORNING, Told, desired, no_broker
from wire.records import DeviceEvent, Reading, Record, Window, decode

T = TypeVar("T")


@dataclass
class MeterSite:
    """What a test may touch."""

    clock: Clock
    journal: Journal
    line: Line
    session: SerialSession

    async def records(self, kind: type[T]) -> list[T]:
        """The journal's records of one kind, in order."""
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        found: list[Record] = [decode(row[0]) for row in rows]
        return [record for record in found if isinstance(record, kind)]

    async def readings(self, register: str) -> list[int]:
        """The values of a register."""
        return [one.value for one in await self.records(Reading) if one.register == register]

    async def windows(self, metric: str) -> list[Window]:
        """The windows of a metric."""
        return [one for one in await self.records(Window) if one.metric == metric]

    async def events(self) -> list[str]:
        """Names of all device events."""
        return [one.event for one in await self.records(DeviceEvent)]


def on_a_line(
    folder: Path,
    toml: str,
    twins: Sequence[Twin],
    play: Callable[[MeterSite], Coroutine[Any, Any, None]],
    *,
    plan: LinePlan | None = None,
    spec: LineSpec | None = None,
    seed: str = "meters",
) -> None:
    """Reads the configuration, wires everything up, and plays on the first line."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        config = config_file.parse(toml)
        clock = virtual_clock("b" * 16, loop, origin_ms=MORNING)
        salts = (f"{n:032x}" for n in itertools.count())
        journal = await Journal.open(folder / "journal.db", boot="b" * 16, salt=lambda: next(salts), demo=True)
        unwatch = loop.watch(lambda: journal.busy)
        line = Line(spec or LineSpec(baud=config.lines[0].baud), faults=LineFaults(plan or LinePlan(), seed))
        for twin in twins:
            line.attach(twin)
        port = MemoryPort(line, down=LinkDown)
        ports = Ports(clock, lambda: "", lambda _: port, no_broker)
        site = wire_up(config, ports, Premises(clock, journal, Told(desired()), Shelf()))
        (session,) = site.sessions
        assert isinstance(session, SerialSession)
        task = asyncio.create_task(session.run())
        try:
            await play(MeterSite(clock, journal, line, session))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await journal.close()
            unwatch()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
