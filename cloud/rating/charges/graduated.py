"""Tiers: each unit has the price of the tier it falls into. PURE.

The surprise: three things that products do differently are options here. Whether the first tier's flat fee is due at
zero usage; what happens beyond a bounded last tier; and whether tiers begin anew when the price changes inside a
period. ``up_to`` is an inclusive upper bound, null is open.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from cloud.rating.lines import Line, Measured, Pricing
from cloud.rating.tiers import TieredTerms, planned_line, tier_rows
from cloud.rating.usage_terms import Row, usage_lines

KIND = "graduated"
MEASURE = "usage"


class Terms(TieredTerms):
    """Tiers in ascending order; a unit price and a flat fee in each."""

    kind: Literal["graduated"]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line with a row for each tier that was reached."""
    line = planned_line(KIND, measured, terms, pricing)
    if line is not None:
        return [line]

    def price(quantity: Fraction, before: Fraction, unit: str) -> list[Row]:
        return tier_rows(terms, quantity, before, unit, continues=measured.continues)

    return usage_lines(KIND, measured, terms, pricing, price)
