"""What was used, one by one, and how many uses become one quantity: sum, count, max, unique, latest, time-weighted.
PURE.

The surprise: order and repeats never matter. Uses are put in order of time, source and id first; the same (source, id)
told again counts once. Values are scaled integers, so sums are exact and quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, islice
from operator import attrgetter, eq, mul, sub
from typing import Literal

import msgspec

HOUR_MS = 3_600_000
Function = Literal["sum", "count", "max", "unique", "latest", "time_weighted"]
PER: Mapping[str, int] = {"second": 1000, "minute": 60_000, "hour": HOUR_MS, "day": 24 * HOUR_MS}


class Use(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``value * 10**scale`` of something at an instant ``at`` (ms UTC), or over ``[at, until)`` where ``until`` is
    given.

    ``source`` and ``id`` say which use it is ("" for one that nobody can tell twice); ``price`` is what a use brings
    itself (``dynamic``); ``received`` when it was told; ``labels`` are for filters and groups.
    """

    at: int
    value: int = 1
    scale: int = 0
    until: int = 0
    source: str = ""
    id: str = ""
    price: str = ""
    received: int = 0
    labels: dict[str, str] = {}

    @property
    def quantity(self) -> Fraction:
        """The value, exact."""
        return self.value * Fraction(10) ** self.scale if self.scale else Fraction(self.value)


class Told(msgspec.Struct, frozen=True):
    """Uses, each once, and those that contradict an earlier one of the same (source, id)."""

    uses: list[Use]
    conflicts: list[Use]


in_order = attrgetter("at", "source", "id")
"""The one order of uses: by time, then by source and id."""
_at = attrgetter("at")


def ordered(uses: Iterable[Use]) -> list[Use]:
    """The uses in their one order: by time alone, as long as no two are of one instant."""
    by_time = sorted(uses, key=_at)
    instants = [use.at for use in by_time]
    tied = any(map(eq, instants, islice(instants, 1, None)))
    return sorted(by_time, key=in_order) if tied else by_time


def told_once(uses: Iterable[Use]) -> Told:
    """Each use once; of one (source, id) with two contents the earlier (then smaller) stays."""
    told = list(uses)
    if len({use.id for use in told}) == len(told) or len({(use.source, use.id) for use in told}) == len(told):
        # The usual case, and events are what comes most: nothing was told twice.
        return Told(told, [])
    kept: list[Use] = []
    conflicts: list[Use] = []
    known: dict[tuple[str, str], Use] = {}
    for use in sorted(told, key=_whole_order):
        if not use.id:
            kept.append(use)
            continue
        first = known.setdefault((use.source, use.id), use)
        if first is use:
            kept.append(use)
        elif first != use:
            conflicts.append(use)
    return Told(kept, conflicts)


_whole_order = attrgetter("at", "source", "id", "scale", "value", "until", "price")


def total(uses: Sequence[Use]) -> Fraction:
    """The sum of the quantities, by integers."""
    if not uses:
        return Fraction(0)
    scales = {use.scale for use in uses}
    scale = min(scales)
    if len(scales) == 1:
        units = sum([use.value for use in uses])
    else:
        units = sum([use.value * 10 ** (use.scale - scale) for use in uses])
    return units * Fraction(10) ** scale if scale else Fraction(units)


def scaled_values(uses: Sequence[Use], places: int = 0) -> tuple[list[int], int]:
    """The quantities as integers of one power of ten, at least so many places: (values, places)."""
    scales = {use.scale for use in uses}
    places = max(places, *(-scale for scale in scales)) if scales else places
    if scales == {-places}:
        return [use.value for use in uses], places
    return [use.value * 10 ** (use.scale + places) for use in uses], places


def count(uses: Sequence[Use]) -> Fraction:
    """How many uses there are."""
    return Fraction(len(uses))


def greatest(uses: Sequence[Use]) -> Fraction:
    """The greatest quantity; 0 when there is none."""
    if len({use.scale for use in uses}) == 1:
        return msgspec.structs.replace(uses[0], value=max([use.value for use in uses])).quantity
    return max((use.quantity for use in uses), default=Fraction(0))


def unique(uses: Sequence[Use], label: str = "") -> Fraction:
    """How many different values a label has (the subject when no label is named); uses without it do not count."""
    name = label or "subject"
    return Fraction(len({use.labels.get(name) for use in uses} - {None, ""}))


def latest(uses: Sequence[Use]) -> Fraction:
    """The quantity of the last use in order; 0 when there is none."""
    return max(uses, key=in_order).quantity if uses else Fraction(0)


def time_weighted(
    uses: Sequence[Use], span: tuple[int, int], per: str, opening: Fraction = Fraction(0), *, changes: bool = False
) -> Fraction:
    """A level over time: each use sets it (or with ``changes`` moves it) until the next. ``per`` ``period`` gives its
    mean over ``[from, to)``, ``hour`` level-hours, and so on. ``opening`` is the level at the beginning.
    """
    from_ms, to_ms = span
    in_time = ordered(uses)
    values, places = scaled_values(in_time, places_of(opening))
    first = int(opening * 10**places)
    levels = [*accumulate(values, initial=first)] if changes else [first, *values]
    instants = [use.at for use in in_time]
    if instants and (instants[0] < from_ms or instants[-1] > to_ms):
        instants = [min(max(at, from_ms), to_ms) for at in instants]
    area = sum(map(mul, levels, map(sub, [*instants, to_ms], [from_ms, *instants])))
    return Fraction(area, (to_ms - from_ms if per == "period" else PER[per]) * 10**places)


def decimal_of(number: Fraction) -> tuple[int, int]:
    """A number that ends as an integer and a power of ten, in the one way that has the fewest places: so that shares of
    it do not depend on how it was written.
    """
    places = places_of(number)
    return int(number * 10**places), -places


def places_of(number: Fraction) -> int:
    """How many places a number that ends has."""
    places = 0
    while 10**places % number.denominator:
        places += 1
    return places
