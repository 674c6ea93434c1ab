"""Billing before the period is over, each time what was used has passed a threshold. PURE.

The surprise: it changes when money is asked for and never how much. What was asked for already is taken off at the end
in a line of its own; several thresholds passed at once are one interim bill, for all that was used until then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Annotated, Literal, NamedTuple, Self

import msgspec
from pydantic import Field, model_validator

from cloud.money import short_text
from cloud.rating.bounds import ONE_PERIOD
from cloud.rating.line_amounts import price_line
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing, RatingError, exact_price
from cloud.rating.terms_fields import Positive

KIND = "progressive_billing"
MEASURE = "lines"
# Early bills of one period; each is found by rating all that was used until then, again and again.
MOST = 200


class Terms(ChargeTerms):
    """Thresholds of what was used in a period, and by how much the last one repeats. ``of``: all lines of the period
    (also when it is left out), or only those of usage: no fees, no minimum.
    """

    kind: Literal["progressive_billing"]
    thresholds: Annotated[list[Positive], Field(min_length=1, max_length=50)]
    then_every: Positive | None = None
    of: Literal["all_lines", "usage"] | None = None

    @model_validator(mode="after")
    def _rise(self) -> Self:
        known = [exact_price(one) for one in self.thresholds]
        if sorted(set(known)) != known:
            raise ValueError("thresholds: from the lowest to the highest, each once")
        return self

    def passed(self, amount: Fraction) -> Fraction:
        """The highest threshold that an amount has reached; 0 before the first."""
        known = [exact_price(one) for one in self.thresholds]
        reached = max((one for one in known if one <= amount), default=Fraction(0))
        if self.then_every is not None and reached == known[-1]:
            step = exact_price(self.then_every)
            reached += (amount - reached) // step * step
        return reached

    def options(self) -> list[str]:
        """The conventions in words."""
        every = "" if self.then_every is None else f", then every {self.then_every}"
        what = "" if self.of != "usage" else " by usage alone, without fees and minimum"
        return [f"billed early when {', '.join(self.thresholds)} is reached{what}{every}"]

    def counts(self, line: Line) -> bool:
        """Whether a line counts towards the thresholds and is billed early."""
        return self.of != "usage" or line.effect in ("usage", "credit")


class Interim(NamedTuple):
    """An early bill: due with the use at ``at``, after passing ``threshold``; ``amount`` is what it asks for."""

    at: int
    threshold: Fraction
    amount: Fraction


def interim_bills(terms: Terms, instants: Sequence[int], due_until: Callable[[int], Fraction]) -> list[Interim]:
    """The early bills of a period. ``due_until(at)``: what is due for everything used up to and with an instant, which
    never falls; ``instants`` in ascending order.
    """
    found: list[Interim] = []
    billed, reached, start = Fraction(0), Fraction(0), 0
    while start < len(instants):
        if terms.passed(due_until(instants[-1])) <= reached:
            break
        low, high = start, len(instants) - 1
        while low < high:
            middle = (low + high) // 2
            if terms.passed(due_until(instants[middle])) > reached:
                high = middle
            else:
                low = middle + 1
        if len(found) == MOST:
            raise RatingError(f"more than {MOST} early bills in one period: raise the thresholds or then_every")
        due = due_until(instants[low])
        reached = terms.passed(due)
        found.append(Interim(instants[low], reached, due - billed))
        billed, start = due, low + 1
    return found


def credit_line(measured: Measured, interims: Sequence[Interim], pricing: Pricing) -> Line:
    """The line that takes off what the early bills asked for."""
    billed = sum((one.amount for one in interims), Fraction(0))
    bare = msgspec.structs.replace(measured, quantity=Fraction(1), unit=ONE_PERIOD, effect="progressive")
    text = short_text(-billed.numerator, billed.denominator, 12)
    line = price_line(bare, KIND, text, -billed, pricing)
    return msgspec.structs.replace(line, name=f"already asked for in {len(interims)} early bills")


def charge(_: Measured, __: Terms, ___: Pricing) -> list[Line]:
    """Nothing: it needs the lines of the period (``interim_bills``)."""
    return []
