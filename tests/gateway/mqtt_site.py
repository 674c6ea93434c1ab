"""A small site behind a broker in memory: one cabinet twin, a real journal, the use cases; it can lose its power."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from firmware_sim.cabinet_client import CabinetClient
from firmware_sim.devices.mqtt_cabinet import MqttCabinet as CabinetTwin
from firmware_sim.faults import MqttFaults, MqttPlan
from firmware_sim.memory_broker import MemoryBroker, MemoryMqttLink
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import boot, drivers
from gateway.clock import Clock, virtual_clock
from gateway.journal.store import Journal
from gateway.mqtt_session import MqttSession
from gateway.ports import Attempt, BrokerSettings, Desired, LinkDown, Message, NotStored, Planogram, Ports, Slot
from gateway.premises import Premises
from gateway.recover_draws import recover_draws
from gateway.rules import Rules
from gateway.shelf import Shelf
from tests.gateway.site import MORNING, Told, desired, no_line
from wire.records import DeviceEvent, Draw, Record, decode

T = TypeVar("T", bound=Record)
CABINET = "cab-7"
SLOTS = {"1-03": 8, "1-04": 8}


class Stumbling:
    """A journal that cannot tell at first what the boot before left open."""

    def __init__(self, journal: Journal, refusals: int) -> None:
        self._journal, self._refusals = journal, refusals
        self.append, self.mark_commanded = journal.append, journal.mark_commanded
        self.told, self.said = journal.told, journal.said

    async def open_attempts(self) -> list[Attempt]:
        """Not stored, so many times; then as the journal."""
        self._refusals -= 1
        if self._refusals >= 0:
            raise NotStored("the journal could not be read: disk I/O error")
        return await self._journal.open_attempts()


def planned() -> Desired:
    """Two coils with a drop sensor, one badge."""
    slots = tuple(Slot(slot, f"item-{slot}", 10, 2, 10, "sensor") for slot in SLOTS)
    return Desired(version=3, planograms={CABINET: Planogram(CABINET, 7, slots)}, badges=desired().badges, rules=2)


class MqttSite:
    """What a test may touch. ``client.twin`` is the cabinet, ``broker`` the broker."""

    journal: Journal
    premises: Premises
    session: MqttSession
    clock: Clock

    def __init__(self, folder: Path, plan: MqttPlan) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.folder = folder
        self.broker = MemoryBroker(MqttFaults(plan, "site"))
        self.twin = CabinetTwin(CABINET, SLOTS, now=loop.time(), world_ms=lambda now: MORNING + round(now * 1000))
        self.client = CabinetClient(self.twin)
        self.boots = itertools.count(1)
        self.tasks: list[asyncio.Task[Any]] = []
        self._salts = itertools.count()

    async def power_on(self, refusals: int = 0) -> None:
        """The gateway starts, from what is on its disk, which at first refuses so often to say what is open."""
        self.clock = virtual_clock(
            f"{next(self.boots):016x}", self.loop, origin_ms=MORNING + int(self.loop.time() * 1000)
        )
        self.journal = await Journal.open(
            self.folder / "journal.db", boot=self.clock.boot, salt=lambda: f"{next(self._salts):032x}", demo=True
        )
        self._unwatch = self.loop.watch(lambda: self.journal.busy)
        ports = Ports(self.clock, lambda: "", no_line, lambda _: self._link())
        driver = drivers.create("mqtt_cabinet", {"cabinet": CABINET})
        self.session = MqttSession(BrokerSettings("broker", "memory"), {CABINET: driver}, ports)
        shelf = Shelf()
        await boot.remember(self.journal, [CABINET], shelf.apply)
        self.premises = Premises(self.clock, Stumbling(self.journal, refusals), Told(planned()), shelf)
        self.session.serve(self.premises)
        self.tasks = [
            asyncio.create_task(self.session.run()),
            asyncio.create_task(recover_draws(self.premises, self.session.desks)),
        ]

    async def power_off(self) -> None:
        """The plug is pulled: nothing is committed, acknowledged or said any more."""
        await self.journal.abandon()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self._unwatch()

    async def records(self, kind: type[T]) -> list[T]:
        """The records of one kind, in order."""
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [record for record in map(decode, (row[0] for row in rows)) if isinstance(record, kind)]

    async def draws(self) -> list[tuple[str, int, str]]:
        """Slot, pieces and outcome of each draw."""
        return [(draw.slot, draw.qty, draw.outcome) for draw in await self.records(Draw)]

    async def events(self) -> list[str]:
        """The names of all device events, in order."""
        return [record.event for record in await self.records(DeviceEvent)]

    def badge(self, slot: str, badge: str = "B0017", qty: int = 1, *, for_: str = "") -> None:
        """Somebody holds up a badge, chooses a slot, and may name what it is for."""
        self.client.did(self.twin.badge(badge, slot, self.client.now, qty, for_=for_))

    def rule(self, **rules: Any) -> None:
        """The cloud has sent new rules."""
        self.premises.desired = Told(msgspec.structs.replace(planned(), book=Rules(version=9, **rules)))

    def _link(self) -> MemoryMqttLink[Message]:
        return MemoryMqttLink(
            self.broker,
            "gateway",
            make=lambda packet: Message(packet.topic, packet.payload, packet.mid, packet.retain),
            mid=lambda message: message.mid,
            down=LinkDown,
        )


def on_an_mqtt_site(
    folder: Path, play: Callable[[MqttSite], Coroutine[Any, Any, None]], plan: MqttPlan | None = None
) -> None:
    """Starts broker, cabinet and gateway, plays, and stops."""

    async def main() -> None:
        site = MqttSite(folder, plan or MqttPlan())
        await site.power_on()
        site.broker.attach(site.client)
        await site.clock.sleep(1)
        try:
            await play(site)
        finally:
            for task in site.tasks:
                task.cancel()
            await asyncio.gather(*site.tasks, return_exceptions=True)
            await site.journal.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
