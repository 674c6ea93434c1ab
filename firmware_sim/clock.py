"""The simulator's one look at the real time, needed where real programs share a clock that runs fast."""

from __future__ import annotations

import time


def real_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def line_now() -> float:
    """Seconds of the system's steady clock, for a line that runs in a process of its own."""
    return time.monotonic()


def cpu_now() -> float:
    """Seconds of processor time this process has used."""
    return time.process_time()
