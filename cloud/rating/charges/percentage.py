"""A percentage of an amount, and a fixed fee for each event: commissions on orders and sales. PURE.

The surprise: free events and a free amount are taken in order of time, and whichever ends first ends both; the event
that crosses the free amount is charged for what lies beyond. A least and a most for each event apply to that event's
own charge, so the events must be known one by one; where it is of a greatest, latest or mean, which no single event
has, they are refused. Free units, conversion and rounding are of what is charged in all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Annotated, Literal, Self

import msgspec
from pydantic import Field, ValidationInfo, model_validator

from cloud.rating.conventions import holds_words
from cloud.rating.limits import HeldFor
from cloud.rating.lines import Line, Measured, Pricing, exact_price
from cloud.rating.terms_fields import Price, is_stored
from cloud.rating.usage_terms import Row, UsageTerms, adjusted, amount_lines, billable
from cloud.rating.uses import Use, decimal_of, ordered, places_of, scaled_values

KIND = "percentage"
MEASURE = "usage"


class Terms(UsageTerms):
    """``percent`` of the quantity, ``fixed`` for each charged event."""

    kind: Literal["percentage"]
    percent: Price
    fixed: Price = "0"
    free_events: Annotated[int, Field(ge=0)] = 0
    free_amount: Price | None = None
    free_holds: HeldFor = None
    least_per_event: Price | None = None
    most_per_event: Price | None = None

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        if is_stored(info):
            return self
        least, most = self.least_per_event, self.most_per_event
        if least is not None and most is not None and exact_price(least) > exact_price(most):
            raise ValueError(f"least_per_event ({least}) is above most_per_event ({most})")
        if self.aggregation.function not in ("sum", "count") and self._looks_at_each_event:
            raise ValueError(
                f"{self.aggregation.function} is no sum of single events: no free_events, least_per_event or "
                "most_per_event; a free_amount and free_units there may be"
            )
        return self

    @property
    def _looks_at_each_event(self) -> bool:
        return bool(self.free_events) or self.least_per_event is not None or self.most_per_event is not None

    @property
    def is_of_the_whole(self) -> bool:
        """Whether it is a percentage of one aggregated quantity and not of each event's own."""
        return self.aggregation.function not in ("sum", "count") and not self._looks_at_each_event

    def options(self) -> list[str]:
        """The conventions in words."""
        said = super().options()
        if self.free_events and self.free_amount is not None:
            first = f"the first {self.free_events} events or the first {self.free_amount}"
            said.append(f"{first} are free, whichever ends first")
        elif self.free_events or self.free_amount is not None:
            many = f"{self.free_events} events" if self.free_events else self.free_amount
            said.append(f"the first {many} are free")
        if self.free_events or self.free_amount is not None:
            said.append(holds_words("the free part of the events", self.free_holds))
        said += [f"an event costs at least {self.least_per_event}"] if self.least_per_event is not None else []
        said += [f"an event costs at most {self.most_per_event}"] if self.most_per_event is not None else []
        return said


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: percent of what is not free, fixed fees of the charged events, what bounds for each event change."""
    rate, fixed = exact_price(terms.percent) / 100, exact_price(terms.fixed)
    if terms.is_of_the_whole:
        free = _free_left(measured, terms)
        based, charged, bounded = max(measured.quantity - free, Fraction(0)), len(measured.uses), Fraction(0)
    else:
        based, charged, bounded = _counted(terms, _events(measured, terms), _events_before(measured, terms))
    one = billable(msgspec.structs.replace(measured, quantity=based), terms, pricing)
    rows = [*one.rows, Row("percent", based, measured.unit, f"{terms.percent} %", based * rate)]
    rows += adjusted(based, rate, f"{terms.percent} %", one)
    if fixed:
        rows.append(Row("events", Fraction(charged), "event", terms.fixed, charged * fixed))
    if bounded:
        rows.append(Row("least and most for each event", None, "", "", bounded))
    return amount_lines(KIND, measured, terms, pricing, rows)


def _events(measured: Measured, terms: Terms) -> Sequence[Use]:
    """The events: in order of time where that decides which of them are free, each as one where they are counted. None
    where nothing was used; a quantity that came without its events is one.
    """
    uses: Sequence[Use] = measured.uses or ([_whole(measured)] if measured.quantity else [])
    if terms.free_events or terms.free_amount is not None:
        uses = ordered(uses)
    if terms.aggregation.function == "count" and measured.uses:
        return [msgspec.structs.replace(use, value=1, scale=0) for use in uses]
    return uses


def _free_left(measured: Measured, terms: Terms) -> Fraction:
    """What of the free amount the stretches of the period before this one left, where it holds once."""
    free, kept = exact_price(terms.free_amount or "0"), measured.kept
    if kept is None or terms.free_holds != "for_the_period":
        return free
    left = max(free - kept.free_amount, Fraction(0))
    kept.free_amount += min(left, max(measured.quantity, Fraction(0)))
    return left


def _events_before(measured: Measured, terms: Terms) -> Sequence[Use]:
    """The events of the stretches before, where free events and a free amount hold once for the period; this stretch's
    are remembered for the next.
    """
    kept = measured.kept
    if kept is None:
        return []
    before = list(kept.events)
    kept.events += _events(measured, terms)
    return before if terms.free_holds == "for_the_period" else []


def _whole(measured: Measured) -> Use:
    """A quantity that came without its events counts as one; it always ends, because quantities do."""
    value, scale = decimal_of(measured.quantity)
    return Use(at=measured.from_ms, value=value, scale=scale)


def _counted(terms: Terms, uses: Sequence[Use], before: Sequence[Use] = ()) -> tuple[Fraction, int, Fraction]:
    """What is charged of these events (in order): of their amounts, how many of them, and what bounds for each event
    add or take off. In integers, because events are what comes most. ``before``: those that used up free ones already.
    """
    known = [exact_price(text) for text in (terms.free_amount, terms.least_per_event, terms.most_per_event) if text]
    amounts, places = scaled_values([*before, *uses] if before else uses, max(map(places_of, known), default=0))
    unit = 10**places
    free = None if terms.free_amount is None else int(exact_price(terms.free_amount) * unit)
    parts = _charged(amounts, terms.free_events, free)
    if before:
        # What is charged of an event hangs on those before it alone, so theirs are the first of all.
        parts = parts[len(_charged(amounts[: len(before)], terms.free_events, free)) :]
    return Fraction(sum(parts), unit), len(parts), _bounds(terms, parts, places)


def _charged(amounts: Sequence[int], free_events: int, free: int | None) -> Sequence[int]:
    """What is charged of each charged event's amount (in order): without the free events and the free amount."""
    if free is None:
        return amounts[free_events:]
    if not amounts or min(amounts) < 0:
        return _charged_one_by_one(amounts, free_events, free)
    reached = list(accumulate(amounts))
    crossing = bisect_right(reached, free)
    last = min(free_events or len(amounts), len(amounts))
    if crossing >= last:
        return amounts[last:]
    return [min(reached[crossing] - free, amounts[crossing]), *amounts[crossing + 1 :]]


