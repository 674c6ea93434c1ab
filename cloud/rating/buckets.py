"""Hours, days, weeks and months of the local clock as buckets. PURE.

The surprise: an hour is named by its local time and its offset, so that the hour that happens twice is two hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloud.calendar import zone
from cloud.rating.uses import HOUR_MS
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
