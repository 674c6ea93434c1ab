"""A fixed amount for each period of the agreement's cycle: a subscription, a rent, a service fee. PURE.

The surprise: what a part of a period costs is a named option (``proration``), because products count days in four ways
and divide by two different periods. The amount is multiplied before it is divided.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Literal

import msgspec
from pydantic import Field, ValidationInfo, model_validator

from cloud.calendar import Proration
from cloud.rating.bounds import ONE_PERIOD, ratio_held, share_of
from cloud.rating.conventions import of_discounts, of_holds
from cloud.rating.discounts import Discounts, keep_spent, spent_before, taken_off
from cloud.rating.limits import with_holds
from cloud.rating.line_amounts import price_line, ratio_line
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing, exact_price
from cloud.rating.terms_fields import Positive, Price, is_stored
from cloud.rating.usage_terms import Row, part_of_period

KIND = "flat"
MEASURE = "period"


class Terms(ChargeTerms):
    """The amount of one whole period, times a quantity (seats, machines)."""

    kind: Literal["flat"]
    amount: Price
    quantity: Positive = "1"
    proration: Proration = Proration()
    discounts: Discounts = Field(default=[])

    @model_validator(mode="before")
    @classmethod
    def _limits_hold(cls, told: object, info: ValidationInfo) -> object:
        return told if is_stored(info) else with_holds(told)

    def options(self) -> list[str]:
        """The conventions in words."""
        return [f"part of a period: {self.proration.in_words()}", *_held(self.discounts)]


def _held(discounts: Discounts) -> list[str]:
    return of_discounts(discounts) + of_holds(
        {"a discount of an amount": [one for one in discounts if one.amount is not None]}
    )


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: amount x quantity x the part of the period."""
    part = share_of(measured, terms.proration, pricing)
    served = msgspec.structs.replace(
        measured, quantity=exact_price(terms.quantity), unit=ONE_PERIOD, effect="fixed", level="C"
    )
    if not terms.discounts:
        factors = [one.as_integer_ratio() for one in (exact_price(terms.amount), served.quantity, part.ratio)]
        ratio = prod([above for above, _ in factors]), prod([below for _, below in factors])
        rows = [] if part.ratio == 1 else [part_of_period(part, terms.proration.count)]
        return [ratio_line(served, KIND, terms.amount, ratio, pricing, [row.step for row in rows])]
    exact = exact_price(terms.amount) * exact_price(terms.quantity) * part.ratio
    offs = taken_off(terms.discounts, exact, lambda holds: ratio_held(measured, terms.proration, pricing, holds),
                     spent_before(measured, terms.discounts))  # fmt: skip
    keep_spent(measured, terms.discounts, offs)
    exact -= sum(offs, Fraction(0))
    line = price_line(served, KIND, terms.amount, exact, pricing)
    rows = [part_of_period(part, terms.proration.count)]
    rows += [Row(discount.words, None, "", "", None) for discount in terms.discounts]
    return [msgspec.structs.replace(line, steps=[row.step for row in rows])]
