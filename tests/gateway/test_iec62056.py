"""IEC 62056-21: every golden telegram, the change of speed, and meters written from the standard alone."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import LineSpec
from firmware_sim.devices.iec62056 import ModeCMeter, P1Meter
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.device_events import DeviceFault, Event, Identified, Measured
from gateway.drivers import iec62056_text as texts
from tests.gateway.one_device import OneDevice, on_a_line, on_a_pty, until

FILE = tomllib.loads((Path(__file__).parents[1] / "vectors" / "iec62056.toml").read_text())
FRAMES = {one["id"]: one for one in FILE["frame"]}
PUSHED = ["iec-1", "iec-2", "iec-3", "iec-bad"]
HEAD = LineSpec(baud=300)
HEAT = {"heating": 0, "volume": 0, "hours": 0}


def listener(**settings: Any) -> Any:
    return drivers.create("iec62056", {"mode": "push", **settings})


def measured(events: list[Event]) -> dict[str, tuple[int, int, str]]:
    return {event.register: (event.value, event.scale, event.unit) for event in events if isinstance(event, Measured)}


@pytest.mark.parametrize("name", PUSHED)
@pytest.mark.parametrize("before", [b"", b"\x00\xff", b"/cut telegram\r\n1-0:1.8.1(0000", b"!12"])
def test_a_golden_telegram_is_understood_whole_and_byte_by_byte(name: str, before: bytes) -> None:
    data, told = before + bytes.fromhex(FRAMES[name]["hex"]), FRAMES[name]["decoded"]
    codes = {f"r{number}": code for number, code in enumerate(told) if code not in ("crc", "0-0:1.0.0")}
    settings = {"registers": dict.fromkeys(codes, 0), "obis": codes}
    slow = listener(**settings)

    events = listener(**settings).feed(data, 1.0)

    assert [event for byte in data for event in slow.feed(bytes((byte,)), 1.0)] == events
    for register, (value, scale, unit) in measured(events).items():
        digits, printed = told[codes[register]].split()
        power = {"kWh": 3, "kW": 3}.get(printed, 0)
        assert Decimal(value).scaleb(scale) == Decimal(digits).scaleb(power)
        assert unit == printed.removeprefix("k")
    assert set(measured(events)) == set(codes)


def test_the_meters_own_number_and_clock_are_read() -> None:
    frame = FRAMES["iec-1"]

    events = listener().feed(bytes.fromhex(frame["hex"]), 1.0)

    assert [event.number for event in events if isinstance(event, Identified)] == ["E0044006903312917"]
    assert texts.moment("180104231941W") == frame["decoded"]["0-0:1.0.0"]


def test_a_meter_without_a_total_gives_the_sum_of_its_tariffs_and_says_so() -> None:
    events = listener().feed(bytes.fromhex(FRAMES["iec-1"]["hex"]), 1.0)

    (total,) = [event for event in events if isinstance(event, Measured)]
    assert (total.value, total.scale, total.q) == (156_167 + 71_546, 0, ("sum_of_tariffs",))


def test_telegrams_with_a_wrong_check_are_refused_by_name() -> None:
    crc = listener()
    bad = bytes.fromhex(FRAMES["iec-1"]["hex"]).replace(b"000156.167", b"000156.168")
    first, second = crc.feed(bad, 1.0), crc.feed(bad, 2.0)
    heat = drivers.create("iec62056", {"mode": "A", "registers": HEAT})
    said: list[Event] = []
    for _ in range(2):
        heat.request(heat.wants)
        said += heat.feed(bytes.fromhex(FRAMES["iec-heat"]["hex"]), 1.0) + heat.expired(2.0)

    assert (first, measured(second), measured(said)) == ([], {}, {})
    assert [event.data["why"] for event in second + said if isinstance(event, DeviceFault)] == ["crc", "bcc"]


def test_the_old_heat_meter_with_a_right_check_gives_its_values() -> None:
    frame = FRAMES["iec-heat"]
    meter = drivers.create("iec62056", {"mode": "A", "registers": HEAT})
    meter.request(meter.wants)

    events = meter.feed(bytes.fromhex(frame["hex"])[:-1] + bytes.fromhex(frame["decoded"]["right"]), 1.0)

    assert measured(events) == {"heating": (43365, 7, "J"), "volume": (305_295, -2, "m3"), "hours": (109_868, 0, "h")}
    assert [event.number for event in events if isinstance(event, Identified)] == ["00005077354"]


@pytest.mark.parametrize("name", ["iec-bcc-1", "iec-bcc-2"])
def test_messages_of_the_programming_mode_are_made_and_read(name: str) -> None:
    data = bytes.fromhex(FRAMES[name]["hex"])

    message = texts.read_command(data)

    assert texts.command(message.name, message.data) == data
    assert f"{data[-1]:02X}" == FRAMES[name]["decoded"]["bcc"]
    with pytest.raises(ValueError, match="bcc"):
        texts.read_command(data[:-1] + bytes((data[-1] ^ 1,)))


def test_last_months_value_is_not_taken_for_the_one_of_now() -> None:
    body = b"1.8.0*01(000100.000*kWh)\r\n1.8.0(000200.000*kWh)\r\n!\r\n\x03"
    meter = drivers.create("iec62056", {"mode": "A"})
    meter.request(meter.wants)

    events = meter.feed(b"/LGZ ZMF\r\n\x02" + body + bytes((texts.bcc(body),)), 1.0)

    assert measured(events) == {"import_wh": (200_000, 0, "Wh")}


@pytest.mark.parametrize("offer", ["0", "3", "5"])
@pytest.mark.parametrize("settings", [{}, {"address": "12345678"}, {"software_parity": True}])
def test_the_speed_changes_between_our_answer_and_the_data(
    tmp_path: Path, offer: str, settings: dict[str, Any]
) -> None:
    async def play(one: OneDevice) -> None:
        one.twin.set_load_w(36_000, one.now)
        await one.clock.sleep(130)

        values = [value for value, _, _ in await one.readings()]
        assert len(values) == 3
        assert 590 <= values[2] - values[1] <= 610
        assert await one.events() == ["identified"]

    meter = lambda now: ModeCMeter(start_wh=1_234_567, offer=offer, now=now)  # noqa: E731
    on_a_line(tmp_path, "iec62056", {"every": 60, **settings}, meter, play, spec=HEAD)


def test_an_offer_that_is_too_fast_is_declined_and_the_meter_stays_at_its_speed(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        await one.clock.sleep(60)

        assert await one.readings() == [(5000, 0, "Wh")]

    meter = lambda now: ModeCMeter(start_wh=5000, now=now)  # noqa: E731
    on_a_line(tmp_path, "iec62056", {"fastest": 4800}, meter, play, spec=HEAD)


def test_a_meter_that_pushes_is_recorded_once_in_each_stretch_of_the_grid(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        one.twin.set_load_w(36_000, one.now)
        await one.clock.sleep(190)

        assert [value for value, _, _ in await one.readings("import_t1_wh")] == [100, 600, 1200, 1800]
        assert len(await one.readings("gas_volume")) == 1

    world = lambda now: P1Meter(now=now, world_ms=lambda at: round(at * 1000))  # noqa: E731
    settings = {"mode": "push", "registers": {"import_t1_wh": 60, "gas_volume": 3600}}
    on_a_line(tmp_path, "iec62056", settings, world, play, spec=LineSpec(baud=115_200))


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_line_gives_each_reading_once(tmp_path: Path, seed: int) -> None:
    plan = LinePlan(noise=0.2, flip=0.1, cut=0.05, lose=0.05, late=0.05, split=0.3, echo=bool(seed % 2))

    async def play(one: OneDevice) -> None:
        one.twin.set_load_w(3_600_000, one.now)
        await one.clock.sleep(40 * 60)

        values = [value for value, _, _ in await one.readings()]
        assert len(values) >= 15
        assert values == sorted(set(values))
        assert all(0 <= value <= 1000 * 2400 for value in values)

    meter = lambda now: ModeCMeter(now=now)  # noqa: E731
    on_a_line(tmp_path, "iec62056", {"every": 60}, meter, play, spec=HEAD, plan=plan, seed=str(seed))


def test_over_a_pseudo_terminal(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        async def read_once() -> bool:
            return len(await one.readings()) >= 1

        await until(one, read_once, 1000)
        assert (await one.readings())[0] == (5000, 0, "Wh")

    # The question and the identification take three quarters of a second at 300 baud, as they do in life.
    meter = lambda now: ModeCMeter(start_wh=5000, turn_round_s=0.02, now=now)  # noqa: E731
    on_a_pty(tmp_path, "iec62056", {}, meter, play, spec=HEAD)
