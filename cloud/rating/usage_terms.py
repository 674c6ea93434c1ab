"""What all charges on usage have in common: what is measured, how it becomes a billable quantity, and what bounds it.
PURE.

The surprise: nothing here has a hidden order. A quantity is aggregated, freed, converted and rounded as the terms say
(free units before or after the conversion); an amount is discounted and then held between minimum and maximum; every
step that changed something is a row under the line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from cloud.calendar import Proration, Share
from cloud.money import rounded, short_text
from cloud.rating.bounds import bound_lines, ratio_held
from cloud.rating.conventions import of_usage
from cloud.rating.discounts import Discounts, Spent, keep_spent, spent_before, taken_off
from cloud.rating.intervals import Splitting
from cloud.rating.limits import FreeUnits, HeldBound, refuse_crossed, with_holds
from cloud.rating.line_amounts import price_line
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing, Step, exact_price, number
from cloud.rating.terms_fields import Id, Positive, Price, is_stored
from cloud.rating.uses import Function
from cloud.rating.validity import Validity

Measure = Literal["quantity", "pieces", "energy", "events", "runtime", "area"]
Bucket = Literal["hour", "day", "week", "month"]


class Part(BaseModel):
    """A piece of terms: unknown fields refused, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Source(Part):
    """What is measured. Empty lists mean all; ``where`` keeps uses whose label has one of these values."""

    measure: Measure = "quantity"
    types: Annotated[list[str], Field(description="types of events")] = []
    devices: list[Id] = []
    subjects: Annotated[list[str], Field(description="items, registers or subjects of events")] = []
    where: dict[Id, list[str]] = {}
    group_by: Annotated[list[Id], Field(description="labels; each combination of values is a line")] = []
    unit: Annotated[str, Field(max_length=32)] = "unit"


class Aggregation(Part):
    """How many uses become one quantity. ``of``: the label whose values are counted by ``unique``. ``per``: what a
    level is weighted by; ``level``: whether a use sets the level or changes it, and the one at the beginning.
    """

    function: Function = "sum"
    of: Id | None = None
    per: Literal["period", "second", "minute", "hour", "day"] = "hour"
    level: Literal["set_by_use", "changed_by_use"] = "set_by_use"
    opening: Price = "0"


class Conversion(Part):
    """A quantity in another unit: first multiplied, then divided."""

    multiply_by: Positive = "1"
    divide_by: Positive = "1"
    unit: Annotated[str, Field(max_length=32)]


class QuantityRounding(Part):
    """A quantity rounded before it is priced; ``places`` may be negative (tens, hundreds)."""

    mode: Literal["half_up", "half_even", "half_down", "up", "down", "ceiling", "floor"] = "up"
    places: Annotated[int, Field(ge=-9, le=12)] = 0


