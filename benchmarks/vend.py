"""From a badge to the first byte of the command on the wire, offline, against the bare disk of the same run.

`./run python benchmarks/vend.py [--quick] [--json]`. 10,000 badges and 200 limits are cached, thousands of draws are
remembered, the journal syncs every commit. Two boards: a lock board as it is set up, to which people come at any moment
of its watch (decision, intent, mark, open), and an FA FB controller that asks us five times a second: its command must
be in the answer to the first poll after the commit, so what is counted there is polls. The line is a pseudo-terminal
with a twin and real byte times behind it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Goal, Options, Report, percentile, run, sync_times
from firmware_sim.bench import Line, LineSpec, PtyPort
from firmware_sim.devices.coil_vmc import CoilVmc
from firmware_sim.devices.lock_8a import DoorMoved, Lock8A
from firmware_sim.devices.twin import Twin
from gateway import drivers
from gateway.board_cabinets import cabinet_of
from gateway.clock import system_clock
from gateway.entropy import salt
from gateway.journal.store import Journal
from gateway.links.serial import SerialPort
from gateway.ports import Badge, BrokerSettings, Confirm, Desired, MqttLink, Planogram, Ports, SerialSettings, Slot
from gateway.premises import Cabinet, Premises
from gateway.rules import Item, Limit, Person, Rules
from gateway.session import SerialSession
from gateway.shelf import Shelf
from gateway.take_draw import DrawResult, take_draw
from wire.ids import RecordKey
from wire.records import Draw

BADGES, LIMITS, REMEMBERED = 10_000, 200, 5_000
CABINET, BOOT = "cab-1", "5e1f00d0c0ffee42"
UNLOCK, DRIVE, POLL = 0x8A, 0x06, 0x41
# What the issue allows beside two syncs, in ms.
ALLOWED = 20
# Multiples of it, whole parts left out, fall everywhere in a second, none near the ones before.
GOLDEN = 0.618034


class Wire(Line):
    """The line; `heard` is told of everything that begins to leave, from the gateway or from the board."""

    heard: Callable[[str, bytes], None] = staticmethod(lambda _who, _data: None)

    def _begin(self, sender: Twin | None, data: bytes, start: float) -> None:
        self.heard("gateway" if sender is None else "board", data)
        super()._begin(sender, data, start)


class Rulebook:
    """The cached document."""

    age_seconds: int | None = 60

    def __init__(self, confirm: Confirm) -> None:
        people = tuple(Person(f"p-{n}", groups=(f"g-{n % 50}",), cost_centre=f"CC{n % 20}") for n in range(BADGES))
        items = tuple(Item(f"item-{n}", price_minor=100 + n) for n in range(1, 25))
        limits = tuple(
            Limit(f"l-{n}", ("shift", "day", "week", "month")[n % 4], quantity=10_000,
                  groups=() if n % 2 else (f"g-{n % 50}",), items=() if n % 4 else ("item-1",))
            for n in range(LIMITS)
        )  # fmt: skip
        slots = tuple(Slot(str(n), f"item-{n}", 200, confirm=confirm) for n in range(1, 25))
        badges = {f"B{n:05d}": Badge(f"B{n:05d}", f"p-{n}") for n in range(BADGES)}
        rules = Rules(version=7, zone="Europe/Berlin", persons=people, items=items, limits=limits)
        self.current = Desired(3, {CABINET: Planogram(CABINET, 7, slots)}, badges, 7, rules)


@dataclass
class Bench:
    """One board and its gateway."""

    wire: Wire
    premises: Premises
    cabinet: Cabinet
    journal: Marked
    sent: list[tuple[float, str, bytes]] = field(default_factory=list)

    def hear(self, who: str, data: bytes) -> None:
        """What leaves, and when."""
        self.sent.append((time.perf_counter(), who, data))

    def left(self, wanted: Callable[[bytes], bool]) -> float:
        """When the first such frame began to leave the gateway."""
        return next(at for at, who, data in self.sent if who == "gateway" and wanted(data))

    async def draw(self, number: int) -> DrawResult:
        """One person after the other."""
        return await take_draw(self.premises, self.cabinet, f"B{number * 37 % BADGES:05d}", "1")


class Marked:
    """The journal; when its last mark was on disk."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.append, self.open_attempts = journal.append, journal.open_attempts
        self.told, self.said = journal.told, journal.said
        self.at = 0.0

    async def mark_commanded(self, key: RecordKey) -> None:
        """As the journal."""
        await self._journal.mark_commanded(key)
        self.at = time.perf_counter()


