"""Fan coils: effective seconds by speed, and what nobody saw is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from firmware_sim.devices.fan_coil import FanCoil
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.device_events import FanState
from gateway.recording import Stamp
from gateway.runtimes import Runtimes
from tests.gateway.meter_site import MeterSite, on_a_line
from wire.records import Runtime

START = 1_793_000_400_000
TOML = """
[[lines]]
name = "bus"
port = "memory"
[[lines.devices]]
id = "fan-1"
kind = "fan_coil"
flow = 4
"""


def at(seconds: float, wall: float = 0.0) -> Stamp:
    return Stamp(START + int((seconds + wall) * 1000), "S", "boot", int(seconds * 1000))


def looked(*looks: tuple[float, str | None], width: int = 60, gap: float = 5.0) -> list[Runtime]:
    """The records of these looks."""
    runtimes = Runtimes("fan-1", width, gap)
    told: list[Any] = []
    for second, speed in looks:
        told += runtimes.hear(FanState(speed), at(second), "cfg")
    return told


def test_the_time_between_two_looks_belongs_to_the_earlier_one() -> None:
    looks = [(second, "high" if second < 30 else "low" if second < 40 else "") for second in range(0, 61, 2)]

    (window,) = looked(*looks)

    assert (window.from_, window.to) == (START, START + 60_000)
    assert (window.speeds, window.unknown) == ({"high": 30, "low": 10}, 0)


def test_a_gap_is_unknown_and_neither_running_nor_off() -> None:
    (window,) = looked((0, "high"), (2, "high"), (30, "high"), *[(second, "high") for second in range(32, 62, 2)])

    assert (window.speeds, window.unknown) == ({"high": 32}, 28)


def test_the_time_before_the_first_look_and_a_contradiction_are_unknown() -> None:
    (window,) = looked((20, None), (22, "mid"), *[(second, "") for second in range(24, 62, 2)])

    assert (window.speeds, window.unknown) == ({"mid": 2}, 22)


def test_a_window_in_which_nobody_looks_any_more_is_told_by_time() -> None:
    runtimes = Runtimes("fan-1", 60, 5.0)
    for second in range(0, 20, 2):
        runtimes.hear(FanState("low"), at(second), "cfg")

    assert runtimes.tick(at(59)) == ()
    (window,) = runtimes.tick(at(61))

    assert isinstance(window, Runtime)
    assert (window.speeds, window.unknown) == ({"low": 18}, 42)


def test_a_clock_that_is_set_loses_no_second_that_was_seen() -> None:
    runtimes = Runtimes("fan-1", 60, 5.0)
    told: list[Any] = []
    for second in range(0, 120, 2):
        told += runtimes.hear(FanState("low"), at(second, wall=86_400 if second >= 30 else 0), "cfg")
    told += runtimes.tick(at(300, wall=86_400))

    assert sum(one.speeds.get("low", 0) for one in told) in (116, 117, 118)


def test_what_was_open_when_the_clock_was_set_is_told_by_the_new_clock() -> None:
    runtimes = Runtimes("fan-1", 60, 5.0)
    told: list[Any] = []
    for second in range(0, 40, 2):
        told += runtimes.hear(FanState("low"), at(second, wall=86_400 if second >= 30 else 0), "cfg")

    (window,) = told
    # The last look by the old clock was at 28; the new one began two seconds before the look at 30.
    assert (window.from_, window.to) == (START + 86_400_000, START + 86_428_000)
    assert window.speeds == {"low": 28}


@given(st.lists(st.tuples(st.integers(1, 4000), st.sampled_from(["", "high", "low", None])), min_size=1, max_size=60))
def test_a_window_never_holds_more_seconds_than_it_has(looks: list[tuple[int, str | None]]) -> None:
    second, story = 0.0, []
    for step, speed in looks:
        second += step / 100
        story.append((second, speed))

    for window in looked(*story):
        assert sum(window.speeds.values()) + window.unknown <= 60


def test_a_day_of_a_room_becomes_its_effective_seconds(tmp_path: Path) -> None:
    twin = FanCoil()

    async def play(site: MeterSite) -> None:
        for speed, valve, flow in (
            ("high", True, True),
            ("low", True, True),
            ("low", False, True),
            ("mid", True, False),
        ):
            twin.run(speed, valve=valve, flow=flow)
            await site.clock.sleep(300)
        site.line.cut_power(twin)
        await site.clock.sleep(300)
        site.line.restore_power(twin)
        await site.clock.sleep(310)

        told = await site.records(Runtime)
        assert 296 <= sum(one.speeds.get("high", 0) for one in told) <= 302
        assert 296 <= sum(one.speeds.get("low", 0) for one in told) <= 302
        assert sum(one.speeds.get("mid", 0) for one in told) == 0
        assert 290 <= sum(one.unknown for one in told) <= 330

    on_a_line(tmp_path, TOML, [twin], play)


def test_on_a_bad_line_no_second_is_invented(tmp_path: Path) -> None:
    twin = FanCoil()

    async def play(site: MeterSite) -> None:
        twin.run("mid")
        await site.clock.sleep(1510)

        told = await site.records(Runtime)
        assert set().union(*(one.speeds for one in told)) == {"mid"}
        assert all(one.speeds.get("mid", 0) + one.unknown <= 300 for one in told)
        assert sum(one.speeds.get("mid", 0) + one.unknown for one in told) >= 1400

    on_a_line(tmp_path, TOML, [twin], play, plan=LinePlan(noise=0.1, flip=0.05, cut=0.05, lose=0.1, echo=True))


def test_water_says_whether_the_plant_cools_or_heats_and_without_it_nobody_knows(tmp_path: Path) -> None:
    twin = FanCoil()

    async def play(site: MeterSite) -> None:
        for water in (70, 450, 200, None):
            twin.water = water
            twin.run("high")
            await site.clock.sleep(300)
        await site.clock.sleep(10)

        told = await site.records(Runtime)
        total = {key: sum(one.speeds.get(key, 0) for one in told) for key in ("cool_high", "heat_high")}
        assert all(295 <= seconds <= 302 for seconds in total.values())
        assert 290 <= sum(one.unknown for one in told) <= 306

    on_a_line(tmp_path, TOML.replace("flow = 4", "water_at = 0"), [twin], play)


def test_two_speed_lines_at_once_are_told_once_and_count_as_nothing(tmp_path: Path) -> None:
    twin = FanCoil()

    async def play(site: MeterSite) -> None:
        twin.stuck = {1}
        twin.run("high")
        await site.clock.sleep(310)

        assert await site.events() == ["speeds_contradict"]
        assert [(one.speeds, one.unknown >= 298) for one in await site.records(Runtime)] == [({}, True)]

    on_a_line(tmp_path, TOML, [twin], play)


@pytest.mark.parametrize("wrong", [{}, {"flow": 0}, {"flow": 4, "high": -1, "mid": -1, "low": -1}])
def test_a_wiring_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        drivers.create("fan_coil", wrong)
