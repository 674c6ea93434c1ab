"""A price for each window of the local clock: peak and valley, weekday and holiday, summer and winter. PURE.

The surprise: usage known only over an interval (between two readings) that crosses the edge of a window is shared out
by time, or counted whole where the interval begins or ends, as the terms say; the shares always add up to the whole.
What is a window on the day the clock changes: see ``cloud/time_windows.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Literal, Self

import msgspec
from pydantic import Field, model_validator

from cloud.rating.bounds import bound_lines
from cloud.rating.conventions import of_windows
from cloud.rating.discounts import spent_before
from cloud.rating.intervals import cut_by_windows
from cloud.rating.lines import Line, Measured, Pricing, exact_price
from cloud.rating.terms_fields import Price
from cloud.rating.usage_terms import Row, UsageTerms, amount_lines, billable
from cloud.rating.uses import Use, total
from cloud.time_windows import Name, TimeWindows, windows_between

KIND = "time_of_use"
MEASURE = "usage"


class Terms(UsageTerms):
    """A unit price for every window. ``split``: what becomes of an interval that crosses an edge."""

    kind: Literal["time_of_use"]
    windows: TimeWindows
    prices: Annotated[dict[Name, Price], Field(min_length=1)]
    split: Literal["by_time", "at_start", "at_end"] = "by_time"

    @model_validator(mode="after")
    def _every_window_has_a_price(self) -> Self:
        missing = [name for name in self.windows.names if name not in self.prices]
        if missing:
            raise ValueError(f"prices: the window {missing[0]} has none; write 0 for one that is free")
        strange = sorted(set(self.prices) - set(self.windows.names))
        if strange:
            raise ValueError(f"prices: there is no window {strange[0]}")
        if self.aggregation.function != "sum" or self.free_units is not None:
            raise ValueError("time_of_use adds up what was used in each window: no other aggregation, no free units")
        return self

    def options(self) -> list[str]:
        """The conventions in words."""
        words = {
            "by_time": "shared out by time",
            "at_start": "counted in the window in which it begins",
            "at_end": "counted in the window in which it ends",
        }
        said = [*super().options(), *of_windows(self.windows)]
        said.append(f"usage over an interval that crosses a window's edge is {words[self.split]}")
        if any(rule.to <= rule.from_ for rule in self.windows.rules):
            own = self.windows.over_midnight == "own_day"
            said.append(f"hours after midnight go by {'their own day' if own else 'the day on which the window began'}")
        return said


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """A line for each window in which something was used; bounds, and discounts of an amount, over all of them."""
    first = min([use.at for use in measured.uses], default=measured.from_ms)
    last = max([max(use.at + 1, use.until) for use in measured.uses], default=measured.to_ms)
    span = (min(measured.from_ms, first), max(measured.to_ms, last))
    windows = windows_between(*span, terms.windows, pricing.zone)
    found = cut_by_windows(measured.uses, windows, terms.split)
    free_of_bounds = terms.model_copy(update={"minimum": None, "maximum": None})
    lines: list[Line] = []
    gross, spent = Fraction(0), spent_before(measured, terms.discounts)
    before = sum(spent, Fraction(0))
    for name in terms.windows.names:
        if name not in found and (found or name != terms.windows.names[0]):
            continue
        part = _part(measured, name, found.get(name, []))
        one = billable(part, terms, pricing)
        amount = one.quantity * exact_price(terms.prices[name])
        gross += amount
        rows = [*one.rows, Row("units", one.quantity, one.unit, terms.prices[name], amount)]
        lines += amount_lines(KIND, part, free_of_bounds, pricing, rows, spent)
    base = gross if terms.bounds_apply == "before_discounts" else gross - (sum(spent, Fraction(0)) - before)
    return [*lines, *bound_lines(measured, terms, pricing, lines, base)]


def _part(measured: Measured, name: str, uses: Sequence[Use]) -> Measured:
    """What was measured in one window, with the leaves of its own uses."""
    leaves = measured.leaves
    if measured.proofs:
        leaves = tuple(sorted({leaf for use in uses for leaf in measured.proofs.get(use.id, ())}))
    return msgspec.structs.replace(
        measured,
        quantity=total(uses),
        window=name,
        uses=(),
        rows=(),
        leaves=leaves,
        registers=() if measured.proofs else measured.registers,
    )
