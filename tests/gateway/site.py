"""A small site on a loop that owns time: one serial line with twins on it, a real journal, the use cases.

Tests here put the drivers against the twins, which were written from the same data sheets by other hands.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from firmware_sim.bench import Line, LineSpec, MemoryPort
from firmware_sim.devices.lock_8a import DoorMoved
from firmware_sim.devices.lock_8a import Lock8A as LockTwin
from firmware_sim.devices.sdm630 import Sdm630 as MeterTwin
from firmware_sim.faults import LineFaults, LinePlan
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import drivers
from gateway.clock import Clock, virtual_clock
from gateway.journal.store import Journal
from gateway.lock_cabinet import LockCabinet
from gateway.ports import (
    Badge,
    BrokerSettings,
    Desired,
    LinkDown,
    MqttLink,
    Planogram,
    Ports,
    SerialLink,
    SerialSettings,
    Slot,
)
from gateway.premises import Premises
from gateway.session import SerialSession
from gateway.shelf import Shelf
from wire.records import DeviceEvent, Record, decode

T = TypeVar("T")
MORNING = 1_793_000_000_000 - 1_793_000_000_000 % 900_000
CABINET, METER = "cab-1", "meter-1"


@dataclass
class Told:
    """The desired document, as if the cloud had sent it a moment ago."""

    current: Desired
    age_seconds: int | None = 0


def desired(confirm: Any = "door", cabinet: str = CABINET) -> Desired:
    slots = tuple(Slot(str(n), f"item-{n}", 10, 2, 10, confirm) for n in range(1, 5))
    return Desired(
        version=3,
        planograms={cabinet: Planogram(cabinet, 7, slots)},
        badges={"B0017": Badge("B0017", "p-17")},
        rules=2,
    )


@dataclass
class Site:
    """Everything a test may touch."""

    clock: Clock
    journal: Journal
    ports: Ports
    line: Line
    locks: LockTwin
    meter: MeterTwin
    session: SerialSession
    premises: Premises
    cabinet: LockCabinet
    port: MemoryPort
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    opened_since_asked: int = 0

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

    def close_door_after(self, seconds: float) -> None:
        """Somebody takes the thing and shuts the door, so long after it opened."""
        loop = asyncio.get_running_loop()

        def moved(door: DoorMoved) -> None:
            if door.open:
                self.opened_since_asked += 1
                loop.call_later(seconds, self.shut, door.lock)

        self.locks.on_door = moved

    def shut(self, lock: int) -> None:
        """Pushes one door shut."""
        self.locks.door_closed(lock, self.clock.line())
        self.line.stir(self.locks)


def on_a_site(
    folder: Path,
    play: Callable[[Site], Coroutine[Any, Any, None]],
    *,
    plan: LinePlan | None = None,
    confirm: str = "door",
    meter: dict[str, Any] | None = None,
    lock: dict[str, Any] | None = None,
    boot: str = "b" * 16,
) -> None:
    """Opens the site, plays, and stops it as SIGTERM would."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        clock = virtual_clock(boot, loop, origin_ms=MORNING)
        salts = (f"{n:032x}" for n in itertools.count())
        journal = await Journal.open(folder / "journal.db", boot=boot, salt=lambda: next(salts), demo=True)
        unwatch = loop.watch(lambda: journal.busy)
        site = _site(clock, journal, plan, confirm, meter or {}, lock or {})
        site.tasks.append(asyncio.create_task(site.session.run()))
        try:
            await clock.sleep(1)
            await play(site)
        finally:
            for task in site.tasks:
                task.cancel()
            await asyncio.gather(*site.tasks, return_exceptions=True)
            await journal.close()
            unwatch()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


def _site(
    clock: Clock, journal: Journal, plan: LinePlan | None, confirm: str, meter: dict[str, Any], lock: dict[str, Any]
) -> Site:
    line = Line(LineSpec(), faults=LineFaults(plan or LinePlan(), "site"))
    locks, meter_twin = LockTwin(), MeterTwin(address=2, start_wh=1_234_000)
    line.attach(locks)
    line.attach(meter_twin)
    port = MemoryPort(line, down=LinkDown)
    ports = Ports(clock, lambda: "", lambda _: port, no_broker)
    board = drivers.create("lock_8a", {"watch": 5, **lock})
    reader = drivers.create("modbus_meter", {"unit": 2, "every": 900, **meter})
    session = SerialSession(SerialSettings("line-1", "memory"), {CABINET: board, METER: reader}, ports, journal)
    cabinet = LockCabinet(CABINET, board, session, clock)
    session.interpret(CABINET, cabinet)
    premises = Premises(clock, journal, Told(desired(confirm)), Shelf())
    return Site(clock, journal, ports, line, locks, meter_twin, session, premises, cabinet, port)


def no_broker(settings: BrokerSettings) -> MqttLink:
    raise LinkDown(f"no broker {settings.name}")


def no_line(settings: SerialSettings) -> SerialLink:
    """A site without serial lines."""
    raise LinkDown(f"no line {settings.name}")
