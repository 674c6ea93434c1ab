"""Tiers, and the conventions in which products contradict each other about them. PURE.

The surprise: ``up_to`` is an inclusive upper bound, null is open. What a bounded last tier does beyond its bound and
whether the first flat fee is due at zero usage are named options, never defaults of the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from cloud.rating.lines import Line, Measured, Pricing, RatingError, exact_price, number
from cloud.rating.terms_fields import Positive, Price
from cloud.rating.tier_plan import TierPlan
from cloud.rating.usage_terms import Part, Row, UsageTerms


class Tier(Part):
    """Units above the tier before, up to and with ``up_to``: each at ``unit_price``, and ``flat`` once when reached."""

    up_to: Positive | None = None
    unit_price: Price = "0"
    flat: Price = "0"


class TieredTerms(UsageTerms):
    """Tiers in ascending order."""

    tiers: Annotated[list[Tier], Field(min_length=1, max_length=100)]
    first_flat_at_zero: Literal["due", "not_due"] = "due"
    beyond_last_tier: Literal["error", "cap", "extend"] = "error"
    bounds: Annotated[
        Literal["inclusive", "exclusive"] | None,
        Field(description="whether a quantity of exactly up_to is in the tier (so when left out) or in the next"),
    ] = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        bounds = [tier.up_to for tier in self.tiers]
        if None in bounds[:-1]:
            raise ValueError("tiers: only the last tier may be open (up_to null)")
        known = [exact_price(bound) for bound in bounds if bound is not None]
        if sorted(set(known)) != known:
            raise ValueError("tiers: up_to must rise from tier to tier")
        return self

    @cached_property
    def reaches(self) -> tuple[_Reach, ...]:
        """The tiers with their bounds and prices as fractions."""
        return tuple(_made_reaches(self))

    @cached_property
    def plans(self) -> dict[str, TierPlan | None]:
        """The tiers as integers, by unit; None where they were asked for once."""
        return {}

    def options(self) -> list[str]:
        """The conventions in words."""
        zero = "is due" if self.first_flat_at_zero == "due" else "is not due"
        said = [
            *super().options(),
            f"up_to is an {self.bounds or 'inclusive'} upper bound",
            f"the first tier's flat fee {zero} at zero usage",
        ]
        if self.tiers[-1].up_to is not None:
            words = {
                "error": "is refused",
                "cap": "costs nothing",
                "extend": "is priced by the last tier",
            }
            said.append(f"usage beyond the last tier {words[self.beyond_last_tier]}")
        return said


class _Reach(NamedTuple):
    """A tier with its bounds: units in ``(above, up_to]``; ``up_to`` None = open."""

    place: int
    tier: Tier
    above: Fraction
    up_to: Fraction | None
    price: Fraction
    flat: Fraction


def _made_reaches(terms: TieredTerms) -> Iterator[_Reach]:
    above = Fraction(0)
    last = len(terms.tiers)
    for place, tier in enumerate(terms.tiers, 1):
        up_to = None if tier.up_to is None else exact_price(tier.up_to)
        if place == last and terms.beyond_last_tier == "extend":
            up_to = None
        yield _Reach(place, tier, above, up_to, exact_price(tier.unit_price), exact_price(tier.flat))
        if up_to is not None:
            above = up_to


def _within(terms: TieredTerms, quantity: Fraction) -> Fraction:
    """The part of a quantity that the tiers cover; raises RatingError where the terms refuse what lies beyond."""
    bound = terms.tiers[-1].up_to
    if bound is None or terms.beyond_last_tier == "extend" or not _is_above(terms, quantity, exact_price(bound)):
        return quantity
    if terms.beyond_last_tier == "cap":
        return exact_price(bound)
    raise RatingError(
        f"{number(quantity)} lies beyond the last tier (up to {bound}), and beyond_last_tier says error; "
        "write cap or extend into the terms, or open the last tier"
    )


def _is_above(terms: TieredTerms, quantity: Fraction, bound: Fraction) -> bool:
    """Whether a quantity lies beyond the tier with this bound."""
    return quantity >= bound if terms.bounds == "exclusive" else quantity > bound


def tier_rows(
    terms: TieredTerms,
    quantity: Fraction,
    before: Fraction,
    unit: str,
    *,
    percent: bool = False,
    continues: bool = False,
) -> list[Row]:
    """Graduated: what of ``(before, before + quantity]`` falls into each tier; flat fees of tiers reached in it.

    ``continues``: a line of the same period has ``before`` already, and the first flat fee where it is due at zero.
    """
    begun = continues and terms.first_flat_at_zero == "due"
    start = _within(terms, before) if before else before
    stop = _within(terms, before + quantity if before else quantity)
    rows = []
    for reach in terms.reaches:
        beyond = _is_above(terms, stop, reach.above) if reach.place > 1 else stop > 0
        if reach.place > 1 and not beyond:
            break
        upper = stop if reach.up_to is None else min(stop, reach.up_to)
        units = max(upper - max(start, reach.above), Fraction(0))
        if units or (reach.place == 1 and not stop):
            shown = f"{reach.tier.unit_price} %" if percent else reach.tier.unit_price
            amount = units * reach.price
            rows.append(Row(f"tier {reach.place}", units, unit, shown, amount / 100 if percent else amount))
        flat = reach.flat
        reached = beyond or (reach.place == 1 and terms.first_flat_at_zero == "due")
        earlier = _is_above(terms, before, reach.above) if reach.place > 1 else before > 0 or begun
        if flat and reached and not earlier:
            rows.append(Row(f"tier {reach.place} flat", None, "", reach.tier.flat, flat))
    return rows


def volume_rows(
    terms: TieredTerms, quantity: Fraction, before: Fraction, unit: str, *, continues: bool = False
) -> list[Row]:
    """Volume: every unit at the price of the tier that holds the total."""
    total = _within(terms, before + quantity)
    units = total - _within(terms, before)
    last = terms.reaches[-1]
    reach = next((one for one in terms.reaches if one.up_to is None or not _is_above(terms, total, one.up_to)), last)
    rows = [Row(f"tier {reach.place}", units, unit, reach.tier.unit_price, units * reach.price)]
    flat = reach.flat
    begun = before or (continues and terms.first_flat_at_zero == "due")
    if flat and not begun and (total or terms.first_flat_at_zero == "due"):
        rows.append(Row(f"tier {reach.place} flat", None, "", reach.tier.flat, flat))
    return rows


def planned_line(
    kind: str, measured: Measured, terms: TieredTerms, pricing: Pricing, *, volume: bool = False, percent: bool = False
) -> Line | None:
    """The line of a plain quantity by integers; None where only ``tier_rows`` can tell."""
    plan = terms.plans.get(measured.unit)
    if plan is None:
        if not terms.is_plain or terms.bounds == "exclusive":
            return None
        # A plan takes as long as some lines by fractions: it is made when a second line asks for it.
        if measured.unit not in terms.plans:
            terms.plans[measured.unit] = None
            return None
        plan = terms.plans[measured.unit] = TierPlan(terms, measured.unit, volume=volume, percent=percent)
    return None if measured.rows or measured.before or measured.continues else plan.line(measured, kind, pricing)
