"""The simulator's one look at the real time, needed where real programs share a clock that runs fast."""

from __future__ import annotations

import time


def real_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
