"""CJ/T 188: every golden frame in both layouts, and conversations with a meter written from the standard alone."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import LineSpec
from firmware_sim.devices.cjt188 import Cjt188Meter
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.device_events import DeviceFault, Event, Measured, Want
from gateway.drivers.cjt188 import REGISTERS
from gateway.drivers.cjt188_fields import read
from tests.gateway.one_device import OneDevice, on_a_line, on_a_pty, until

FRAMES = {
    one["id"]: one for one in tomllib.loads((Path(__file__).parents[1] / "vectors/cjt188.toml").read_text())["frame"]
}
HEAT = [FRAMES[name] for name in ("cj-heat-1", "cj-heat-2", "cj-heat-3")]
SPEC = LineSpec(baud=2400, parity="E")
ADDRESS = "00740012064713"
UNITS = {
    "kWh": (3, "Wh"),
    "MWh": (6, "Wh"),
    "Wh": (0, "Wh"),
    "kW": (3, "W"),
    "W": (0, "W"),
    "m3": (0, "m3"),
    "m3/h": (0, "m3/h"),
}


def asked(frame: dict[str, Any], **settings: Any) -> Any:
    driver = drivers.create("cjt188", {"address": frame["decoded"].get("address", "AA" * 7), **settings})
    driver.request([Want(name, 900) for name in REGISTERS])
    return driver


def measured(events: list[Event]) -> dict[str, tuple[Decimal, str]]:
    return {e.register: (Decimal(e.value).scaleb(e.scale), e.unit) for e in events if isinstance(e, Measured)}


def golden(pair: list[str]) -> tuple[Decimal, str]:
    power, unit = UNITS[pair[1]]
    return Decimal(pair[0]).scaleb(power), unit


@pytest.mark.parametrize("frame", HEAT, ids=lambda one: one["id"])
@pytest.mark.parametrize("before", ["", "FE", "68", "16 68 20 FE", "68 20 AA AA AA AA AA AA AA 01 03"])
def test_a_golden_answer_is_understood_whole_and_byte_by_byte(frame: dict[str, Any], before: str) -> None:
    data, told = bytes.fromhex(before) + bytes.fromhex(frame["hex"]), frame["decoded"]
    slow = asked(frame, first="cooling")

    events = asked(frame, first="cooling").feed(data, 1.0)

    assert [event for byte in data for event in slow.feed(bytes((byte,)), 1.0)] == events
    values = measured(events)
    assert values["cooling"] == golden(told["field1_energy"])
    assert values["heating"] == golden(told["field2_energy"])
    assert values["power"] == golden(told["power"])
    assert values["flow"] == golden(told["flow"])
    assert values["volume"] == golden(told["volume"])
    assert values["supply_temperature"] == (Decimal(told["t_supply_C"]), "degC")
    assert values["return_temperature"] == (Decimal(told["t_return_C"]), "degC")
    assert values["hours"] == (told["hours"], "h")


@pytest.mark.parametrize("frame", HEAT, ids=lambda one: one["id"])
def test_layout_clock_and_status_are_those_of_the_golden_file(frame: dict[str, Any]) -> None:
    raw = bytes.fromhex(frame["hex"])
    start = raw.index(0x68)

    answer = read(raw[start + 14 : -2], "auto", 4, swapped=raw[start + 11] == 0x90)

    assert f"unit-{answer.layout}" == frame["decoded"]["layout"]
    assert answer.time == frame["decoded"]["time"]
    assert answer.status.hex() == frame["decoded"]["status"]


def test_the_first_energy_is_what_the_configuration_says_it_is() -> None:
    frame = FRAMES["cj-heat-1"]

    values = measured(asked(frame).feed(bytes.fromhex(frame["hex"]), 1.0))

    assert "cooling" not in values
    assert values["settled"] == values["heating"] == (Decimal(20000), "Wh")


def test_a_spoilt_sum_is_refused_and_no_reading() -> None:
    frame = FRAMES["cj-bad-1"]
    driver = asked(frame)

    assert driver.feed(bytes.fromhex(frame["hex"]), 1.0) == []
    assert driver.counters.refused == 1


def test_the_same_water_meter_with_a_right_sum_gives_its_volume() -> None:
    frame = FRAMES["cj-bad-1"]
    raw = bytearray.fromhex(frame["hex"])
    raw[-2] = 0x13

    values = measured(asked(frame).feed(bytes(raw), 1.0))

    assert values["volume"] == (Decimal("556677.00"), "m3")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(lambda data: data[:10] + b"\x77" + data[11:], "layout"), (lambda data: b"\x0e" + data[1:], "bcd")],
)
def test_units_that_fit_no_layout_and_digits_that_are_none_are_refused_by_name(spoil: Any, why: str) -> None:
    frame = FRAMES["cj-heat-2"]
    raw = bytes.fromhex(frame["hex"])
    body = raw[:14] + (spoil(raw[14:-2]) if why == "bcd" else raw[14:18] + b"\x77" + raw[19:-2])
    driver = asked(frame)

    events = driver.feed(body + bytes((sum(body) & 0xFF, 0x16)), 1.0)

    assert measured(events) == {}
    assert [event.data["why"] for event in events if isinstance(event, DeviceFault) and "why" in event.data] == [why]


def test_what_a_meter_does_not_have_is_told_once_and_spoils_nothing_else() -> None:
    raw = bytes.fromhex(FRAMES["cj-water-1"]["hex"])
    driver = drivers.create("cjt188", {"type": "10", "registers": {"volume": 0, "settled_volume": 0, "cooling": 0}})

    told = [event for _ in range(2) if driver.request(driver.wants) for event in driver.feed(raw, 1.0)]

    assert [event.register for event in told if isinstance(event, Measured)] == ["volume", "volume"]
    assert [(event.event, event.data["asked"]) for event in told if isinstance(event, DeviceFault)] == [
        ("value_refused", "settled_volume"),
        ("register_missing", "cooling"),
    ]


def test_a_heat_meter_without_power_and_temperatures_still_gives_its_energy() -> None:
    raw = bytes.fromhex(FRAMES["cj-heat-2"]["hex"])
    body = raw[:24] + b"\xff" * 4 + raw[28:39] + b"\xff" * 6 + raw[45:-2]

    values = measured(asked(FRAMES["cj-heat-2"]).feed(body + bytes((sum(body) & 0xFF, 0x16)), 1.0))

    assert set(REGISTERS) - set(values) == {
        "cooling", "settled_volume", "power", "supply_temperature", "return_temperature",
    }  # fmt: skip


def test_our_requests_are_the_golden_ones() -> None:
    golden_of = {name: bytes.fromhex(frame["hex"]) for name, frame in FRAMES.items()}
    read_all = [Want("heating", 900)]

    water = drivers.create("cjt188", {"address": "78330011223344", "type": "10"})
    swapped = drivers.create("cjt188", {"address": "02051045550585", "di": "901F", "wake": 0})
    anybody = drivers.create("cjt188", {"wake": 2})

    assert water.request(read_all).data == golden_of["cj-req-2"]
    assert swapped.request(read_all).data == golden_of["cj-req-3"]
    assert anybody.request(read_all).data == bytes.fromhex(FRAMES["cj-heat-3"]["request"])


@pytest.mark.parametrize("layout", ["first", "last"])
def test_heat_and_cooling_are_read_from_a_combined_meter(tmp_path: Path, layout: str) -> None:
    settings = {"first": "cooling", "every": 60, "registers": {"heating": 0, "cooling": 0, "power": 0}}

    async def play(one: OneDevice) -> None:
        one.twin.set_load_w(-36_000, one.now)
        await one.clock.sleep(65)

        assert await one.readings("heating") == [(500, 1, "Wh"), (500, 1, "Wh")]
        assert [value for value, _, _ in await one.readings("cooling")] in ([100, 159], [100, 160])
        assert (await one.readings("power"))[-1] == (3600, 1, "W")

    meter = lambda now: Cjt188Meter(ADDRESS, layout=layout, start_heat_wh=5000, start_cool_wh=1000, now=now)  # noqa: E731
    on_a_line(tmp_path, "cjt188", settings, meter, play, spec=SPEC)


def test_a_valve_reads_closed_only_when_its_motor_has_come_home(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        await one.clock.sleep(5)
        taken = await one.switch.turn(on=False)
        moving = await one.switch.read_back()
        await one.clock.sleep(40)
        closed = await one.switch.read_back()

        assert taken is not None
        assert taken.taken
        assert [state.on for state in (moving, closed) if state] == [None, False]

    on_a_line(tmp_path, "cjt188", {}, lambda now: Cjt188Meter(ADDRESS, now=now), play, spec=SPEC)


def test_a_low_battery_is_told_once(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        one.twin.battery_low = True
        await one.clock.sleep(200)

        assert await one.events() == ["identified", "battery_low"]

    on_a_line(tmp_path, "cjt188", {"every": 60}, lambda now: Cjt188Meter(ADDRESS, now=now), play, spec=SPEC)


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_line_gives_each_reading_once(tmp_path: Path, seed: int) -> None:
    plan = LinePlan(noise=0.2, flip=0.1, cut=0.05, lose=0.1, late=0.1, split=0.3, echo=bool(seed % 2))

    async def play(one: OneDevice) -> None:
        one.twin.set_load_w(3_600_000, one.now)
        await one.clock.sleep(40 * 60)

        values = [value for value, _, _ in await one.readings("heating")]
        assert len(values) >= 25
        assert values == sorted(set(values))
        assert all(0 <= value <= 100 * 2400 for value in values)

    settings = {"every": 60, "registers": {"heating": 0}}
    meter = lambda now: Cjt188Meter(ADDRESS, combined=False, now=now)  # noqa: E731
    on_a_line(tmp_path, "cjt188", settings, meter, play, spec=SPEC, plan=plan, seed=str(seed))


def test_over_a_pseudo_terminal(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        async def read_once() -> bool:
            return len(await one.readings()) >= 1

        await until(one, read_once)
        assert (await one.readings())[0] == (7, 1, "Wh")

    meter = lambda now: Cjt188Meter(ADDRESS, start_heat_wh=79, turn_round_s=0.02, now=now)  # noqa: E731
    on_a_pty(
        tmp_path, "cjt188", {"registers": {"heating": 0}}, meter, play, spec=LineSpec(baud=19200, parity="E")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "energy", "unit"),
    [(0x03, "0.9", "Wh"), (0x06, "900", "Wh"), (0x07, "9000", "Wh"), (0x09, "900000", "Wh"), (0x0C, "900", "J"),
     (0x0F, "900000", "J"), (0x12, "900000000", "J")],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_a_meter_that_counts_in_tens_of_a_unit_is_read(code: int, energy: str, unit: str, *, first: bool) -> None:
    fields = [(9, code), (9, code), (0, 0x18), (0, 0x35), (1900, 0x2C)]
    digits = [bytes.fromhex(f"{value:08d}")[::-1] for value, _ in fields]
    places = [
        bytes((one,)) + four if first else four + bytes((one,)) for four, (_, one) in zip(digits, fields, strict=True)
    ]
    data = b"".join(places) + bytes(18)

    answer = read(data, "auto", 4, swapped=False)

    assert answer.layout == ("first" if first else "last")
    read_energy = answer.fields[1]
    assert read_energy is not None
    assert (Decimal(read_energy.value).scaleb(read_energy.scale), read_energy.unit) == (Decimal(energy), unit)
