"""Registers: what counts as consumption, and what is held because it may not be."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from cloud.metering.course import follow
from cloud.metering.intervals import gaps, intervals
from cloud.metering.usage import Course, Identified, MeterRule, Ratio, RegisterState, segments
from cloud.rating.lines import LeafRef, RegisterPoint

HOUR = 3_600_000
FREE = MeterRule("m", "r")
STRICT = MeterRule("m", "r", modulus=Fraction(1000), max_kw=Fraction(10))


def point(at_hour: int | Fraction, value: int, *, index: int = 0, scale: int = 0, unit: str = "kWh") -> RegisterPoint:
    leaf = LeafRef(log=0, index=index, at=int(at_hour * HOUR), quality="synchronised")
    return RegisterPoint(device="m", register="r", value=value, scale=scale, unit=unit, leaf=leaf)


def told(number: str, at_hour: int) -> Identified:
    return Identified(LeafRef(log=0, index=at_hour, at=at_hour * HOUR, quality="synchronised"), number)


def course(*values: int, rule: MeterRule = FREE) -> Course:
    return follow(None, [point(hour, value, index=hour) for hour, value in enumerate(values)], rule)


def energy(found: Course) -> list[int]:
    return [int(step.energy) for step in found.steps]


def test_consumption_is_the_difference_of_two_readings() -> None:
    assert energy(course(100, 103, 103, 110)) == [0, 3, 0, 7]


def test_a_single_lower_value_is_held_and_costs_nothing() -> None:
    found = course(100, 3, 104)

    assert energy(found) == [0, 4]
    assert [held.reason for held in found.held] == ["register_fall"]


def test_a_rollover_needs_a_declared_modulus_and_a_plausible_step() -> None:
    assert energy(course(995, 3, rule=STRICT)) == [0, 8]
    assert [step.rolled for step in course(995, 3, rule=STRICT).steps] == [False, True]
    assert [held.reason for held in course(995, 3, rule=FREE).held] == ["register_fall"]
    assert [held.reason for held in course(995, 8, rule=STRICT).held] == ["register_fall"]
    assert [held.reason for held in course(850, 3, rule=STRICT).held] == ["register_fall"]


def test_more_than_the_meter_can_carry_is_not_believed() -> None:
    found = course(100, 113, 120, rule=STRICT)

    assert energy(found) == [0, 20]
    assert [held.reason for held in found.held] == ["implausible_rise"]


def test_an_exchanged_meter_closes_one_register_and_opens_another() -> None:
    series: list[RegisterPoint | Identified] = [point(0, 100), told("A17", 1), point(2, 110, index=2)]
    series += [told("B04", 3), point(4, 5, index=4), point(5, 9, index=5)]

    found = follow(None, series, FREE)

    assert energy(found) == [0, 10, 0, 4]
    assert [(one.opening.value, one.closing.value) for one in segments(None, found.steps, lambda _: "now")] == [
        (100, 110), (5, 9),
    ]  # fmt: skip
    assert found.state is not None
    assert (found.state.point.value, found.state.number, found.state.exchanged) == (9, "B04", False)


def test_the_meters_first_word_about_itself_is_no_exchange() -> None:
    state = RegisterState(point(0, 100), "", exchanged=False)

    assert energy(follow(state, [told("A17", 1), point(1, 104)], FREE)) == [4]


def test_units_are_converted_exactly() -> None:
    found = follow(None, [point(0, 1, unit="MWh"), point(1, 1_000_250, unit="Wh"), point(2, 10009, scale=-1)], FREE)

    assert [step.energy for step in found.steps] == [0, Fraction(1, 4), Fraction(13, 20)]


def test_a_register_that_is_no_energy_is_held() -> None:
    assert [held.reason for held in follow(None, [point(0, 230, unit="V")], FREE).held] == ["unknown_unit"]


def test_the_closing_of_a_period_is_the_last_reading_before_its_end() -> None:
    steps = course(100, 103, 107, 120).steps

    found = segments(None, steps, lambda at: "first" if at < 2 * HOUR else "second")

    assert [(one.key, one.opening.value, one.closing.value, int(one.energy)) for one in found] == [
        ("first", 100, 103, 3), ("second", 103, 120, 17),
    ]  # fmt: skip


def test_a_reading_whose_clock_ran_ahead_counts_with_the_one_after_it() -> None:
    series = [point(0, 100), point(9, 105, index=1), point(1, 106, index=2), point(9, 110, index=3)]

    found = segments(None, follow(None, series, FREE).steps, lambda at: "first" if at < 5 * HOUR else "second")

    assert [(one.key, int(one.energy)) for one in found] == [("first", 6), ("second", 4)]


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40), st.integers(1, 39))
def test_periods_add_up_wherever_they_are_cut(rises: list[int], cut: int) -> None:
    values = [sum(rises[: at + 1]) for at in range(len(rises))]
    readings = [point(hour, value, index=hour) for hour, value in enumerate(values)]
    cut = min(cut, len(readings))

    before = follow(None, readings[:cut], FREE)
    after = follow(before.state, readings[cut:], FREE)

    assert sum(step.energy for step in before.steps + after.steps) == values[-1] - values[0]


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=30))
def test_nothing_is_ever_billed_below_zero_or_twice(values: list[int]) -> None:
    found = course(*values, rule=STRICT)

    assert all(step.energy >= 0 for step in found.steps)
    resets = sum(held.reason == "register_reset" for held in found.held)
    assert len(found.steps) + len(found.held) - resets == len(values)


def test_a_fall_that_two_more_readings_confirm_is_a_reset_and_what_lies_between_is_nobodys() -> None:
    found = course(100, 110, 5, 6, 8, 11)

    assert energy(found) == [0, 10, 0, 1, 2, 3]
    assert [(held.reason, held.point.value) for held in found.held] == [("register_reset", 5)]
    assert [(one.opening.value, one.closing.value) for one in segments(None, found.steps, lambda _: "now")] == [
        (100, 110), (5, 11),
    ]  # fmt: skip


def test_a_single_higher_value_is_taken_back_once_two_more_readings_stand_by_the_level_before_it() -> None:
    found = course(100, 103, 9000, 104, 105, 107, 110)

    assert energy(found) == [0, 3, 1, 1, 2, 3]
    assert [(held.reason, held.point.value) for held in found.held] == [("implausible_rise", 9000)]
    (line,) = segments(None, found.steps, lambda _: "now")
    assert (line.opening.value, line.closing.value, int(line.energy)) == (100, 110, 10)


def test_a_higher_value_right_after_a_statement_or_a_reset_is_taken_back_as_well() -> None:
    state = RegisterState(point(0, 100), "", exchanged=False)
    series = [point(hour, value, index=hour) for hour, value in enumerate((9000, 104, 105, 107), 1)]

    assert energy(follow(state, series, FREE)) == [4, 1, 2]
    assert energy(course(900, 910, 5, 6, 8, 700, 9, 10, 11)) == [0, 10, 0, 1, 2, 1, 1, 1]


def test_a_level_that_nobody_knows_is_a_reset_and_no_misread() -> None:
    found = course(100, 9000, 50, 51, 52)

    assert energy(found) == [0, 8900, 0, 1, 1]
    assert [held.reason for held in found.held] == ["register_reset"]


def test_two_low_values_and_the_old_level_again_are_misreads() -> None:
    found = course(100, 3, 4, 104)

    assert energy(found) == [0, 4]
    assert [held.reason for held in found.held] == ["register_fall", "register_fall"]


def test_low_values_that_do_not_follow_each_other_confirm_nothing() -> None:
    assert energy(course(100, 9, 5, 2, 1)) == [0]


def test_ratios_multiply_from_their_day_on_and_a_change_in_between_is_a_split() -> None:
    rule = MeterRule("m", "r", ratios=(Ratio(0, Fraction(40)), Ratio(3 * HOUR, Fraction(80))))

    steps = course(100, 101, 102, 103, 104, rule=rule).steps
    one = follow(None, [point(2, 102, index=2), point(4, 104, index=4)], rule).steps

    assert [int(step.energy) for step in steps] == [0, 40, 40, 40, 80]
    assert {step.quality for step in steps} == {"actual"}
    assert (int(one[1].energy), one[1].quality) == (120, "estimated_split")


def test_the_greatest_power_is_of_the_load_and_the_modulus_of_the_register() -> None:
    rule = MeterRule("m", "r", Fraction(1000), Fraction(400), (Ratio(0, Fraction(40)),))

    assert energy(course(100, 110, rule=rule)) == [0, 400]
    assert [held.reason for held in course(100, 113, rule=rule).held] == ["implausible_rise"]
    assert energy(course(995, 3, rule=rule)) == [0, 320]


def test_every_derived_value_says_how_it_came_about() -> None:
    rolled = course(995, 3, rule=STRICT).steps[1]
    late = point(1, 103, index=1)
    late = structs.replace(late, leaf=structs.replace(late.leaf, quality="received_time"))

    assert rolled.quality == "rollover_corrected"
    assert follow(None, [point(0, 100), late], FREE).steps[1].quality == "received_time_only"
    assert segments(None, course(995, 3, 9, rule=STRICT).steps, lambda _: "now")[0].quality == "rollover_corrected"


def test_an_interval_between_two_readings_of_the_grid_is_actual_and_a_gap_keeps_its_total() -> None:
    steps = course(100, 103).steps
    far = follow(None, [point(0, 100), point(1, 103, index=1), point(4, 110, index=2)], FREE).steps

    assert [(one.end, int(one.energy), str(one.quality)) for one in intervals(None, steps, HOUR)] == [
        (HOUR, 3, "actual")
    ]
    found = intervals(None, far, HOUR)
    assert [one.quality for one in found] == ["actual"] + ["estimated_split"] * 3
    assert sum(one.energy for one in found) == 10
    assert [(gap.since, gap.until, int(gap.energy)) for gap in gaps(None, far, HOUR)] == [(HOUR, 4 * HOUR, 7)]


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 50)), min_size=1, max_size=30), st.integers(1, 60))
def test_intervals_add_up_to_the_registers_difference(rises: list[tuple[int, int]], width: int) -> None:
    at, value, series = 0, 0, [point(0, 0)]
    for number, (minutes, rise) in enumerate(rises, 1):
        at, value = at + minutes, value + rise
        series.append(point(Fraction(at, 60), value, index=number))

    found = intervals(None, follow(None, series, FREE).steps, width * 60_000)

    assert sum(one.energy for one in found) == value
