"""Time-of-use windows on the local clock: which price counts when, by weekday, holiday and season. PURE.

The surprise: a window is where the wall clock shows its hours, so on the day the clock is set back a window may last an
hour longer, and on the day it is set forward an hour shorter or not at all; the windows of any span always add up to
its true length. Spans are cut where the zone's offset changes first, and at the hours of the clock within.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from cloud.calendar import Day, zone

MINUTE = 60_000
DAY_MS = 86_400_000
WEEK_S = 7 * 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDINAL = date(1970, 1, 1).toordinal()

ClockTime = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


def _month_day(text: str) -> str:
    date.fromisoformat(f"2024-{text}")
    return text


MonthDay = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}-[0-9]{2}$"), AfterValidator(_month_day)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]


class Season(BaseModel):
    """A part of every year, from one day to another, both included; it may go over New Year."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    first: Annotated[MonthDay, Field(examples=["11-01"])]
    last: Annotated[MonthDay, Field(examples=["03-31"])]

    def holds(self, day: date) -> bool:
        """Whether a local day lies in the season."""
        at = f"{day:%m-%d}"
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last


class WindowRule(BaseModel):
    """Hours ``[from, to)`` of the clock on certain days; ``to`` not after ``from`` goes over midnight."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: Name
    from_: Annotated[ClockTime, Field(alias="from")] = "00:00"
    to: ClockTime = "24:00"
    weekdays: Annotated[list[Annotated[int, Field(ge=1, le=7)]] | None, Field(description="1 = Monday")] = None
    holidays: Literal["like_any_day", "never", "only"] = "like_any_day"
    seasons: list[Name] | None = None


class TimeWindows(BaseModel):
    """The windows of a tariff: the first rule that fits names the window, ``otherwise`` what no rule fits.

    ``over_midnight``: whether hours after midnight go by the day on which the window began, or by their own day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Annotated[list[WindowRule], Field(max_length=100)]
    otherwise: Name = "other"
    holidays: list[Day] = []
    seasons: list[Season] = []
    over_midnight: Literal["day_it_began", "own_day"] = "day_it_began"

    @model_validator(mode="after")
    def _known_seasons(self) -> Self:
        known = {season.name for season in self.seasons}
        for rule in self.rules:
            unknown = sorted(set(rule.seasons or ()) - known)
            if unknown:
                raise ValueError(f"window {rule.window}: there is no season {unknown[0]}")
        return self

    @property
    def names(self) -> list[str]:
        """Every window there is, in order."""
        return list(dict.fromkeys([*(rule.window for rule in self.rules), self.otherwise]))


class Window(NamedTuple):
    """The instants ``[from, to)`` in which one window counts."""

    from_ms: int
    to_ms: int
    name: str


@lru_cache(maxsize=4096)
def _changes(zone_name: str, year: int) -> tuple[tuple[int, int], ...]:
    """Instants (ms UTC) of a year at which the zone's offset becomes another, with the new offset (s); first the
    offset at the year's beginning.

    Looked at are every week and every change that the database lists; beyond its list it knows rules of whole seasons.
    """
    at = (date(year, 1, 1).toordinal() - _ORDINAL) * 86_400
    end = (date(year + 1, 1, 1).toordinal() - _ORDINAL) * 86_400
    offset = _offset(zone_name, at)
    found = [(at * 1000, offset)]
    looks = {*range(at + WEEK_S, end, WEEK_S), end, *(one for one in _listed(zone_name) if at < one < end)}
    for look in sorted(looks):
        later = _offset(zone_name, look)
        if later != offset:
            low, high = at, look
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone_name, middle) == offset else (low, middle)
            if high < end:
                found.append((high * 1000, later))
            offset = later
        at = look
    return tuple(found)


@lru_cache(maxsize=1024)
def _listed(zone_name: str) -> tuple[int, ...]:
    """The changes (s) that the zone's file lists, from its second, 64-bit part (RFC 9636)."""
    raw = resources.files("tzdata.zoneinfo").joinpath(*zone_name.split("/")).read_bytes()
    isutc, isstd, leaps, times, types, chars = struct.unpack_from(">6l", raw, 20)
    second = 44 + times * 5 + types * 6 + chars + leaps * 8 + isstd + isutc
    count = struct.unpack_from(">l", raw, second + 32)[0]
    return struct.unpack_from(f">{count}q", raw, second + 44)


