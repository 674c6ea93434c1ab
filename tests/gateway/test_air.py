"""Air sensors against their twins on a line, and what is special about each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import LineSpec
from firmware_sim.devices.mhz19b import MhZ19B
from firmware_sim.devices.pms5003 import Air, Pms5003
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.devices.sps30 import Sps30, on_the_wire
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.device_events import AirSample, DeviceFault, Identified
from tests.gateway.meter_site import MeterSite, on_a_line
from tests.gateway.test_drivers import hexed

TROUBLE = LinePlan(noise=0.1, flip=0.05, cut=0.05, lose=0.05, split=0.3)


def toml(kind: str, baud: int = 9600, extra: str = "") -> str:
    return f"""
[[lines]]
name = "air"
port = "memory"
baud = {baud}
[[lines.devices]]
id = "air-1"
kind = "{kind}"
{extra}
"""


def apart(baud: int = 9600) -> LineSpec:
    """A wire in each direction."""
    return LineSpec(baud=baud, half_duplex=False)


SENSORS: list[Any] = [
    ("pms5003", 9600, lambda: Pms5003(air=Air(10, 20, 30)), "", {"pm25": 200, "pm10": 300}),
    ("pms5003", 9600, lambda: Pms5003(air=Air(10, 20, 30), model="pms5003t"), 'model = "pms5003t"',
     {"pm25": 200, "temperature": 2120, "humidity": 2240}),
    ("pms5003", 9600, lambda: Pms5003(air=Air(10, 20, 30), model="pms5003st"), 'model = "pms5003st"',
     {"pm25": 200, "temperature": 2120, "hcho": 180}),
    ("sds011", 9600, Sds011, "", {"pm25": 610, "pm10": 930}),
    ("sps30", 115200, Sps30, "", {"pm1": 520, "pm25": 940, "pm10": 1330, "particle_size": 830}),
    ("mhz19b", 9600, MhZ19B, "", {"co2": 6360}),
]  # fmt: skip


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda one: f"{one[0]} {one[3]}".strip())
@pytest.mark.parametrize("plan", [LinePlan(), TROUBLE], ids=["quiet", "noisy"])
def test_a_sensor_on_a_line_becomes_windows_of_its_own_values(sensor: Any, plan: LinePlan, tmp_path: Path) -> None:
    kind, baud, twin, extra, wanted = sensor

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(1300)

        for metric, mean in wanted.items():
            first, second = await site.windows(metric)
            assert (second.mean, second.min, second.max) == (mean, mean, mean), metric
            assert "warm_up" in first.q
            assert set(second.q) <= (set() if plan is not TROUBLE else {"warm_up"})
            assert second.coverage >= (590 if plan is not TROUBLE else 50)

    on_a_line(tmp_path, toml(kind, baud, extra), [twin()], play, plan=plan, spec=apart(baud))


def test_a_sensor_that_stands_still_for_an_hour_is_told_and_marked_until_it_moves(tmp_path: Path) -> None:
    twin = MhZ19B()

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(2 * 3600)
        twin.ppm = 640
        await site.clock.sleep(1210)

        windows = await site.windows("co2")
        assert await site.events() == ["frozen"]
        assert [("frozen" in one.q) for one in windows[:12]] == [False] * 6 + [True] * 6
        assert (windows[8].mean, windows[8].coverage) == (6360, 0)
        assert (windows[13].mean, windows[13].q) == (6400, [])

    on_a_line(tmp_path, toml("mhz19b"), [twin], play, spec=apart())


def test_a_sensor_that_lost_its_power_warms_up_again(tmp_path: Path) -> None:
    twin = MhZ19B()

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(1000)
        site.line.cut_power(twin)
        await site.clock.sleep(100)
        site.line.restore_power(twin)
        await site.clock.sleep(800)

        second, third = (await site.windows("co2"))[1:3]
        assert second.q == ["warm_up"]
        assert second.max == 6360
        assert third.mean == 6360

    on_a_line(tmp_path, toml("mhz19b"), [twin], play, spec=apart())


def test_the_baseline_of_a_room_that_is_never_empty_is_switched_off(tmp_path: Path) -> None:
    twin = MhZ19B()

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(20)

        assert twin.baseline is False

    on_a_line(tmp_path, toml("mhz19b", extra='baseline = "off"'), [twin], play, spec=apart())


def test_a_dust_sensor_is_told_to_rest_and_its_rest_is_no_gap(tmp_path: Path) -> None:
    twin = Sds011()

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(2500)

        windows = await site.windows("pm25")
        assert twin.period == 5
        assert windows[-1].samples == 2
        assert windows[-1].coverage == 600
        assert windows[-1].q == []

    on_a_line(tmp_path, toml("sds011", extra="rest = 5\nfrozen = 0"), [twin], play, spec=apart())


def test_another_dust_sensor_on_the_same_line_is_told() -> None:
    driver = drivers.create("sds011", {"warm_up": 0})
    other = bytearray(hexed("sds011", "sds-1"))
    other[6], other[8] = 0x59, other[8] + 1

    told = driver.feed(hexed("sds011", "sds-1"), 1.0) + driver.feed(bytes(other), 2.0)

    assert [one.number for one in told if isinstance(one, Identified)] == ["58D9", "59D9"]
    assert [one.event for one in told if isinstance(one, DeviceFault)] == ["replaced"]


def test_an_answer_without_values_is_no_fault_and_one_in_the_wrong_state_starts_the_sensor_again() -> None:
    driver = drivers.create("sps30", {})
    driver.pending()
    driver.feed(bytes.fromhex("7E 00 D0 00 00 2F 7E"), 1.0)
    driver.pending()
    driver.feed(bytes.fromhex("7E 00 00 00 00 FF 7E"), 1.0)
    driver.request(driver.wants)
    empty = driver.feed(hexed("sps30", "sps-empty"), 2.0)
    running = driver.pending()
    driver.request(driver.wants)
    stopped = bytes.fromhex("7E 00 03 43 00 B9 7E")

    driver.feed(stopped, 3.0)

    assert empty == []
    assert running is None
    assert driver.pending().data == hexed("sps30", "sps-cmd-start")


def test_the_echo_of_a_start_is_no_answer_to_it() -> None:
    driver = drivers.create("sps30", {})
    driver.pending()
    driver.feed(bytes.fromhex("7E 00 D0 00 00 2F 7E"), 1.0)
    start = driver.pending()

    driver.feed(start.data, 1.0)

    assert not driver.answered
    assert driver.counters.echoes == 1


def test_a_start_that_is_refused_because_it_runs_already_is_as_good_as_one() -> None:
    driver = drivers.create("sps30", {})
    driver.pending()
    driver.feed(bytes.fromhex("7E 00 D0 00 00 2F 7E"), 1.0)
    driver.pending()

    assert driver.feed(hexed("sps30", "sps-err"), 1.0) == []
    assert driver.pending() is None


def test_golden_commands_are_what_we_send() -> None:
    nova, co2 = drivers.create("sds011", {"rest": 5}), drivers.create("mhz19b", {"baseline": "on"})

    assert nova.outgoing() == hexed("sds011", "sds-cmd-period")
    nova.feed(hexed("sds011", "sds-ack-period"), 1.0)
    nova.idle(99.0)
    assert nova.outgoing() == b""
    assert co2.pending().data == hexed("mhz19b", "mhz-cmd-abc-on")
    assert co2.request(()).data == hexed("mhz19b", "mhz-cmd-read")


def test_a_sensor_left_with_whole_numbers_is_stopped_and_started_with_floats() -> None:
    driver = drivers.create("sps30", {})
    driver.request(driver.wants)

    assert driver.feed(on_the_wire(bytes((0, 3, 0, 20)) + bytes(20)), 1.0) == []
    stop = driver.pending().data
    driver.feed(on_the_wire(bytes((0, 1, 0, 0))), 1.1)

    assert stop == on_the_wire(bytes((0, 1, 0)))
    assert driver.pending().data == hexed("sps30", "sps-cmd-start")


@pytest.mark.parametrize(
    ("kind", "frame", "why"),
    [
        ("pms5003", "pms-bad-1", "sum"),
        ("sds011", "sds-bad-1", "sum"),
        ("sds011", "sds-bad-2", "end"),
        ("sps30", "sps-bad-1", "sum"),
        ("sps30", "sps-bad-2", "stuffing"),
        ("mhz19b", "mhz-bad-1", "check"),
        ("mhz19b", "mhz-bad-2", "short"),
        ("modbus_meter", "mb-bad-1", "crc"),
        ("modbus_meter", "mb-bad-2", "short"),
    ],
)
def test_a_frame_that_is_refused_is_refused_with_a_reason(kind: str, frame: str, why: str) -> None:
    driver = drivers.create(kind, {"registers": {"voltage_l1": 60}} if kind == "modbus_meter" else {})
    if driver.wants:
        driver.request(driver.wants)

    driver.feed(hexed(kind, frame), 1.0)
    driver.expired(2.0)

    assert driver.counters.refusals.get(why, 0) >= 1


def test_dust_beyond_what_the_sensor_measures_is_marked_and_told_once() -> None:
    driver = drivers.create("sds011", {"warm_up": 0})
    body = bytes.fromhex("FF FF FF FF 58 D9")
    frame = b"\xaa\xc0" + body + bytes((sum(body) & 0xFF, 0xAB))

    told = [*driver.feed(frame, 1.0), *driver.feed(frame, 2.0)]

    assert [one.q for one in told if isinstance(one, AirSample)] == [("out_of_range",), ("out_of_range",)]
    assert [one.data["metric"] for one in told if isinstance(one, DeviceFault)] == ["pm25", "pm10"]
