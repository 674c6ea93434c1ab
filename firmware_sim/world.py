"""A whole shop in one process and in no time: twins on memory lines, the real gateway, the real cloud, one clock.

This is the only file that knows all three. Time is the event loop's and moves when nobody has anything to do, so a day
takes seconds and the same seed gives the same day. SQLite, the journal's thread and every line of the product's code
are the real ones; only wires and network are memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from cloud.app import create_cloud
from cloud.clock import Clock as CloudClock
from cloud.entropy import Entropy
from cloud.open_store import open_store
from cloud.settings import Settings
from firmware_sim import faults, shop
from firmware_sim.bench import MemoryPort
from firmware_sim.installing import Place, gateway_toml
from firmware_sim.kiosk import People
from firmware_sim.memory_broker import MemoryBroker, MemoryMqttLink
from firmware_sim.office import Office
from firmware_sim.open_shop import Opened, open_shop
from firmware_sim.playing import Day, Pace
from firmware_sim.processes import ProgramError, python
from firmware_sim.scenario import Scenario
from firmware_sim.troubles import Road
from firmware_sim.truth import Truth
from firmware_sim.virtual_time import VirtualTimeLoop
from firmware_sim.wiring import Wired, wire_up
from gateway import config_file, enrol
from gateway.app import Gateway, create_gateway
from gateway.clock import virtual_clock
from gateway.ports import BrokerSettings, LinkDown, Message, MqttLink, Ports, SerialLink, SerialSettings

CLOUD = "http://cloud.invalid"
Json = dict[str, Any]


class DirectKiosk:
    """The kiosk's use cases without its page."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def draw(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """See ``kiosk.Kiosk``."""
        return _said(await self.gateway.draw(cabinet, badge, slot, quantity))

    async def refill(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """See ``kiosk.Kiosk``."""
        return _said(await self.gateway.refill(cabinet, slot, quantity, badge))

    async def count(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """See ``kiosk.Kiosk``."""
        return _said(await self.gateway.count(cabinet, slot, quantity, badge))

    async def status(self) -> Json:
        """See ``kiosk.Kiosk``."""
        status, premises = self.gateway.status(), self.gateway.premises
        doubtful = premises.shelf.doubtful() if premises else []
        return {
            "pending": status.pending,
            "alarms": [alarm.text for alarm in status.alarms],
            "doubtful": [{"cabinet": cabinet, "slot": slot} for cabinet, slot in doubtful],
        }


class Chance:
    """Seeded bytes for everything that wants randomness; each consumer has its own stream."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = f"{seed}/{name}"
        self._count = 0

    def bytes(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        self._count += 1
        return hashlib.shake_256(f"{self._seed}/{self._count}".encode()).digest(count)

    def salt(self) -> str:
        """32 hex digits."""
        return self.bytes(16).hex()


class Fast:
    """The run: what is played, what is read, and the programs as objects."""

    def __init__(self, scenario: Scenario, day: Day, office: Office, opened: Opened, road: Road, wired: Wired) -> None:
        self.scenario = scenario
        self.day = day
        self.office = office
        self.opened = opened
        self.road = road
        self.wired = wired

    @property
    def people(self) -> People:
        """Who presses the kiosk's buttons."""
        return self.day.kiosk

    @property
    def truth(self) -> Truth:
        """The simulator's own ledger."""
        return self.day.truth


@asynccontextmanager
async def fast(scenario: Scenario, folder: Path) -> AsyncIterator[Fast]:
    """The shop, set up and running on the running VirtualTimeLoop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    pace = Pace(scenario.ms(scenario.opens), loop.time())
    async with AsyncExitStack() as stack:
        key = _create_tenant(folder, pace.now_ms())
        cloud = await _cloud(stack, folder, pace, Chance(scenario.seed, "cloud"))
        desk = httpx.AsyncClient(base_url=CLOUD, transport=cloud)
        office = Office(await stack.enter_async_context(desk), key)
        plan = shop.plan(scenario)
        opened = await open_shop(office, scenario, plan)
        away = [(scenario.ms(one.start, one.day), scenario.ms(one.end, one.day)) for one in scenario.faults.cloud_away]
        chance = faults.stream(f"{scenario.seed}/road").random
        road = Road(cloud, pace.now_ms, away, lost=scenario.faults.lost_receipts, chance=chance)
        truth = Truth(scenario.terms)
        wired = wire_up(scenario, truth, pace)
        gateway = await _gateway(stack, scenario, folder, wired, road, opened.code, pace)
        day = Day(
            scenario,
            plan,
            truth,
            DirectKiosk(gateway),
            pace,
            wired.lockers,
            wired.meters,
            wired.coils,
            wired.sensors,
            wired.boards,
            wired.fan_coils,
        )
        yield Fast(scenario, day, office, opened, road, wired)


async def _cloud(stack: AsyncExitStack, folder: Path, pace: Pace, chance: Chance) -> httpx.ASGITransport:
    settings = Settings(state=folder / "cloud")
    store = open_store(settings.database_address, inline=True)
    stack.push_async_callback(store.close)
    clock = CloudClock(lambda: pace.now_ms() / 1000, asyncio.sleep)
    app = create_cloud(settings, clock, Entropy(chance.bytes), store)
    await stack.enter_async_context(app.router.lifespan_context(app))
    return httpx.ASGITransport(app)


async def _gateway(
    stack: AsyncExitStack, scenario: Scenario, folder: Path, wired: Wired, road: Road, code: str, pace: Pace
) -> Gateway:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    chance = Chance(scenario.seed, "gateway")
    state = folder / "gateway"
    place = Place(str(state), CLOUD, {name: name for name in wired.lines}, broker_port=1883)
    text = gateway_toml(scenario, place).replace("[web]", "[web]\nenabled = false")
    config = config_file.parse(text)
    ports = Ports(
        clock=virtual_clock(chance.bytes(8).hex(), loop, origin_ms=pace.now_ms()),
        salt=chance.salt,
        open_serial=_memory_ports(wired),
        open_mqtt=_memory_links(wired),
        transport=road,
    )
    async with httpx.AsyncClient(base_url=CLOUD, transport=road) as client:
        identity = await enrol.enrol(client, state, code, lambda: chance.bytes(32))
    gateway = create_gateway(config, ports, identity)
    stack.callback(loop.watch(lambda: gateway.busy))
    running = asyncio.ensure_future(gateway.run())
    await asyncio.wait({running, asyncio.ensure_future(gateway.ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running

    async def stop() -> None:
        gateway.stop()
        await running

    stack.push_async_callback(stop)
    return gateway


def _memory_ports(wired: Wired) -> Callable[[SerialSettings], SerialLink]:
    return lambda settings: MemoryPort(wired.lines[settings.port], down=LinkDown)


def _memory_links(wired: Wired) -> Callable[[BrokerSettings], MqttLink]:
    broker = MemoryBroker()
    for hands in wired.coils.values():
        broker.attach(hands.client)
    return lambda settings: MemoryMqttLink(
        broker,
        settings.client_id,
        make=lambda packet: Message(packet.topic, packet.payload, packet.mid, packet.retain),
        mid=lambda message: message.mid,
        down=LinkDown,
        window=settings.window,
    )


def _create_tenant(folder: Path, now_ms: int) -> str:
    command = python("cloud.cli", "create-tenant", "Simulated", "--id", "sim", "--json")
    env = {**os.environ, "TALLY_STATE": str(folder / "cloud"), "TALLY_DEMO_CLOCK": f"{now_ms},0,0"}
    env["TALLY_DATABASE"] = ""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProgramError(f"create-tenant failed:\n{done.stderr or done.stdout}")
    return str(json.loads(done.stdout)["key"])


def _said(result: Any) -> Json:  # noqa: ANN401 - the use case's own struct
    return {"outcome": result.outcome, "reason": result.reason, "sentence": result.sentence}
