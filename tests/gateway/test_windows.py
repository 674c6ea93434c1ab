"""Dust over fixed windows: means that keep their half, coverage that tells what nobody measured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import drivers
from gateway.device_events import AirSample
from gateway.recording import Stamp
from gateway.windows import Windows, nearest
from tests.gateway.test_drivers import hexed
from wire.records import Window

START = 1_793_000_400_000


def at(seconds: float) -> Stamp:
    ms = int(seconds * 1000)
    return Stamp(START + ms, "S", "boot", ms)


def sample(pm25: int, *, follows: bool = True) -> AirSample:
    return AirSample({"pm25": pm25}, 0, "ug/m3", follows)


def heard(*samples: tuple[float, int]) -> tuple[Windows, list[Any]]:
    windows = Windows("air-1", 60)
    told: list[Any] = []
    for number, (second, value) in enumerate(samples):
        told += windows.hear(sample(value, follows=number > 0), at(second), "cfg")
    return windows, told


def test_a_window_is_told_when_the_next_one_begins() -> None:
    _, told = heard((0, 8), (20, 9), (40, 12), (61, 50))

    (window,) = told
    assert isinstance(window, Window)
    assert (window.metric, window.from_, window.to) == ("pm25", START, START + 60_000)
    assert (window.mean, window.min, window.max, window.scale) == (97, 80, 120, -1)
    assert (window.samples, window.coverage) == (3, 60)


def test_a_silent_sensors_window_is_told_by_time_and_covers_less() -> None:
    windows, _ = heard((0, 8), (20, 9))

    assert windows.tick(at(59)) == ()
    (window,) = windows.tick(at(60))

    assert isinstance(window, Window)
    assert (window.samples, window.coverage) == (2, 20)
    assert windows.tick(at(500)) == ()


def test_a_gap_between_frames_is_not_covered() -> None:
    windows, _ = heard((0, 8), (10, 8))
    windows.hear(sample(8, follows=False), at(40), "cfg")
    windows.hear(sample(8), at(50), "cfg")

    assert windows.tick(at(60)) == ()
    (window,) = windows.tick(at(70))

    assert isinstance(window, Window)
    assert window.coverage == 20


def test_a_clock_that_is_set_in_the_middle_closes_the_window_it_left() -> None:
    windows, _ = heard((0, 8), (10, 8))

    told = windows.hear(sample(9), Stamp(START + 86_400_000, "S", "boot", 20_000), "cfg")

    assert [window.samples for window in told if isinstance(window, Window)] == [2]


def test_marked_samples_are_in_no_mean_and_cover_nothing_but_are_not_hidden() -> None:
    windows = Windows("air-1", 60)
    for second, value, q in ((0, 900, ("warm_up",)), (10, 800, ("warm_up",)), (20, 8, ()), (30, 10, ())):
        windows.hear(AirSample({"pm25": value}, 0, "ug/m3", follows=True, q=q), at(second), "cfg")

    (window,) = windows.tick(at(60))

    assert isinstance(window, Window)
    assert (window.mean, window.samples, window.coverage, window.q) == (90, 2, 10, ["warm_up"])


def test_a_window_of_nothing_but_marked_samples_shows_them_and_covers_nothing() -> None:
    windows = Windows("air-1", 60)
    for second in (0, 10):
        windows.hear(AirSample({"co2": 5000}, 0, "ppm", follows=True, q=("frozen",)), at(second), "cfg")

    (window,) = windows.tick(at(60))

    assert isinstance(window, Window)
    assert (window.mean, window.samples, window.coverage, window.q) == (50_000, 2, 0, ["frozen"])


def test_metrics_of_different_units_have_windows_of_their_own() -> None:
    windows = Windows("air-1", 60)
    told: list[Any] = []
    for second in (0, 20, 70):
        told += [*windows.hear(AirSample({"pm25": 8}, 0, "ug/m3", follows=True), at(second), "cfg")]
        told += windows.hear(AirSample({"temperature": 215}, -1, "degC", follows=True), at(second), "cfg")

    found = [(one.metric, one.mean, one.scale, one.unit, one.coverage) for one in told if isinstance(one, Window)]
    assert found == [("pm25", 80, -1, "ug/m3", 60), ("temperature", 2150, -2, "degC", 60)]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50))
def test_the_mean_lies_between_the_lowest_and_the_highest(values: list[int]) -> None:
    windows, _ = heard(*enumerate(values))

    (window,) = windows.tick(at(60))

    assert isinstance(window, Window)
    assert window.min <= window.mean <= window.max
    assert window.samples == len(values)


@pytest.mark.parametrize(("number", "parts", "quotient"), [(5, 2, 2), (7, 2, 4), (7, 3, 2), (8, 3, 3), (0, 5, 0)])
def test_quotients_are_rounded_to_the_nearest_and_halves_to_even(number: int, parts: int, quotient: int) -> None:
    assert nearest(number, parts) == quotient


def dust(**settings: Any) -> Any:
    return drivers.create("pms5003", settings)


def test_what_a_sensor_says_while_it_warms_up_is_marked() -> None:
    driver = dust()

    told = [driver.feed(hexed("pms5003", "pms-1"), second)[0].q for second in range(40)]

    assert told == [("warm_up",)] * 30 + [()] * 10


def test_frames_of_zeros_are_no_air() -> None:
    driver = dust(warm_up=0)
    zeros = bytes.fromhex("42 4D 00 1C") + bytes(24) + bytes.fromhex("97 00")

    assert driver.feed(zeros + (sum(zeros)).to_bytes(2, "big"), 1.0) == []
    assert driver.counters.frames == 1


def test_the_first_frame_and_the_one_after_a_gap_follow_nothing() -> None:
    driver = dust(warm_up=0)

    follows = [driver.feed(hexed("pms5003", "pms-1"), second)[0].follows for second in (0, 1, 3, 9, 10)]

    assert follows == [False, True, True, False, True]
