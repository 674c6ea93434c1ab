"""Billing periods: days of the agreement's own calendar, half-open, turned into UTC instants once. PURE.

The surprise: zones are read from the pinned ``tzdata`` package and never from the machine, because two copies of the
zone database on one machine may differ by years; the version used is part of every statement. All instants are
integer milliseconds UTC; a period ``[first, end)`` begins at the first instant of the local day ``first``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import msgspec
import tzdata  # type: ignore[import-untyped]
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cloud.money import rounded

TZDATA_VERSION = str(tzdata.IANA_VERSION)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
FIRST_YEAR, LAST_YEAR = 1971, 2999
# Where a wrong clock can put a record, and no date can follow: two days within the first and the last that there are,
# so that no zone's offset leads out of them.
_EARLIEST, _LATEST = -62_135_424_000_000, 253_402_128_000_000
# Twenty years: what is worked out by a hundred windows of each day still ends within seconds.
LONGEST_DAYS = 7_305


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


class Share(msgspec.Struct, frozen=True):
    """The part of a whole period that is paid for: ``part`` of ``whole`` (days, or milliseconds), and how it counts."""

    part: int
    whole: int
    ratio: Fraction


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
    """The period of local days ``[first, end)``; raises CalendarError when it is empty or too long."""
    if end <= first:
        raise CalendarError(f"a period ends after it begins; {first} to {end} has no day")
    if (end - first).days > LONGEST_DAYS:
        raise CalendarError(f"a period has at most {LONGEST_DAYS} days; {first} to {end} has {(end - first).days}")
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
    if day.isoformat() != text or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise CalendarError(f"{text!r} is not a date such as 2026-11-01")
    return day


def parse_instant(text: str) -> datetime:
    """An ISO 8601 date and time, with or without its offset; raises CalendarError on anything else.

    The same years as of a day: beyond them a time of one zone is none of another.
    """
    try:
        when = datetime.fromisoformat(text) if text.isascii() else None
    except ValueError:
        when = None
    if when is None or not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise CalendarError(f"{text[:60]!r} is no instant such as 2026-11-05T10:00:00Z")
    return when


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


def last_day(end: str) -> str:
    """The last ISO day of a period whose end is given as the day after it."""
    return (date.fromisoformat(end) - _DAY).isoformat()


def utc_text(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds; beyond all calendars, their edge."""
    return instant(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(at_ms: int) -> datetime:
    """An instant in UTC; what a wrong clock put beyond all calendars is at their edge."""
    return _EPOCH + min(max(at_ms, _EARLIEST), _LATEST) * _MS


def _day(text: str) -> str:
    parse_day(text)
    return text


Day = Annotated[str, AfterValidator(_day)]
MONTHS = {"month": 1, "quarter": 3, "year": 12}
DAYS = {"day": 1, "week": 7}


class Cycle(BaseModel):
    """How long a billing period is and where it begins: every so many units from the local day ``anchor`` on.

    ``anchor_day`` (1-31) replaces the day of the anchor; ``short_months`` says where a period begins in a month that
    has no such day: on its last day, or on the first of the next one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Literal["day", "week", "month", "quarter", "year"] = "month"
    every: Annotated[int, Field(ge=1, le=366)] = 1
    anchor: Day = "2024-01-01"
    anchor_day: Annotated[int | None, Field(ge=1, le=31)] = None
    short_months: Literal["last_day", "first_of_next"] = "last_day"

    @model_validator(mode="after")
    def _within_reach(self) -> Self:
        days = DAYS[self.unit] if self.unit in DAYS else 30 * MONTHS[self.unit]
        if self.every * days > LONGEST_DAYS:
            raise ValueError(f"every: a period has at most {LONGEST_DAYS} days")
        return self

    def in_words(self) -> str:
        """The sentence a statement prints."""
        every = self.unit if self.every == 1 else f"{self.every} {self.unit}s"
        anchor = date.fromisoformat(self.anchor)
        if self.unit in DAYS:
            return f"every {every}, counted from {anchor:%A} {self.anchor}"
        day = self.anchor_day or anchor.day
        short = "its last day" if self.short_months == "last_day" else "the first of the next month"
        begins = f"from day {day}" + (f"; where a month is shorter, from {short}" if day > 28 else "")
        return f"every {every} {begins}" + ("" if self.unit == "month" and self.every == 1 else f" of {anchor:%Y-%m}")

    def start(self, turn: int) -> date:
        """The first local day of the period number ``turn``, counted from the anchor's; negative before it."""
        anchor = date.fromisoformat(self.anchor)
        if self.unit in DAYS:
            return anchor + turn * self.every * DAYS[self.unit] * _DAY
        months = anchor.year * 12 + anchor.month - 1 + turn * self.every * MONTHS[self.unit]
        first = date(months // 12, months % 12 + 1, 1)
        following = month_after(first)
        wanted = first + ((self.anchor_day or anchor.day) - 1) * _DAY
        if wanted < following:
            return wanted
        return following - _DAY if self.short_months == "last_day" else following

    def turn_of(self, day: date) -> int:
        """The number of the period that a local day belongs to."""
        anchor = date.fromisoformat(self.anchor)
        if self.unit in DAYS:
            return (day - anchor).days // (self.every * DAYS[self.unit])
        months = (day.year - anchor.year) * 12 + day.month - anchor.month
        turn = months // (self.every * MONTHS[self.unit])
        while self.start(turn) > day:
            turn -= 1
        while self.start(turn + 1) <= day:
            turn += 1
        return turn

    def whole(self, day: date, zone_name: str) -> Period:
        """The whole period that a local day belongs to."""
        turn = self.turn_of(day)
        return period(self.start(turn), self.start(turn + 1), zone_name)


def cycle_period(at_ms: int, cycle: Cycle, zone_name: str) -> Period:
    """The whole billing period that an instant belongs to: the one function that says which."""
    return cycle.whole(local_day(at_ms, zone_name), zone_name)


def billing_periods(cycle: Cycle, zone_name: str, starts: date, end: date) -> Iterator[Period]:
    """The billing periods of an agreement over the local days ``[starts, end)``; the first and last may be cut."""
    while starts < end:
        stop = min(cycle.start(cycle.turn_of(starts) + 1), end)
        yield period(starts, stop, zone_name)
        starts = stop


class Proration(BaseModel):
    """How a part of a period is counted, because products contradict each other. ``count``:

    ``days``: local days, the end day exclusive. ``both_edges``: every local day that is touched. ``end_inclusive``:
    both edge days, the end being given as the last day. ``seconds``: true time. ``fixed_30_days``: days over 30 a
    month (over its days for a span that is no whole months), never more than the whole. ``none``: the whole amount for
    any part. ``denominator``: the whole period of the cycle, or the actual one, which an agreement may have cut.
    ``ratio_places``: round the ratio first (Kill Bill: 9).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: Literal["days", "both_edges", "end_inclusive", "seconds", "fixed_30_days", "none"] = "days"
    denominator: Literal["whole_period", "actual_period"] = "whole_period"
    ratio_places: Annotated[int | None, Field(ge=0, le=18)] = None
    ratio_mode: Literal["half_up", "half_even", "down", "up"] = "half_up"

    def in_words(self) -> str:
        """The sentence a statement prints."""
        count = {
            "days": "by local days, the end day not counted",
            "both_edges": "by local days, every day that is touched",
            "end_inclusive": "by local days, first and last day counted",
            "seconds": "by seconds",
            "fixed_30_days": "by days, thirty to a month",
            "none": "whole for any part of the period",
        }[self.count]
        of = "the whole period" if self.denominator == "whole_period" else "the period as it was cut by the agreement"
        mode = "" if self.ratio_mode == "half_up" else f"{self.ratio_mode} "
        ratio = "" if self.ratio_places is None else f", the ratio rounded {mode}to {self.ratio_places} places"
        return count if self.count == "none" else f"{count}, of {of}{ratio}"


def count_between(from_ms: int, to_ms: int, count: str, zone_name: str) -> int:
    """How much lies in ``[from, to)`` by a way of counting: local days, or milliseconds for ``seconds``."""
    if count == "seconds":
        return to_ms - from_ms
    if to_ms <= from_ms:
        return 0
    last = local_day(to_ms - 1 if count == "both_edges" else to_ms, zone_name)
    days = (last - local_day(from_ms, zone_name)).days
    return days + 1 if count in ("both_edges", "end_inclusive") else days


def _whole_months(first: date, end: date) -> int:
    """How many whole months ``[first, end)`` are, also where a short month moved one of the two days; 0 for a span that
    is none, such as weeks.
    """
    months = (end.year - first.year) * 12 + end.month - first.month
    low, high = sorted((first, end), key=lambda day: day.day)
    if low.day == high.day or (low + _DAY).day == 1:
        return months
    if end.day == 1 and (end - _DAY).day < first.day:
        return months - 1
    if first.day == 1 and (first - _DAY).day < end.day:
        return months + 1
    return 0


def share(served: tuple[int, int], whole: Period, actual: Period, proration: Proration, zone_name: str) -> Share:
    """The part of a period that the instants ``[from, to)`` make up; ``actual`` is what the agreement left of it."""
    if proration.count == "none":
        return Share(1, 1, Fraction(1))
    part = count_between(*served, proration.count, zone_name)
    of = whole if proration.denominator == "whole_period" else actual
    if proration.count == "fixed_30_days":
        total = 30 * _whole_months(date.fromisoformat(of.first), date.fromisoformat(of.end)) or of.days
        part = total if served == (of.from_ms, of.to_ms) else min(part, total)
    else:
        total = count_between(of.from_ms, of.to_ms, proration.count, zone_name)
    # A day that a zone left out (Pacific/Apia, 2011-12-30) has no time to pay for.
    ratio = Fraction(part, total) if total else Fraction(0)
    if proration.ratio_places is not None:
        ratio = Fraction(rounded(ratio, proration.ratio_places, proration.ratio_mode))
    return Share(part, total, ratio)
