"""Counts a customer's credit line anew after documents or payments changed, and suspends it or ends the suspension.

The surprise: the sums are counted, not carried, whenever they can be: only draws add to them one by one, because they
come in by the thousand.
"""

from __future__ import annotations

from datetime import date

from cloud.agreements import repository as agreements
from cloud.agreements.payment_terms import USUAL
from cloud.agreements.terms import AgreementTerms
from cloud.credit import repository
from cloud.credit.repository import CreditLine, Owner
from cloud.database import Tx


def recount(
    tx: Tx, tenant: str, owner: Owner, *, billed: str = "", before_ms: int = 0, today: str = ""
) -> CreditLine | None:
    """The line as it stands now, or None when the customer has none. ``billed``: the agreement whose draws before
    ``before_ms`` an invoice has just asked for; ``today``: also look at what is overdue.
    """
    line = repository.line(tx, tenant, owner, lock=True)
    if line is None:
        return None
    if billed:
        repository.mark_billed(tx, tenant, billed, before_ms)
        repository.put_accrual(tx, tenant, billed, 0, 0)
        repository.put_asked(tx, tenant, billed, 0)
    counted = line._replace(
        receivable_minor=repository.receivable(tx, tenant, owner),
        unbilled_minor=repository.unbilled(tx, tenant, owner),
        accrued_minor=repository.accrued(tx, tenant, owner),
    )
    if line.state == "suspended" or today:
        state, reason = _standing(tx, tenant, owner, counted, today)
        counted = counted._replace(state=state, reason=reason)
    if counted != line:
        repository.put(tx, tenant, counted)
    return counted


def owed_again(tx: Tx, tenant: str, agreement_id: str, span: tuple[int, int], early_minor: int) -> None:
    """The statement of the instants ``[from, to)`` is void: its draws owe by themselves again, and the early bills
    since its beginning, ``early_minor`` in all, ask for their part of the services as before.
    """
    of_draws = repository.unmark_billed(tx, tenant, agreement_id, span)
    repository.put_asked(tx, tenant, agreement_id, max(0, early_minor - of_draws))


def _standing(tx: Tx, tenant: str, owner: Owner, line: CreditLine, today: str) -> tuple[str, str]:
    """Whether too much is overdue. Without a day nothing new is suspended, but a suspension may end."""
    if line.state == "stopped":
        return line.state, line.reason
    oldest = repository.oldest_due(tx, tenant, owner)
    if not oldest:
        return "active", ""
    terms = agreements.newest_terms(tx, tenant, owner)
    if terms is None or terms.credit is None:
        return line.state, line.reason
    if not today:
        return line.state, line.reason
    days = (date.fromisoformat(today) - date.fromisoformat(oldest)).days
    step = _suspending_step(tx, tenant, owner, terms)
    if days > terms.credit.suspended_after_days or step:
        reason = f"reached {step}" if step else f"overdue for {days} days, since {oldest}"
        return "suspended", reason
    return "active", ""


def _suspending_step(tx: Tx, tenant: str, owner: Owner, terms: AgreementTerms) -> str:
    payment = terms.payment or USUAL
    reached = repository.steps_open(tx, tenant, owner)
    return next((step.name for step in payment.dunning if step.suspends and step.name in reached), "")
