"""A price for each package that was begun: 1 to 100 units are one package of 100. PURE.

The surprise: packages continue across a change of price only if the terms say so; a package already paid for in the
period is then not paid for again.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from cloud.rating.lines import Line, Measured, Pricing, exact_price
from cloud.rating.terms_fields import Positive, Price
from cloud.rating.usage_terms import Row, UsageTerms, usage_lines

KIND = "package"
MEASURE = "usage"


class Terms(UsageTerms):
    """So many units for so much. ``begun``: a begun package counts as whole, or only full ones count."""

    kind: Literal["package"]
    size: Positive
    price: Price
    begun: Literal["whole", "not_counted"] = "whole"
    at_zero: Annotated[
        Literal["none", "one"] | None,
        Field(description="packages due when nothing was used; none if left out"),
    ] = None

    def options(self) -> list[str]:
        """The conventions in words."""
        words = "a begun package is a whole one" if self.begun == "whole" else "only full packages count"
        least = ["one package is due when nothing was used"] if self.at_zero == "one" else []
        return [*super().options(), words, *least]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: packages x price."""
    size = exact_price(terms.size)

    def packages(quantity: Fraction) -> int:
        whole, rest = divmod(quantity, size)
        return max(int(whole) + (1 if rest and terms.begun == "whole" else 0), 1 if terms.at_zero == "one" else 0)

    def price(quantity: Fraction, before: Fraction, _: str) -> list[Row]:
        due = Fraction(packages(before + quantity) - (packages(before) if before or measured.continues else 0))
        return [Row(f"packages of {terms.size}", due, "package", terms.price, due * exact_price(terms.price))]

    return usage_lines(KIND, measured, terms, pricing, price)
