"""An air unit and the gateway's control of it, in virtual time, over a real journal."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware_sim.virtual_time import VirtualTimeLoop
from gateway.clock import Clock, virtual_clock
from gateway.control_rules import Control
from gateway.device_events import AirSample
from gateway.journal.store import Journal
from gateway.noticeboard import Noticeboard
from gateway.ports import Badge, Desired, LinkDown
from gateway.run_controls import Controls, Steered
from wire.records import DeviceEvent, decode

MONDAY = 1_793_584_800_000


@dataclass
class Fan:
    """A unit with three speeds that can be deaf, gone, or moved by hand."""

    device: str = "fan-1"
    levels: int = 3
    now: int = 0
    deaf: bool = False
    gone: bool = False
    blind: bool = False
    refuses: str = ""
    slow: float = 0
    asked: int = 0
    commands: list[int] = field(default_factory=list)
    on_command: Callable[[int], None] = lambda _: None

    async def level(self) -> int | None:
        if self.gone:
            raise LinkDown("line bus-1 is not open")
        self.asked += 1
        await asyncio.sleep(self.slow)
        return None if self.blind else self.now

    async def switch(self, level: int) -> None:
        if self.gone:
            raise LinkDown("line bus-1 is not open")
        if self.refuses:
            raise LinkDown(self.refuses)
        self.commands.append(level)
        self.on_command(level)
        if not self.deaf:
            self.now = level


@dataclass
class Told:
    current: Desired = field(
        default_factory=lambda: Desired(
            version=1, badges={"B1": Badge("B1", "p-1"), "S1": Badge("S1", "p-s", ("supplier",))}
        )
    )
    age_seconds: int | None = 0


@dataclass
class Plant:
    clock: Clock
    journal: Journal
    board: Noticeboard
    fan: Fan
    one: Steered
    controls: Controls

    def air(self, pm: int) -> None:
        self.board.note("air-1", AirSample({"pm2_5": pm}, 0, "ug/m3", follows=True), self.clock.mono_ms())

    async def breathe(self, pm: int, seconds: int) -> None:
        for _ in range(seconds // 30):
            self.air(pm)
            await self.clock.sleep(30)

    async def events(self) -> list[DeviceEvent]:
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [record for record in (decode(row[0]) for row in rows) if isinstance(record, DeviceEvent)]

    async def names(self) -> list[str]:
        return [one.event.removeprefix("control_") for one in await self.events()]


RULE = {"air": {"device": "air-1", "metric": "pm2_5"}, "steps": [{"above": 35, "level": 1}, {"above": 75, "level": 2}]}


def on_a_plant(folder: Path, play: Callable[[Plant], Coroutine[Any, Any, None]], **rule: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        clock = virtual_clock("b" * 16, loop, origin_ms=MONDAY)
        salts = (f"{n:032x}" for n in itertools.count())
        journal = await Journal.open(folder / "journal.db", boot="b" * 16, salt=lambda: next(salts), demo=True)
        unwatch = loop.watch(lambda: journal.busy)
        board, fan = Noticeboard(), Fan()
        one = Steered(Control.model_validate({"unit": "fan-1", **(rule or RULE)}), fan)
        controls = Controls({"fan-1": one}, board.values, journal, clock, Told())
        task = asyncio.create_task(controls.run())
        try:
            await play(Plant(clock, journal, board, fan, one, controls))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await journal.close()
            unwatch()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