def benchmark(options: Options, report: Report) -> None:
    """The lock board's time, and the controller's polls."""
    syncs = percentile(sync_times(options.folder), 0.99)
    took = asyncio.run(lock_board(options.folder / "lock", options.size(300, 10)))
    syncs = max(syncs, percentile(sync_times(options.folder), 0.99))
    limit = ALLOWED + 2 * syncs
    goal = Goal("max", 1.0, "ratio")
    report.add("lock board, badge to command byte, p99", percentile(took, 0.99), "ms", limit=limit, goal=goal)
    report.add("lock board, badge to command byte, p50", percentile(took, 0.5), "ms")
    polls, ready = asyncio.run(controller(options.folder / "vmc", options.size(60, 4)))
    report.add("FA FB, polls from the commit to the command, most", max(polls), "polls", goal=Goal("max", 1, "value"))
    report.add("FA FB, badge to commit, p99", percentile(ready, 0.99), "ms")


async def lock_board(folder: Path, count: int) -> list[float]:
    """Ms from the badge to the first byte of the opening, draw by draw."""
    wire, twin, loop = Wire(LineSpec(baud=9600)), Lock8A(), asyncio.get_running_loop()

    def moved(door: DoorMoved) -> None:
        if door.open:
            loop.call_later(0.02, shut, door.lock)

    def shut(lock: int) -> None:
        twin.door_closed(lock, wire.now)
        wire.stir(twin)

    twin.on_door = moved
    wire.attach(twin)
    took: list[float] = []
    async with a_bench(folder, wire, "lock_8a", {}, "door") as bench:
        for number in range(count):
            await asyncio.sleep(number * GOLDEN % 1)
            bench.sent.clear()
            begun = time.perf_counter()
            result = await bench.draw(number)
            assert result.outcome == "confirmed", result
            took.append((bench.left(lambda data: data[0] == UNLOCK) - begun) * 1000)
    return took


async def controller(folder: Path, count: int) -> tuple[list[int], list[float]]:
    """Answers to polls from the mark's commit to the command, and ms from the badge to that commit."""
    wire = Wire(LineSpec(baud=57600, half_duplex=False))
    wire.attach(CoilVmc({1: 250}, turn_s=0.05))
    polls: list[int] = []
    ready: list[float] = []
    async with a_bench(folder, wire, "coil_vmc", {"patience": 5, "check": False}, "sensor") as bench:
        for number in range(count):
            bench.sent.clear()
            begun = time.perf_counter()
            result = await bench.draw(number)
            assert result.outcome == "confirmed", result
            ready.append((bench.journal.at - begun) * 1000)
            driven = bench.left(lambda data: data[2] == DRIVE)
            asked = [at for at, who, data in bench.sent if who == "board" and data[2] == POLL]
            polls.append(sum(bench.journal.at < at < driven for at in asked))
    return polls, ready


@asynccontextmanager
async def a_bench(
    folder: Path, wire: Wire, kind: str, settings: dict[str, Any], confirm: Confirm
) -> AsyncIterator[Bench]:
    """A gateway's inside on a device file, with its rules cached and a past to remember."""
    folder.mkdir()  # noqa: ASYNC240 - before anything runs
    port = PtyPort(wire, folder / "tty")
    await port.open()
    clock = system_clock(BOOT)
    journal = await Journal.open(folder / "journal.db", boot=BOOT, salt=salt, demo=True)
    line = SerialSettings("line-1", str(folder / "tty"), wire.spec.baud)
    driver = drivers.create(kind, settings)
    session = SerialSession(line, {CABINET: driver}, Ports(clock, salt, SerialPort, no_broker), journal)
    marked = Marked(journal)
    premises = Premises(clock, marked, Rulebook(confirm), Shelf())
    for number in range(REMEMBERED):
        premises.remember(past(number, clock.wall_ms()))
    cabinet = cabinet_of(CABINET, driver, session, clock, premises)
    session.interpret(CABINET, cabinet)
    bench = Bench(wire, premises, cabinet, marked)
    wire.heard = bench.hear
    running = asyncio.create_task(session.run())
    await clock.sleep(1.0)
    try:
        yield bench
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await journal.close()
        port.close()


def past(number: int, now: int) -> Draw:
    """A draw of the last days."""
    at = now - (REMEMBERED - number) * 60_000
    return Draw(
        v=1, z="", src=CABINET, ep="before", n=number + 1, t=at, ts="S", b="before", m=number,
        who=f"p-{number % BADGES}", slot="2", item="item-2", asked=1, qty=1, outcome="confirmed",
        actuation="ok", confirmation="seen",
    )  # fmt: skip


def no_broker(settings: BrokerSettings) -> MqttLink:
    """There is none."""
    raise ValueError(settings.name)


if __name__ == "__main__":
    sys.exit(run("A badge, and the command on the wire", benchmark))
