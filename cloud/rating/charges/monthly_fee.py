"""A fee for each calendar month, pro rata by local days. PURE.

The surprise: the denominator is always the whole calendar month, also for a month in which the agreement begins or
ends, and the end day is exclusive (one of the conventions in which billing products contradict each other). The amount
is multiplied before it is divided: 300.00 x 10 / 31.
"""

from __future__ import annotations

from typing import Literal

from cloud.rating.line_amounts import ratio_line
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing, exact_price
from cloud.rating.terms_fields import Price

KIND = "monthly_fee"
MEASURE = "days"


class Terms(ChargeTerms):
    """The fee of one calendar month."""

    kind: Literal["monthly_fee"]
    amount: Price
    prorate: Literal["local_days_of_calendar_month"] = "local_days_of_calendar_month"

    def options(self) -> list[str]:
        """The conventions in words."""
        return ["part of a calendar month: by local days, the end day not counted"]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: fee x days / days of the month."""
    amount, parts = exact_price(terms.amount).as_integer_ratio()
    exact = amount * measured.days, parts * measured.month_days
    return [ratio_line(measured, KIND, terms.amount, exact, pricing)]
