"""Devices behind a broker in memory, a real journal, the session: on a loop that owns time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from firmware_sim.cabinet_client import CabinetClient
from firmware_sim.faults import MqttFaults, MqttPlan
from firmware_sim.memory_broker import MemoryBroker, MemoryMqttLink
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import drivers
from gateway.clock import Clock, virtual_clock
from gateway.journal.store import Journal
from gateway.mqtt_session import MqttSession
from gateway.ports import BrokerSettings, LinkDown, Message, Ports
from gateway.premises import Premises
from gateway.shelf import Shelf
from tests.gateway.site import MORNING, Told, desired, no_line
from wire.records import DeviceEvent, Reading, decode

T = TypeVar("T")
BOOT = "d" * 16


@dataclass
class Behind:
    """What a test may touch. ``plugs`` are the twins by device id, ``clients`` what carries them."""

    clock: Clock
    broker: MemoryBroker
    journal: Journal
    session: MqttSession
    ports: Ports
    plugs: dict[str, Any] = field(default_factory=dict)
    clients: dict[str, CabinetClient] = field(default_factory=dict)

    async def kinds(self, kind: type[T]) -> list[T]:
        """The records of one kind, in order."""
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [record for record in map(decode, (row[0] for row in rows)) if isinstance(record, kind)]

    async def readings(self, device: str = "", register: str = "import_wh") -> list[Reading]:
        """The readings of one register, in order."""
        told = await self.kinds(Reading)
        return [one for one in told if one.register == register and device in ("", one.src)]

    async def events(self) -> list[str]:
        """The names of all device events, in order."""
        return [record.event for record in await self.kinds(DeviceEvent)]

    def attach(self, device: str, twin: Any) -> None:
        """Puts a twin behind the broker."""
        self.plugs[device] = twin
        self.clients[device] = CabinetClient(cast("Any", twin))
        self.broker.attach(self.clients[device])


def memory_link(broker: MemoryBroker, client_id: str) -> MemoryMqttLink[Message]:
    """A connection of ours to that broker."""
    return MemoryMqttLink(
        broker,
        client_id,
        make=lambda packet: Message(packet.topic, packet.payload, packet.mid, packet.retain),
        mid=lambda message: message.mid,
        down=LinkDown,
    )


def behind_a_broker(
    folder: Path, devices: dict[str, dict[str, Any]], play: Callable[[Behind], Coroutine[Any, Any, None]],
    *, plan: MqttPlan | None = None, kind: str = "mqtt_meters",
) -> None:  # fmt: skip
    """Starts broker and session with these devices' drivers, plays, and stops."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        clock = virtual_clock(BOOT, loop, origin_ms=MORNING)
        salts = (f"{n:032x}" for n in itertools.count())
        journal = await Journal.open(folder / "journal.db", boot=BOOT, salt=lambda: next(salts), demo=True)
        unwatch = loop.watch(lambda: journal.busy)
        broker = MemoryBroker(MqttFaults(plan or MqttPlan(), "behind"))
        ports = Ports(clock, lambda: "", no_line, lambda settings: memory_link(broker, settings.client_id))
        built = {device: drivers.create(kind, settings) for device, settings in devices.items()}
        session = MqttSession(BrokerSettings("broker", "memory"), built, ports)
        session.serve(Premises(clock, journal, Told(desired()), Shelf()))
        running = asyncio.create_task(session.run())
        try:
            await clock.sleep(0.5)
            await play(Behind(clock, broker, journal, session, ports))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await journal.close()
            unwatch()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
