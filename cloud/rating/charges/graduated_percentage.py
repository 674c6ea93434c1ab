"""Tiers of percentages: each part of the amount has the percentage of the tier it falls into. PURE.

The surprise: it is ``graduated`` with percents for prices, so the same conventions of tiers hold.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from cloud.rating.lines import Line, Measured, Pricing
from cloud.rating.tiers import TieredTerms, planned_line, tier_rows
from cloud.rating.usage_terms import Row, usage_lines

KIND = "graduated_percentage"
MEASURE = "usage"


class Terms(TieredTerms):
    """Tiers in ascending order; ``unit_price`` is the percentage."""

    kind: Literal["graduated_percentage"]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line with a row for each tier that was reached."""
    line = planned_line(KIND, measured, terms, pricing, percent=True)
    if line is not None:
        return [line]

    def price(quantity: Fraction, before: Fraction, unit: str) -> list[Row]:
        return tier_rows(terms, quantity, before, unit, percent=True, continues=measured.continues)

    return usage_lines(KIND, measured, terms, pricing, price)
