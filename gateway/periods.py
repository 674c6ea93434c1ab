"""Shift, business day, week and month of a site, by its own clock. PURE.

The surprise is a day that does not begin at midnight: a night shift's gloves belong to the day on which it began. Each
border is a local time of day and is worked out anew for its date, so a day has 23, 24 or 25 hours, as the site has.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.rules import Rules, Span

DAY_MS = 86_400_000
MINUTE_MS = 60_000
LENGTHS: dict[Span, int] = {"shift": DAY_MS // 3, "day": DAY_MS, "week": 7 * DAY_MS, "month": 31 * DAY_MS}


class Period(NamedTuple):
    """From `start` on, before `end`; ms UTC."""

    start: int
    end: int


@lru_cache(maxsize=8)
def zone_of(name: str) -> tzinfo:
    """The site's zone; one that this computer does not know counts as UTC."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def period_of(span: Span, at_ms: int, rules: Rules) -> Period:
    """The period of the site in which a moment lies. A site without shifts has days for them."""
    shifts = tuple(one.starts for one in rules.shifts) if span == "shift" else ()
    # Borders are on the minute, and two hundred limits ask within one.
    return _period(span, at_ms // MINUTE_MS * MINUTE_MS, rules.zone, rules.day_starts, rules.week_starts, shifts)


@lru_cache(maxsize=256)
def _period(span: Span, at_ms: int, zone_name: str, starts: str, week_starts: int, shifts: tuple[str, ...]) -> Period:
    zone = zone_of(zone_name)
    if shifts:
        return _shift(at_ms, zone, shifts)
    day = _business_day(at_ms, zone, starts)
    if span == "week":
        first = day - timedelta(days=(day.isoweekday() - week_starts) % 7)
        return Period(_border(first, starts, zone), _border(first + timedelta(days=7), starts, zone))
    if span == "month":
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
        return Period(_border(first, starts, zone), _border(after, starts, zone))
    return Period(_border(day, starts, zone), _border(day + timedelta(days=1), starts, zone))


def business_day(at_ms: int, rules: Rules) -> date:
    """The date of the site's day in which a moment lies."""
    return _business_day(at_ms, zone_of(rules.zone), rules.day_starts)


def _business_day(at_ms: int, zone: tzinfo, starts: str) -> date:
    day = _local(at_ms, zone)
    while at_ms < _border(day, starts, zone):
        day -= timedelta(days=1)
    while at_ms >= _border(day + timedelta(days=1), starts, zone):
        day += timedelta(days=1)
    return day


def _shift(at_ms: int, zone: tzinfo, starts: tuple[str, ...]) -> Period:
    day = _local(at_ms, zone)
    borders = sorted({_border(day + timedelta(days=n), one, zone) for n in (-2, -1, 0, 1, 2) for one in starts})
    begun = max(one for one in borders if one <= at_ms)
    return Period(begun, min(one for one in borders if one > at_ms))


def _local(at_ms: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at_ms // 1000, zone).date()


@lru_cache(maxsize=512)
def _border(day: date, starts: str, zone: tzinfo) -> int:
    """Instant (ms UTC) of a local time of day; one that the clock skips is as much later as it skips."""
    return int(datetime.combine(day, clock_time(starts), tzinfo=zone).timestamp()) * 1000


@lru_cache(maxsize=64)
def clock_time(text: str) -> time:
    """Time of day of a text such as 06:00; what is no time is midnight."""
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return time()
