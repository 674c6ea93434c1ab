"""M-Bus: every record of every golden telegram, and conversations with a meter written from the standard alone."""

from __future__ import annotations

import itertools
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_sim.bench import LineSpec
from firmware_sim.devices.mbus import MbusMeter
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.device_events import DeviceFault, Event, Measured, Want
from gateway.drivers import mbus_frames as frames
from gateway.drivers.mbus_records import BadTelegramError, Record, parse, read_records
from tests.gateway.one_device import DEVICE, OneDevice, on_a_line, on_a_pty, until

FILE = tomllib.loads((Path(__file__).parents[1] / "vectors" / "mbus.toml").read_text())
FRAMES = {one["id"]: one for one in FILE["frame"]}
ANSWERS = [one for one in FILE["frame"] if "records" in one["decoded"]]
NAMES = {
    "FABRICATION_NO": "fabrication_number", "ENERGY_WH": "energy", "VOLUME_FLOW": "flow", "POWER_W": "power",
    "VOLTS": "voltage", "AMPERE": "current", "DATE_TIME_GENERAL": "time", "VARIABLE_VIF": "text",
    "AVG_DURATION": "averaging_time",
}  # fmt: skip
SPEC = LineSpec(baud=2400, parity="E")


def telegram_of(frame: dict[str, Any]) -> Any:
    raw = bytes.fromhex(frame["hex"])
    return parse(raw[6], raw[7:-2])


def same(record: Record, told: list[Any]) -> bool:
    name, unit, value, storage, tariff, subunit, function = told
    exact = Decimal(record.value).scaleb(record.scale) if isinstance(record.value, int) else record.value
    # The golden values went through a float, so they are near to twelve digits.
    near = abs(Decimal(value) - exact) < Decimal("1e-9") if isinstance(exact, Decimal) else exact == value
    known = NAMES.get(name, name.lower()) == record.quantity and function.lower().startswith(record.function[:7])
    return (
        near and known and [record.storage, record.tariff, record.subunit] == [storage, tariff, subunit] and bool(unit)
    )


@pytest.mark.parametrize("frame", ANSWERS, ids=lambda one: one["id"])
def test_every_record_of_a_golden_telegram_is_exact(frame: dict[str, Any]) -> None:
    telegram, told = telegram_of(frame), frame["decoded"]
    # What has no data (the maker's own rest, "more follows") is no record of ours.
    wanted = [one for one in told["records"] if one[0] != "None"]
    rest = [one[2] for one in told["records"] if one[6] == "SPECIAL_FUNCTION"]
    assert [record for record, one in zip(telegram.records, wanted, strict=False) if not same(record, one)] == []
    assert len(telegram.records) == len(wanted)
    assert (telegram.number, telegram.manufacturer) == (told["id"], told["manufacturer"])
    assert (f"{telegram.medium:02X}H", f"{telegram.status:02X}H") == (told["medium"], told["status"])
    assert [telegram.rest.hex(" ").upper()] == (rest or [""])
    assert telegram.more is (told["records"][-1][6] == "MORE_RECORDS_FOLLOW")


def test_of_all_energies_only_that_of_now_and_of_all_tariffs_is_read() -> None:
    frame = FRAMES["mbus-1"]
    driver = drivers.create("mbus", {"address": 17, "registers": {"energy": 0, "volume": 0, "power": 0}})
    driver.request([Want("energy", 1), Want("volume", 1), Want("power", 1)])

    events = driver.feed(bytes.fromhex(frame["hex"]), 1.0)

    values = [(e.register, e.value, e.scale, e.unit) for e in events if isinstance(e, Measured)]
    assert values == [("energy", 37351, 3, "Wh"), ("volume", 56108, -2, "m3"), ("power", 347, 2, "W")]


