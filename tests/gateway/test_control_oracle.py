"""A unit through the night of the clock change, against a second account of what it should do.

The account is written from the sentences of `control_rules.py`, not from the code: its local time is counted by hand,
and it steps through the levels one by one. The air, orders, broken sensors and power cuts are drawn by seed.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random

from firmware_sim.virtual_time import VirtualTimeLoop
from gateway.boot import since_last_order
from gateway.clock import virtual_clock
from gateway.control_rules import Control
from gateway.device_events import AirSample
from gateway.journal.store import Journal
from gateway.noticeboard import Noticeboard
from gateway.run_controls import Controls, Steered
from gateway.standing_orders import restore
from tests.gateway.air_plant import Fan, Told

# Saturday 24 October 2026, 18:00 UTC is 20:00 in Berlin; on Sunday at 01:00 UTC the clocks there go back from 3 to 2.
SATURDAY, CHANGE, HOUR = 1_792_864_800, 1_792_890_000, 3600
STEPS = (Decimal(35), Decimal(75), Decimal(150))
RULE = Control.model_validate(
    {
        "unit": "fan-1",
        "air": {"device": "air-1", "metric": "pm2_5"},
        "steps": [{"above": above, "level": level} for level, above in enumerate(STEPS, 1)],
        "hysteresis": 10,
        "hours": [
            {"days": ["sat"], "from": "21:00", "to": "02:30"},
            {"days": ["sun"], "from": "02:45", "to": "03:15"},
            {"days": ["sun"], "from": "05:00", "to": "05:00"},
        ],
        "zone": "Europe/Berlin",
        "occupancy": {"source": {"device": "pir-1", "metric": "presence"}, "hold_seconds": 600, "level": 1},
        "min_on_seconds": 120,
        "min_off_seconds": 180,
    }
)


@dataclass
class Account:
    """What a person with the sentences and a pencil would expect. Times are seconds since Saturday 18:00 UTC."""

    level: int = 0
    since: float = 0
    air: tuple[Decimal, float] | None = None
    doubted: bool = False
    present: bool = False
    heard: float | None = None
    gone: float | None = None
    order: tuple[int, float] | None = None
    meant: float = 0
    trusted: bool = True
    dated: bool = True
    reasons: set[str] = field(default_factory=set)

    def look(self, now: float) -> None:
        if self.order and now >= self.order[1]:
            self.order = None
        wanted, why = self.wanted(now)
        rest = 180 if wanted else 120
        if (wanted > 0) != (self.level > 0) and now - self.since < rest and not (why == "order" and wanted == 0):
            self.reasons.add("rest")
            return
        self.reasons.add(why)
        if (wanted > 0) != (self.level > 0):
            self.since = now
        self.level = wanted

    def wanted(self, now: float) -> tuple[int, str]:
        if self.order:
            return self.order[0], "order"
        if self.trusted and not self.open(now):
            return 0, "hours"
        if self.air is None or self.doubted or now - self.air[1] > 300:
            return self.level, "blind"
        level = self.level
        while level < 3 and self.air[0] > STEPS[level]:
            level += 1
        while level and self.air[0] <= STEPS[level - 1] - 10:
            level -= 1
        return (level, "rule") if self.somebody(now) else (min(level, 1), "empty")

    def somebody(self, now: float) -> bool:
        if self.heard is None or now - self.heard > 7200 or self.present:
            return True
        return self.gone is not None and now - self.gone <= 600

    @staticmethod
    def open(now: float) -> bool:
        utc = SATURDAY + now
        minute = int(now + 20 * HOUR - (HOUR if utc >= CHANGE else 0)) // 60
        saturday, time_of_day = minute < 1440, minute % 1440
        if saturday:
            return time_of_day >= 21 * 60
        return time_of_day < 150 or 165 <= time_of_day < 195 or time_of_day >= 300


class Night:
    """The unit, the gateway that may lose its power, and the account of it."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.folder, self.random, self.fan, self.account = folder, random, Fan(), Account()
        self.loop = asyncio.get_running_loop()
        self.zero, self.boots, self.salts = self.loop.time(), 0, map("{:032x}".format, itertools.count())

    @property
    def now(self) -> float:
        return self.loop.time() - self.zero

    async def power_on(self, *, trusted: bool) -> None:
        assert isinstance(self.loop, VirtualTimeLoop)
        self.boots += 1
        boot, account = f"{self.boots:016x}", self.account
        wall = SATURDAY * 1000 + round(self.now * 1000) if trusted else 0
        self.clock = virtual_clock(boot, self.loop, origin_ms=wall, synchronised=trusted)
        self.journal = await Journal.open(self.folder / "j.db", boot=boot, salt=self.salts.__next__, demo=True)
        self.unwatch = self.loop.watch(lambda: self.journal.busy)
        self.board, self.one = Noticeboard(), Steered(RULE, self.fan)
        restore(self.one, await since_last_order(self.journal, "fan-1"), self.clock)
        if self.one.order is not None and self.one.order.until is not None:
            # Without a clock it may stand longer, never shorter.
            until = self.now + (self.one.order.until - self.clock.mono_ms()) / 1000
            assert account.order
            assert self.one.order.level == account.order[0]
            exact = trusted and account.dated
            assert abs(until - account.meant) < 0.01 if exact else until > account.meant - 0.01
            account.order = (account.order[0], until)
        else:
            assert not account.order or account.meant <= self.now
            account.order = None
        account.trusted, account.since = trusted, self.now
        account.air = account.heard = account.gone = None
        account.present = account.doubted = False
        self.controls = Controls({"fan-1": self.one}, self.board.values, self.journal, self.clock, Told())
        self.task = asyncio.create_task(self.controls.run())

    async def power_off(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.journal.close()
        self.unwatch()

    async def something(self) -> None:
        """One thing that happens, told to both."""
        account, random, now = self.account, self.random, self.now
        match random.choices(("air", "nothing", "presence", "order", "power"), (60, 40, 6, 1, 0.15))[0]:
            case "air":
                value = random.choice((10, 25, 26, 36, 66, 76, 100, 141, 151, 300))
                marks = random.choice(((), (), (), (), ("frozen",), ("out_of_range",), ("warm_up",), ("received",)))
                account.air, account.doubted = (Decimal(value), now), bool(set(marks) - {"received"})
                sample = AirSample({"pm2_5": value}, 0, "ug/m3", follows=True, q=marks)
                self.board.note("air-1", sample, self.clock.mono_ms())
            case "presence":
                there = random.random() < 0.4
                if there or account.present:
                    account.gone = now
                account.present, account.heard = there, now
                self.board.note("pir-1", AirSample({"presence": int(there)}, 0, "", follows=True), self.clock.mono_ms())
            case "order":
                level, seconds = random.choice((0, 0, 1, 2, 3, None)), random.choice((60, 600, 3600))
                account.order = None if level is None else (level, now + seconds)
                account.dated, account.meant = account.trusted, now + seconds
                await self.controls.order("fan-1", "B1", level, seconds=seconds)
                account.look(now)
            case "power":
                await self.power_off()
                await self.clock.sleep(random.choice((5, 60, 1000)) - 2.5)
                await self.power_on(trusted=random.random() < 0.7)
                account.look(self.now)
                await self.clock.sleep(2.5)

    async def pass_by(self) -> None:
        """Looks every five seconds, and things happen between two looks."""
        self.account.look(self.now)
        await self.clock.sleep(2.5)
        while self.now < 12 * HOUR:
            await self.something()
            await self.clock.sleep(2.5)
            self.account.look(self.now)
            await self.clock.sleep(2.5)
            assert (self.fan.now, self.now) == (self.account.level, self.now), self.account


def test_a_night_goes_as_the_sentences_say(tmp_path: Path) -> None:
    async def play() -> None:
        night = Night(tmp_path, Random(0))
        await night.power_on(trusted=True)
        try:
            await night.pass_by()
        finally:
            await night.power_off()
        assert night.account.reasons == {"order", "hours", "blind", "rule", "empty", "rest"}

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(play())
