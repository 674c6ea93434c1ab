"""Any serial device as a site has it: `gateway.toml`, the product's wiring, a real journal, behind a device file."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from firmware_sim.bench import Line, LineSpec, PtyPort
from firmware_sim.faults import LineFaults, LinePlan
from gateway import config_file
from gateway.clock import Clock, system_clock
from gateway.journal.store import Journal
from gateway.links.serial import SerialPort
from gateway.ports import Desired, Ports
from gateway.premises import Premises
from gateway.shelf import Shelf
from gateway.wiring import Site, wire_up
from tests.gateway.site import Told, desired, no_broker
from wire.records import Draw, Record, decode

T = TypeVar("T")
DEVICE = "cab-1"


@dataclass
class Behind:
    """What a play may touch."""

    clock: Clock
    journal: Journal
    premises: Premises
    line: Line
    twin: Any
    site: Site
    port: PtyPort

    async def records(self, kind: type[T]) -> list[T]:
        """The journal's records of one kind, in order."""
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        found: list[Record] = [decode(row[0]) for row in rows]
        return [record for record in found if isinstance(record, kind)]

    async def pieces(self) -> tuple[int, int]:
        """Pieces drawn for sure, and those that only a count can settle."""
        draws = await self.records(Draw)
        sure = sum(one.qty for one in draws if one.outcome == "confirmed")
        return sure, sum(one.qty for one in draws if one.outcome == "unverified")

    def stir(self) -> None:
        """After a hand touched the twin."""
        self.line.stir(self.twin)

    async def power_cut(self, seconds: float = 0.7) -> None:
        """The device goes dark, in the middle of a byte if need be, and comes back."""
        self.line.cut_power(self.twin)
        await self.clock.sleep(seconds)
        self.line.restore_power(self.twin)

    async def replug(self) -> None:
        """The adapter is pulled out and put in again."""
        self.port.close()
        await self.clock.sleep(0.5)
        await self.port.open()

    async def soon(self, true: Callable[[], Coroutine[Any, Any, bool]], seconds: float = 120) -> bool:
        """Whether it becomes so within these seconds."""
        end = self.clock.line() + seconds
        while self.clock.line() < end:
            if await true():
                return True
            await self.clock.sleep(0.1)
        return False


Play = Callable[[Behind], Coroutine[Any, Any, None]]


@dataclass
class Case:
    """One kind, how it is set up, its twin (made at a line time), and what is done with it."""

    kind: str
    settings: dict[str, Any]
    twin: Callable[[float], Any]
    play: Play
    spec: LineSpec = field(default_factory=LineSpec)
    slots: Desired | None = None
    echo: bool = False


async def play_on_a_pty(folder: Path, case: Case, plan: LinePlan) -> None:
    """Runs the case with these faults, on a line of its own."""
    folder.mkdir()  # noqa: ASYNC240 - a test folder
    spec, clock = case.spec, system_clock("c" * 16)
    salts = (f"{n:032x}" for n in itertools.count())
    journal = await Journal.open(folder / "journal.db", boot=clock.boot, salt=lambda: next(salts), demo=True)
    line = Line(spec, faults=LineFaults(plan, case.kind))
    port = PtyPort(line, folder / "tty")
    await port.open()
    config = config_file.parse(_toml(case, folder / "tty"))
    premises = Premises(clock, journal, Told(case.slots or desired("sensor", DEVICE)), Shelf())
    site = wire_up(config, Ports(clock, lambda: "", SerialPort, no_broker), premises)
    twin = case.twin(line.now)
    line.attach(twin)
    tasks = [asyncio.create_task(session.run()) for session in site.sessions]
    try:
        await case.play(Behind(clock, journal, premises, line, twin, site, port))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await journal.close()
        line.detach(twin)
        port.close()


def _toml(case: Case, port: Path) -> str:
    spec = case.spec
    own = "\n".join(f"{name} = {_value(value)}" for name, value in case.settings.items())
    return f"""
[[lines]]
name = "line-1"
port = "{port}"
baud = {spec.baud}
parity = "{spec.parity}"
echo = {_value(case.echo)}
[[lines.devices]]
id = "{DEVICE}"
kind = "{case.kind}"
{own}
"""


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{name}" = {_value(one)}' for name, one in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else repr(value)
