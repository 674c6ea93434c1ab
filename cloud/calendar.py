"""Billing periods: days of the agreement's own calendar, half-open, turned into UTC instants once. PURE.

The surprise: zones are read from the pinned ``tzdata`` package and never from the machine, because two copies of the
zone database on one machine may differ by years; the version used is part of every statement. All instants are
integer milliseconds UTC; a period ``[first, end)`` begins at the first instant of the local day ``first``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import msgspec
import tzdata  # type: ignore[import-untyped]

TZDATA_VERSION = str(tzdata.IANA_VERSION)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_DAY = timedelta(days=1)


class CalendarError(ValueError):
    """A zone or period that cannot be used; the message says what is accepted."""


class Period(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """Local days ``[first, end)`` as ISO dates, with the same border in ms UTC."""

    first: str
    end: str
    from_ms: int
    to_ms: int

    @property
    def label(self) -> str:
        """``2026-11`` for a whole calendar month, else ``2026-11-03/2026-11-09``."""
        start, stop = date.fromisoformat(self.first), date.fromisoformat(self.end)
        if start.day == 1 and stop == month_after(start):
            return self.first[:7]
        return f"{self.first}/{self.end}"

    @property
    def days(self) -> int:
        """Number of local days."""
        return (date.fromisoformat(self.end) - date.fromisoformat(self.first)).days

    def holds(self, at_ms: int) -> bool:
        """Whether the instant lies in the period."""
        return self.from_ms <= at_ms < self.to_ms


class MonthShare(msgspec.Struct, frozen=True):
    """The days of a period that fall into one calendar month: ``[first, end)``, ``days`` of ``month_days``."""

    first: date
    end: date
    days: int
    month_days: int


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name, from the pinned package; raises CalendarError when there is none."""
    parts = name.split("/")
    if not all(part and all(char.isalnum() or char in "_+-" for char in part) for part in parts):
        raise CalendarError(f"{name!r} is not the name of a time zone; write for example Asia/Shanghai")
    try:
        with resources.files("tzdata.zoneinfo").joinpath(*parts).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError) as error:
        raise CalendarError(f"{name!r} is not a time zone of the IANA database {TZDATA_VERSION}") from error


@lru_cache(maxsize=4096)
def midnight(day: date, zone_name: str) -> int:
    """The first instant of a local day, ms UTC. Where the clock skips midnight the day begins at the jump."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone(zone_name))
    instant = (local.astimezone(UTC) - _EPOCH) // _MS
    while local_day(instant, zone_name) < day:
        instant += 15 * 60_000
    return instant


def local_day(at_ms: int, zone_name: str) -> date:
    """The local day an instant falls on."""
    return (_EPOCH + at_ms * _MS).astimezone(zone(zone_name)).date()


def month_after(day: date) -> date:
    """The first day of the next calendar month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def period(first: date, end: date, zone_name: str) -> Period:
    """The period of local days ``[first, end)``; raises CalendarError when it is empty."""
    if end <= first:
        raise CalendarError(f"a period ends after it begins; {first} to {end} has no day")
    return Period(first.isoformat(), end.isoformat(), midnight(first, zone_name), midnight(end, zone_name))


def month(label: str, zone_name: str) -> Period:
    """The calendar month of a label such as ``2026-11``."""
    first = parse_day(f"{label}-01")
    return period(first, month_after(first), zone_name)


def parse_day(text: str) -> date:
    """An ISO date; raises CalendarError on anything else."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise CalendarError(f"{text!r} is not a date such as 2026-11-01") from error
    if day.isoformat() != text or not 1971 <= day.year <= 2999:
        raise CalendarError(f"{text!r} is not a date such as 2026-11-01")
    return day


def period_of(at_ms: int, periods: Sequence[Period]) -> Period | None:
    """The period an instant belongs to, among contiguous periods in order; None before the first and after the last."""
    at = bisect_right([span.from_ms for span in periods], at_ms) - 1
    return periods[at] if at >= 0 and periods[at].holds(at_ms) else None


def month_shares(first: date, end: date) -> list[MonthShare]:
    """The local days ``[first, end)`` cut at calendar months, for what is due by the month."""
    shares = []
    while first < end:
        following = month_after(first)
        stop = min(end, following)
        month_days = (following - date(first.year, first.month, 1)).days
        shares.append(MonthShare(first, stop, (stop - first).days, month_days))
        first = stop
    return shares


def next_day(day: date) -> date:
    """The day after."""
    return day + _DAY


def utc_text(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (_EPOCH + at_ms * _MS).isoformat(timespec="milliseconds").replace("+00:00", "Z")
