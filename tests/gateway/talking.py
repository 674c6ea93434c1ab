"""One device that has its line to itself, its desk, a real journal: in memory on a loop that owns time, or over a pty.

Call it twice with one folder and the second run is the gateway after a restart.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from firmware_sim.bench import Line, LineSpec, MemoryPort, PtyPort
from firmware_sim.devices.twin import Twin
from firmware_sim.faults import LineFaults, LinePlan
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import drivers
from gateway.clock import Clock, system_clock, virtual_clock
from gateway.journal.store import Journal
from gateway.links.serial import SerialPort
from gateway.ports import Desired, LinkDown, Ports, SerialSettings
from gateway.premises import Premises
from gateway.shelf import Shelf
from gateway.talkers import conversation
from tests.gateway.site import MORNING, Told, desired, no_broker
from wire.records import DeviceEvent, Record, decode

T = TypeVar("T")
DEVICE = "cab-1"


@dataclass
class Talking:
    """What a test may touch."""

    clock: Clock
    journal: Journal
    premises: Premises
    line: Line
    twin: Any
    driver: Any
    session: Any
    desk: Any

    async def records(self) -> list[Record]:
        """All records of the journal, in order."""
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [decode(row[0]) for row in rows]

    async def kinds(self, kind: type[T]) -> list[T]:
        """The records of one kind, in order."""
        return [record for record in await self.records() if isinstance(record, kind)]

    async def events(self) -> list[str]:
        """The names of all device events, in order."""
        return [record.event for record in await self.kinds(DeviceEvent)]

    async def until(self, true: Callable[[], Coroutine[Any, Any, bool]], seconds: float = 4000.0) -> None:
        """Waits until it is so, looking less and less often; fails when it does not come."""
        waited, step = 0.0, 0.1
        while not await true():
            if waited > seconds:
                raise AssertionError("it did not happen")
            await self.clock.sleep(step)
            waited += step
            step = min(step * 1.2, 5.0)

    async def has(self, kind: type[T], count: int = 1) -> list[T]:
        """Waits for so many records of one kind."""

        async def enough() -> bool:
            return len(await self.kinds(kind)) >= count

        await self.until(enough)
        return await self.kinds(kind)

    async def told(self, event: str, count: int = 1) -> list[DeviceEvent]:
        """Waits for so many device events of this name."""

        async def enough() -> bool:
            return (await self.events()).count(event) >= count

        await self.until(enough)
        return [one for one in await self.kinds(DeviceEvent) if one.event == event]


Play = Callable[[Talking], Coroutine[Any, Any, None]]


def talk(
    folder: Path, kind: str, settings: dict[str, Any], twin: Twin, play: Play, *, spec: LineSpec | None = None,
    plan: LinePlan | None = None, seed: str = "talk", boot: str = "c" * 16, at: int = MORNING,
    slots: Desired | None = None,
) -> None:  # fmt: skip
    """In memory, on virtual time that shows ``at`` when it begins."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        clock = virtual_clock(boot, loop, origin_ms=at)
        line = Line(spec, faults=LineFaults(plan or LinePlan(), seed))
        port = MemoryPort(line, down=LinkDown)
        ports = Ports(clock, lambda: "", lambda _: port, no_broker)
        told = SerialSettings("line-1", "memory", line.spec.baud)
        await _play(folder, kind, settings, twin, play, line, ports, told, slots, loop.watch)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


def talk_on_a_pty(
    folder: Path, kind: str, settings: dict[str, Any], twin: Twin, play: Play, *, spec: LineSpec | None = None,
    plan: LinePlan | None = None, seed: str = "talk", slots: Desired | None = None,
) -> None:  # fmt: skip
    """The same over a pseudo-terminal and pyserial, in real time."""

    async def main() -> None:
        line = Line(spec, faults=LineFaults(plan or LinePlan(), seed))
        port = PtyPort(line, folder / "tty")
        await port.open()
        told = SerialSettings("line-1", str(folder / "tty"), line.spec.baud)
        ports = Ports(system_clock("c" * 16), lambda: "", SerialPort, no_broker)
        try:
            await _play(folder, kind, settings, twin, play, line, ports, told, slots, None)
        finally:
            port.close()

    asyncio.run(main())


async def _play(
    folder: Path, kind: str, settings: dict[str, Any], twin: Twin, play: Play, line: Line, ports: Ports,
    told: SerialSettings, slots: Desired | None, watch: Any,
) -> None:  # fmt: skip
    salts = (f"{n:032x}" for n in itertools.count())
    boot = ports.clock.boot
    journal = await Journal.open(folder / "journal.db", boot=boot, salt=lambda: next(salts), demo=True)
    unwatch = watch(lambda: journal.busy) if watch else lambda: None
    line.attach(twin)
    driver = drivers.create(kind, settings)
    premises = Premises(ports.clock, journal, Told(slots or desired("sensor", DEVICE)), Shelf())
    session, desk = conversation(told, DEVICE, driver, ports, premises)
    running = asyncio.create_task(session.run())
    try:
        await play(Talking(ports.clock, journal, premises, line, twin, driver, session, desk))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await journal.close()
        line.detach(twin)
        unwatch()
