"""Usage over an interval, cut at the edges of windows, versions and periods. PURE.

The surprise: parts are integers of a millionth of the last digit, shared out by largest remainder; so a cut never loses
or makes anything, and a part is still a number that ends. What a register moved on is never cut at a period's edge: the
later reading closes what lies before it, and the next period opens where this one closed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import gcd
from typing import Literal

import msgspec

from cloud.calendar import Period
from cloud.money import split
from cloud.rating.uses import Use
from cloud.time_windows import Window

FINER = 6
Splitting = Literal["by_time", "at_start", "at_end"]


def cut(use: Use, edges: Sequence[int], how: Splitting) -> list[Use]:
    """An interval's use cut at edges (ascending); a use at an instant, or one that crosses none, stays whole."""
    if use.until <= use.at:
        return [use]
    inner = [edge for edge in edges if use.at < edge < use.until]
    if not inner:
        return [use]
    if how == "at_start":
        return [msgspec.structs.replace(use, until=0)]
    if how == "at_end":
        return [msgspec.structs.replace(use, at=use.until - 1, until=0)]
    borders = [use.at, *inner, use.until]
    weights = [Fraction(after - before) for before, after in pairwise(borders)]
    parts = split(use.value * 10**FINER, weights)
    return [
        msgspec.structs.replace(use, at=borders[at], until=borders[at + 1], value=part, scale=use.scale - FINER)
        for at, part in enumerate(parts)
    ]


def within(use: Use, span: tuple[int, int], how: Splitting) -> list[Use]:
    """What of an interval that crosses an edge of ``[from, to)`` counts in it: its share by time; or all of it where it
    begins or ends there, over the time that lies in the span.
    """
    from_ms, to_ms = span
    if how == "at_start":
        return [msgspec.structs.replace(use, until=min(use.until, to_ms))] if from_ms <= use.at < to_ms else []
    if how == "at_end":
        return [msgspec.structs.replace(use, at=max(use.at, from_ms))] if from_ms < use.until <= to_ms else []
    return [part for part in cut(use, span, "by_time") if from_ms <= part.at < to_ms]


def begins_in(period: Period, since: int, until: int, starts_ms: int = 0) -> int | None:
    """From when on what a register moved on between two readings counts in a period: all of it belongs to the one in
    which the later reading lies. None: to another. ``starts_ms``: where the agreement begins; nothing lies before it.
    """
    return max(since, period.from_ms) if period.holds(max(until - 1, starts_ms)) else None


def cut_by_windows(uses: Sequence[Use], windows: Sequence[Window], how: Splitting) -> dict[str, list[Use]]:
    """Uses by the name of the window they fall into. ``windows`` are contiguous and cover all uses."""
    if not uses:
        return {}
    starts = [window.from_ms for window in windows]
    found: dict[str, list[Use]] = {}
    # A cell of the clock (mostly an hour) divides every edge: it lies in one window, which is looked for once.
    size = gcd(*starts[1:]) or windows[0].to_ms - windows[0].from_ms
    cells: dict[int, list[Use]] = {}
    for use in uses:
        cell = use.at // size
        if use.until and use.until > (cell + 1) * size:
            edges = starts[bisect_right(starts, use.at) - 1 : bisect_right(starts, use.until)]
            for part in cut(use, edges, how):
                found.setdefault(windows[bisect_right(starts, part.at) - 1].name, []).append(part)
            continue
        members = cells.get(cell)
        if members is None:
            name = windows[bisect_right(starts, use.at) - 1].name
            members = cells[cell] = found.setdefault(name, [])
        members.append(use)
    return found
