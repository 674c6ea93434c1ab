"""What a line did to its devices since the start, counted from what the session hears anyway.

The surprise is what is not counted: a listener is not asked, so its silence is no miss; only how long ago it spoke.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.ports import Quality
from gateway.rounds import Told

MISSES = ("silence", "noise", "refused")


class _Tally(msgspec.Struct):
    asked: int = 0
    retried: int = 0
    missed: dict[str, int] = {}
    failing: bool = False
    frames: int = 0
    good_at: int | None = None


class LineQuality:
    """One line's devices; `mono_ms` is the clock's."""

    def __init__(self, drivers: dict[str, Any], mono_ms: Callable[[], int]) -> None:
        self._drivers = drivers
        self._mono_ms = mono_ms
        self._tallies = {device: _Tally(missed=dict.fromkeys(MISSES, 0)) for device in drivers}

    def note(self, told: Told) -> None:
        """One exchange, or what a listener said."""
        tally, driver = self._tallies[told.device], self._drivers[told.device]
        if getattr(driver, "listens", False):
            if driver.counters.frames != tally.frames:
                tally.frames, tally.good_at = driver.counters.frames, told.at.m
            return
        if told.news:
            return
        tally.asked += 1
        tally.retried += tally.failing
        tally.failing = not told.answered
        if told.answered:
            tally.good_at = told.at.m
        elif told.why in tally.missed:
            tally.missed[told.why] += 1

    def of(self, device: str) -> Quality:
        """The numbers of one device."""
        tally, counters = self._tallies[device], self._drivers[device].counters
        return Quality(
            asked=tally.asked,
            retried=tally.retried,
            silence=tally.missed["silence"],
            noise=tally.missed["noise"],
            refused=tally.missed["refused"],
            frames=counters.frames,
            noise_bytes=counters.noise_bytes,
            rejected=dict(counters.refusals),
            quiet_ms=None if tally.good_at is None else max(0, self._mono_ms() - tally.good_at),
        )