def _offset(zone_name: str, at_s: int) -> int:
    moved = (_EPOCH + timedelta(seconds=at_s)).astimezone(zone(zone_name)).utcoffset()
    assert moved is not None
    return moved // timedelta(seconds=1)


def offsets(zone_name: str, from_ms: int, to_ms: int) -> list[tuple[int, int, int]]:
    """``[from, to)`` cut where the clock changes: (from ms, to ms, offset s)."""
    first, last = (_EPOCH + timedelta(milliseconds=at) for at in (from_ms, to_ms))
    changes = [change for year in range(first.year, last.year + 1) for change in _changes(zone_name, year)]
    starts = [at for at, _ in changes]
    found: list[tuple[int, int, int]] = []
    for place in range(bisect_right(starts, from_ms) - 1, len(changes)):
        begins = max(from_ms, starts[place])
        ends = min(to_ms, starts[place + 1]) if place + 1 < len(starts) else to_ms
        if begins < ends:
            if found and found[-1][2] == changes[place][1]:
                begins = found.pop()[0]
            found.append((begins, ends, changes[place][1]))
    return found


def windows_between(from_ms: int, to_ms: int, terms: TimeWindows, zone_name: str) -> list[Window]:
    """The windows of ``[from, to)`` in order, without gap or overlap; neighbours of one name are one."""
    found: list[Window] = []
    spelled = terms.model_dump_json(by_alias=True)
    for begins, ends, offset in offsets(zone_name, from_ms, to_ms):
        at, stop = begins + offset * 1000, ends + offset * 1000
        while at < stop:
            day, into = divmod(at, DAY_MS)
            for until, name in _day_plan(spelled, day):
                if until <= into:
                    continue
                upto = min(day * DAY_MS + until, stop)
                if found and found[-1].name == name:
                    found[-1] = found[-1]._replace(to_ms=upto - offset * 1000)
                else:
                    found.append(Window(at - offset * 1000, upto - offset * 1000, name))
                at = upto
                if at >= stop:
                    break
    return found


def window_at(at_ms: int, terms: TimeWindows, zone_name: str) -> str:
    """The window that counts at an instant."""
    return windows_between(at_ms, at_ms + 1, terms, zone_name)[0].name


@lru_cache(maxsize=64)
def _parsed(terms: str) -> TimeWindows:
    return TimeWindows.model_validate_json(terms)


@lru_cache(maxsize=16_384)
def _day_plan(spelled: str, day: int) -> tuple[tuple[int, str], ...]:
    """One local day (number since 1970): until which ms of the clock which window counts."""
    terms = _parsed(spelled)
    today = date.fromordinal(_ORDINAL + day)
    cuts = sorted({minute for rule in terms.rules for minute in (_minute(rule.from_), _minute(rule.to))} | {0, 1440})
    plan = []
    for begins, ends in pairwise(cuts):
        fitting = (rule.window for rule in terms.rules if _fits(rule, begins, today, terms))
        plan.append((ends * MINUTE, next(fitting, terms.otherwise)))
    return tuple(plan)


@lru_cache(maxsize=2048)
def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _fits(rule: WindowRule, minute: int, today: date, terms: TimeWindows) -> bool:
    begins, ends = _minute(rule.from_), _minute(rule.to)
    if begins < ends:
        return begins <= minute < ends and _counts_on(rule, today, terms)
    if minute >= begins:
        return _counts_on(rule, today, terms)
    if minute >= ends:
        return False
    began = today - timedelta(days=1) if terms.over_midnight == "day_it_began" else today
    return _counts_on(rule, began, terms)


def _counts_on(rule: WindowRule, day: date, terms: TimeWindows) -> bool:
    if rule.weekdays is not None and day.isoweekday() not in rule.weekdays:
        return False
    if rule.holidays != "like_any_day" and (rule.holidays == "only") != (day.isoformat() in terms.holidays):
        return False
    return rule.seasons is None or any(season.holds(day) for season in terms.seasons if season.name in rule.seasons)