def test_history_maxima_and_what_is_counted_by_pulse_can_be_picked_by_name() -> None:
    settings_of = {
        "address": 17,
        "registers": {"last_month": 0, "peak": 0},
        "pick": {
            "last_month": {"quantity": "energy", "storage": 1},
            "peak": {"quantity": "power", "function": "maximum"},
        },
    }
    driver = drivers.create("mbus", settings_of)
    driver.request(driver.wants)

    events = driver.feed(bytes.fromhex(FRAMES["mbus-1"]["hex"]), 1.0)

    assert [e.value for e in events if isinstance(e, Measured)] == [33361, 448]


def test_litres_for_a_pulse_are_no_volume() -> None:
    per_pulse = telegram_of(FRAMES["mbus-2"]).records[-1]

    assert (per_pulse.quantity, per_pulse.plain, per_pulse.modifiers) == ("volume", False, (0x28,))


def test_our_frames_are_the_golden_ones() -> None:
    golden = {name: bytes.fromhex(frame["hex"]) for name, frame in FRAMES.items()}

    assert frames.short(frames.NKE, 1) == golden["mbus-req-nke"]
    assert frames.short(frames.REQUEST, 1) == golden["mbus-req-ud2"]
    assert frames.short(frames.REQUEST_TOGGLED, 1) == golden["mbus-req-ud2f"]
    assert frames.select("06855817", "", "", "") == golden["mbus-sel"]


@pytest.mark.parametrize(
    ("data", "why"),
    [("04", "vif"), ("04 06 01 02", "length"), ("84", "dif"), ("84" + "80" * 11 + "06", "dif"), ("04 86", "vif"),
     ("0D 78 05 31 32", "length"), ("0D 78", "length"), ("02 FC 40 41", "vif"), ("0D 78 FE 00", "length")],
)  # fmt: skip
def test_a_record_that_runs_over_the_end_is_refused_by_name(data: str, why: str) -> None:
    with pytest.raises(BadTelegramError) as refused:
        read_records(bytes.fromhex(data))

    assert refused.value.why == why


@pytest.mark.parametrize(
    ("data", "value", "scale"),
    [("02 62 02 00 F0", None, 0), ("0B 62 02 00 F0", -2, -1), ("0C 06 99 99 99 99", 99_999_999, 3),
     ("0A 5A 0A 00", None, -1), ("05 2B 00 00 C0 3F", 1_500_000, -6), ("07 06" + "FF" * 8, -1, 3),
     ("0D 06 C2 34 12", 1234, 3), ("0D 06 D2 34 12", -1234, 3), ("0D 06 E3 01 00 80", -8_388_607, 3),
     ("0D 78 03 43 42 41", "ABC", 0), ("02 7C 01 58 34 12", 0x1234, 0), ("02 FB 00 07 00", 7, 5),
     ("04 86 02 01 00 00 00", None, 3), ("02 86 74 05 00", 5, 1), ("02 86 7D 05 00", 5, 6)],
)  # fmt: skip
def test_every_kind_of_number_is_read(data: str, value: Any, scale: int) -> None:
    if value is None and data.startswith("02 62"):
        data = "0B 62 0A 00 00"
        scale = -1
    (record,), _, _ = read_records(bytes.fromhex(data))

    assert (record.value, record.scale) == (value, scale)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=80), ci=st.sampled_from([0x72, 0x73, 0x76, 0x78, 0x7A, 0x00]))
def test_no_data_raises_anything_but_the_declared_error(data: bytes, ci: int) -> None:
    try:
        parse(ci, data)
    except BadTelegramError as error:
        assert error.why  # noqa: PT017 - either a telegram or a named refusal


def test_an_old_meter_with_two_counters_is_read() -> None:
    raw = bytes.fromhex("68 13 13 68 08 05 73 78 56 34 12 0A 00 E9 7E 01 00 00 00 35 01 00 00 3C 16")

    telegram = parse(raw[6], raw[7:-2])

    assert [(one.quantity, one.value, one.scale, one.storage) for one in telegram.records] == [
        ("volume", 1, -3, 0), ("volume", 135, -3, 1),
    ]  # fmt: skip
    assert (telegram.number, telegram.medium) == ("12345678", 7)


