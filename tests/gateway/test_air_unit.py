"""A whole gateway with an air sensor and an air unit on two noisy lines: what is measured moves the fan."""

from __future__ import annotations

import asyncio
import itertools
import tomllib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware_sim.bench import Line, LineSpec, MemoryPort
from firmware_sim.devices.modbus_unit import ModbusUnit
from firmware_sim.devices.pms5003 import Air, Pms5003
from firmware_sim.devices.twin import settle
from firmware_sim.faults import LineFaults, LinePlan
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import drivers
from gateway.app import Gateway, create_gateway
from gateway.clock import virtual_clock
from gateway.config import Config
from gateway.config_file import ConfigError, parse
from gateway.ports import LinkDown, Ports
from gateway.web.languages import read_languages
from gateway.web.pages import create_pages
from tests.gateway.site import MORNING, no_broker
from wire.records import DeviceEvent, decode

CONTROL = {
    "unit": "fan-1",
    "air": {"device": "air-1", "metric": "pm25"},
    "steps": [{"above": 35, "level": 1}, {"above": 75, "level": 3}],
    "hysteresis": 10,
}
FAN = {"id": "fan-1", "kind": "modbus_unit", "unit": 12, "at": 0, "read_at": 0, "read_table": 4}
NOISY = LinePlan(noise=0.2, flip=0.05, lose=0.05, late=0.05, split=0.3, cut=0.03)


@dataclass
class Room:
    gateway: Gateway
    fan: ModbusUnit
    sensor: Pms5003
    client: httpx.AsyncClient

    async def breathe(self, pm25: int, seconds: float) -> None:
        self.sensor.set_air(Air(pm25, pm25, pm25), 0)
        await self.gateway.ports.clock.sleep(seconds)

    async def events(self) -> list[str]:
        assert self.gateway.journal is not None
        rows = await self.gateway.journal.read(
            lambda db: db.execute("SELECT leaf FROM records WHERE src = 'fan-1' ORDER BY id").fetchall()
        )
        said = [decode(row[0]) for row in rows]
        return [one.event.removeprefix("control_") for one in said if isinstance(one, DeviceEvent)]


