"""Periods on the agreement's own clock: half-open, without gap or overlap, whatever the clock does."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cloud.calendar import (
    CalendarError,
    Period,
    local_day,
    midnight,
    month,
    month_shares,
    parse_day,
    period,
    period_of,
    utc_text,
    zone,
)

HOUR = 3_600_000
ZONES = [
    "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Australia/Lord_Howe",
    "Pacific/Apia", "Asia/Kolkata", "America/Havana", "UTC",
]  # fmt: skip


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("year", [2011, 2018, 2026])
def test_days_follow_one_another_without_gap_or_overlap(name: str, year: int) -> None:
    day, last = date(year, 1, 1), midnight(date(year, 1, 1), name)
    lengths = set()
    while day.year == year:
        day += timedelta(days=1)
        begins = midnight(day, name)
        lengths.add((begins - last) / HOUR)
        assert begins == last or local_day(begins - 1, name) < day <= local_day(begins, name)
        last = begins

    assert lengths <= {0, 23, 23.5, 24, 24.5, 25}


def test_a_day_that_has_no_midnight_begins_at_the_jump() -> None:
    assert utc_text(midnight(date(2018, 11, 4), "America/Sao_Paulo")) == "2018-11-04T03:00:00.000Z"


def test_a_day_of_25_hours_belongs_to_one_period() -> None:
    day = period(date(2026, 10, 25), date(2026, 10, 26), "Europe/Berlin")

    assert day.to_ms - day.from_ms == 25 * HOUR
    assert (day.holds(day.from_ms), day.holds(day.to_ms - 1), day.holds(day.to_ms)) == (True, True, False)


def test_an_instant_belongs_to_the_period_that_holds_it() -> None:
    october, november = month("2026-10", "Asia/Shanghai"), month("2026-11", "Asia/Shanghai")

    found = [period_of(at, (october, november)) for at in (october.from_ms - 1, november.from_ms - 1, november.from_ms)]

    assert found == [None, october, november]
    assert utc_text(november.from_ms) == "2026-10-31T16:00:00.000Z"


def test_a_whole_month_is_called_by_its_name() -> None:
    assert month("2026-11", "UTC").label == "2026-11"
    assert period(date(2026, 11, 1), date(2026, 11, 8), "UTC").label == "2026-11-01/2026-11-08"
    assert month("2024-02", "UTC").days == 29


def test_days_are_shared_out_to_calendar_months() -> None:
    shares = [(one.days, one.month_days) for one in month_shares(date(2026, 1, 30), date(2026, 4, 2))]

    assert shares == [(2, 31), (28, 28), (31, 31), (1, 30)]


@pytest.mark.parametrize("name", ["", "Europe", "Europe/Atlantis", "../../passwd", "/etc/passwd", "Europe/Berlin\0"])
def test_only_names_of_the_zone_database_are_zones(name: str) -> None:
    with pytest.raises(CalendarError, match="time zone"):
        zone(name)


@pytest.mark.parametrize("text", ["2026-13-01", "2026-11-31", "1.11.2026", "20261101", "1900-01-01", ""])
def test_only_iso_dates_are_days(text: str) -> None:
    with pytest.raises(CalendarError):
        parse_day(text)


def test_a_period_has_at_least_a_day() -> None:
    with pytest.raises(CalendarError, match="has no day"):
        period(date(2026, 11, 2), date(2026, 11, 2), "UTC")
    assert Period("2026-11-01", "2026-11-03", 0, 1).days == 2
