"""Tiers worked out once to integers: most lines of a tariff are then a comparison, a multiplication and texts. PURE.

The surprise: nothing is decided here. Every line is, to the last character, the one that ``tiers.py`` makes of
fractions (a property test rates random tariffs both ways); what is not plain (negative, free, converted, beyond the
last tier, continued from another version) is left to it. Full tiers are always the same rows, so they are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cloud.money import POWERS, UNROUNDED_PLACES, ending, rounded_units, trimmed_text
from cloud.rating.line_amounts import multiplied_line, scaled_line
from cloud.rating.lines import Line, Measured, Pricing, Step, exact_price

if TYPE_CHECKING:
    from cloud.rating.tiers import TieredTerms


class _Rung(NamedTuple):
    """A tier: its bounds in units of the plan's bounds, price and flat fee in units of its prices; ``below``: what full
    tiers under it come to, and their ``rows``.
    """

    place: int
    above: int
    up_to: int | None
    price: int
    shown: str
    flat: int
    flat_rows: tuple[Step, ...]
    below: int
    rows: tuple[Step, ...]


class TierPlan:
    """The tiers of terms for one unit. ``volume``: the tier that holds the total prices every unit."""

    def __init__(self, terms: TieredTerms, unit: str, *, volume: bool = False, percent: bool = False) -> None:
        self._unit, self._volume = unit, volume
        bounds = [exact_price(tier.up_to).as_integer_ratio() for tier in terms.tiers if tier.up_to is not None]
        prices = [exact_price(text).as_integer_ratio() for tier in terms.tiers for text in (tier.unit_price, tier.flat)]
        self._bound_places = max([_places(part) for _, part in bounds], default=0)
        self._price_places = max(_places(part) for _, part in prices) + (2 if percent else 0)
        self._rungs = tuple(self._made(terms, percent=percent))

    def _made(self, terms: TieredTerms, *, percent: bool) -> list[_Rung]:
        bound, price = POWERS[self._bound_places], POWERS[self._price_places]
        found: list[_Rung] = []
        below, rows = 0, ()
        for reach in terms.reaches:
            above = int(reach.above * bound)
            up_to = None if reach.up_to is None else int(reach.up_to * bound)
            each = int(reach.price * price / (100 if percent else 1))
            flat = int(reach.flat * price)
            shown = f"{reach.tier.unit_price} %" if percent else reach.tier.unit_price
            flat_row = Step(f"tier {reach.place} flat", unit_price=reach.tier.flat, amount=self._text(flat, 0))
            flat_rows = (flat_row,) if flat else ()
            found.append(_Rung(reach.place, above, up_to, each, shown, flat, flat_rows, below, rows))
            if up_to is not None and not self._volume:
                full = self._row(reach.place, up_to - above, shown, (up_to - above) * each, self._bound_places)
                below, rows = below + (up_to - above) * each + flat * bound, (*rows, full, *flat_rows)
        return found

    def line(self, measured: Measured, kind: str, pricing: Pricing) -> Line | None:
        """The line of a quantity above zero; None where only fractions can tell."""
        numerator, denominator = measured.quantity.as_integer_ratio()
        decimal = ending(denominator)
        if numerator <= 0 or decimal is None:
            return None
        places = max(decimal[1], self._bound_places)
        zoom = POWERS[places - self._bound_places]
        if places + self._price_places > UNROUNDED_PLACES:
            return None
        units = numerator * decimal[0] * POWERS[places - decimal[1]]
        for rung in self._rungs:
            if rung.up_to is None or units <= rung.up_to * zoom:
                return self._line(rung, measured, (units, places, zoom), kind, pricing)
        return None

    def _line(self, rung: _Rung, measured: Measured, size: tuple[int, int, int], kind: str, pricing: Pricing) -> Line:
        units, places, zoom = size
        part = units if self._volume else units - rung.above * zoom
        amount = part * rung.price
        if not rung.rows and not rung.flat and " " not in rung.shown:
            return multiplied_line(measured, kind, rung.shown, pricing)
        steps: Sequence[Step] = (
            *rung.rows,
            self._row(rung.place, part, rung.shown, amount, places),
            *rung.flat_rows,
        )
        exact = rung.below * zoom + amount + rung.flat * POWERS[places]
        # What a unit costs in the mean, to twelve places.
        mean = rounded_units(exact, units * POWERS[self._price_places], UNROUNDED_PLACES, "half_up")
        each = trimmed_text(mean, UNROUNDED_PLACES)
        return scaled_line(measured, kind, each, (exact, places + self._price_places), pricing, steps)

    def _row(self, place: int, units: int, shown: str, amount: int, places: int) -> Step:
        return Step(f"tier {place}", trimmed_text(units, places), self._unit, shown, self._text(amount, places))

    def _text(self, amount: int, places: int) -> str:
        return trimmed_text(amount, places + self._price_places)


def _places(denominator: int) -> int:
    decimal = ending(denominator)
    assert decimal is not None, "a price has twelve places at most"
    return decimal[1]
