"""Energy on a grid of time (quarter hours, hours), from cumulative readings. PURE.

The surprise: across a gap the total is known, to the last digit, and only its split is not. So every interval a gap
touches is an estimate and says so, and their sum is still the difference of the registers, exactly. An interval is
labelled by its end. Source: devices.md 8.2, 8.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import msgspec

from cloud.metering.usage import Quality, Step, worst
from cloud.rating.lines import RegisterPoint


class Interval(msgspec.Struct, frozen=True):
    """kWh of ``(end - width, end]`` ms UTC."""

    end: int
    energy: Fraction
    quality: Quality


class Gap(msgspec.Struct, frozen=True):
    """Two neighbouring readings that are further apart than ``width``, and the kWh between them."""

    since: int
    until: int
    energy: Fraction


def moves(opening: RegisterPoint | None, steps: Sequence[Step]) -> Iterable[tuple[RegisterPoint, Step]]:
    """Each step with the reading before it; a register's first reading moves nothing."""
    before = opening
    for step in steps:
        if before is not None and not step.opens:
            yield before, step
        before = step.point


def intervals(opening: RegisterPoint | None, steps: Sequence[Step], width: int) -> list[Interval]:
    """The energy of the steps on the grid, in order of time; intervals that no pair of readings covers are missing."""
    energy: dict[int, Fraction] = {}
    codes: dict[int, list[Quality]] = {}
    for before, step in moves(opening, steps):
        begin, end = before.leaf.at, step.point.leaf.at
        for label, share in shares(begin, end, width):
            energy[label] = energy.get(label, Fraction(0)) + step.energy * share
            codes.setdefault(label, []).append(step.quality if share == 1 else "estimated_split")
    return [Interval(label, energy[label], worst(codes[label])) for label in sorted(energy)]


def shares(begin: int, end: int, width: int) -> list[tuple[int, Fraction]]:
    """How the time from ``begin`` to ``end`` falls on the grid: (end of an interval, part of the time), in all 1.

    Two readings of one instant, or of a clock that was set back, count where the later one lies.
    """
    last = -(-end // width) * width
    if end <= begin:
        return [(last, Fraction(1))]
    first = (begin // width + 1) * width
    length = end - begin
    return [
        (label, Fraction(min(end, label) - max(begin, label - width), length))
        for label in range(first, last + 1, width)
    ]


def gaps(opening: RegisterPoint | None, steps: Sequence[Step], width: int) -> list[Gap]:
    """Where readings were missing for longer than ``width``: the totals are known, the course in between is not."""
    return [
        Gap(before.leaf.at, step.point.leaf.at, step.energy)
        for before, step in moves(opening, steps)
        if step.point.leaf.at - before.leaf.at > width
    ]
