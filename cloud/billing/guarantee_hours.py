"""The hours in which a guarantee holds, on the agreement's local clock, as instants. PURE.

The surprise: 02:30 may come twice or not at all. Each border is turned into an instant on its own, so that a day whose
clock changes is as long as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from cloud.billing.guarantee_terms import WEEKDAYS, GuaranteeTerms, Hours
from cloud.calendar import midnight, next_day, parse_day
from cloud.calendar import zone as zone_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Span(NamedTuple):
    """``[begin, end)`` ms UTC."""

    begin: int
    end: int


def agreed_hours(terms: GuaranteeTerms, days: tuple[str, str], zone: str) -> list[Span]:
    """The spans of the local days ``[first, end)`` in which the guarantee holds, in order, joined where they touch."""
    first, stop = parse_day(days[0]), parse_day(days[1])
    if not terms.hours:
        return [Span(midnight(first, zone), midnight(stop, zone))]
    joined: list[Span] = []
    for span in sorted(_spans(terms.hours, first, stop, zone)):
        if joined and span.begin <= joined[-1].end:
            joined[-1] = Span(joined[-1].begin, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _spans(hours: list[Hours], first: date, stop: date, zone: str) -> Iterator[Span]:
    day = first
    while day < stop:
        for one in hours:
            if WEEKDAYS[day.weekday()] in one.days:
                begin, end = _instant(day, one.from_, zone), _instant(day, one.to, zone)
                if begin < end:
                    yield Span(begin, end)
        day = next_day(day)


def _instant(day: date, clock: str, zone: str) -> int:
    """The instant of a local time; one that the clock skips is as many minutes after the jump as it lies in the gap."""
    if clock == "24:00":
        return midnight(next_day(day), zone)
    if clock == "00:00":
        return midnight(day, zone)
    local = datetime(day.year, day.month, day.day, int(clock[:2]), int(clock[3:]), tzinfo=zone_of(zone))
    return (local.astimezone(UTC) - _EPOCH) // _MS
