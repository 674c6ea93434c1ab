"""The greatest use of each hour, day, week or month of the local clock, priced and added up: peaks of demand. PURE.

The surprise: ``tiers_apply`` says whether each bucket's maximum is priced by itself or their sum is; with tiers that is
not the same. A day on which the clock is set back is one bucket of 25 hours, and its doubled hour two buckets.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, Self

import msgspec
from pydantic import ValidationInfo, model_validator

from cloud.rating.buckets import greatest_of_each
from cloud.rating.lines import Line, Measured, Pricing
from cloud.rating.terms_fields import is_stored
from cloud.rating.tiers import TieredTerms, tier_rows
from cloud.rating.usage_terms import Bucket, Row, amount_lines, billable, usage_lines

KIND = "bucketed_maximum"
MEASURE = "usage"


class Terms(TieredTerms):
    """Prices of a maximum: one open tier is a plain unit price."""

    kind: Literal["bucketed_maximum"]
    bucket: Bucket = "day"
    tiers_apply: Literal["to_each_bucket", "to_the_sum"] = "to_each_bucket"

    @model_validator(mode="after")
    def _greatest(self, info: ValidationInfo) -> Self:
        if self.aggregation.function not in ("sum", "max") and not is_stored(info):
            raise ValueError(
                f"bucketed_maximum takes the greatest of each {self.bucket} and adds these up: "
                f"leave the aggregation out, or write max, not {self.aggregation.function}"
            )
        return self

    def options(self) -> list[str]:
        """The conventions in words."""
        return [
            *super().options(),
            f"the greatest of each {self.bucket}; prices apply {self.tiers_apply.replace('_', ' ')}",
        ]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line, with a row for each bucket or for each tier of the sum."""
    peaks = dict(sorted(greatest_of_each(measured.uses, terms.bucket, pricing.zone).items()))
    summed = msgspec.structs.replace(measured, quantity=sum(peaks.values(), Fraction(0)))
    if terms.tiers_apply == "to_the_sum":

        def price(quantity: Fraction, before: Fraction, unit: str) -> list[Row]:
            return tier_rows(terms, quantity, before, unit, continues=measured.continues)

        return usage_lines(KIND, summed, terms, pricing, price)
    rows: list[Row] = []
    for name, peak in peaks.items():
        one = billable(msgspec.structs.replace(measured, quantity=peak, before=Fraction(0), kept=None), terms, pricing)
        exact = sum(
            (row.exact for row in tier_rows(terms, one.quantity, Fraction(0), one.unit) if row.exact), Fraction(0)
        )
        rows.append(Row(name, one.quantity, one.unit, "", exact))
    return amount_lines(KIND, summed, terms, pricing, rows)
