"""How far a document that is not paid has come: not due, due, overdue, and the steps that were agreed on. PURE.

The surprise: the state follows from two days and the terms alone; a run that was missed skips to the newest step and
sends nothing twice. A disputed document stays where it is.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple

from cloud.agreements.payment_terms import DunningStep, PaymentTerms
from cloud.rating.terms_fields import exact

DAYS_A_YEAR = 365


class Standing(NamedTuple):
    """``state``: paid, not_due, due (today), overdue or disputed; the newest step reached; days after the due day."""

    state: str
    step: DunningStep | None
    days: int


def standing(due_on: str, today: str, open_minor: int, terms: PaymentTerms, *, disputed: bool = False) -> Standing:
    """Where a document stands on a local day."""
    days = (date.fromisoformat(today) - date.fromisoformat(due_on)).days
    if open_minor <= 0:
        return Standing("paid", None, days)
    if disputed:
        return Standing("disputed", None, days)
    if days <= 0:
        return Standing("due" if days == 0 else "not_due", None, days)
    reached = [step for step in terms.dunning if step.after_days <= days]
    return Standing("overdue", reached[-1] if reached else None, days)


def interest(open_amount: Fraction, days: int, terms: PaymentTerms) -> Fraction:
    """Interest on an amount that is overdue by so many days."""
    return open_amount * exact(terms.interest_percent) / 100 * max(days, 0) / DAYS_A_YEAR
