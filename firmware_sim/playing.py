"""A shop's day as it happens: the plan's people at the doors, hands that take and push, machines that draw power.

The surprise: truth is written by hands, never by answers. A piece has left when a hand took it behind an open door, no
matter what the gateway said or whether it was alive.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_sim import shop
from firmware_sim.bench import Line
from firmware_sim.board_hands import BoardHands
from firmware_sim.coil_hands import CoilHands
from firmware_sim.coil_plan import CoilStep
from firmware_sim.devices.dlt645 import Dlt645Meter
from firmware_sim.devices.fan_coil import FanCoil
from firmware_sim.devices.lock_8a import DoorMoved, Lock8A
from firmware_sim.devices.lock_kerong import LockKerong
from firmware_sim.devices.mbus import MbusMeter
from firmware_sim.devices.pms5003 import Air, Pms5003
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.kiosk import People
from firmware_sim.scenario import Cabinet, Scenario
from firmware_sim.truth import Truth

# Loop seconds that somebody waits for a door after the screen has gone dark.
HOPE_S = 0.5


@dataclass
class Pace:
    """How the shop's time passes: its clock (ms UTC) showed ``origin_ms`` at loop time ``zero`` and runs ``scale``
    times as fast.
    """

    origin_ms: int
    zero: float
    scale: int = 1

    def at(self, now: float) -> int:
        """What the shop's clock shows at a loop time."""
        return self.origin_ms + round((now - self.zero) * 1000 * self.scale)

    def now_ms(self) -> int:
        """What it shows now."""
        return self.at(asyncio.get_running_loop().time())

    async def until(self, at_ms: int) -> None:
        """Waits for an instant of the shop's clock."""
        # Once is not always enough: a timer may fire a clock tick early.
        for _ in range(3):
            await asyncio.sleep(max(at_ms - self.now_ms(), 0) / 1000 / self.scale)

    async def rest(self, ms: float) -> None:
        """Waits so long on the shop's clock, and never less than 20 ms of the loop's: hands are not electronics."""
        await asyncio.sleep(max(ms / 1000 / self.scale, 0.02))


@dataclass(eq=False)
class LockerHands:
    """The person in front of a lock cabinet."""

    cabinet: Cabinet
    twin: Lock8A | LockKerong
    line: Line
    truth: Truth
    pace: Pace
    visit: shop.Visit | None = None
    busy: set[asyncio.Task[None]] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.twin.on_door = self.door

    def door(self, moved: DoorMoved) -> None:
        """A door moved; one that the board opened has somebody's hand in it soon."""
        if moved.open and moved.cause == "command":
            task = asyncio.ensure_future(self._take(moved.lock))
            self.busy.add(task)
            task.add_done_callback(self.busy.discard)

    async def _take(self, lock: int) -> None:
        visit = self.visit
        await self.pace.rest(visit.dwell_ms if visit else 5000)
        slot = next((one for one in self.cabinet.slot if one.slot == str(lock)), None)
        left = self.truth.on_hand().get((self.cabinet.id, str(lock)), 0)
        if visit is not None and slot is not None and visit.slot == str(lock):
            taken = min(visit.quantity, left)
            if taken:
                self.truth.piece_left(
                    self.cabinet.id, slot.slot, slot.item, badge=visit.badge, at_ms=self.pace.now_ms(), quantity=taken
                )
        self.twin.door_closed(lock, self.line.now)
        self.line.stir(self.twin)


@dataclass
class Meter:
    """A meter's twin on its line."""

    twin: Sdm630 | Dlt645Meter | MbusMeter
    line: Line


