"""The grid of a shared line: who is next, what travels together, what a silent device costs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.block_reads import Limits
from gateway.device_events import Request, Want
from gateway.exchange import Pace, silence_seconds
from gateway.schedule import PROBE_MS, LineSchedule, Turn, until_next

ENERGY = Want("import_wh", 900, 4, 0x48, 2)
HERTZ = Want("frequency", 900, 4, 0x46, 2)
VOLTS = Want("voltage", 900, 4, 0x00, 2)


def turn_of(schedule: LineSchedule, mono: int) -> Turn:
    turn = schedule.turn(mono)
    assert isinstance(turn, Turn)
    return turn


def test_everything_is_asked_at_once_after_a_start_and_then_on_the_grid() -> None:
    schedule = LineSchedule({"m": [ENERGY]})

    schedule.answered(turn_of(schedule, 0), mono=200, wall=1_000_000 * 900_000 + 400_000)

    assert schedule.turn(200) == 500_000


def test_neighbours_travel_together_and_strangers_do_not() -> None:
    schedule = LineSchedule({"m": [ENERGY, VOLTS, HERTZ]}, {"m": Limits(80, 16)})

    first = turn_of(schedule, 0)
    schedule.answered(first, 0, 0)
    second = turn_of(schedule, 0)

    assert (first.wants, second.wants) == ((VOLTS,), (HERTZ, ENERGY))


def test_a_frame_is_never_longer_than_the_meter_allows() -> None:
    wants = [Want(f"r{n}", 60, 4, 2 * n, 2) for n in range(60)]
    schedule = LineSchedule({"m": wants}, {"m": Limits(80, 16)})

    turn = turn_of(schedule, 0)

    assert max(w.address + w.width for w in turn.wants) - min(w.address for w in turn.wants) <= 80


def test_the_earliest_deadline_is_first() -> None:
    schedule = LineSchedule({"slow": [Want("a", 900)], "quick": [Want("b", 1)]})
    for _ in range(2):
        schedule.answered(turn_of(schedule, 0), 0, 0)

    assert schedule.turn(0) == 1000
    assert turn_of(schedule, 1000).device == "quick"


def test_a_device_that_missed_twice_is_set_aside_and_probed_rarely() -> None:
    schedule = LineSchedule({"dead": [Want("a", 1)], "live": [Want("b", 1)]})

    assert schedule.missed(turn_of(schedule, 0), 100, 100) is False
    schedule.answered(turn_of(schedule, 100), 100, 100)
    assert schedule.missed(turn_of(schedule, 100), 200, 200) is True
    assert schedule.is_aside("dead")

    asked = []
    for mono in range(200, 200 + PROBE_MS - 1, 100):
        turn = schedule.turn(mono)
        if isinstance(turn, Turn):
            asked.append(turn.device)
            schedule.answered(turn, mono, mono)
    assert set(asked) == {"live"}
    probe = turn_of(schedule, 200 + PROBE_MS)
    assert (probe.device, probe.probe) == ("dead", True)


def test_every_second_probe_is_patient() -> None:
    schedule = LineSchedule({"dead": [Want("a", 1)]})
    schedule.missed(turn_of(schedule, 0), 0, 0)
    schedule.missed(turn_of(schedule, 0), 0, 0)

    patience = []
    for number in range(1, 7):
        turn = turn_of(schedule, number * PROBE_MS)
        patience.append(turn.patient)
        schedule.missed(turn, number * PROBE_MS, 0)

    assert patience == [False, True, False, True, False, True]


def test_who_missed_once_is_asked_again_when_the_line_has_time_to_spare() -> None:
    schedule = LineSchedule({"dead": [Want("a", 1)], "live": [Want("b", 1)]})
    schedule.costs("dead", quick_ms=80, patient_ms=300)
    schedule.missed(turn_of(schedule, 0), 80, 80)
    others = turn_of(schedule, 80)
    schedule.answered(others, 80, 80)

    again = turn_of(schedule, 200)

    assert others.device == "live"
    assert (again.device, again.probe, again.patient, again.spared) == ("dead", False, True, False)


def test_a_line_without_a_spare_moment_gives_the_silent_a_fiftieth_of_its_time() -> None:
    schedule = LineSchedule({"dead": [Want("a", 1)], "live": [Want("b", 0.001)], "gone": [Want("c", 1)]})
    for device in ("dead", "gone"):
        schedule.costs(device, quick_ms=100, patient_ms=200)
    mono, lost = 0, 0
    while mono < 600_000:
        turn = turn_of(schedule, mono)
        if turn.device == "live":
            schedule.answered(turn, mono, mono)
            mono += 25
        else:
            spent = 200 if turn.patient else 100
            mono += spent
            lost += spent
            schedule.missed(turn, mono, mono)

    assert schedule.is_aside("dead")
    assert schedule.is_aside("gone")
    assert 6_000 < lost < 12_500


def test_a_device_that_is_back_is_read_at_once() -> None:
    schedule = LineSchedule({"dead": [ENERGY, VOLTS]})
    schedule.missed(turn_of(schedule, 0), 0, 0)
    schedule.missed(turn_of(schedule, 0), 0, 0)
    probe = turn_of(schedule, PROBE_MS)

    assert schedule.answered(probe, PROBE_MS, 0) is True
    again = turn_of(schedule, PROBE_MS)
    assert (probe.wants, again.wants, again.probe) == ((VOLTS,), (ENERGY,), False)


def test_a_device_that_speaks_but_is_not_fit_waits_for_the_grid() -> None:
    schedule = LineSchedule({"m": [ENERGY]})

    schedule.answered(turn_of(schedule, 0), 0, 600_000, fit=False)

    assert schedule.turn(0) == 300_000


@given(wall=st.integers(0, 2**45), every=st.integers(1000, 86_400_000))
def test_no_instant_is_further_away_than_a_period_and_a_bit(wall: int, every: int) -> None:
    left = until_next(wall, every)

    assert 0 < left <= every + min(every // 50, 1000)
    assert (wall + left) % every == 0


@pytest.mark.parametrize(("baud", "seconds"), [(9600, 0.003646), (19200, 0.001823), (115200, 0.00175)])
def test_the_silence_is_three_and_a_half_characters_and_never_less_than_1_75_ms(baud: int, seconds: float) -> None:
    assert silence_seconds(baud, 10) == pytest.approx(seconds, abs=1e-6)


def test_a_time_out_covers_both_frames_the_silence_and_the_devices_thinking() -> None:
    longest = Pace(10, 9600).longest(Request(b"12345678", 9, 0.2), 1.0)

    assert longest == pytest.approx((17 + 3.5) * 10 / 9600 + 0.25)


def played(dead_from: int, dead_until: int, until: int) -> dict[str, list[int]]:
    """Eight meters of twenty values each second at 9600 baud: when each was read. Meter 3 is dead for a while."""
    names = [f"m{n}" for n in range(8)]
    schedule = LineSchedule({name: [Want(f"v{n}", 1, 4, 2 * n, 2) for n in range(20)] for name in names})
    read: dict[str, list[int]] = {name: [] for name in names}
    mono = 0
    while mono < until:
        turn = schedule.turn(mono)
        if not isinstance(turn, Turn):
            mono += turn
            continue
        schedule.costs(turn.device, quick_ms=74, patient_ms=351)
        begun = mono
        if turn.device == "m3" and dead_from <= mono < dead_until:
            mono += 351 if turn.patient else 74
            schedule.missed(turn, mono, mono)
        else:
            mono += 24 if turn.probe else 110
            schedule.answered(turn, begun, begun)
            if len(turn.wants) == 20:
                read[turn.device].append(mono)
    return read


def test_eight_meters_each_second_keep_their_second_when_one_of_them_dies() -> None:
    read = played(60_400, 200_000, 300_000)

    others = [times for name, times in read.items() if name != "m3"]
    intervals = sorted(later - sooner for times in others for sooner, later in itertools.pairwise(times))

    assert intervals[int(len(intervals) * 0.99)] <= 1_060
    assert intervals[-1] <= 1_500
    assert all(abs(times[-1] - times[0] - 1000 * (len(times) - 1)) < 500 for times in others)


def test_a_meter_that_is_back_is_read_again_within_fifteen_seconds() -> None:
    for gone in range(60_000, 80_000, 1_700):
        read = played(60_400, gone + 60_000, 200_000)

        back = next(time for time in read["m3"] if time >= gone + 60_000)

        assert back - (gone + 60_000) <= 15_000


def asked_in_order(schedule: LineSchedule, mono: int) -> list[str]:
    """Three devices, as they are asked from this instant on."""
    order = []
    for _ in "abc":
        turn = turn_of(schedule, mono)
        order.append(turn.device)
        schedule.answered(turn, 1000, 1000)
    return order


def test_devices_due_within_a_few_milliseconds_keep_their_places() -> None:
    schedule = LineSchedule({name: [Want("a", 1)] for name in "abc"})
    for name, wall in (("a", 0), ("b", 1), ("c", 3)):
        turn = turn_of(schedule, 0)
        assert turn.device == name
        schedule.answered(turn, 0, wall)

    assert asked_in_order(schedule, 998) == ["a", "b", "c"]


def test_who_comes_back_is_asked_behind_the_others() -> None:
    schedule = LineSchedule({name: [Want("a", 1)] for name in "abc"})
    turn = Turn("b", (Want("a", 1),), places=(0,))
    for _ in range(2):
        schedule.missed(turn, 0, 0)
    assert schedule.answered(turn, 0, 0)

    assert asked_in_order(schedule, 1000) == ["a", "c", "b"]


def test_a_line_is_read_on_after_weeks_of_uptime() -> None:
    schedule, weeks = LineSchedule({"a": [Want("a", 1)]}), 30 * 86_400_000
    schedule.answered(turn_of(schedule, weeks), weeks, weeks)

    assert schedule.turn(weeks) == 1000
    assert turn_of(schedule, weeks + 1000).device == "a"


def test_who_comes_back_is_read_at_once_unless_the_grid_is_near() -> None:
    schedule = LineSchedule({"a": [Want("often", 1), Want("seldom", 900, address=500)]})
    turn = turn_of(schedule, 0)
    for _ in range(2):
        schedule.missed(turn, 10_300, 10_300)
    probe = Turn("a", turn.wants[:1], probe=True, places=(0,))

    assert schedule.answered(probe, 20_300, 20_300)

    assert [want.name for want in turn_of(schedule, 20_300).wants] == ["seldom"]
