"""Every meter profile against the twin of its model, which was written from the same data sheets by other hands."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.devices.meter_maps import MAPS
from firmware_sim.devices.modbus_meter import ModbusMeter, RegisterDump, Slave
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.devices.twin import Twin
from gateway import drivers
from gateway.block_reads import block_of
from gateway.device_events import AirSample, DeviceFault, Event, Identified, Measured
from gateway.drivers.modbus_profile import ProfileError, decoded, ordered, read_profile

# What a register of a profile is called on the meter's own display.
QUANTITIES = {
    "voltage": "volts", "current": "amps", "power": "watts", "apparent_power": "va", "reactive_power": "var",
    "frequency": "hertz", "total_wh": "net_wh", "temperature": "degc", "humidity": "rh",
}  # fmt: skip
OWN = sorted(drivers.profile_files())


def at_rest(now: float) -> int:
    return 0


def quantity(register: str) -> str:
    stem, _, phase = register.partition("_l")
    if phase[:1].isdigit():
        number, _, rest = phase.partition("_")
        return f"{QUANTITIES.get(stem, stem)}_{number}{'_' + rest if rest else ''}"
    return QUANTITIES.get(register, register)


def ask(driver: Any, twin: Twin, request: Any, at: float) -> list[Event]:
    """One exchange, without a line: what the twin says to these bytes."""
    twin.receive(request.data, at)
    replies = twin.wake(at + 0.01)
    return [event for reply in replies for event in driver.feed(reply.data, at + 0.02)] or driver.expired(at + 1)


def read_all(driver: Any, twin: Twin, at: float = 1.0) -> list[Event]:
    """Start-up questions, then every want once, as the line's schedule would plan them."""
    events: list[Event] = []
    asked = b""
    while (request := driver.pending()) is not None and request.data != asked:
        asked = request.data
        events += ask(driver, twin, request, at)
        at += 1
    wants = list(driver.wants)
    while wants and request is None:
        block = block_of(wants[0], wants, driver.limits)
        question = driver.request(block)
        while question is not None:
            events += ask(driver, twin, question, at)
            at, question = at + 1, driver.pending()
        wants = [want for want in wants if want not in block]
    return events


