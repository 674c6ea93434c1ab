"""One run: the shop, both machines, the road between them, and a schedule of misfortunes, all drawn from one seed.

    async with a_world(seed, folder) as world: ...

Time is the event loop's. Each consumer of chance has a stream of its own, so that one more draw here does not move what
happens there; nothing asks the system for time, chance or threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from firmware_sim import faults
from firmware_sim.bench import MemoryPort
from firmware_sim.faults import LineFaults, LinePlan, MqttFaults, MqttPlan
from firmware_sim.memory_broker import MemoryBroker
from firmware_sim.playing import Day, Pace
from firmware_sim.shop import Plan, Refill
from firmware_sim.truth import Truth
from firmware_sim.wiring import wire_up
from firmware_sim.world import Chance
from tests.simulation import books, site, template
from tests.simulation.clerk import Clerk
from tests.simulation.cloud_machine import CloudMachine
from tests.simulation.gateway_machine import GatewayMachine
from tests.simulation.life import mark_tasks, pause
from tests.simulation.network import WORLD, Network
from tests.simulation.people import Restocker, Screen
from tests.simulation.trace import Trace
from tests.simulation.watcher import Watcher

BUS = LinePlan(noise=0.01, flip=0.005, cut=0.01, lose=0.01, late=0.01, split=0.05)
BROKER = MqttPlan(double=0.05, lose_ack=0.05)
AWAY = (1.0, 90.0)


class SimulatedDay(Day):
    """The day's people; the restocker has manners of his own, see ``people``."""

    restocker: Restocker

    async def _refill(self, refill: Refill) -> None:
        await self.restocker.fill(refill)


class World:
    """Made inside the running loop. ``trace`` is the run; ``watcher.findings`` is what must not have happened."""

    def __init__(self, seed: int, folder: Path, hours: float) -> None:
        loop = asyncio.get_running_loop()
        made = template.template()
        self.seed = seed
        self.hours = hours
        self.folder = folder
        self.scenario = site.the_scenario()
        self.trace = Trace(loop.time)
        self.watcher = Watcher(self.trace)
        self.pace = Pace(self.scenario.ms(self.scenario.opens), loop.time())
        self.truth = Truth(self.scenario.terms)
        self.wired = wire_up(self.scenario, self.truth, self.pace)
        self.wired.lines["bus1"].faults = LineFaults(BUS, f"{seed}/bus1")
        self.broker = MemoryBroker(MqttFaults(BROKER, f"{seed}/broker"))
        self.plugged: dict[str, MemoryPort] = {}
        self.cloud = CloudMachine(self, folder / "cloud", made.app, Chance(seed, "cloud"))
        self.network = Network(self.cloud, self.stream("network"), self.trace)
        config = template.config(folder / "gateway")
        self.gateway = GatewayMachine(self, folder / "gateway", config, made.identity, Chance(seed, "gateway"))
        self.clone: GatewayMachine | None = None
        self.clerk = Clerk(self, made.key)
        self.day = self._day(site.plan(self.scenario, seed, hours, self.stream("plan"), self.stream("air")))
        self._errands: dict[asyncio.Task[None], None] = {}
        self._away = self.stream("away")

    def stream(self, name: str) -> Random:
        """A stream of chance of its own."""
        return faults.stream(f"{self.seed}/{name}")

    def trouble(self, who: str, error: BaseException) -> None:
        """A program ended that should not have."""
        words = [repr(one) for one in _leaves_of(error)]
        self.watcher.found(f"{who} broke: {'; '.join(words)[:600]}")

    def _day(self, plan: Plan) -> SimulatedDay:
        wired = self.wired
        for hands in wired.coils.values():
            self.broker.attach(hands.client)
        day = SimulatedDay(
            self.scenario,
            plan,
            self.truth,
            Screen(self),
            self.pace,
            wired.lockers,
            wired.meters,
            wired.coils,
            fan_coils=wired.fan_coils,
        )
        day.restocker = Restocker(self, day)
        return day

    # Machines

    def errand(self, work: asyncio.Future[None] | object) -> None:
        """Something that the world does beside everything else."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, context=WORLD.copy())  # type: ignore[arg-type]
        self._errands[task] = None
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._errands.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            self.trouble("the simulator", task.exception() or AssertionError())

    def power_goes(self, machine: CloudMachine | GatewayMachine, kind: str) -> None:
        """The power went at a sync: from now on nothing of this process moves."""
        self.trace.fault(kind)
        self.errand(self._come_back(machine))

    async def _come_back(self, machine: CloudMachine | GatewayMachine) -> None:
        async with machine.turn:
            await machine.crash()
            await self._rest_and_start(machine)

    async def power_cycle(self, machine: CloudMachine | GatewayMachine, kind: str) -> None:
        """A crash at this very moment, and a start some time later."""
        async with machine.turn:
            if machine.life is None or not machine.life.alive:
                return
            self.trace.fault(kind)
            await machine.crash()
            await self._rest_and_start(machine)

    async def _rest_and_start(self, machine: CloudMachine | GatewayMachine) -> None:
        low, high = AWAY
        await pause(low + self._away.random() ** 2 * (high - low))
        if machine.life is None:
            machine.start()

    async def restore_cloud(self, image: bytes) -> None:
        """The database is put back to a backup."""
        async with self.cloud.turn:
            await self.cloud.crash()
            self.trace.fault("cloud_restore")
            self.network.hush()
            await pause(30)
            self.cloud.disk.put_back(self.cloud.path, image)
            self.cloud.start()

    async def restore_gateway(self, image: dict[str, bytes]) -> None:
        """The card is put back to an image of it; nothing that was sent before is still on the road."""
        async with self.gateway.turn:
            await self.gateway.crash()
            self.trace.fault("gateway_restore")
            self.network.hush()
            await pause(60)
            self.gateway.put_back(image)
            self.network.play_back_heads()
            held = books.journal_keys(self.gateway.path) | books.cloud_keys(self.cloud.path)
            self.watcher.card_restored(held)
            self.gateway.start()

    async def stop(self) -> None:
        """The end: everything is killed."""
        self.network.hush()
        for task in list(self._errands):
            task.cancel()
        for machine in (self.gateway, self.clone, self.cloud):
            if machine is not None:
                await machine.crash()
        await self.clerk.close()


@asynccontextmanager
async def a_world(seed: int, folder: Path, hours: float = 2.0) -> AsyncIterator[World]:
    """A world at its beginning, both machines up."""
    mark_tasks(asyncio.get_running_loop())
    template.copy_into(folder)
    world = World(seed, folder, hours)
    try:
        world.cloud.start()
        world.gateway.start()
        yield world
    finally:
        await world.stop()


def _leaves_of(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves_of(one)]
    return [error]
