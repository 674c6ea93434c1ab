"""Volume: all units have the price of the tier that the total falls into. PURE.

The surprise: one unit more can make the whole bill cheaper. ``up_to`` is inclusive: exactly 100 units are in the tier
up to 100. A total beyond a bounded last tier is refused, capped, or priced by that tier, as the terms say.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from cloud.rating.lines import Line, Measured, Pricing
from cloud.rating.tiers import TieredTerms, planned_line, volume_rows
from cloud.rating.usage_terms import Row, usage_lines

KIND = "volume"
MEASURE = "usage"


class Terms(TieredTerms):
    """Tiers in ascending order; the one that holds the total prices every unit."""

    kind: Literal["volume"]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: quantity x the tier's price, and the tier's flat fee."""
    line = planned_line(KIND, measured, terms, pricing, volume=True)
    if line is not None:
        return [line]

    def price(quantity: Fraction, before: Fraction, unit: str) -> list[Row]:
        return volume_rows(terms, quantity, before, unit, continues=measured.continues)

    return usage_lines(KIND, measured, terms, pricing, price)
