"""A percentage of an amount, and a fixed fee for each event: commissions on orders and sales. PURE.

The surprise: free events and a free amount are taken in order of time, and whichever ends first ends both; the event
that crosses the free amount is charged for what lies beyond. A least and a most for each event apply to that event's
own charge, so the events must be known one by one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from cloud.rating.lines import Line, Measured, Pricing, exact_price
from cloud.rating.terms_fields import Price
from cloud.rating.usage_terms import Row, UsageTerms, amount_lines, billable
from cloud.rating.uses import Use, in_order

KIND = "percentage"
MEASURE = "usage"


class Terms(UsageTerms):
    """``percent`` of the quantity, ``fixed`` for each charged event."""

    kind: Literal["percentage"]
    percent: Price
    fixed: Price = "0"
    free_events: Annotated[int, Field(ge=0)] = 0
    free_amount: Price | None = None
    least_per_event: Price | None = None
    most_per_event: Price | None = None


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: percent of what is not free, fixed fees of the charged events, what bounds for each event change."""
    uses = sorted(measured.uses, key=in_order) or [_whole(measured)]
    rate, fixed = exact_price(terms.percent) / 100, exact_price(terms.fixed)
    based, charged, bounded, running = Fraction(0), 0, Fraction(0), Fraction(0)
    for place, use in enumerate(uses):
        amount = use.quantity
        running += amount
        part = _charged_part(place, amount, running, terms)
        if part is None:
            continue
        own = part * rate + fixed
        based, charged, bounded = based + part, charged + 1, bounded + _bounded(own, terms) - own
    rows = billable(measured, terms, pricing).rows
    rows.append(Row("percent", based, measured.unit, f"{terms.percent} %", based * rate))
    if fixed:
        rows.append(Row("events", Fraction(charged), "event", terms.fixed, charged * fixed))
    if bounded:
        rows.append(Row("least and most for each event", None, "", "", bounded))
    return amount_lines(KIND, measured, terms, pricing, rows)


def _whole(measured: Measured) -> Use:
    """A quantity that came without its events counts as one; it always ends, because quantities do."""
    text = measured.quantity
    scale = 0
    while (text * 10**scale).denominator != 1:
        scale += 1
    return Use(at=measured.from_ms, value=int(text * 10**scale), scale=-scale)


def _charged_part(place: int, amount: Fraction, running: Fraction, terms: Terms) -> Fraction | None:
    """What of an event's amount is charged; None for an event that is free."""
    if not terms.free_events and terms.free_amount is None:
        return amount
    in_count = not terms.free_events or place < terms.free_events
    if not in_count:
        return amount
    if terms.free_amount is None:
        return None
    beyond = running - exact_price(terms.free_amount)
    return None if beyond <= 0 else min(beyond, amount)


def _bounded(own: Fraction, terms: Terms) -> Fraction:
    if terms.least_per_event is not None:
        own = max(own, exact_price(terms.least_per_event))
    if terms.most_per_event is not None:
        own = min(own, exact_price(terms.most_per_event))
    return own
