"""The price comes with each event: resale at cost plus, auctions, prices of the day. PURE.

The surprise: an event without a price is not billed at nothing; the agreement's validity rules refuse it before it gets
here, and here it is an error.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from cloud.rating.lines import Line, Measured, Pricing, RatingError, exact_price
from cloud.rating.terms_fields import Positive
from cloud.rating.usage_terms import Row, UsageTerms, amount_lines, billable

KIND = "dynamic"
MEASURE = "usage"


class Terms(UsageTerms):
    """``price_is``: what an event brings is the price of one unit, or the amount of the whole event; ``multiplier``
    marks it up.
    """

    kind: Literal["dynamic"]
    price_is: Literal["unit_price", "amount"] = "unit_price"
    multiplier: Positive = "1"

    def options(self) -> list[str]:
        """The conventions in words."""
        return [*super().options(), f"each event brings its {self.price_is.replace('_', ' ')}, times {self.multiplier}"]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: the sum of what the events cost, each priced by itself."""
    amount = Fraction(0)
    for use in measured.uses:
        if not use.price:
            raise RatingError(f"event {use.id or use.at} brings no price; a validity rule should have refused it")
        price = exact_price(use.price)
        amount += price * use.quantity if terms.price_is == "unit_price" else price
    exact = amount * exact_price(terms.multiplier)
    row = Row(f"{len(measured.uses)} events, each at its own price", measured.quantity, measured.unit, "", exact)
    return amount_lines(KIND, measured, terms, pricing, [*billable(measured, terms, pricing).rows, row])