def in_a_room(
    folder: Path, play: Callable[[Room], Coroutine[Any, Any, None]], plan: LinePlan | None = None, echo: str = ""
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        fan, sensor = ModbusUnit(address=12), Pms5003()
        faults = LineFaults(plan or LinePlan(echo=bool(echo)), "room")
        lines = {"fan": Line(LineSpec(), faults=faults), "air": Line(LineSpec())}
        lines["fan"].attach(fan)
        lines["air"].attach(sensor)
        salts = itertools.count(1)
        clock = virtual_clock("b" * 16, loop, origin_ms=MORNING)
        opened = lambda settings: MemoryPort(lines[settings.port], down=LinkDown)  # noqa: E731
        ports = Ports(clock, lambda: f"{next(salts):032x}", opened, no_broker)
        config = Config.model_validate(
            {
                "gateway": {"state": folder},
                "journal": {"demo": True, "ballast_mb": 0},
                "web": {"enabled": False},
                "lines": [
                    {"name": "line-1", "port": "fan", "devices": [FAN]},
                    {"name": "line-2", "port": "air", "devices": [{"id": "air-1", "kind": "pms5003"}]},
                ],
                "controls": [CONTROL],
            }
        )
        gateway = create_gateway(config, ports)
        unwatch = loop.watch(lambda: gateway.busy)
        running = asyncio.create_task(gateway.run())
        await gateway.ready.wait()
        transport = httpx.ASGITransport(app=create_pages(gateway))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            await play(Room(gateway, fan, sensor, client))
        gateway.stop()
        await running
        unwatch()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


@pytest.mark.parametrize("plan", [LinePlan(), LinePlan(echo=True), NOISY], ids=["quiet", "echo", "noisy"])
def test_the_fan_follows_the_dust(tmp_path: Path, plan: LinePlan) -> None:
    async def play(room: Room) -> None:
        await room.breathe(90, 900)
        fast = room.fan.speed
        await room.breathe(50, 1800)
        slow = room.fan.speed
        await room.breathe(5, 1800)

        assert (fast, slow, room.fan.speed) == (3, 1, 0)
        said = await room.events()
        assert said.index("commanded") < said.index("confirmed")

    in_a_room(tmp_path, play, plan)


def test_a_fan_whose_cut_out_is_open_is_named_though_it_takes_every_command(tmp_path: Path) -> None:
    async def play(room: Room) -> None:
        room.fan.cut_out = True
        await room.breathe(90, 900)

        page = (await room.client.get("/status?lang=zh-CN", headers={"accept": "text/html"})).text

        assert room.fan.wanted == 3
        assert "failed" in await room.events()
        assert read_languages()["zh_CN"].gettext("It did not follow its last command.") in page

    in_a_room(tmp_path, play)


def test_an_order_by_a_badge_nobody_knows_is_refused_in_words(tmp_path: Path) -> None:
    async def play(room: Room) -> None:
        await room.breathe(90, 900)

        refused = await room.client.post("/controls/v1/fan-1/orders", json={"badge": "B9", "level": 0})
        unknown = await room.client.post("/controls/v1/fan-7/orders", json={"badge": "B9", "level": 0})
        units = (await room.client.get("/controls/v1")).json()["units"]

        assert (refused.status_code, refused.json()["title"]) == (403, "unknown_badge")
        assert (unknown.status_code, unknown.json()["title"]) == (404, "unknown-unit")
        assert (units[0]["level"], units[0]["why"], units[0]["seen"]) == (3, "rule", "90")
        assert room.fan.speed == 3

    in_a_room(tmp_path, play)


@pytest.mark.parametrize(
    ("control", "named"),
    [
        ('unit = "fan-9"', "there is no device 'fan-9'"),
        ('unit = "lock-1"', "is a lock_8a, and that cannot be switched"),
        ('unit = "fan-1"\nair = { device = "air-9", metric = "pm25" }\nsteps = [{ above = 1, level = 1 }]', "air-9"),
        (
            'unit = "fan-1"\ncuts_off = true\nair = { device = "a", metric = "b" }\nsteps = [{ above = 1, level = 1 }]',
            "no rule",
        ),
    ],
)
def test_a_control_that_cannot_work_is_named_when_the_file_is_read(control: str, named: str) -> None:
    text = """
[[lines]]
name = "l"
port = "p"
devices = [{ id = "fan-1", kind = "modbus_unit", at = 0 }, { id = "lock-1", kind = "lock_8a" }]
[[controls]]
"""

    with pytest.raises(ConfigError, match=named):
        parse(text + control)


def test_the_questions_are_those_of_the_golden_file_and_the_twin_answers_as_it_says() -> None:
    vectors = tomllib.loads((Path(__file__).parents[1] / "vectors" / "modbus_unit.toml").read_text())["frame"]
    golden = {one["id"][-2:]: bytes.fromhex(one["hex"]) for one in vectors}
    at_one = drivers.create("modbus_unit", {"at": 1, "read_at": 0, "read_table": 4, "echo": "no"})
    by_coil = drivers.create("modbus_unit", {"at": 172, "write": 5, "levels": [0, 1]})
    many = drivers.create("modbus_unit", {"at": 0, "write": 16})
    twin = ModbusUnit()

    assert at_one.set_level(3).data == golden["01"]
    assert at_one.look().data == golden["03"]
    assert many.set_level(2).data == golden["10"]
    assert by_coil.set_level(1).data == golden["11"]
    assert settle(twin, 1.0, golden["10"])[0].data == bytes.fromhex("01 10 00 00 00 01 01 C9")
    twin.wanted = 3
    assert settle(twin, 3.0, golden["03"])[0].data == golden["04"]