def values(events: Sequence[Event]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for event in events:
        if isinstance(event, Measured):
            found[event.register] = Fraction(event.value) * Fraction(10) ** event.scale, event.unit
        elif isinstance(event, AirSample):
            found |= {name: (Fraction(v) * Fraction(10) ** event.scale, event.unit) for name, v in event.values.items()}
    return found


def everything(profile: str, **own: Any) -> Any:
    names = [register.name for register in drivers.find_profile(profile).register]
    return drivers.create("modbus_meter", {"profile": profile, "registers": dict.fromkeys(names, 60), **own})


def test_every_profile_has_a_twin() -> None:
    assert set(OWN) == {"sdm630", *MAPS}


@pytest.mark.parametrize("profile", sorted(MAPS))
def test_every_register_of_a_profile_says_what_the_twin_shows(profile: str) -> None:
    driver, twin = everything(profile), ModbusMeter(profile, world_ms=at_rest)

    events = read_all(driver, twin)

    assert [event for event in events if isinstance(event, DeviceFault) and event.event != "ratio"] == []
    found = values(events)
    assert set(found) == {want.name for want in driver.wants}
    for register in driver.profile.register:
        shown = twin.shows(quantity(register.name), 1.0)
        step = Fraction(10) ** register.scale
        assert abs(found[register.name][0] - shown) <= step + abs(shown) / 2**23, register.name


def test_the_sdm630_says_what_its_twin_shows() -> None:
    driver, twin = everything("sdm630"), Sdm630(start_wh=1_234_567)
    twin.set_load_w(3600, 0.0)

    found = values(read_all(driver, twin))

    assert found["import_wh"][0] in (1_234_568, 1_234_569, 1_234_570, 1_234_571)
    assert (found["power"][0], found["voltage_l1"][0], found["frequency"][0]) == (3600, 230, 50)


@pytest.mark.parametrize("profile", sorted({"sdm630", *MAPS} - {"senseair_s8", "xy_md02"}))
def test_a_wrong_word_order_or_map_is_noticed_before_anything_is_recorded(profile: str) -> None:
    wrong = next(one for one in ("pzem004t", "ddsu666", "sdm120") if MAPS[one] is not MAPS.get(profile))
    if not [register for register in drivers.find_profile(profile).register if register.check]:
        return
    driver = everything(profile)

    events = read_all(driver, ModbusMeter(wrong))

    assert values(events) == {}
    assert any(isinstance(event, DeviceFault) for event in events)


def test_a_meter_tells_its_own_number() -> None:
    assert [
        event.number for event in read_all(everything("sdm120"), ModbusMeter("sdm120")) if isinstance(event, Identified)
    ] == ["21345678"]


def test_energy_behind_transformers_is_recorded_as_it_stands_and_marked() -> None:
    driver = everything("acrel_adl", ct=40, pt=1)

    events = {
        event.register: event
        for event in read_all(driver, ModbusMeter("acrel_adl", world_ms=at_rest))
        if isinstance(event, Measured)
    }

    assert (events["import_wh"].value, events["import_wh"].scale, events["import_wh"].q) == (123_456, 1, ("secondary",))
    assert (events["current_l1"].value, events["power"].value) == (425 * 40, 2760 * 40)
    assert events["voltage_l1"].value == 2301


def test_a_meter_that_knows_its_ratio_says_so() -> None:
    twin = ModbusMeter("dtsu666", quantities={"ct": 30, "pt": 1})

    events = read_all(everything("dtsu666"), twin)

    told = [event.data for event in events if isinstance(event, DeviceFault)]
    assert told == [{"of": "ct", "is": "30"}, {"of": "pt", "is": "1.0"}]
    assert values(events)["power"] == (2760 * 30, "W")
    assert next(e for e in events if isinstance(e, Measured) and e.register == "import_wh").q == ("secondary",)


def test_a_ratio_of_one_needs_no_mark() -> None:
    events = read_all(everything("dtsu666"), ModbusMeter("dtsu666"))

    assert {event.q for event in events if isinstance(event, Measured)} == {()}


def test_twenty_values_declared_apart_are_read_in_one_request() -> None:
    names = [register.name for register in drivers.find_profile("sdm630").register]
    near = [name for name in names if not name.startswith("import_l")]
    driver = drivers.create("modbus_meter", {"registers": dict.fromkeys(near, 60)})
    wants = list(driver.wants)

    block = block_of(wants[0], wants, driver.limits)

    assert len(near) == 18
    assert block == tuple(sorted(wants, key=lambda want: want.address))


def sparse(words: dict[int, int], table: int = 4) -> RegisterDump:
    return RegisterDump({(table, address): word for address, word in words.items()})


def float_words(address: int, *pairs: tuple[int, int]) -> dict[int, int]:
    return {address + at: word for at, word in enumerate(word for pair in pairs for word in pair)}


def test_a_meter_that_refuses_gaps_is_read_in_pieces_from_then_on() -> None:
    registers = {"voltage_l1": 60, "frequency": 60, "import_wh": 60}
    driver = drivers.create("modbus_meter", {"registers": registers})
    twin: Slave = sparse(
        float_words(0, (0x4366, 0x3334)) | float_words(0x46, (0x4248, 0x0000)) | float_words(0x48, (0x449A, 0x522B))
    )

    first = values(read_all(driver, twin))
    twin.requests.clear()
    second = values(read_all(driver, twin, 100.0))

    assert first == {"voltage_l1": (Fraction(2302, 10), "V"), "frequency": (50, "Hz"), "import_wh": (1_234_568, "Wh")}
    assert second == first
    assert twin.requests == [(4, 0, 2), (4, 0x46, 4)]


def test_after_a_lost_answer_no_other_question_of_its_shape_is_asked() -> None:
    driver = drivers.create("modbus_meter", {"registers": {"import_wh": 60, "power": 60}})
    power, energy = sorted(driver.wants, key=lambda want: want.address)
    driver.request([power])
    driver.expired(1.0)

    again, other = driver.request([power]), driver.request([energy])

    assert again.data[2:6] == bytes.fromhex("00 34 00 02")
    assert other.data[2:6] == bytes.fromhex("00 48 00 04")
    driver.feed(b"", 9.0)
    assert driver.request([energy]).data[2:6] == bytes.fromhex("00 48 00 02")


def test_air_is_marked_while_it_warms_up_where_it_cannot_be_and_when_it_stands_still() -> None:
    driver = drivers.create("modbus_meter", {"profile": "senseair_s8", "frozen": 600})
    twin = ModbusMeter("senseair_s8")
    marks: list[tuple[str, ...]] = []
    told: list[str] = []

    for second, ppm in ((1, 612), (200, 700), (300, 20_000), (400, 650), (900, 650), (1100, 650), (1200, 651)):
        twin.quantities["co2"] = Fraction(ppm)
        events = read_all(driver, twin, float(second))
        marks += [event.q for event in events if isinstance(event, AirSample)]
        told += [event.event for event in events if isinstance(event, DeviceFault)]

    assert marks == [("warm_up",), (), ("out_of_range",), (), (), ("frozen",), ()]
    assert told == ["out_of_range", "frozen"]


def test_a_register_over_its_own_limit_is_refused() -> None:
    driver = everything("pzem004t")
    twin = ModbusMeter("pzem004t", world_ms=at_rest, quantities={"import_wh": 9_999_999})
    beyond = RegisterDump({(4, at): word for at, word in enumerate((2427, 0, 0, 0, 0, 0x9680, 0x98, 500, 93, 0))})

    assert values(read_all(driver, twin))["import_wh"] == (9_999_999, "Wh")
    assert "import_wh" not in values(read_all(driver, beyond, 50.0))


GOOD = """
model = "A meter"
order = "ABCD"
table = 3
[[register]]
name = "import_wh"
address = 0x10
type = "uint32"
unit = "Wh"
scale = 1
energy = true
[[example]]
first = 0x10
data = "00 12 D6 87"
gives = { import_wh = "12345670 Wh" }
"""


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ('order = "ABCD"', 'order = "CDAB"', "import_wh comes out as"),
        ("address = 0x10", "address = 0x20", "import_wh is not among its registers"),
        ('"00 12 D6 87"', '"nonsense"', "hexadecimal"),
        ('type = "uint32"', 'type = "uint33"', "uint33"),
        ('unit = "Wh"', 'unit = "Joule"', "energy is in Wh"),
        ("table = 3", "table = 3\nmost = 1", "needs 2 registers"),
        ('name = "import_wh"', 'name = "Import Wh"', "small letters"),
        ('model = "A meter"', "", "model"),
        ("scale = 1", "scale = 1\ndecimals = 1", "say scale = -1 as well"),
        ("scale = 1", "scale = 1\nscael = 1", "scael"),
    ],
)
def test_a_profile_that_is_wrong_is_refused_with_its_place(was: str, becomes: str, says: str) -> None:
    read_profile(tomllib.loads(GOOD), "good")

    with pytest.raises(ProfileError, match=says):
        read_profile(tomllib.loads(GOOD.replace(was, becomes, 1)), "bad")