@dataclass
class Day:
    """Everything that is played in one run. ``answers`` counts what the kiosk said; ``tell`` hears each event."""

    scenario: Scenario
    plan: shop.Plan
    truth: Truth
    kiosk: People
    pace: Pace
    lockers: dict[str, LockerHands]
    meters: dict[str, Meter]
    coils: dict[str, CoilHands] = field(default_factory=dict)
    sensors: dict[str, tuple[Pms5003, Line]] = field(default_factory=dict)
    boards: dict[str, BoardHands] = field(default_factory=dict)
    fan_coils: dict[str, FanCoil] = field(default_factory=dict)
    tell: Callable[[object, str], None] = lambda _event, _outcome: None
    answers: Counter[str] = field(default_factory=Counter)
    running: set[asyncio.Task[None]] = field(default_factory=set)

    async def count(self, cabinet: str, slot: str, badge: str) -> str:
        """Somebody counts a slot while nobody else is at the cabinet."""
        hands = self.coils.get(cabinet) or self.boards.get(cabinet) or self.lockers[cabinet]
        async with hands.turn:
            quantity = self.truth.on_hand().get((cabinet, slot), 0)
            return str((await self.kiosk.count(cabinet, badge, slot, quantity))["outcome"])

    async def play(self, first_ms: int, end_ms: int) -> None:
        """Plays the plan's events in ``[first_ms, end_ms)``; returns when the last of them has ended."""
        for event in self.plan.events:
            if first_ms <= event.at_ms < end_ms:
                await self.pace.until(event.at_ms)
                await self._event(event)
        await self.pace.until(end_ms)
        if self.running:
            await asyncio.wait(self.running)

    async def _event(self, event: shop.Event) -> None:
        if isinstance(event, shop.LoadStep):
            meter = self.meters[event.meter]
            now = meter.line.now
            meter.twin.set_load_w(event.watts, now)
            self.truth.load(event.meter, event.watts, self.pace.at(now))
        elif isinstance(event, shop.AirStep):
            sensor, line = self.sensors[event.sensor]
            sensor.set_air(Air(event.pm1, event.pm25, event.pm10), line.now)
            line.stir(sensor)
        elif isinstance(event, CoilStep):
            self.fan_coils[event.coil].run(event.speed, valve=event.valve, flow=event.flow)
            self.truth.coils.runs(event.coil, event.effective, self.pace.now_ms())
        elif isinstance(event, shop.Refill):
            await self._refill(event)
        else:
            task = asyncio.ensure_future(self._visit(event))
            self.running.add(task)
            task.add_done_callback(self.running.discard)

    async def _refill(self, refill: shop.Refill) -> None:
        quantity = refill.quantity
        if not quantity:
            quantity = refill.up_to - self.truth.on_hand().get((refill.cabinet, refill.slot), 0)
        if quantity <= 0:
            return
        self.truth.refilled(
            refill.cabinet, refill.slot, refill.item, badge=refill.badge, at_ms=self.pace.now_ms(), quantity=quantity
        )
        outcome = ""
        if refill.cabinet in self.coils:
            self.coils[refill.cabinet].fill(refill.slot, quantity)
        elif refill.cabinet in self.boards:
            self.boards[refill.cabinet].fill(refill.slot, quantity)
        for _ in range(200):
            outcome = (await self.kiosk.refill(refill.cabinet, refill.badge, refill.slot, quantity))["outcome"]
            if outcome == "refilled":
                break
            await self.pace.rest(3000)
        self.answers[outcome] += 1
        self.tell(refill, outcome)

    async def _visit(self, visit: shop.Visit) -> None:
        if visit.cabinet in self.coils:
            outcome = await self.coils[visit.cabinet].serve(visit.badge, visit.slot, visit.quantity)
        elif visit.cabinet in self.boards:
            hands = self.boards[visit.cabinet]
            outcome = await hands.serve(self.kiosk.draw, visit.badge, visit.slot, visit.quantity)
        else:
            outcome = await self._at_locker(self.lockers[visit.cabinet], visit)
        self.answers[outcome] += 1
        self.tell(visit, outcome)

    async def _at_locker(self, hands: LockerHands, visit: shop.Visit) -> str:
        async with hands.turn:
            hands.visit = visit
            try:
                if visit.jammed and isinstance(hands.twin, Lock8A):
                    hands.twin.jam(int(visit.slot))
                answer = await self.kiosk.draw(visit.cabinet, visit.badge, visit.slot, visit.quantity)
                if answer["outcome"] == "no_answer":
                    # The screen went dark; the command may be on the wire, and the door may open yet.
                    await asyncio.sleep(HOPE_S)
                if hands.busy:
                    await asyncio.wait(hands.busy)
                return str(answer["outcome"])
            finally:
                if isinstance(hands.twin, Lock8A):
                    hands.twin.mend(int(visit.slot))
                hands.visit = None
