"""Readings that are told late, in the order of the log: where they belong, and what they take back."""

from __future__ import annotations

import pytest

from cloud.metering.course import follow
from cloud.metering.usage import Course, Identified
from cloud.rating.lines import RegisterPoint
from tests.cloud.metering.test_usage import FREE, STRICT, point, told


def course(*readings: tuple[int, int], strict: bool = False) -> Course:
    """(hour, kWh) in the order of the log."""
    series = [point(hour, value, index=index) for index, (hour, value) in enumerate(readings)]
    return follow(None, series, STRICT if strict else FREE)


def shown(found: Course) -> list[tuple[int, int]]:
    """Hour and energy of every step; -1: it opens."""
    return [(step.point.leaf.at // 3_600_000, -1 if step.opens else int(step.energy)) for step in found.steps]


def reasons(found: Course) -> list[tuple[str, int]]:
    return [(one.reason, one.point.value) for one in found.held]


def test_a_late_reading_is_put_between_its_neighbours_in_time() -> None:
    found = course((0, 100), (4, 140), (2, 130), (1, 110), (5, 150))

    assert shown(found) == [(0, -1), (1, 10), (2, 20), (4, 10), (5, 10)]
    assert reasons(found) == []


def test_a_late_reading_on_either_side_of_a_wrap_is_put_there() -> None:
    for late, steps in (((1, 995), [(0, -1), (1, 5), (3, 15)]), ((2, 4), [(0, -1), (2, 14), (3, 6)])):
        found = course((0, 990), (3, 10), late, strict=True)

        assert (shown(found), [step.rolled for step in found.steps].count(True)) == (steps, 1)


def test_a_reading_from_before_the_first_one_opens_the_register() -> None:
    assert shown(course((3, 100), (1, 90), (4, 105))) == [(1, -1), (3, 10), (4, 5)]


@pytest.mark.parametrize(
    ("late", "steps"),
    [((1, 507), [(0, -1), (1, 7), (3, -1), (5, 10)]), ((2, 17), [(0, -1), (2, -1), (3, 3), (5, 10)])],
)
def test_a_late_reading_between_two_registers_belongs_to_the_one_that_it_fits(
    late: tuple[int, int], steps: list[tuple[int, int]]
) -> None:
    series: list[RegisterPoint | Identified] = [
        told("A", 0),
        point(0, 500),
        told("B", 2),
        point(3, 20, index=1),
        point(5, 30, index=2),
    ]

    assert shown(follow(None, [*series, point(*late, index=9)], FREE)) == steps


def test_a_late_misread_upwards_is_taken_back_by_the_readings_around_it() -> None:
    found = course((0, 100), (4, 140), (5, 150), (1, 900), (2, 120), (6, 160), (7, 170))

    assert shown(found) == [(0, -1), (2, 20), (4, 20), (5, 10), (6, 10), (7, 10)]
    assert reasons(found) == [("implausible_rise", 900)]


def test_what_is_told_late_begins_no_register_in_the_past() -> None:
    found = course((0, 100), (9, 190), (2, 30), (3, 40), (4, 50), (10, 200))

    assert shown(found) == [(0, -1), (9, 90), (10, 10)]
    assert reasons(found) == [("register_fall", 30), ("register_fall", 40), ("register_fall", 50)]


def test_a_reset_whose_readings_come_out_of_order_begins_with_the_earliest() -> None:
    found = course((0, 900), (3, 20), (4, 30), (2, 5), (5, 40))

    assert shown(found) == [(0, -1), (2, -1), (3, 15), (4, 10), (5, 10)]
    assert reasons(found) == [("register_reset", 5)]


def test_a_late_reading_that_does_not_fit_is_held() -> None:
    found = course((0, 100), (9, 190), (5, 99), (10, 200), strict=True)

    assert (shown(found)[1:], reasons(found)) == ([(9, 90), (10, 10)], [("register_fall", 99)])
