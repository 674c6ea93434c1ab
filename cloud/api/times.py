"""Times as the API writes them."""

from __future__ import annotations

from cloud.calendar import utc_text


def rfc3339(ms: int) -> str:
    """Milliseconds UTC as RFC 3339, to the millisecond; beyond all calendars, their first or last day."""
    return utc_text(ms)
