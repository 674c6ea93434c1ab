"""One price for every unit. PURE.

The surprise: none; but free units, conversion, rounding, discounts and bounds come with every charge on usage, and each
of them is a row under the line.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from cloud.rating.line_amounts import multiplied_line
from cloud.rating.lines import Line, Measured, Pricing, exact_price
from cloud.rating.terms_fields import Price
from cloud.rating.usage_terms import Row, UsageTerms, usage_lines

KIND = "standard"
MEASURE = "usage"


class Terms(UsageTerms):
    """A price for one unit."""

    kind: Literal["standard"]
    unit_price: Price


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: quantity x unit price."""
    if terms.is_plain:
        return [multiplied_line(measured, KIND, terms.unit_price, pricing)]

    def price(quantity: Fraction, _: Fraction, unit: str) -> list[Row]:
        return [Row("units", quantity, unit, terms.unit_price, quantity * exact_price(terms.unit_price))]

    return usage_lines(KIND, measured, terms, pricing, price)