def test_word_and_byte_orders_are_what_their_names_say() -> None:
    data = bytes.fromhex("0A0B0C0D")

    assert ordered(bytes.fromhex("0A0B0C0D"), "ABCD") == data
    assert ordered(bytes.fromhex("0C0D0A0B"), "CDAB") == data
    assert ordered(bytes.fromhex("0B0A0D0C"), "BADC") == data
    assert ordered(bytes.fromhex("0D0C0B0A"), "DCBA") == data


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        ("uint64", "00 00 00 01 00 00 00 00", 2**32),
        ("int32", "FF FF FF FE", -2),
        ("int16", "80 00", -32768),
        ("float64", "40 93 4A 45 6D 5C FA AD", 1_234_568),
        ("float64", "7F F8 00 00 00 00 00 00", None),
        ("bcd32", "00 12 34 56", 123_456_000),
        ("bcd32", "00 1A 34 56", None),
    ],
)
def test_other_types_are_exact_too(kind: str, data: str, value: int | None) -> None:
    decimals = 3 if kind in ("float64", "bcd32") else 0

    assert decoded(kind, bytes.fromhex(data), decimals) == value


def test_a_profile_of_ones_own_goes_before_ours(tmp_path: Path) -> None:
    (tmp_path / "sdm630.toml").write_text(GOOD)

    assert drivers.find_profile("sdm630", tmp_path).model == "A meter"
    with pytest.raises(ProfileError, match=f"nonsense.*{tmp_path.name}"):
        drivers.find_profile("nonsense", tmp_path)
    (tmp_path / "torn.toml").write_text("[[")
    with pytest.raises(ProfileError, match="torn"):
        drivers.find_profile("torn", tmp_path)


def test_what_a_register_is_worth_is_told_after_the_start() -> None:
    driver = everything("dtsu666_sungrow")

    told = read_all(driver, ModbusMeter("dtsu666_sungrow", world_ms=at_rest))
    (said,) = [one for one in told if isinstance(one, Identified)]

    assert said.number == ""
    assert said.facts["registers"]["import_wh"] == {"unit": "Wh", "modulus": "42949672.96"}


def test_readings_behind_transformers_whose_ratio_nobody_told_say_so() -> None:
    driver = everything("acrel_adl", ct=40)

    told = read_all(driver, ModbusMeter("acrel_adl", world_ms=at_rest))
    marks = {one.register: one.q for one in told if isinstance(one, Measured)}

    assert driver.unsaid() == ["pt"]
    assert marks["import_wh"] == ("secondary", "ratio_unknown")
