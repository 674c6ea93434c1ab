"""One device on a line of its own, a real journal, the session: in memory on a loop that owns time, or over a pty.

What a driver delivers is what lies in the journal afterwards, so that is what tests look at.
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
from gateway.ports import LinkDown, Ports, SerialSettings
from gateway.session import SerialSession
from gateway.switches import LineSwitch
from tests.gateway.site import MORNING, no_broker
from wire.records import DeviceEvent, Reading, decode

T = TypeVar("T")
DEVICE = "dev-1"
BOOT = "c" * 16


@dataclass
class OneDevice:
    """What a test may touch."""

    clock: Clock
    journal: Journal
    line: Line
    twin: Any
    driver: Any
    session: SerialSession

    @property
    def now(self) -> float:
        """Line time as the twin knows it."""
        return self.line.now

    @property
    def switch(self) -> LineSwitch:
        """The device's relay or valve."""
        return LineSwitch(DEVICE, self.driver, self.session, self.clock)

    async def kinds(self, kind: type[T]) -> list[T]:
        """The records of one kind, in order."""
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [record for record in map(decode, (row[0] for row in rows)) if isinstance(record, kind)]

    async def readings(self, register: str = "") -> list[tuple[int, int, str]]:
        """Value, scale and unit of each reading, in order."""
        told = await self.kinds(Reading)
        return [(one.value, one.scale, one.unit) for one in told if register in ("", one.register)]

    async def events(self) -> list[str]:
        """The names of all device events, in order."""
        return [record.event for record in await self.kinds(DeviceEvent)]


Play = Callable[[OneDevice], Coroutine[Any, Any, None]]


def on_a_line(
    folder: Path, kind: str, settings: dict[str, Any], twin: Callable[[float], Twin], play: Play,
    *, spec: LineSpec | None = None, plan: LinePlan | None = None, seed: str = "one device",
) -> None:  # fmt: skip
    """In memory, on virtual time that shows `MORNING` when it begins. ``twin`` gets the line time of its start."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        clock = virtual_clock(BOOT, loop, origin_ms=MORNING)
        line = Line(spec, faults=LineFaults(plan or LinePlan(), seed))
        port = MemoryPort(line, down=LinkDown)
        ports = Ports(clock, lambda: "", lambda _: port, no_broker)
        await _play(folder, kind, settings, twin(loop.time()), play, line, ports, loop.watch)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


def on_a_pty(
    folder: Path, kind: str, settings: dict[str, Any], twin: Callable[[float], Twin], play: Play,
    *, spec: LineSpec | None = None, plan: LinePlan | None = None, bytesize: int = 8, seed: str = "one device",
) -> None:  # fmt: skip
    """The same over a pseudo-terminal and pyserial, in real time."""

    async def main() -> None:
        line = Line(spec, faults=LineFaults(plan or LinePlan(), seed))
        port = PtyPort(line, folder / "tty")
        await port.open()
        ports = Ports(system_clock(BOOT), lambda: "", lambda _: SerialPort(told), no_broker)
        told = SerialSettings("line-1", str(folder / "tty"), line.spec.baud, bytesize, line.spec.parity)
        try:
            await _play(folder, kind, settings, twin(line.now), play, line, ports, None, told)
        finally:
            port.close()

    asyncio.run(main())


async def _play(
    folder: Path, kind: str, settings: dict[str, Any], twin: Twin, play: Play, line: Line, ports: Ports,
    watch: Callable[[Callable[[], bool | int]], Callable[[], None]] | None, serial: SerialSettings | None = None,
) -> None:  # fmt: skip
    salts = (f"{n:032x}" for n in itertools.count())
    journal = await Journal.open(folder / "journal.db", boot=BOOT, salt=lambda: next(salts), demo=True)
    unwatch = watch(lambda: journal.busy) if watch else lambda: None
    line.attach(twin)
    driver = drivers.create(kind, settings)
    told = serial or SerialSettings("line-1", "memory", line.spec.baud, 8, line.spec.parity)
    session = SerialSession(told, {DEVICE: driver}, ports, journal)
    running = asyncio.create_task(session.run())
    try:
        await play(OneDevice(ports.clock, journal, line, twin, driver, session))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await journal.close()
        unwatch()


async def until(device: OneDevice, true: Callable[[], Coroutine[Any, Any, bool]], tries: int = 400) -> None:
    """Waits a twentieth of a second at a time; fails after ``tries`` of them."""
    for _ in range(tries):
        if await true():
            return
        await device.clock.sleep(0.05)
    raise AssertionError("it did not happen")
