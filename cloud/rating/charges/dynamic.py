"""The price comes with each event: resale at cost plus, auctions, prices of the day. PURE.

The surprise: an event without a price is not billed at nothing; the agreement's validity rules refuse it before it gets
here, and here it is an error.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from functools import lru_cache
from itertools import repeat
from typing import Literal, Self

from pydantic import ValidationInfo, model_validator

from cloud.money import parse_amount
from cloud.rating.lines import Line, Measured, Pricing, RatingError, exact_price
from cloud.rating.terms_fields import Positive, is_stored
from cloud.rating.usage_terms import Row, UsageTerms, amount_lines
from cloud.rating.uses import scaled_values

KIND = "dynamic"
MEASURE = "usage"


class Terms(UsageTerms):
    """``price_is``: what an event brings is the price of one unit, or the amount of the whole event; ``multiplier``
    marks it up.
    """

    kind: Literal["dynamic"]
    price_is: Literal["unit_price", "amount"] = "unit_price"
    multiplier: Positive = "1"

    @model_validator(mode="after")
    def _each_by_itself(self, info: ValidationInfo) -> Self:
        if is_stored(info):
            return self
        if self.free_units is not None or self.convert is not None or self.round_quantity is not None:
            raise ValueError("dynamic prices each event by itself: no free units, no conversion or rounding of a total")
        if self.aggregation.function not in ("sum", "count"):
            raise ValueError(f"dynamic adds up what its events cost: sum or count, not {self.aggregation.function}")
        return self

    def options(self) -> list[str]:
        """The conventions in words."""
        return [*super().options(), f"each event brings its {self.price_is.replace('_', ' ')}, times {self.multiplier}"]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: the sum of what the events cost, each priced by itself."""
    values, places = scaled_values(measured.uses)
    by_unit = terms.price_is == "unit_price" and terms.aggregation.function != "count"
    # Uses of one price are added up first: of prices there are fewer than of uses.
    at_price: defaultdict[str, int] = defaultdict(int)
    for use, value in zip(measured.uses, values if by_unit else repeat(1), strict=by_unit):
        at_price[use.price] += value
    if "" in at_price:
        bare = next(use for use in measured.uses if not use.price)
        raise RatingError(f"event {bare.id or bare.at} brings no price; a validity rule should have refused it")
    sums: dict[int, int] = {}
    for price, value in at_price.items():
        units, price_places = _scaled(price)
        sums[price_places] = sums.get(price_places, 0) + units * value
    amount = sum((Fraction(units, 10 ** (of + (places if by_unit else 0))) for of, units in sums.items()), Fraction(0))
    exact = amount * exact_price(terms.multiplier)
    row = Row(f"{len(measured.uses)} events, each at its own price", measured.quantity, measured.unit, "", exact)
    return amount_lines(KIND, measured, terms, pricing, [row])


@lru_cache(maxsize=65_536)
def _scaled(price: str) -> tuple[int, int]:
    """A price as an integer and its places."""
    number = parse_amount(price)
    places = max(-int(number.as_tuple().exponent), 0)
    return int(number.scaleb(places)), places
