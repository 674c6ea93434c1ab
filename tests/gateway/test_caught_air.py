"""Frames that others caught from air sensors, and what they say they hold."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_sim.devices.sps30 import Sps30 as Twin
from gateway import drivers
from gateway.device_events import AirSample, DeviceFault

# model, bytes, values of all samples; the sources say the same.
CAUGHT: list[Any] = [
    # A logic analyser on a PMS5003; the same again in a Feather's console (pimoroni/pms5003-python, its forks' tests).
    ("pms5003", "424d001c00020004000400020004000402e800d4002000000000000097000334", {"pm1": 2, "pm25": 4, "pm10": 4}),
    ("pms5003", "424d001c000700090009000700090009052e018a003400000000000097000266", {"pm1": 7, "pm25": 9, "pm10": 9}),
    # PMS7003 in heavy air: what the maker calls factory values is 44, 73, 77 (MarkJB/python-pms7003 issue 1).
    (
        "pms7003",
        "424d001c002c0049004d001f0032003e201c093a01ca0026000600029700040b",
        {"pm1": 31, "pm25": 50, "pm10": 62},
    ),
    # PMS5003T, last line of avaldebe/PyPMS tests/captured_data/PMS5003T.
    (
        "pms5003t",
        "424d001c00140022002b00130020002b0e1304140110001e00d500df9a000420",
        {"pm1": 19, "pm25": 32, "pm10": 43, "temperature": 213, "humidity": 223},
    ),
]


def values(events: list[Any]) -> dict[str, int]:
    return {name: value for one in events if isinstance(one, AirSample) for name, value in one.values.items()}


@pytest.mark.parametrize(("model", "caught", "held"), CAUGHT)
def test_dust_as_its_sources_read_it(model: str, caught: str, held: dict[str, int]) -> None:
    assert values(drivers.create("pms5003", {"model": model}).feed(bytes.fromhex(caught.replace(" ", "")), 0.0)) == held


def test_a_line_that_wakes_up_torn_says_nothing_until_a_frame_is_whole() -> None:
    # avaldebe/PyPMS issue 19: rubbish, a header torn by a zero, a frame that breaks off, then rubbish again.
    torn = (
        "000080800000fe00808000fe781e80780042004d001c0011001c001c0011001c001c0baf037300c4000800ca00e39a000580"
        "424d001c0012001d001d0012001d001dc8000800ca0000000000000000"
    ).replace(" ", "")
    driver = drivers.create("pms5003", {"model": "pms5003t"})

    assert driver.feed(bytes.fromhex(torn), 0.0) == []
    assert driver.feed(bytes(40), 1.0) == []
    assert len(driver.feed(bytes.fromhex(CAUGHT[3][1].replace(" ", "")), 2.0)) == 3


def test_carbon_dioxide_with_words_behind_it_and_an_answer_to_the_baseline() -> None:
    # SmingHub/Sming pull request 2415: 3557 ppm where its pulse said 1420 of 2000, that is 3550 of 5000.
    driver = drivers.create("mhz19b", {})
    driver.request(driver.wants)
    assert values(driver.feed(bytes.fromhex("ff860de53d4042cffa"), 0.0)) == {"co2": 3557, "case_temperature": 21}

    # letscontrolit/ESPEasy issue 2394: the answer to "baseline off" stands in front of the next value.
    driver.request(driver.wants)
    assert values(driver.feed(bytes.fromhex("ff7901000000000086ff86027c42000000ba"), 5.0))["co2"] == 636


def test_a_nova_answer_about_its_version_is_no_dust() -> None:
    # opendata-stuttgart/sensors-software issue 197: version 17-8-21 of sensor 9822, the end of a value before it.
    driver = drivers.create("sds011", {"rest": -1})

    assert driver.feed(bytes.fromhex("4d281092faaac5071108159822efab"), 0.0) == []
    assert values(driver.feed(bytes.fromhex("aac00900090058d943ab"), 1.0)) == {"pm25": 9, "pm10": 9}


def ask(driver: Any, twin: Twin, now: float) -> list[Any]:
    """One question, the sensor's answer, and what it was taken for."""
    asked = driver.pending() or driver.request(driver.wants)
    return [event for said in twin.receive(asked.data, now) for event in driver.feed(said.data, now)]


@pytest.mark.parametrize(
    ("bits", "parts"), [(1 << 4, {"fan": True}), (1 << 21 | 1 << 5, {"laser": True, "speed": True})]
)
def test_a_sensirion_with_a_failing_part_marks_its_values_and_names_it(bits: int, parts: dict[str, bool]) -> None:
    driver, twin = drivers.create("sps30", {"warm_up": 0}), Twin()
    for now in (0.0, 0.1):
        ask(driver, twin, now)
    (sound, *_) = ask(driver, twin, 2.0)
    twin.failing = bits
    (ill, *_) = ask(driver, twin, 4.0)
    told = ask(driver, twin, 5.0)
    (still, *_) = ask(driver, twin, 6.0)
    twin.failing = 0
    (well, *_) = ask(driver, twin, 8.0)

    assert [one.q for one in (sound, ill, still, well)] == [(), ("fault",), ("fault",), ()]
    assert [(one.event, one.data) for one in told if isinstance(one, DeviceFault)] == [
        ("fault", {"state": 128, **parts})
    ]


def test_a_sensirion_that_does_not_know_its_status_register_fails_all_the_same() -> None:
    driver, twin = drivers.create("sps30", {"warm_up": 0}), Twin()
    for now in (0.0, 0.1):
        ask(driver, twin, now)
    twin.failing = 1
    ask(driver, twin, 2.0)
    driver.pending()

    (told,) = driver.expired(3.0)

    assert told.data == {"state": 128}
    assert driver.pending() is None