def _charged_one_by_one(amounts: Sequence[int], free_events: int, free: int) -> list[int]:
    """As ``_charged``, where amounts below zero give back some of the free amount."""
    parts: list[int] = []
    running = 0
    for place, amount in enumerate(amounts):
        running += amount
        if free_events and place >= free_events:
            parts.append(amount)
        elif running > free:
            parts.append(min(running - free, amount))
    return parts


def _bounds(terms: Terms, parts: Sequence[int], places: int) -> Fraction:
    """What a least and a most for each event change of what these parts (of ``places``) cost."""
    if terms.least_per_event is None and terms.most_per_event is None:
        return Fraction(0)
    rate, fixed = exact_price(terms.percent) / 100, exact_price(terms.fixed)
    least, most = (
        None if text is None else exact_price(text) for text in (terms.least_per_event, terms.most_per_event)
    )
    digits = max(places_of(one) for one in (rate, fixed, least or rate, most or rate))
    unit, of_parts = 10**digits, 10**places
    each, fee = int(rate * unit), int(fixed * unit) * of_parts
    low = None if least is None else int(least * unit) * of_parts
    high = None if most is None else int(most * unit) * of_parts
    changed = 0
    for part in parts:
        own = part * each + fee
        held = own if low is None or own >= low else low
        changed += (held if high is None or held <= high else high) - own
    return Fraction(changed, unit * of_parts)
