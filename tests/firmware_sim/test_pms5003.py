"""The dust sensor's twin: it talks unasked, warms up, and obeys seven bytes."""

from __future__ import annotations

import pytest

from firmware_sim.devices.pms5003 import Air, Pms5003, framed
from firmware_sim.devices.twin import settle
from tests.firmware_sim.golden import Golden, golden

FRAMES = golden("pms5003")
PASSIVE, READ, SLEEP = (
    next(one.data for one in FRAMES if one.id == name) for name in ("pms-cmd-passive", "pms-cmd-read", "pms-cmd-sleep")
)
WAKE, ACTIVE = (next(one.data for one in FRAMES if one.id == name) for name in ("pms-cmd-wake", "pms-cmd-active"))


def words(frame: bytes) -> list[int]:
    return [int.from_bytes(frame[place : place + 2], "big") for place in range(4, 28, 2)]


def frames(sensor: Pms5003, until: float) -> list[tuple[float, bytes]]:
    return [(one.at, one.data) for one in settle(sensor, 0.0, until=until)]


@pytest.mark.parametrize("frame", [one for one in FRAMES if one.valid and "noise" not in one.id], ids=str)
def test_our_sum_is_the_one_of_every_golden_frame(frame: Golden) -> None:
    assert framed(frame.data[:-2]) == frame.data


@pytest.mark.parametrize(
    ("command", "answer"), [("pms-cmd-passive", "pms-ack-passive"), ("pms-cmd-sleep", "pms-ack-sleep")]
)
def test_a_command_is_acknowledged_with_the_golden_answer(command: str, answer: str) -> None:
    told = {one.id: one.data for one in FRAMES}

    replies = Pms5003().receive(told[command], 0.5)

    assert [one.data for one in replies] == [told[answer]]


def test_the_first_frames_are_zero_and_the_golden_zero_frame_is_one_of_them() -> None:
    first = frames(Pms5003(air=Air(10, 20, 30)), until=7.0)

    assert {frame for _, frame in first} == {next(one.data for one in FRAMES if one.id == "pms-zero-1")}


def test_values_rise_until_they_hold_after_half_a_minute() -> None:
    told = frames(Pms5003(air=Air(10, 20, 30)), until=60.0)

    atmospheric = [words(frame)[4] for at, frame in told if at >= 8]

    assert atmospheric == sorted(atmospheric)
    assert all(words(frame)[3:6] == [10, 20, 30] for at, frame in told if at >= 30)


def test_it_talks_each_second_while_the_air_changes_and_slower_when_it_does_not() -> None:
    sensor = Pms5003()
    settle(sensor, 0.0, until=40.0)
    before = sensor.due() or 0.0

    calm = [one.at for one in settle(sensor, before, until=before + 10)]
    sensor.set_air(Air(40, 60, 90), calm[-1])
    stirred = [one.at for one in settle(sensor, calm[-1], until=calm[-1] + 8)]

    assert calm[1] - calm[0] == pytest.approx(2.3)
    assert stirred[2] - stirred[1] == pytest.approx(1.0)


def test_above_thirty_the_factory_scale_reads_more_than_the_air_holds() -> None:
    told = frames(Pms5003(air=Air(20, 60, 90)), until=40.0)

    assert words(told[-1][1])[:6] == [20, 75, 120, 20, 60, 90]


def test_in_passive_mode_it_speaks_when_it_is_asked() -> None:
    sensor = Pms5003()
    settle(sensor, 0.0, until=40.0)
    sensor.receive(PASSIVE, 41.0)

    unasked = settle(sensor, 41.0, until=60.0)
    asked = sensor.receive(READ, 61.0)

    assert unasked == []
    assert len(asked[0].data) == 32


def test_asleep_it_hears_the_wake_up_only_and_warms_up_again() -> None:
    sensor = Pms5003(air=Air(10, 20, 30))
    settle(sensor, 0.0, until=40.0)
    sensor.receive(SLEEP, 41.0)

    assert sensor.receive(READ, 42.0) == []
    assert settle(sensor, 42.0, until=50.0) == []
    assert sensor.receive(WAKE, 60.0) == []
    assert words(settle(sensor, 60.0, until=62.0)[0].data) == [0] * 12


def test_a_command_in_single_bytes_after_junk_is_still_a_command() -> None:
    sensor = Pms5003()

    told = [one for byte in b"\x42\x00" + PASSIVE for one in sensor.receive(bytes((byte,)), 0.5)]

    assert len(told) == 1


def test_power_back_means_active_again() -> None:
    sensor = Pms5003()
    sensor.receive(PASSIVE, 0.5)

    sensor.power_off(1.0)
    silent = sensor.receive(ACTIVE, 1.5)
    sensor.power_on(2.0)

    assert silent == []
    assert settle(sensor, 2.0, until=6.0)
