"""What the stretches of a period that have different prices share of a charge: free units, discounts, bounds. PURE.

The surprise: the stretches are rated one after the other, in order of time, and each leaves behind what it used of
what is there once for the whole period (``Kept``). A minimum or maximum that holds once is worked out after the last of
them, over all their lines, by the terms in force at the end. A charge is the same one in the next version where it
stands at the same position and measures the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from cloud.rating.bounds import BOUNDS, bounded
from cloud.rating.charges import flat
from cloud.rating.kept import Kept
from cloud.rating.limits import Holds
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing, exact_of
from cloud.rating.usage_terms import UsageTerms

if TYPE_CHECKING:
    from cloud.rating.rate_period import PriceVersion

Spans = Sequence[tuple["PriceVersion", int, int]]
Key = tuple[int, int, tuple[tuple[str, str], ...]]
"""The first stretch of a charge, its position, its group."""
PricingOf = Callable[[int, int], Pricing]
BareOf = Callable[[tuple[int, int]], Measured]


def is_same_charge(one: ChargeTerms, other: ChargeTerms) -> bool:
    """Whether two versions' charges at one position are the same charge at another price: they measure the same."""
    if not isinstance(one, UsageTerms) or not isinstance(other, UsageTerms):
        return isinstance(one, flat.Terms) and isinstance(other, flat.Terms)
    first, second = one.source, other.source
    alike = all(
        getattr(first, name) == getattr(second, name) for name in ("measure", "types", "where", "group_by", "unit")
    )
    devices = not first.devices or not second.devices or bool(set(first.devices) & set(second.devices))
    subjects = not first.subjects or not second.subjects or bool(set(first.subjects) & set(second.subjects))
    how, other_how = one.aggregation, other.aggregation
    return alike and devices and subjects and (how.function, how.of) == (other_how.function, other_how.of)


class Keeping:
    """What the stretches of one period keep for one another; made anew for each rating of a period."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._kept: dict[Key, Kept] = {}
        self._lines: dict[Key, list[Line]] = {}
        self._last: dict[Key, Measured] = {}

    def of(self, place: int, position: int, measured: Measured) -> Measured:
        """What was measured in a stretch, with what the stretches before it left; as it is where it stands alone."""
        first, last = self._run(place, position)
        if first == last:
            return measured
        key = (first, position, measured.group)
        kept = self._kept.get(key)
        if kept is None:
            span = (self._spans[first][1], self._spans[last][2])
            terms = self._spans[last][0].charges[position]
            waits = frozenset(
                effect for effect in BOUNDS if _holds(terms, effect) in ("", "for_the_period")
            ) if isinstance(terms, UsageTerms) else frozenset()  # fmt: skip
            kept = self._kept[key] = Kept(span=span, waits=waits)
        return msgspec.structs.replace(measured, kept=kept)

    def note(self, place: int, position: int, measured: Measured, lines: Sequence[Line]) -> None:
        """Remembers the lines of a stretch."""
        if measured.kept is not None:
            key = (self._run(place, position)[0], position, measured.group)
            self._lines.setdefault(key, []).extend(lines)
            before = self._last.get(key)
            level = measured.level if before is None else max(before.level, measured.level)
            self._last[key] = msgspec.structs.replace(measured, level=level)

    def bounds(self, pricing_of: PricingOf, bare_of: BareOf) -> list[tuple[Line, ChargeTerms]]:
        """The minimum and maximum lines that hold once for all stretches, each with the terms that say so."""
        found: list[tuple[Line, ChargeTerms]] = []
        for key, measured in self._last.items():
            first, position, _ = key
            version = self._spans[self._run(first, position)[1]][0]
            terms, kept = version.charges[position], self._kept[key]
            if isinstance(terms, UsageTerms):
                bare = bare_of(kept.span)
                whole = msgspec.structs.replace(
                    measured, first=bare.first, end=bare.end, from_ms=bare.from_ms, to_ms=bare.to_ms,
                    instants=bare.instants, rows=(), quality="", kept=None,
                )  # fmt: skip
                pricing = pricing_of(version.version, position)
                due = _due(self._lines[key], terms, pricing, kept)
                effects = [effect for effect in BOUNDS if _holds(terms, effect) == "for_the_period"]
                found += [(line, terms) for line in bounded(whole, terms, pricing, due, effects)]
        return found

    def _run(self, place: int, position: int) -> tuple[int, int]:
        """The first and last stretch, in a row with this one, of the same charge."""
        first = last = place
        while first > 0 and self._goes_on(first - 1, position):
            first -= 1
        while last + 1 < len(self._spans) and self._goes_on(last, position):
            last += 1
        return first, last

    def _goes_on(self, place: int, position: int) -> bool:
        one, other = self._spans[place][0].charges, self._spans[place + 1][0].charges
        return position < min(len(one), len(other)) and is_same_charge(one[position], other[position])


def _holds(terms: UsageTerms, effect: str) -> Holds | str | None:
    """For how long a bound holds; "" where there is none."""
    bound = terms.minimum if effect == "minimum" else terms.maximum
    return "" if bound is None else bound.holds


def _due(lines: Sequence[Line], terms: UsageTerms, pricing: Pricing, kept: Kept) -> Fraction:
    """What all stretches come to, as a bound looks at it."""
    if terms.bounds_apply == "before_discounts":
        return sum((exact_of(line) for line in lines), kept.off)
    if pricing.rounding.place == "line":
        return sum((Fraction(line.amount) for line in lines), Fraction(0))
    return sum((exact_of(line) for line in lines), Fraction(0))
