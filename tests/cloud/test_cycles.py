"""Billing periods by anchor, parts of periods, and windows of the clock."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.calendar import Cycle, Proration, billing_periods, period, share
from cloud.time_windows import TimeWindows, window_at, windows_between
from tests.cloud.every_clock_change import ANCHORS, changes, wrong, zones

HOUR = 3_600_000


def firsts(cycle: Cycle, starts: date, end: date) -> list[str]:
    return [one.first for one in billing_periods(cycle, "UTC", starts, end)]


@pytest.mark.parametrize(
    ("cycle", "found"),
    [
        ({}, ["2026-01-10", "2026-02-01", "2026-03-01", "2026-04-01"]),
        ({"anchor_day": 31}, ["2026-01-10", "2026-01-31", "2026-02-28", "2026-03-31"]),
        ({"anchor_day": 31, "short_months": "first_of_next"}, ["2026-01-10", "2026-01-31", "2026-03-01", "2026-03-31"]),
        ({"anchor_day": 29}, ["2026-01-10", "2026-01-29", "2026-02-28", "2026-03-29"]),
        ({"unit": "quarter"}, ["2026-01-10", "2026-04-01"]),
        ({"unit": "quarter", "anchor": "2025-11-30"}, ["2026-01-10", "2026-02-28"]),
        ({"unit": "year", "anchor": "2024-02-29"}, ["2026-01-10", "2026-02-28"]),
        ({"unit": "month", "every": 2, "anchor": "2026-01-15"}, ["2026-01-10", "2026-01-15", "2026-03-15"]),
        ({"unit": "day", "every": 40, "anchor": "2026-01-01"}, ["2026-01-10", "2026-02-10", "2026-03-22"]),
    ],
)
def test_periods_begin_at_their_anchor(cycle: dict[str, Any], found: list[str]) -> None:
    assert firsts(Cycle.model_validate(cycle), date(2026, 1, 10), date(2026, 4, 10)) == found


def test_weeks_begin_on_the_weekday_of_their_anchor() -> None:
    wednesdays = Cycle(unit="week", anchor="2026-11-04")

    assert firsts(wednesdays, date(2026, 11, 1), date(2026, 11, 20)) == [
        "2026-11-01", "2026-11-04", "2026-11-11", "2026-11-18",
    ]  # fmt: skip
    assert wednesdays.in_words() == "every week, counted from Wednesday 2026-11-04"


@given(
    st.sampled_from(["day", "week", "month", "quarter", "year"]), st.integers(1, 5), st.integers(1, 31),
    st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.sampled_from(["last_day", "first_of_next"]),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_every_day_is_in_the_one_period_that_says_so(unit: str, every: int, anchor: int, day: date, short: str) -> None:
    cycle = Cycle.model_validate({"unit": unit, "every": every, "anchor_day": anchor, "short_months": short})
    turn = cycle.turn_of(day)

    assert cycle.start(turn) <= day < cycle.start(turn + 1)
    assert cycle.start(turn) < cycle.start(turn + 1) < cycle.start(turn + 2)


@pytest.mark.parametrize(
    ("proration", "part"),
    [
        ({"count": "days"}, Fraction(10, 31)),
        ({"count": "both_edges"}, Fraction(11, 31)),
        ({"count": "end_inclusive"}, Fraction(11, 32)),
        ({"count": "seconds"}, Fraction(10 * 24 + 12, 31 * 24 + 1)),
        ({"count": "fixed_30_days"}, Fraction(10, 30)),
        ({"count": "none"}, Fraction(1)),
        ({"denominator": "actual_period"}, Fraction(10, 20)),
        ({"ratio_places": 9}, Fraction(322580645, 10**9)),
    ],
)
def test_a_part_of_october_in_berlin(proration: dict[str, Any], part: Fraction) -> None:
    october = period(date(2026, 10, 1), date(2026, 11, 1), "Europe/Berlin")
    cut = period(date(2026, 10, 1), date(2026, 10, 21), "Europe/Berlin")
    served = (october.from_ms, october.from_ms + (10 * 24 + 12) * HOUR)

    assert share(served, october, cut, Proration.model_validate(proration), "Europe/Berlin").ratio == part


@pytest.mark.parametrize(
    ("first", "end", "part"),
    [
        ("2026-01-31", "2026-03-01", "10/30"),  # day 31, else the first of the next month
        ("2026-03-01", "2026-03-31", "10/30"),
        ("2026-01-31", "2026-02-28", "10/30"),  # day 31, else the last day
        ("2026-02-28", "2026-03-31", "10/30"),
        ("2025-11-30", "2026-02-28", "10/90"),
        ("2024-02-29", "2025-02-28", "10/360"),
        ("2026-11-26", "2026-12-10", "10/14"),  # weeks have no thirtieths, also across the end of a month
        ("2026-11-11", "2026-11-25", "10/14"),
    ],
)
def test_thirty_days_a_month_are_for_every_whole_month_wherever_it_begins(first: str, end: str, part: str) -> None:
    whole = period(date.fromisoformat(first), date.fromisoformat(end), "UTC")
    served = (whole.from_ms, whole.from_ms + 10 * 24 * HOUR)

    assert share(served, whole, whole, Proration(count="fixed_30_days"), "UTC").ratio == Fraction(part)


def test_a_whole_period_is_whole_however_it_is_counted() -> None:
    for first, end in ((date(2026, 2, 1), date(2026, 3, 1)), (date(2026, 10, 1), date(2026, 11, 1))):
        whole = period(first, end, "Europe/Berlin")
        for count in ("days", "both_edges", "end_inclusive", "seconds", "fixed_30_days", "none"):
            served = (whole.from_ms, whole.to_ms)
            assert share(served, whole, whole, Proration.model_validate({"count": count}), "Europe/Berlin").ratio == 1


@pytest.mark.parametrize(("over_midnight", "name"), [("day_it_began", "night"), ("own_day", "day")])
def test_hours_after_midnight_go_by_the_day_the_window_began_or_by_their_own(over_midnight: str, name: str) -> None:
    terms = TimeWindows.model_validate(
        {"rules": [{"window": "night", "from": "22:00", "to": "06:00", "weekdays": [5]}], "otherwise": "day",
         "over_midnight": over_midnight}
    )  # fmt: skip
    saturday = period(date(2026, 11, 7), date(2026, 11, 8), "Asia/Shanghai")

    assert window_at(saturday.from_ms + 2 * HOUR, terms, "Asia/Shanghai") == name


@pytest.mark.parametrize(("rule", "name"), [("never", "day"), ("only", "peak"), ("like_any_day", "peak")])
def test_a_holiday_has_its_own_rules(rule: str, name: str) -> None:
    terms = TimeWindows.model_validate(
        {"rules": [{"window": "peak", "holidays": rule}], "otherwise": "day", "holidays": ["2026-10-01"]}
    )
    holiday = period(date(2026, 10, 1), date(2026, 10, 2), "Asia/Shanghai")

    (window,) = windows_between(holiday.from_ms, holiday.to_ms, terms, "Asia/Shanghai")

    assert (window.name, window.to_ms - window.from_ms) == (name, 24 * HOUR)


@pytest.mark.parametrize("part", range(4))
def test_no_clock_change_loses_or_doubles_an_instant_in_any_zone(part: int) -> None:
    moving = [zone for zone in zones() if changes(zone)]
    mine = moving[part::4]

    found = [one for place, zone in enumerate(mine) for one in wrong(zone, ANCHORS[(place * 4 + part) % 31 :: 13])]

    assert found == []
    assert len(moving) > 150
