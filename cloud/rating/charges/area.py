"""A price for each square metre and period, or a share of the plant's cost by area. PURE.

The surprise: an area may change inside a period; each stretch is a line of its own, and how its part of the period is
counted is the proration that the terms name. Areas are declared (from the lease), so they are evidence of level C.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated, Literal, Self

import msgspec
from pydantic import Field, ValidationInfo, model_validator

from cloud.calendar import Day, Proration, local_day, midnight
from cloud.rating.bounds import share_of
from cloud.rating.line_amounts import price_line
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing, exact_price, number
from cloud.rating.terms_fields import Id, Positive, Price, is_stored
from cloud.rating.usage_terms import Part, part_of_period

KIND = "area"
MEASURE = "period"


class Area(Part):
    """So many square metres of one place, over the local days ``[first, end)``; open where no end is named."""

    subject: Id
    m2: Positive
    first: Day | None = None
    end: Day | None = None

    @model_validator(mode="after")
    def _begins_before_it_ends(self, info: ValidationInfo) -> Self:
        if self.first is not None and self.end is not None and self.end <= self.first and not is_stored(info):
            raise ValueError(f"area {self.subject}: end ({self.end}) must be after first ({self.first})")
        return self

    def holds(self, day: str) -> bool:
        """Whether it counts on a local day."""
        return (self.first or "") <= day and (self.end is None or day < self.end)


class Terms(ChargeTerms):
    """``unit_price`` of a square metre and whole period; or ``plant_cost`` of a period, shared by ``total_m2``."""

    kind: Literal["area"]
    areas: Annotated[list[Area], Field(min_length=1, max_length=1000)]
    unit_price: Price | None = None
    plant_cost: Price | None = None
    total_m2: Positive | None = None
    proration: Proration = Proration()

    @model_validator(mode="after")
    def _one_way(self, info: ValidationInfo) -> Self:
        if (self.unit_price is None) == (self.plant_cost is None):
            raise ValueError("an area costs either a unit_price, or a share of plant_cost")
        if (self.plant_cost is None) != (self.total_m2 is None):
            raise ValueError("plant_cost is shared by total_m2: name both")
        if self.total_m2 is not None and not is_stored(info):
            self._refuse_more_than_the_plant(exact_price(self.total_m2))
        return self

    def _refuse_more_than_the_plant(self, total: Fraction) -> None:
        for day in {area.first or "" for area in self.areas}:
            at_once = sum((exact_price(area.m2) for area in self.areas if area.holds(day)), Fraction(0))
            if at_once > total:
                raise ValueError(f"areas: {number(at_once)} m2 at once are more than total_m2 ({self.total_m2})")

    def options(self) -> list[str]:
        """The conventions in words."""
        return [f"part of a period: {self.proration.in_words()}"]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """A line for each stretch of each area."""
    lines = []
    for area in terms.areas:
        from_ms = measured.from_ms if area.first is None else max(measured.from_ms, _begins(area.first, pricing))
        to_ms = measured.to_ms if area.end is None else min(measured.to_ms, _begins(area.end, pricing))
        if from_ms >= to_ms and (area.first is not None or area.end is not None):
            continue
        stretch = msgspec.structs.replace(
            measured, subject=area.subject, quantity=exact_price(area.m2), unit="m2", effect="fixed", level="C",
            from_ms=from_ms, to_ms=to_ms, instants=False,
            first=measured.first if from_ms == measured.from_ms else _day(from_ms, pricing),
            end=measured.end if to_ms == measured.to_ms else _day(to_ms, pricing),
        )  # fmt: skip
        part = share_of(stretch, terms.proration, pricing)
        price, words = _price(terms)
        line = price_line(stretch, KIND, words, exact_price(area.m2) * price * part.ratio, pricing)
        rows = [] if part.ratio == 1 else [part_of_period(part, terms.proration.count).step]
        lines.append(msgspec.structs.replace(line, steps=rows))
    return lines


def _price(terms: Terms) -> tuple[Fraction, str]:
    if terms.unit_price is not None:
        return exact_price(terms.unit_price), terms.unit_price
    assert terms.plant_cost is not None
    assert terms.total_m2 is not None
    return exact_price(terms.plant_cost) / exact_price(terms.total_m2), terms.plant_cost


def _begins(day: str, pricing: Pricing) -> int:
    return midnight(date.fromisoformat(day), pricing.zone)


def _day(at_ms: int, pricing: Pricing) -> str:
    return local_day(at_ms, pricing.zone).isoformat()
