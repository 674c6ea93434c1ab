"""Hours of running, each weighted by speed, coil and season, at a price an hour. PURE.

The surprise: seconds nobody saw are ``unknown``, never "off"; what they weigh is an option like every other weight, and
so is a speed that the table does not name. The season is that of the local day on which a stretch begins. Free units
are weighted hours.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated, Literal, Self

import msgspec
from pydantic import Field, ValidationInfo, model_validator

from cloud.calendar import local_day
from cloud.rating.lines import Line, Measured, Pricing, exact_price
from cloud.rating.terms_fields import Id, Price, is_stored
from cloud.rating.usage_terms import Part, Row, UsageTerms, adjusted, amount_lines, billable
from cloud.rating.uses import Use
from cloud.time_windows import Name, Season

KIND = "weighted_runtime"
MEASURE = "usage"
UNKNOWN = "unknown"


class Weight(Part):
    """What an hour at a speed counts; for one coil or season only where they are named. The first that fits counts."""

    speed: Id
    coil: Id | None = None
    season: Name | None = None
    weight: Price


class Terms(UsageTerms):
    """A price of one weighted hour, and the weights. ``coils``: which coil hangs on which device."""

    kind: Literal["weighted_runtime"]
    unit_price: Price
    weights: Annotated[list[Weight], Field(min_length=1, max_length=200)]
    coils: dict[Id, Id] = Field(default={})
    seasons: list[Season] = Field(default=[])
    unknown_weight: Price = "0"
    unlisted_weight: Price = "0"

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        if is_stored(info):
            return self
        unknown = {one.season for one in self.weights if one.season} - {one.name for one in self.seasons}
        if unknown:
            raise ValueError(f"weights: there is no season {min(unknown)}")
        if self.aggregation.function != "sum":
            raise ValueError(f"weighted_runtime adds up weighted hours: sum, not {self.aggregation.function}")
        return self

    def options(self) -> list[str]:
        """The conventions in words."""
        return [
            *super().options(),
            f"an hour nobody saw weighs {self.unknown_weight}",
            f"an hour at a speed that is not listed weighs {self.unlisted_weight}",
        ]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line of weighted hours, with a row for each speed, coil and season."""
    seconds: dict[tuple[str, str, str], Fraction] = {}
    for use in measured.uses:
        key = (_speed(use), _coil(use, terms), _season(local_day(use.at, pricing.zone), terms))
        seconds[key] = seconds.get(key, Fraction(0)) + use.quantity
    rows, hours = [], Fraction(0)
    for key in sorted(seconds):
        weight = _weight(*key, terms)
        weighted = seconds[key] / 3600 * exact_price(weight)
        hours += weighted
        words = ", ".join(part for part in (f"speed {key[0]}", key[1] and f"coil {key[1]}", key[2]) if part)
        price = f"{weight} x {terms.unit_price} / 3600"
        rows.append(Row(words, seconds[key], "s", price, weighted * exact_price(terms.unit_price)))
    rows = rows or [Row("no running", Fraction(0), "s", terms.unit_price, Fraction(0))]
    weighted_hours = msgspec.structs.replace(measured, quantity=hours, unit="h")
    one = billable(weighted_hours, terms, pricing)
    rows = [*one.rows, *rows, *adjusted(hours, exact_price(terms.unit_price), terms.unit_price, one)]
    return amount_lines(KIND, weighted_hours, terms, pricing, rows)


def _speed(use: Use) -> str:
    return use.labels.get("speed") or use.labels.get("state") or UNKNOWN


def _coil(use: Use, terms: Terms) -> str:
    return use.labels.get("coil") or terms.coils.get(use.labels.get("device", ""), "")


def _season(day: date, terms: Terms) -> str:
    return next((season.name for season in terms.seasons if season.holds(day)), "")


def _weight(speed: str, coil: str, season: str, terms: Terms) -> str:
    if speed == UNKNOWN:
        return terms.unknown_weight
    for one in terms.weights:
        if one.speed == speed and one.coil in (None, coil) and one.season in (None, season):
            return one.weight
    return terms.unlisted_weight
