"""Samples summed up over fixed windows of the wall clock: one record where the sensor sent hundreds.

The surprise is `coverage`: a mean says nothing about the minutes nobody measured, so a window counts the seconds that
lie between two samples that belong together. A window without samples leaves no record, never a zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.device_events import AirSample, Event
from gateway.recording import Stamp
from wire.records import Record, Window


class Sum(msgspec.Struct):
    """One metric in the window that is open."""

    total: int
    low: int
    high: int
    samples: int


class Windows:
    """The interpreter of a device that samples: `seconds` is the width of a window, aligned to the epoch."""

    def __init__(self, device: str, seconds: int) -> None:
        self._device = device
        self._width = seconds * 1000
        self._sums: dict[str, Sum] = {}
        self._from: int | None = None
        self._covered = 0
        self._last: int | None = None
        self._unit, self._scale, self._cfg = "", 0, ""

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        """Takes a sample; the windows that ended before it, as records."""
        if not isinstance(event, AirSample):
            return ()
        self._unit, self._scale, self._cfg = event.unit, event.scale, cfg
        begun = at.t - (at.m - self._last) if event.follows and self._last is not None else at.t
        self._last = at.m
        done: list[Record] = []
        if self._from is not None and not self._from <= at.t < self._from + self._width:
            self._cover(max(begun, self._from), self._from + self._width)
            done = self._close(at)
        if self._from is None:
            self._from = at.t - at.t % self._width
        self._cover(max(begun, self._from), at.t)
        for metric, value in event.values.items():
            held = self._sums.setdefault(metric, Sum(0, value, value, 0))
            held.total += value
            held.samples += 1
            held.low, held.high = min(held.low, value), max(held.high, value)
        return done

    def tick(self, at: Stamp) -> Sequence[Record]:
        """Closes a window that no sample closes: the sensor is silent."""
        if self._from is None or self._from <= at.t < self._from + self._width:
            return ()
        return self._close(at)

    def _cover(self, begin: int, end: int) -> None:
        self._covered += max(0, min(end - begin, self._width))

    def _close(self, at: Stamp) -> list[Record]:
        """One record a metric, a digit finer than the samples, so that a mean keeps its half."""
        start = self._from or 0
        covered = min(self._covered, self._width) // 1000
        done: list[Record] = [
            Window(
                v=1, z="", src=self._device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, cfg=self._cfg,
                metric=metric, from_=start, to=start + self._width, mean=nearest(10 * held.total, held.samples),
                min=10 * held.low, max=10 * held.high, scale=self._scale - 1, unit=self._unit,
                samples=held.samples, coverage=covered,
            )
            for metric, held in sorted(self._sums.items())
        ]  # fmt: skip
        self._sums.clear()
        self._from = None
        self._covered = 0
        return done


def nearest(number: int, parts: int) -> int:
    """The quotient, to the nearest integer, halves to even."""
    whole, rest = divmod(number, parts)
    return whole + (2 * rest > parts or (2 * rest == parts and whole & 1))