class UsageTerms(ChargeTerms):
    """A charge on usage. Every field is a convention that the statement prints."""

    source: Source = Source()
    aggregation: Aggregation = Aggregation()
    valid: Validity | None = None
    convert: Conversion | None = None
    round_quantity: QuantityRounding | None = None
    free_units: FreeUnits | None = None
    discounts: Discounts = Field(default=[])
    minimum: HeldBound | None = None
    maximum: HeldBound | None = None
    bounds_apply: Literal["after_discounts", "before_discounts"] = "after_discounts"
    proration: Proration = Proration()
    across_versions: Literal["restart", "continue"] = "restart"
    over_edges: Annotated[
        Splitting | None,
        Field(description="an interval in which the price or the period changes: by_time when left out"),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _limits_hold(cls, told: object, info: ValidationInfo) -> object:
        return told if is_stored(info) else with_holds(told)

    @model_validator(mode="after")
    def _bounds_fit(self, info: ValidationInfo) -> Self:
        if not is_stored(info):
            refuse_crossed(self.minimum, self.maximum)
            free = self.free_units
            if free is not None and free.holds == "for_each_price" and self.across_versions == "continue":
                raise ValueError("free_units: across_versions says continue, and holds for_each_price")
        return self

    @property
    def edges_split(self) -> Splitting:
        """What becomes of an interval in which the price or the period changes."""
        return self.over_edges or "by_time"

    @cached_property
    def is_plain(self) -> bool:
        """Whether quantity and amount stay as they are: nothing free, converted, rounded, discounted or bounded."""
        changed = (self.free_units, self.convert, self.round_quantity, self.minimum, self.maximum)
        return not self.discounts and all(one is None for one in changed)

    def metered_devices(self) -> list[str]:
        """The devices named here."""
        return list(self.source.devices)

    def options(self) -> list[str]:
        """The conventions in words."""
        return of_usage(self)


class Row(NamedTuple):
    """A step while it is exact: ``exact`` None for one that only says what became of the quantity."""

    what: str
    quantity: Fraction | None
    unit: str
    unit_price: str
    exact: Fraction | None

    @property
    def step(self) -> Step:
        """As a line shows it."""
        return Step(
            what=self.what,
            quantity="" if self.quantity is None else number(self.quantity),
            unit=self.unit if self.quantity is not None else "",
            unit_price=self.unit_price,
            amount="" if self.exact is None else short_text(self.exact.numerator, self.exact.denominator, 12),
        )


class Billable(NamedTuple):
    """A quantity on its way to a price: what is billed of it now, what was billed of it before, and the rows."""

    quantity: Fraction
    before: Fraction
    unit: str
    rows: list[Row]


PriceQuantity = Callable[[Fraction, Fraction, str], list[Row]]


def billable(measured: Measured, terms: UsageTerms, pricing: Pricing) -> Billable:
    """The aggregated quantity freed, converted and rounded by the terms; with what an earlier version had of it."""
    if terms.is_plain or (terms.free_units is None and terms.convert is None and terms.round_quantity is None):
        return Billable(measured.quantity, measured.before, measured.unit, [])
    free = Fraction(0)
    if terms.free_units is not None:
        free = exact_price(terms.free_units.quantity)
        if terms.free_units.prorated:
            free *= ratio_held(measured, terms.proration, pricing, terms.free_units.holds)
        free = _left_of(free, measured, terms)
    before = _through(measured.before, free, terms) if measured.before else (Fraction(0), Fraction(0))
    whole = _through(measured.before + measured.quantity, free, terms)
    unit = measured.unit if terms.convert is None else terms.convert.unit
    rows = []
    if terms.convert is not None or terms.round_quantity is not None:
        rows.append(Row("converted" if terms.convert else "rounded", whole[1] - before[1], unit, "", None))
    quantity = whole[0] - before[0]
    if terms.free_units is not None:
        rows.append(Row(f"free units ({number(free)})", quantity, unit, "", None))
    return Billable(quantity, before[0], unit, rows)


def _left_of(free: Fraction, measured: Measured, terms: UsageTerms) -> Fraction:
    """What of the free units the stretches before left, where they hold once for the period; this one uses its part."""
    kept, limit = measured.kept, terms.free_units
    if kept is None or limit is None or limit.holds != "for_the_period" or terms.across_versions == "continue":
        return free
    left = max(free - kept.free, Fraction(0))
    early = limit.when == "before_conversion"
    used = max(measured.quantity if early else _converted(measured.quantity, terms), Fraction(0))
    kept.free += min(left, used)
    return left


def _through(quantity: Fraction, free: Fraction, terms: UsageTerms) -> tuple[Fraction, Fraction]:
    """What is billed of a quantity, and the quantity after conversion and rounding (free units not taken off)."""
    if quantity < 0:
        billed, converted = _through(-quantity, free, terms)
        return -billed, -converted
    early = terms.free_units is not None and terms.free_units.when == "before_conversion"
    converted = _converted(quantity, terms)
    if early:
        return _converted(max(quantity - free, Fraction(0)), terms), converted
    return max(converted - free, Fraction(0)), converted


def _converted(quantity: Fraction, terms: UsageTerms) -> Fraction:
    if terms.convert is not None:
        quantity = quantity * exact_price(terms.convert.multiply_by) / exact_price(terms.convert.divide_by)
    if terms.round_quantity is not None:
        quantity = Fraction(rounded(quantity, terms.round_quantity.places, terms.round_quantity.mode))
    return quantity


def usage_lines(kind: str, measured: Measured, terms: UsageTerms, pricing: Pricing, price: PriceQuantity) -> list[Line]:
    """The lines of a charge that prices one quantity: ``price(quantity, before, unit)`` gives the rows of its
    amount.
    """
    one = billable(measured, terms, pricing)
    if one.quantity < 0:
        rows = [
            row._replace(exact=-row.exact if row.exact else row.exact)
            for row in price(-one.quantity, Fraction(0), one.unit)
        ]
    else:
        rows = price(one.quantity, one.before, one.unit)
    return amount_lines(kind, measured, terms, pricing, [*one.rows, *rows])


def adjusted(quantity: Fraction, unit_price: Fraction, shown: str, one: Billable) -> list[Row]:
    """The row that brings what was priced of a whole quantity to what is billable of it, where these differ."""
    more = one.quantity - quantity
    return [Row("free, converted or rounded", more, one.unit, shown, more * unit_price)] if more else []


def amount_lines(
    kind: str, measured: Measured, terms: UsageTerms, pricing: Pricing, rows: Sequence[Row], spent: Spent | None = None
) -> list[Line]:
    """The line of these rows, discounted, and the lines that bring it up to a minimum or down to a maximum. ``spent``:
    what the discounts took off the lines of this charge before.
    """
    exact = gross = added([row.exact for row in rows if row.exact is not None])
    if terms.is_plain:
        return [line_of(kind, measured, rows, exact, pricing)]
    rows = list(rows)
    before = spent_before(measured, terms.discounts) if spent is None else spent
    offs = taken_off(
        terms.discounts, exact, lambda holds: ratio_held(measured, terms.proration, pricing, holds), before
    )
    keep_spent(measured, terms.discounts, offs)
    for discount, off in zip(terms.discounts, offs, strict=True):
        exact -= off
        rows.append(Row(discount.words, None, "", "", -off))
    lines = [line_of(kind, measured, rows, exact, pricing)]
    if terms.minimum is not None or terms.maximum is not None:
        base = gross if terms.bounds_apply == "before_discounts" else exact
        lines += bound_lines(measured, terms, pricing, lines, base)
    return lines


def part_of_period(part: Share, count: str) -> Row:
    """The row that says which part of a period is paid for."""
    unit = "ms" if count == "seconds" else "d"
    return Row(f"part of the period: {part.part} of {part.whole} {unit}", None, "", "", None)


def added(exacts: Sequence[Fraction]) -> Fraction:
    """The sum, without work for one."""
    return exacts[0] if len(exacts) == 1 else sum(exacts, Fraction(0))


def line_of(kind: str, measured: Measured, rows: Sequence[Row], exact: Fraction, pricing: Pricing) -> Line:
    """One line; a single plain row is the line itself, several are shown under it."""
    priced = [row for row in rows if row.exact is not None]
    plain_price = priced and priced[0].unit_price and " " not in priced[0].unit_price
    if len(rows) == 1 and plain_price and priced[0].quantity == measured.quantity:
        return price_line(measured, kind, priced[0].unit_price, exact, pricing)
    average = exact / measured.quantity if measured.quantity else Fraction(0)
    line = price_line(measured, kind, short_text(average.numerator, average.denominator, 12), exact, pricing)
    return msgspec.structs.replace(line, steps=[*measured.rows, *(row.step for row in rows)])
