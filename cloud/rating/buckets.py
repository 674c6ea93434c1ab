"""Hours, days, weeks and months of the local clock as buckets. PURE.

The surprise: an hour is named by its local time and its offset, so that the hour that happens twice is two hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import gcd

from cloud.calendar import zone
from cloud.rating.uses import HOUR_MS, Use, scaled_values
from cloud.time_windows import DAY_MS, offsets

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BucketNames:
    """``bucket_name`` for many instants: worked out once for each hour of the clock with its offset."""

    def __init__(self, bucket: str, zone_name: str) -> None:
        self._bucket, self._zone = bucket, zone_name
        self._offsets: dict[int, list[tuple[int, int, int]]] = {}
        self._names: dict[tuple[int, int], str] = {}

    def of(self, at_ms: int) -> str:
        """The bucket an instant falls into."""
        day = at_ms // DAY_MS
        spans = self._offsets.get(day)
        if spans is None:
            spans = self._offsets[day] = offsets(self._zone, day * DAY_MS, (day + 1) * DAY_MS)
        offset = next(offset for _, until, offset in spans if at_ms < until)
        key = ((at_ms + offset * 1000) // HOUR_MS, offset)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = bucket_name(at_ms, self._bucket, self._zone)
        return name


def greatest_of_each(uses: Sequence[Use], bucket: str, zone_name: str) -> dict[str, Fraction]:
    """The greatest quantity in every bucket in which something was used."""
    if not uses:
        return {}
    values, places = scaled_values(uses)
    instants = [use.at for use in uses]
    size = _cell(min(instants), max(instants), zone_name)
    greatest: dict[int, int] = {}
    least = min(values) - 1
    for at, value in zip(instants, values, strict=True):
        cell = at // size
        if value > greatest.get(cell, least):
            greatest[cell] = value
    names = BucketNames(bucket, zone_name)
    found: dict[str, int] = {}
    for cell, value in greatest.items():
        name = names.of(cell * size)
        found[name] = max(value, found.get(name, value))
    return {name: Fraction(value, 10**places) for name, value in found.items()}


def _cell(first_ms: int, last_ms: int, zone_name: str) -> int:
    """So many ms that every hour of the clock between two instants begins at a multiple of them: mostly an hour."""
    spans = offsets(zone_name, first_ms - first_ms % DAY_MS, last_ms + 1)
    changes = [begins for begins, _, _ in spans[1:]]
    return gcd(HOUR_MS, *changes, *(offset * 1000 for _, _, offset in spans))


def bucket_name(at_ms: int, bucket: str, zone_name: str) -> str:
    """The bucket an instant falls into: ``2026-11-03T14+01:00``, ``2026-11-03``, ``2026-W45``, ``2026-11``."""
    local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone(zone_name))
    if bucket == "hour":
        whole = local.replace(minute=0, second=0, microsecond=0).isoformat()
        return whole[:13] + whole[19:]
    if bucket == "week":
        year, week, _ = local.isocalendar()
        return f"{year}-W{week:02}"
    return f"{local:%Y-%m-%d}" if bucket == "day" else f"{local:%Y-%m}"
