"""What is special about Modbus meters: exact numbers, the start-up check, faults told once, frames of others."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import drivers
from gateway.device_events import DeviceFault, Identified, Measured
from gateway.drivers.modbus_profile import scaled
from gateway.drivers.modbus_rtu import crc
from tests.gateway.test_drivers import hexed


def meter(**own: Any) -> Any:
    return drivers.create("modbus_meter", own)


def reply(data: bytes, table: int = 4, unit: int = 1) -> bytes:
    body = bytes((unit, table, len(data))) + data
    return body + crc(body)


def floats(*values: float) -> bytes:
    return b"".join(struct.pack(">f", value) for value in values)


# Volts and hertz lie 0x46 registers apart, and one read reaches both.
PLAUSIBLE = floats(230.0, *[0.0] * 34, 50.0)


def spoil_of(answer: bytes | bytearray) -> bool:
    """Whether its check does not fit."""
    return crc(answer) != b"\0\0"


def checked(**own: Any) -> Any:
    """A meter that has passed its start-up questions."""
    driver = meter(**own)
    driver.pending()
    driver.feed(reply((21_345_678).to_bytes(4, "big"), table=3), 1.0)
    driver.pending()
    driver.feed(reply(PLAUSIBLE), 1.0)
    assert driver.pending() is None
    return driver


@settings(deadline=None)
@given(bits=st.integers(0, 2**32 - 1), decimals=st.integers(0, 6))
def test_a_float32_becomes_the_nearest_integer_exactly(bits: int, decimals: int) -> None:
    (value,) = struct.unpack(">f", bits.to_bytes(4, "big"))

    found = scaled(bits, decimals)

    if value != value or value in (float("inf"), float("-inf")):
        assert found is None
    else:
        assert found == round(Fraction(value) * 10**decimals)


def test_the_first_answers_are_its_number_and_plausible_volts() -> None:
    driver = meter()
    driver.pending()

    events = driver.feed(reply((21_345_678).to_bytes(4, "big"), table=3), 1.0)

    assert [event.number for event in events if isinstance(event, Identified)] == ["21345678"]


def test_a_wrong_word_order_is_told_and_nothing_is_read() -> None:
    driver = meter()
    driver.pending()
    driver.feed(reply(b"\x01\x45\xb5\x8e", table=3), 1.0)
    driver.pending()
    turned = floats(230.0)[2:] + floats(230.0)[:2] + PLAUSIBLE[4:]

    events = driver.feed(reply(turned), 1.0)

    assert [event.event for event in events if isinstance(event, DeviceFault)] == ["implausible"]
    assert driver.pending() is not None


def test_another_number_after_a_restart_is_another_meter() -> None:
    driver = checked()
    driver.restarted()
    driver.pending()

    events = driver.feed(reply((99).to_bytes(4, "big"), table=3), 1.0)

    assert [event.data for event in events if isinstance(event, DeviceFault)] == [{"was": "21345678", "is": "99"}]


def test_import_energy_is_recorded_in_whole_watt_hours() -> None:
    driver = checked()
    driver.request(driver.wants)

    (event,) = driver.feed(reply(floats(1234.567)), 1.0)

    assert isinstance(event, Measured)
    assert (event.register, event.value, event.scale, event.unit) == ("import_wh", 1_234_567, 0, "Wh")


def test_a_meter_that_counts_in_megawatt_hours_is_told_so() -> None:
    driver = checked(energy_in="MWh")
    driver.request(driver.wants)

    (event,) = driver.feed(reply(floats(1.5)), 1.0)

    assert event.value == 1_500_000


@pytest.mark.parametrize("bad", ["7F C0 00 00", "7F 80 00 00", "C2 C8 00 00"])
def test_no_number_and_negative_energy_are_refused_and_told_once(bad: str) -> None:
    driver = checked()
    told = []
    for _ in range(3):
        driver.request(driver.wants)
        told += driver.feed(reply(bytes.fromhex(bad)), 1.0)

    assert [event.event for event in told] == ["value_refused"]
    assert driver.counters.refused == 3


def test_a_fault_that_went_and_came_is_told_again() -> None:
    driver = checked()
    told = []
    for data in ("7F C0 00 00", "44 9A 40 00", "7F C0 00 00"):
        driver.request(driver.wants)
        told += driver.feed(reply(bytes.fromhex(data)), 1.0)

    assert [type(event).__name__ for event in told] == ["DeviceFault", "Measured", "DeviceFault"]


def test_an_exception_is_an_answer_and_a_fault() -> None:
    driver = checked()
    driver.request(driver.wants)

    (event,) = driver.feed(hexed("modbus_meter", "mb-exc-1"), 1.0)

    assert (event.event, event.data["meaning"]) == ("exception", "device_failure")
    assert driver.answered


def test_a_model_without_a_number_of_its_own_can_be_read() -> None:
    driver = meter()
    refused = bytes((1, 0x83, 2))
    driver.pending()

    driver.feed(refused + crc(refused), 1.0)
    driver.pending()
    driver.feed(reply(PLAUSIBLE), 1.0)

    assert driver.pending() is None


@pytest.mark.parametrize(("unit", "table", "count"), [(2, 4, 1), (1, 3, 1), (1, 4, 2)])
def test_a_right_frame_to_another_question_is_not_ours(unit: int, table: int, count: int) -> None:
    driver = checked()
    driver.request(driver.wants)

    assert driver.feed(reply(floats(*[230.0] * count), table, unit), 1.0) == []
    assert not driver.answered


def test_neighbours_come_out_of_one_frame() -> None:
    driver = checked(registers={"import_wh": 0, "export_wh": 0, "frequency": 60})
    wants = sorted(driver.wants, key=lambda want: want.address)

    request = driver.request(wants)
    events = driver.feed(reply(floats(50.0, 10.0, 20.0)), 1.0)

    assert request.data[2:6] == bytes.fromhex("00 46 00 06")
    assert [(event.register, event.value) for event in events] == [
        ("frequency", 5000),
        ("import_wh", 10_000),
        ("export_wh", 20_000),
    ]


@pytest.mark.parametrize("echo", [None, False, True])
@settings(deadline=None, max_examples=60)
@given(bits=st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3), spoil=st.integers(-40, 24))
def test_an_answer_worked_out_later_says_what_it_says_at_once(echo: bool | None, bits: list[int], spoil: int) -> None:
    at_once, later = (checked(registers={"import_wh": 0, "export_wh": 0, "frequency": 60}) for _ in range(2))
    wants = sorted(at_once.wants, key=lambda want: want.address)
    answer = bytearray(reply(b"".join(one.to_bytes(4, "big") for one in bits)))
    if 0 <= spoil < len(answer):
        answer[spoil] ^= 0x40
    at_once._master.echoes = later._master.echoes = echo
    sent = at_once.request(wants).data
    later.request(wants)
    heard = sent + bytes(answer) if echo else bytes(answer)
    whole = at_once.feed(heard, 1.0)
    later.feed(sent + reply(floats(50.0, 1.0, 2.0)) if echo else reply(floats(50.0, 1.0, 2.0)), 0.5)

    found = later.again(wants, sent, heard, 1.0)

    assert found == (whole if at_once.answered and not spoil_of(answer) else None)


def test_an_unknown_register_or_profile_names_what_exists() -> None:
    with pytest.raises(ValueError, match="import_wh"):
        meter(registers={"nonsense": 0})
    with pytest.raises(ValueError, match="sdm630"):
        meter(profile="nonsense")


def test_the_profile_and_the_unit_of_energy_are_part_of_the_meaning() -> None:
    assert meter().cfg != meter(energy_in="MWh").cfg
    assert meter().cfg == meter(unit=7, every=60).cfg


def test_a_usual_answer_to_a_question_that_did_not_ask_for_the_value_tells_nothing() -> None:
    driver = checked(registers={"import_wh": 0})
    sent = driver.request(driver.wants).data
    (told,) = driver.feed(reply(floats(4812.34)), 2.0)
    other = bytes((1, 4)) + bytes((0, 0, 0, 0x48))

    assert [event.value for event in driver.again(driver.wants, sent, reply(floats(4812.34)), 3.0)] == [told.value]
    assert driver.again(driver.wants, other + crc(other), reply(floats(*[0.0] * 36)), 4.0) is None
