"""Tiers worked out once to integers: most lines of a tariff are then a comparison, a multiplication and texts. PURE.

The surprise: nothing is decided here. Every line is, to the last character, the one that ``tiers.py`` makes of
fractions (a property test rates random tariffs both ways); what is not plain (negative, free, converted, beyond the
last tier, continued from another version) is left to it. Full tiers are always the same rows, so they are kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from cloud.money import POWERS, UNROUNDED_PLACES, ending, trimmed_text, units_text
from cloud.rating.line_amounts import multiplied_line, scaled_texts, written_line
from cloud.rating.lines import Line, Measured, Pricing, Step, exact_price

if TYPE_CHECKING:
    from cloud.rating.tiers import TieredTerms


class _Rung(NamedTuple):
    """A tier: its bounds in units of the plan's bounds, price and flat fee in units of its prices; ``below``: what full
    tiers under it come to, and their ``rows``; ``is_plain``: what ends in it is no more than quantity x price.
    """

    what: str
    above: int
    up_to: int | None
    price: int
    shown: str
    flat: int
    flat_rows: tuple[Step, ...]
    below: int
    rows: tuple[Step, ...]
    is_plain: bool


class _Scale(NamedTuple):
    """The tiers for quantities of one denominator: what makes such a quantity units of ``places`` and shows it, the
    tiers' upper bounds in these units, and the tiers.
    """

    to_units: int
    places: int
    shown: tuple[int, int]
    bounds: tuple[int, ...]
    rungs: tuple[_Rung, ...]


class TierPlan:
    """The tiers of terms for one unit. ``volume``: the tier that holds the total prices every unit."""

    def __init__(self, terms: TieredTerms, unit: str, *, volume: bool = False, percent: bool = False) -> None:
        self._unit, self._volume = unit, volume
        bounds = [exact_price(tier.up_to).as_integer_ratio() for tier in terms.tiers if tier.up_to is not None]
        prices = [exact_price(text).as_integer_ratio() for tier in terms.tiers for text in (tier.unit_price, tier.flat)]
        self._bound_places = max([_places(part) for _, part in bounds], default=0)
        self._price_places = max(_places(part) for _, part in prices) + (2 if percent else 0)
        self._rungs = tuple(self._made(terms, percent=percent))
        # By denominator: of these only the divisors of 10**12 have a scale.
        self._scales: dict[int, _Scale] = {}

    def _made(self, terms: TieredTerms, *, percent: bool) -> Iterator[_Rung]:
        bound, price = POWERS[self._bound_places], POWERS[self._price_places]
        below: int = 0
        rows: tuple[Step, ...] = ()
        for reach in terms.reaches:
            what = f"tier {reach.place}"
            above = int(reach.above * bound)
            up_to = None if reach.up_to is None else int(reach.up_to * bound)
            each = int(reach.price * price / (100 if percent else 1))
            flat = int(reach.flat * price)
            shown = f"{reach.tier.unit_price} %" if percent else reach.tier.unit_price
            flat_row = Step(what=f"{what} flat", unit_price=reach.tier.flat, amount=self._text(flat, 0))
            flat_rows = (flat_row,) if flat else ()
            plain = not (rows or flat or percent)
            yield _Rung(what, above, up_to, each, shown, flat, flat_rows, below, rows, plain)
            if up_to is not None and not self._volume:
                full = self._row(what, up_to - above, shown, (up_to - above) * each, self._bound_places)
                below, rows = below + (up_to - above) * each + flat * bound, (*rows, full, *flat_rows)

    def _scale(self, denominator: int) -> _Scale | None:
        decimal = ending(denominator)
        if decimal is None:
            return None
        places = max(decimal[1], self._bound_places)
        if places + self._price_places > UNROUNDED_PLACES:
            return None
        zoom, unit = POWERS[places - self._bound_places], POWERS[places]
        rungs = [
            one._replace(
                above=0 if self._volume else one.above * zoom, below=one.below * zoom + one.flat * unit
            )
            for one in self._rungs
        ]  # fmt: skip
        bounds = tuple([one.up_to * zoom for one in self._rungs if one.up_to is not None])
        to_units = decimal[0] * POWERS[places - decimal[1]]
        made = self._scales[denominator] = _Scale(to_units, places, decimal, bounds, tuple(rungs))
        return made

    def line(self, measured: Measured, kind: str, pricing: Pricing) -> Line | None:
        """The line of a quantity above zero; None where only fractions can tell."""
        numerator, denominator = measured.quantity.as_integer_ratio()
        scale = self._scales.get(denominator) or self._scale(denominator)
        if numerator <= 0 or scale is None:
            return None
        to_units, places, shown, bounds, rungs = scale
        units = numerator * to_units
        at = bisect_left(bounds, units)
        if at == len(rungs):
            return None
        what, above, _, price, each, _, flat_rows, below, rows, is_plain = rungs[at]
        if is_plain:
            return multiplied_line(measured, kind, each, pricing)
        amount = (units - above) * price
        exact = below + amount
        exact_places = places + self._price_places
        # What a unit costs in the mean, to twelve places; half up, as nothing here is below zero.
        count = units * POWERS[self._price_places]
        mean = (exact * POWERS[UNROUNDED_PLACES] + count // 2) // count
        row = Step(
            trimmed_text(amount, exact_places), trimmed_text(units - above, places), self._unit, each, what
        )  # fmt: skip
        return written_line(
            measured, kind, trimmed_text(mean, UNROUNDED_PLACES), units_text(numerator * shown[0], shown[1]),
            *scaled_texts(exact, exact_places, pricing), pricing, [*rows, row, *flat_rows],
        )  # fmt: skip

    def _row(self, what: str, units: int, shown: str, amount: int, places: int) -> Step:
        return Step(
            what=what, quantity=trimmed_text(units, places), unit=self._unit, unit_price=shown,
            amount=self._text(amount, places),
        )  # fmt: skip

    def _text(self, amount: int, places: int) -> str:
        return trimmed_text(amount, places + self._price_places)


def _places(denominator: int) -> int:
    decimal = ending(denominator)
    assert decimal is not None, "a price has twelve places at most"
    return decimal[1]
