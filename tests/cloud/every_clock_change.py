"""Every zone of the database x every clock change 2020-2030 x anchors 1-31: what must hold of periods and windows.

The exhaustive run is long (some minutes) and is a command: ``python -m tests.cloud.every_clock_change``. The tests take
every zone with a change, each with some of the anchors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from importlib import resources
from itertools import pairwise

from cloud.calendar import Cycle, Period, billing_periods, cycle_period, local_day, period, period_of, utc_text
from cloud.time_windows import TimeWindows, offsets, windows_between

FIRST, LAST = 2020, 2030
ANCHORS = range(1, 32)
HOUR = 3_600_000
WINDOWS = TimeWindows.model_validate(
    {
        "rules": [
            {"window": "peak", "from": "02:30", "to": "18:00", "weekdays": [1, 2, 3, 4, 5], "seasons": ["summer"]},
            {"window": "night", "from": "22:00", "to": "06:00"},
        ],
        "otherwise": "day",
        "seasons": [{"name": "summer", "first": "03-20", "last": "10-31"}],
    }
)


def zones() -> list[str]:
    """Every zone of the pinned database."""
    return resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split()


def changes(zone: str) -> list[int]:
    """The instants (ms UTC) at which a zone's clock is set, 2020-2030."""
    span = period(date(FIRST, 1, 1), date(LAST + 1, 1, 1), "UTC")
    return [begins for begins, _, _ in offsets(zone, span.from_ms, span.to_ms)[1:]]


def wrong(zone: str, anchors: Sequence[int]) -> Iterator[str]:
    """What does not hold for a zone."""
    moved = changes(zone)
    for anchor in anchors:
        cycle = Cycle(anchor_day=anchor)
        periods = list(billing_periods(cycle, zone, date(FIRST - 1, 12, 1), date(LAST + 1, 2, 1)))
        yield from _gaps(zone, anchor, periods)
        for change in moved:
            for at in (change - HOUR, change - 1, change, change + 1, change + HOUR):
                holding = [one for one in periods if one.holds(at)]
                whole = cycle_period(at, cycle, zone)
                if len(holding) != 1 or period_of(at, periods) != holding[0] or not whole.holds(at):
                    yield f"{zone}, anchor {anchor}: {utc_text(at)} is in {len(holding)} periods"
    for change in moved:
        yield from _windows(zone, change)


def _gaps(zone: str, anchor: int, periods: Sequence[Period]) -> Iterator[str]:
    for before, after in pairwise(periods):
        if before.to_ms != after.from_ms or before.end != after.first or before.from_ms >= before.to_ms:
            yield f"{zone}, anchor {anchor}: {before.label} and {after.label} do not meet"
        if local_day(after.from_ms, zone).isoformat() != after.first:
            yield f"{zone}, anchor {anchor}: {after.label} does not begin on its day"


def _windows(zone: str, change: int) -> Iterator[str]:
    """The day of a change and those beside it, in windows: as long as they truly are."""
    day = local_day(change, zone)
    span = period(day - timedelta(days=1), day + timedelta(days=2), zone)
    found = windows_between(span.from_ms, span.to_ms, WINDOWS, zone)
    if sum(one.to_ms - one.from_ms for one in found) != span.to_ms - span.from_ms:
        yield f"{zone}: the windows around {utc_text(change)} do not add up to the true length"
    if any(before.to_ms != after.from_ms for before, after in pairwise(found)):
        yield f"{zone}: the windows around {utc_text(change)} do not meet"


def main() -> int:
    """The exhaustive run."""
    count = 0
    for place, zone in enumerate(zones()):
        for one in wrong(zone, ANCHORS):
            count += 1
            sys.stdout.write(one + "\n")
        if place % 50 == 0:
            sys.stdout.write(f"{place} of {len(zones())} zones\n")
            sys.stdout.flush()
    sys.stdout.write(f"{count} findings\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
