"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime

# Where a wrong clock can put a record, and no date can follow.
EARLIEST, LATEST = -62_135_424_000_000, 253_402_128_000_000


def rfc3339(ms: int) -> str:
    """Milliseconds UTC as RFC 3339, to the millisecond; beyond all calendars, their first or last day."""
    return (
        datetime.fromtimestamp(min(max(ms, EARLIEST), LATEST) / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
