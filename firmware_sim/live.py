"""A whole shop of real programs: cloud, broker and gateway as processes, devices behind pseudo-terminals, a fast clock.

Nothing of the product is imported here: it is started by its commands and met at its wires and pages, as in a shop.
The shop's clock runs ``scale`` times as fast as life; a byte on a line takes as long as ever.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from firmware_sim import shop
from firmware_sim.bench import PtyPort
from firmware_sim.clock import real_ms
from firmware_sim.installing import Place, gateway_toml
from firmware_sim.kiosk import Kiosk
from firmware_sim.office import Office
from firmware_sim.open_shop import Opened, open_shop
from firmware_sim.paho_cabinet import PahoCabinet
from firmware_sim.playing import Day, Pace
from firmware_sim.processes import Program, ProgramError, broker, free_port, python
from firmware_sim.scenario import Scenario
from firmware_sim.truth import Truth
from firmware_sim.wiring import Wired, wire_up

TENANT = "demo"


@dataclass
class Live:
    """Everything that runs. ``programs`` by name: broker, cloud, gateway; ``urls``: cloud, gateway."""

    scenario: Scenario
    folder: Path
    pace: Pace
    truth: Truth
    day: Day
    wired: Wired
    office: Office
    opened: Opened
    programs: dict[str, Program] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    cabinets: dict[str, PahoCabinet] = field(default_factory=dict)


@asynccontextmanager
async def live(scenario: Scenario, folder: Path) -> AsyncIterator[Live]:
    """The shop, set up and running; at the end every program is stopped, last started first."""
    async with AsyncExitStack() as stack:
        site = await _set_up(stack, scenario, folder)
        since = real_ms()
        clock = (scenario.ms(scenario.opens), since, scenario.scale)
        env = {**site.env, "TALLY_DEMO_CLOCK": ",".join(map(str, clock))}
        cloud = _started(stack, Program("cloud", python("cloud.cli", "serve"), folder, env))
        await cloud.ready(f"{site.urls['cloud']}/readyz")
        truth, pace = Truth(scenario.terms), Pace(clock[0], _loop_time(since), scenario.scale)
        wired = wire_up(scenario, truth, pace)
        cabinets = _connect(stack, wired, site.place.broker_port)
        await _ptys(stack, wired, folder)
        site.config.write_text(gateway_toml(scenario, replace(site.place, clock=clock)), "utf-8")
        gateway = _started(stack, Program("gateway", _gateway("run", site.config), folder))
        await gateway.ready(f"{site.urls['gateway']}/healthz")
        await _meters_read(site.office, len(scenario.meter))
        kiosk = Kiosk(await stack.enter_async_context(_client(site.urls["gateway"])))
        day = Day(scenario, site.plan, truth, kiosk, pace, wired.lockers, wired.meters, wired.coils, wired.sensors)
        programs = {**site.programs, "cloud": cloud, "gateway": gateway}
        yield Live(scenario, folder, pace, truth, day, wired, site.office, site.opened, programs, site.urls, cabinets)


@dataclass
class _Site:
    """What is there before the clock runs fast."""

    place: Place
    config: Path
    env: dict[str, str]
    urls: dict[str, str]
    office: Office
    opened: Opened
    plan: shop.Plan
    programs: dict[str, Program]


async def _set_up(stack: AsyncExitStack, scenario: Scenario, folder: Path) -> _Site:
    """At life's own pace, an hour before opening: a code that is good for 15 minutes would else be old in a second."""
    ports = {name: free_port() for name in ("cloud", "gateway", "broker")}
    urls = {name: f"http://127.0.0.1:{ports[name]}" for name in ("cloud", "gateway")}
    env = {"TALLY_STATE": str(folder / "cloud"), "TALLY_LISTEN": f"127.0.0.1:{ports['cloud']}"}
    slow = {**env, "TALLY_DEMO_CLOCK": f"{scenario.ms(scenario.opens) - 3_600_000},{real_ms()},1"}
    key = _create_tenant(slow)
    cloud = _started(stack, Program("cloud", python("cloud.cli", "serve"), folder, slow))
    await cloud.ready(f"{urls['cloud']}/readyz")
    programs: dict[str, Program] = {}
    if any(cabinet.driver == "mqtt_cabinet" for cabinet in scenario.cabinet):
        programs["broker"] = _started(stack, broker(folder, ports["broker"]))
        await programs["broker"].listening(ports["broker"])
    office = Office(await stack.enter_async_context(_client(urls["cloud"])), key)
    plan = shop.plan(scenario)
    opened = await open_shop(office, scenario, plan)
    paths = {line.name: str(folder / f"tty-{line.name}") for line in scenario.line}
    place = Place(str(folder / "gateway"), urls["cloud"], paths, ports["gateway"], ports["broker"] if programs else 0)
    config = folder / "gateway.toml"
    config.write_text(gateway_toml(scenario, place), "utf-8")
    _run("enrol", [*_gateway("enrol", config), opened.code], slow)
    cloud.stop()
    return _Site(place, config, env, urls, office, opened, plan, programs)


def _connect(stack: AsyncExitStack, wired: Wired, port: int) -> dict[str, PahoCabinet]:
    cabinets: dict[str, PahoCabinet] = {}
    for name, hands in wired.coils.items():
        cabinets[name] = PahoCabinet(hands.client, "127.0.0.1", port)
        cabinets[name].connect()
        stack.push_async_callback(cabinets[name].close)
    return cabinets


async def _meters_read(office: Office, meters: int) -> None:
    """Power flows only after every meter's opening reading: what flowed before it is nobody's bill."""
    for _ in range(300):
        if len(await office.every("/v1/registers")) >= meters:
            return
        await asyncio.sleep(0.1)
    raise ProgramError(f"{meters} meters are wired, and after 30 s the cloud has not heard from all of them")


def _gateway(verb: str, config: Path) -> list[str]:
    return python("gateway.cli", verb, "--config", str(config))


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(120, connect=2), trust_env=False)


def _started(stack: AsyncExitStack, program: Program) -> Program:
    program.start()
    stack.callback(program.stop)
    return program


def _loop_time(since_ms: int) -> float:
    """The loop time at the real instant the shop's clock was set."""
    return asyncio.get_running_loop().time() - (real_ms() - since_ms) / 1000


async def _ptys(stack: AsyncExitStack, wired: Wired, folder: Path) -> None:
    for name, line in wired.lines.items():
        port = PtyPort(line, folder / f"tty-{name}")
        await port.open()
        stack.callback(port.close)


def _create_tenant(env: dict[str, str]) -> str:
    said = _run("create-tenant", python("cloud.cli", "create-tenant", "Demo", "--id", TENANT, "--json"), env)
    return str(json.loads(said)["key"])


def _run(name: str, command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
    )
    if done.returncode:
        raise ProgramError(f"{name} failed ({done.returncode}):\n{done.stderr or done.stdout}")
    sys.stderr.write(done.stderr)
    return done.stdout
