"""The least and the most of a charge: the lines that bring what is due up or down; and the part of a period. PURE.

The surprise: a bound is compared with what was rounded, where lines are rounded one by one, so that the total is the
minimum to the cent. One that holds once for a period in which the price changes waits for the last stretch.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from cloud.calendar import Proration, Share, share
from cloud.money import short_text
from cloud.rating.limits import Holds
from cloud.rating.line_amounts import price_line
from cloud.rating.lines import Effect, Line, Measured, Pricing, exact_price

if TYPE_CHECKING:
    from cloud.rating.usage_terms import UsageTerms

ONE_PERIOD = "period"
_EFFECTS: dict[str, Effect] = {"minimum": "minimum", "maximum": "maximum"}
BOUNDS = tuple(_EFFECTS)
_WHOLE = Share(1, 1, Fraction(1))


def share_of(measured: Measured, proration: Proration, pricing: Pricing) -> Share:
    """The part of the whole period that what was measured makes up."""
    if measured.whole is None or measured.actual is None:
        return _WHOLE
    return share((measured.from_ms, measured.to_ms), measured.whole, measured.actual, proration, pricing.zone)


def ratio_held(measured: Measured, proration: Proration, pricing: Pricing, holds: Holds | None) -> Fraction:
    """The part of the period for a prorated limit: of the stretch, or of all stretches for which it holds once."""
    kept = measured.kept
    if kept is not None and holds == "for_the_period":
        measured = msgspec.structs.replace(measured, from_ms=kept.span[0], to_ms=kept.span[1])
    return share_of(measured, proration, pricing).ratio


def bound_lines(
    measured: Measured, terms: UsageTerms, pricing: Pricing, lines: Sequence[Line], exact: Fraction
) -> list[Line]:
    """The line that is missing to the minimum (true-up) or goes beyond the maximum (negative); none of a bound that
    waits for the other stretches of the period.
    """
    due = exact
    if pricing.rounding.place == "line" and terms.bounds_apply == "after_discounts":
        due = sum((Fraction(line.amount) for line in lines), Fraction(0))
    waits = measured.kept.waits if measured.kept is not None else ()
    held = {"minimum": terms.minimum, "maximum": terms.maximum}
    own = [
        effect
        for effect, bound in held.items()
        if not (effect in waits and bound is not None and bound.holds == "for_the_period")
    ]
    return bounded(measured, terms, pricing, due, own)


def bounded(
    measured: Measured, terms: UsageTerms, pricing: Pricing, due: Fraction, effects: Sequence[str]
) -> list[Line]:
    """The lines that bring what is due up to the minimum or down to the maximum."""
    found = []
    for effect in effects:
        bound = terms.minimum if effect == "minimum" else terms.maximum
        if bound is None:
            continue
        limit = exact_price(bound.amount)
        if bound.prorated:
            limit *= share_of(measured, terms.proration, pricing).ratio
        missing = limit - due
        if (missing > 0) if effect == "minimum" else (missing < 0):
            found.append(bound_line(effect, measured, limit, missing, pricing))
    return found


def bound_line(effect: str, measured: Measured, limit: Fraction, missing: Fraction, pricing: Pricing) -> Line:
    """A line that brings what is due up or down to a limit."""
    bare = msgspec.structs.replace(
        measured,
        quantity=Fraction(1), unit=ONE_PERIOD, effect=_EFFECTS[effect], leaves=(), registers=(), evidence=None,
        window="",
    )  # fmt: skip
    line = price_line(bare, effect, short_text(missing.numerator, missing.denominator, 12), missing, pricing)
    return msgspec.structs.replace(line, name=f"{effect} {short_text(limit.numerator, limit.denominator, 12)}")
