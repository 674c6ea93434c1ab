"""What befalls the world, by seed: one misfortune after the other, some minutes apart, for as long as the run lasts.

One disaster at a time: before a card or a database is put back to an old image, the two sides have come together again
since the last one. Two such losses at once can destroy the only copies of a record, and no design survives that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from cloud.fleet import repository as fleet
from gateway.app import Gateway
from gateway.ports import NotStored
from tests.simulation import books
from tests.simulation.life import pause
from tests.simulation.network import CALM, WEATHERS

if TYPE_CHECKING:
    from tests.simulation.cloud_machine import CloudMachine
    from tests.simulation.disk import Trouble
    from tests.simulation.gateway_machine import GatewayMachine
    from tests.simulation.world import World

Image = TypeVar("Image")
MEAN_S = 80.0
DAY_MS = 86_400_000
BACKUPS = 6


class Misfortunes:
    """Plays until cancelled. Each kind is a method that takes as long as it lasts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.stream("misfortunes")
        self._cards: list[dict[str, bytes]] = []
        self._databases: list[bytes] = []
        self.disaster = asyncio.Lock()
        # Some seeds see no restore at all, so that truth and money can be held against each other to the last piece.
        self._restores = self._chance.choice((0, 1, 2, 3, 4))
        self._kinds: tuple[tuple[Callable[[], Awaitable[None]], int], ...] = (
            (self._gateway_crash, 8), (self._gateway_cut, 8), (self._cloud_crash, 6), (self._cloud_cut, 8),
            (self._partition, 8), (self._weather, 14), (self._clock, 6), (self._cloud_clock, 2),
            (self._gateway_disk, 6), (self._cloud_disk, 5), (self._dark, 5), (self._broker, 4), (self._cable, 4),
            (self._restore, 20), (self._marked_backup, 3), (self._prune, 6),
        )  # fmt: skip

    async def play(self) -> None:
        """One after the other, some at once."""
        kinds, weights = zip(*self._kinds, strict=True)
        while True:
            await pause(self._chance.expovariate(1 / MEAN_S))
            (kind,) = self._chance.choices(kinds, weights)
            self._world.errand(kind())

    async def back_up(self) -> None:
        """A copy of each side, every so often; old ones are thrown away."""
        while True:
            await pause(self._chance.uniform(200, 700))
            world = self._world
            if world.gateway.life is not None and world.gateway.life.alive:
                self._cards = [*self._cards, world.gateway.backup()][-BACKUPS:]
            if world.cloud.life is not None and world.cloud.life.alive:
                self._databases = [*self._databases, world.cloud.backup()][-BACKUPS:]

    # Kinds

    async def _gateway_crash(self) -> None:
        await self._somewhere()
        await self._world.power_cycle(self._world.gateway, "gateway_crash")

    async def _cloud_crash(self) -> None:
        await self._somewhere()
        await self._world.power_cycle(self._world.cloud, "cloud_crash")

    async def _somewhere(self) -> None:
        """Between any two steps of the loop, not only where a timer wakes."""
        for _ in range(self._chance.randrange(40)):
            await pause(0)

    async def _gateway_cut(self) -> None:
        self._world.gateway.disk.arm(self._chance.randint(1, 4))

    async def _cloud_cut(self) -> None:
        self._world.cloud.disk.arm(self._chance.randint(1, 4))

    async def _partition(self) -> None:
        self._world.trace.fault("partition")
        self._world.network.partition = True
        await pause(self._chance.choice((5, 30, 120, 600)))
        self._world.network.partition = False

    async def _weather(self) -> None:
        self._world.trace.fault("weather")
        self._world.network.weather = self._chance.choice(WEATHERS)

    async def _clock(self) -> None:
        """The gateway's wall clock is set, wrongly; for a while, or until the next boot, the system does not vouch."""
        gateway = self._world.gateway
        self._world.trace.fault("clock_jump")
        gateway.synchronised = False
        gateway.wrong_ms = self._chance.choice(
            (self._chance.randint(-30 * DAY_MS, 400 * DAY_MS), -self._world.pace.now_ms() + 60_000, -3_600_000, 5_000)
        )
        await pause(self._chance.uniform(20, 1200))
        gateway.wrong_ms, gateway.synchronised = 0, True

    async def _cloud_clock(self) -> None:
        self._world.trace.fault("cloud_clock_step")
        self._world.cloud.late_ms = self._chance.randint(-2000, 2000)

    async def _gateway_disk(self) -> None:
        await self._disk(self._world.gateway, "gateway")

    async def _cloud_disk(self) -> None:
        await self._disk(self._world.cloud, "cloud")

    async def _disk(self, machine: GatewayMachine | CloudMachine, name: str) -> None:
        troubles: tuple[Trouble, ...] = ("full", "eio", "read_eio")
        machine.disk.trouble = self._chance.choice(troubles)
        self._world.trace.fault(f"{name}_disk_{machine.disk.trouble}")
        await pause(self._chance.uniform(1, 60))
        machine.disk.trouble = ""

    async def _dark(self) -> None:
        """A cabinet without power."""
        world = self._world
        name = self._chance.choice(sorted([*world.wired.lockers, *world.wired.coils]))
        world.trace.fault("device_dark", name)
        if name in world.wired.lockers:
            hands = world.wired.lockers[name]
            hands.line.cut_power(hands.twin)
            await pause(20)
            hands.line.restore_power(hands.twin)
            return
        client = world.wired.coils[name].client
        world.broker.drop(client)
        client.twin.power_off(client.now)
        await pause(20)
        client.twin.power_on(client.now)
        world.broker.connect(client)

    async def _broker(self) -> None:
        if not self._world.broker.is_up:
            return
        forget = self._chance.random() < 0.4
        self._world.trace.fault("broker_forgets" if forget else "broker_restart")
        self._world.broker.stop(forget=forget)
        await pause(self._chance.uniform(0.1, 30))
        self._world.broker.start()

    async def _cable(self) -> None:
        port = self._world.plugged.get("bus1")
        if port is None:
            return
        self._world.trace.fault("cable")
        port.unplug()
        await pause(self._chance.uniform(1, 30))
        port.plug()

    async def _restore(self) -> None:
        if not self._restores:
            return
        self._restores -= 1
        card = self._chance.random() < 0.5
        async with self.disaster:
            if not (self._cards and self._databases) or not await self._together():
                return
            if card:
                await self._world.restore_gateway(self._older(self._cards))
            else:
                await self._world.restore_cloud(self._older(self._databases))
            self.forget_backups()

    def _older(self, images: list[Image]) -> Image:
        """One of the older half: much has happened since."""
        return self._chance.choice(images[: (len(images) + 1) // 2])

    def forget_backups(self) -> None:
        """Nobody puts back what lies before the last disaster."""
        self._cards, self._databases = [], []

    async def _marked_backup(self) -> None:
        """A backup of the database that gateways are told of: what it holds may leave the card.

        Backups from before are thrown away: to put one back would break the word that was given.
        """
        world = self._world
        async with self.disaster:
            if not world.cloud.is_up or not await self._mark(done=False) or not world.cloud.is_up:
                return
            self._databases = [world.cloud.backup()]
            if not await self._mark(done=True):
                return
        world.trace.fault("marked_backup")
        gateway = world.gateway.gateway
        if world.gateway.is_up and gateway is not None and gateway.uplink is not None:
            gateway.uplink.ask_again()

    async def _prune(self) -> None:
        """What may leave the card leaves it, as if it were old enough; the cloud may have gone on since its backup."""
        if self._world.gateway.is_up and await self._world.gateway.use(_prune_now) != 0:
            self._world.trace.fault("pruned")

    async def _mark(self, *, done: bool) -> bool:
        """``tally-cloud backup-mark``; False when it did not end well. It may have been done all the same."""
        life, store = self._world.cloud.life, self._world.cloud.store
        if life is None or not life.alive or store is None:
            return False
        task = life.start(store.run(lambda tx: fleet.mark_backup(tx, done=done)))
        await asyncio.wait([task])
        return not task.cancelled() and task.exception() is None

    async def _together(self) -> bool:
        """Waits until each side holds what the other has sealed; False when that takes too long."""
        for _ in range(60):
            if self.together():
                return True
            await pause(15)
        return False

    def together(self) -> bool:
        """Whether both sides are up, and the cloud holds what the gateway has sealed, no more and no less."""
        world = self._world
        if not (world.gateway.is_up and world.cloud.is_up):
            return False
        origin = world.gateway.identity.origin
        entries = books.journal_entries(world.gateway.path, origin)
        return bool(entries) and max(entries) + 1 == books.log_size(world.cloud.path, origin)


async def _prune_now(gateway: Gateway) -> int | None:
    """How many records have gone; None when it was broken off, and some may have."""
    if gateway.uplink is None or gateway.uplink.log_state is None:
        return 0
    with contextlib.suppress(NotStored):
        return await gateway.uplink.prune(0)
    return None


def calm(world: World) -> None:
    """Everything that was wrong is mended."""
    world.network.weather, world.network.partition = CALM, False
    world.gateway.wrong_ms, world.gateway.synchronised = 0, True
    world.cloud.late_ms = 0
    for machine in (world.gateway, world.cloud):
        machine.disk.trouble = ""
        machine.disk.disarm()
    if not world.broker.is_up:
        world.broker.start()
    for port in world.plugged.values():
        port.plug()
