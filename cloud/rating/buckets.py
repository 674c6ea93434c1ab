"""Hours, days, weeks and months of the local clock as buckets. PURE.

The surprise: an hour is named by its local time and its offset, so that the hour that happens twice is two hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloud.calendar import zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
