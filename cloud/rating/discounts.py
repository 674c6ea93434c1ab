"""A part of an amount, or an amount, taken off it. PURE.

The surprise: an amount is taken off once, also where a charge has a line for each window of the clock: what the lines
before have used up of it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from cloud.rating.limits import HeldFor, Holds
from cloud.rating.lines import Measured, exact_price
from cloud.rating.terms_fields import Price, is_stored


class Discount(BaseModel):
    """A part of the amount, or an amount, taken off; never below nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    percent: Price | None = None
    amount: Price | None = None
    prorated: bool = False
    holds: HeldFor = None

    @model_validator(mode="after")
    def _one(self, info: ValidationInfo) -> Self:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("a discount has either a percent or an amount")
        if self.percent is not None and exact_price(self.percent) > 100:
            raise ValueError("percent: more than 100 would pay the customer")
        if self.percent is not None and self.prorated and not is_stored(info):
            raise ValueError("prorated: a percent of a part of a period is of less already; it is for an amount")
        return self

    def off(self, exact: Fraction, ratio: Fraction, spent: Fraction) -> Fraction:
        """What is taken off an exact amount; ``ratio``: the part of the period; ``spent``: of an amount already."""
        if self.percent is not None:
            return exact * exact_price(self.percent) / 100
        assert self.amount is not None
        return max(min(exact_price(self.amount) * (ratio if self.prorated else 1) - spent, exact), Fraction(0))

    @property
    def words(self) -> str:
        """How a row calls it."""
        return f"discount {self.percent} %" if self.percent is not None else f"discount {self.amount}"


Discounts = Annotated[list[Discount], Field(max_length=10)]
Spent = list[Fraction]
"""What each discount of a charge has taken off already."""


def taken_off(
    discounts: Sequence[Discount],
    exact: Fraction,
    ratio: Callable[[Holds | None], Fraction],
    spent: Spent | None = None,
) -> list[Fraction]:
    """What each of the discounts takes off in its turn. ``spent``: by the lines of the same charge before this one;
    this one is added to it.
    """
    before = [Fraction(0)] * len(discounts) if spent is None else spent
    found = []
    for place, discount in enumerate(discounts):
        part = ratio(discount.holds) if discount.prorated else Fraction(1)
        found.append(discount.off(exact, part, before[place]))
        before[place] += found[-1]
        exact -= found[-1]
    return found


def spent_before(measured: Measured, discounts: Sequence[Discount]) -> Spent:
    """What the stretches of the period before this one used up of each discount that holds once for all of them."""
    kept = measured.kept
    if kept is None:
        return [Fraction(0)] * len(discounts)
    return [
        kept.spent.get(place, Fraction(0)) if discount.holds == "for_the_period" else Fraction(0)
        for place, discount in enumerate(discounts)
    ]


def keep_spent(measured: Measured, discounts: Sequence[Discount], offs: Sequence[Fraction]) -> None:
    """Leaves for the next stretches what was taken off in this one."""
    if measured.kept is None:
        return
    for place, (discount, off) in enumerate(zip(discounts, offs, strict=True)):
        measured.kept.off += off
        if discount.amount is not None:
            measured.kept.spent[place] = measured.kept.spent.get(place, Fraction(0)) + off
