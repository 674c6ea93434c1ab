"""Samples summed up over fixed windows of the wall clock: one record where the sensor sent hundreds.

The surprise is `coverage`: a mean says nothing about the minutes nobody measured, so a window counts the seconds that
lie between two samples that belong together. A window without samples leaves no record, never a zero. Samples that are
marked (warm-up, frozen, out of range) are in no mean beside good ones and cover nothing, but they are not hidden: the
window says in `q` that there were some, and one that saw nothing else shows their values with a coverage of 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.device_events import AirSample, Event
from gateway.recording import Stamp
from wire.records import Record, Window


class Sum(msgspec.Struct):
    """The samples of one metric in the window that is open: the good ones, or the marked ones."""

    total: int
    low: int
    high: int
    samples: int

    def take(self, value: int) -> None:
        """One more sample."""
        self.total += value
        self.samples += 1
        self.low, self.high = min(self.low, value), max(self.high, value)


class Group(msgspec.Struct):
    """Metrics that come in one sample, with one unit, and the window that is open for them."""

    unit: str
    scale: int
    cfg: str
    good: dict[str, Sum] = {}
    marked: dict[str, Sum] = {}
    q: set[str] = set()
    start: int | None = None
    covered: int = 0
    last: int | None = None
    apart: int = 0


class Windows:
    """The interpreter of a device that samples: `seconds` is the width of a window, aligned to the epoch."""

    def __init__(self, device: str, seconds: int) -> None:
        self._device = device
        self._width = seconds * 1000
        self._groups: dict[tuple[str, ...], Group] = {}

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        """Takes a sample; the windows that ended before it, as records."""
        if not isinstance(event, AirSample) or not event.values:
            return ()
        group = self._groups.setdefault(tuple(sorted(event.values)), Group(event.unit, event.scale, cfg))
        group.unit, group.scale, group.cfg = event.unit, event.scale, cfg
        follows = event.follows and group.last is not None and not event.q
        begun = at.t - (at.m - (group.last or 0)) if follows else at.t
        group.apart = at.m - group.last if group.last is not None else 0
        group.last = None if event.q else at.m
        done: list[Record] = []
        if group.start is not None and not group.start <= at.t < group.start + self._width:
            self._cover(group, max(begun, group.start), group.start + self._width)
            done = self._close(group, at)
        if group.start is None:
            group.start = at.t - at.t % self._width
        self._cover(group, max(begun, group.start), at.t)
        group.q.update(event.q)
        sums = group.marked if event.q else group.good
        for metric, value in event.values.items():
            sums.setdefault(metric, Sum(0, value, value, 0)).take(value)
        return done

    def tick(self, at: Stamp) -> Sequence[Record]:
        """Closes a window that no sample closes: the sensor is silent. One that is about to speak is waited for."""
        done: list[Record] = []
        for group in self._groups.values():
            awaited = group.last is not None and 2 * (at.m - group.last) <= 3 * group.apart
            if group.start is not None and not awaited and not group.start <= at.t < group.start + self._width:
                done += self._close(group, at)
        return done or ()

    def _cover(self, group: Group, begin: int, end: int) -> None:
        group.covered += max(0, min(end - begin, self._width))

    def _close(self, group: Group, at: Stamp) -> list[Record]:
        """One record a metric, a digit finer than the samples, so that a mean keeps its half."""
        start = group.start or 0
        covered = min(group.covered, self._width) // 1000
        sums = group.good or group.marked
        done: list[Record] = [
            Window(
                v=1, z="", src=self._device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, cfg=group.cfg,
                q=sorted(group.q), metric=metric, from_=start, to=start + self._width,
                mean=nearest(10 * held.total, held.samples), min=10 * held.low, max=10 * held.high,
                scale=group.scale - 1, unit=group.unit, samples=held.samples, coverage=covered if group.good else 0,
            )
            for metric, held in sorted(sums.items())
        ]  # fmt: skip
        group.good, group.marked, group.q = {}, {}, set()
        group.start = None
        group.covered = 0
        return done


def nearest(number: int, parts: int) -> int:
    """The quotient, to the nearest integer, halves to even."""
    whole, rest = divmod(number, parts)
    return whole + (2 * rest > parts or (2 * rest == parts and whole & 1))