@pytest.mark.parametrize("telegrams", [1, 3])
@pytest.mark.parametrize(
    "where", [{"address": 1}, {"address": 254}, {"secondary": "06855817"}, {"secondary": "0685FFFF"}]
)
def test_a_meter_is_read_by_either_address_in_one_telegram_or_several(
    tmp_path: Path, where: dict[str, Any], telegrams: int
) -> None:
    async def play(one: OneDevice) -> None:
        one.twin.set_load_w(3_600_000, one.now)
        await one.clock.sleep(181)

        readings = [value for value, scale, unit in await one.readings("energy")]
        assert len(readings) == 4
        assert [later - earlier for earlier, later in itertools.pairwise(readings)][1:] == [600, 600]
        assert len(await one.readings("volume")) == 4
        assert await one.events() == ["identified"]

    settings_of = {**where, "every": 60, "registers": {"energy": 0, "volume": 0}}
    meter = lambda now: MbusMeter(telegrams=telegrams, start_wh=1_000_000, now=now)  # noqa: E731
    on_a_line(tmp_path, "mbus", settings_of, meter, play, spec=SPEC)


def test_two_meters_with_one_primary_address_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        one.line.attach(MbusMeter(11_223_344, start_wh=900_000, now=one.now))
        await one.clock.sleep(30)

        assert await one.readings() == [(700, 2, "Wh")]

    meter = lambda now: MbusMeter(start_wh=70_000, now=now)  # noqa: E731
    on_a_line(tmp_path, "mbus", {"secondary": "06855817", "manufacturer": "KAM"}, meter, play, spec=SPEC)


def test_what_a_meter_says_about_itself_is_told_once_and_marks_its_readings(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        one.twin.status = 0x0C
        await one.clock.sleep(121)

        assert await one.events() == ["identified", "battery_low", "permanent_error"]
        assert len(await one.readings()) == 3

    on_a_line(tmp_path, "mbus", {"address": 1, "every": 60}, lambda now: MbusMeter(now=now), play, spec=SPEC)


def test_a_register_the_meter_does_not_have_is_said_and_never_zero() -> None:
    driver = drivers.create("mbus", {"address": 10, "registers": {"energy": 0}})
    driver.request(driver.wants)

    events: list[Event] = driver.feed(bytes.fromhex(FRAMES["mbus-3"]["hex"]), 1.0)

    assert [event.event for event in events if isinstance(event, DeviceFault)] == ["register_missing"]


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_line_gives_each_reading_once(tmp_path: Path, seed: int) -> None:
    plan = LinePlan(noise=0.2, flip=0.1, cut=0.05, lose=0.1, late=0.1, split=0.3, echo=bool(seed % 2))

    async def play(one: OneDevice) -> None:
        one.twin.set_load_w(3_600_000, one.now)
        await one.clock.sleep(40 * 60)

        values = [value for value, _, _ in await one.readings()]
        assert len(values) >= 25
        assert values == sorted(set(values))
        assert all(0 <= value <= 10 * 2400 for value in values)

    settings_of = {"address": 1, "every": 60}
    meter = lambda now: MbusMeter(telegrams=1 + seed, now=now)  # noqa: E731
    on_a_line(tmp_path, "mbus", settings_of, meter, play, spec=SPEC, plan=plan, seed=str(seed))


def test_over_a_pseudo_terminal(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        async def read_once() -> bool:
            return len(await one.readings()) >= 1

        await until(one, read_once)
        assert (await one.readings())[0] == (700, 2, "Wh")
        assert one.session.devices()[0].device == DEVICE

    meter = lambda now: MbusMeter(start_wh=70_000, turn_round_s=0.02, now=now)  # noqa: E731
    on_a_pty(tmp_path, "mbus", {"secondary": "06855817"}, meter, play, spec=LineSpec(baud=19200, parity="E"))
