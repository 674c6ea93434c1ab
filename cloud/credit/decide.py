"""Whether a draw may happen on credit: one decision behind one lock, so that parallel draws never exceed the limit.

The surprise: the answer *is* the reservation. Whoever got a yes holds the money until the draw is told, refused or the
decision runs out; a refusal names what is missing. Physical facts win: a draw that happened anyway is posted by
``post_draws`` and flagged.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from cloud.agreements import repository as agreements
from cloud.agreements.terms import AgreementTerms, Version, version_at
from cloud.credit import repository
from cloud.credit.exposure import Exposure
from cloud.credit.repository import CreditLine, Owner
from cloud.database import Tx
from cloud.invoices.minor import nearest_minor, to_minor
from cloud.invoices.taxes import rule_of
from cloud.rating.lines import Line, Measured, Pricing, exact_of
from cloud.rating.rate_usage import rate
from cloud.rating.terms_fields import exact

MINUTE_MS = 60_000


class NoCredit(LookupError):
    """The agreement has no credit terms, or the customer no credit line."""


class Refused(NamedTuple):
    """Why a draw may not happen on credit, and what would still fit (minor units)."""

    reason: str
    available: int


class Granted(NamedTuple):
    """The decision that holds the money until ``expires_ms``."""

    reservation_id: str
    minor: int
    at_order_minor: int
    expires_ms: int


class Asked(NamedTuple):
    """A draw that is asked for: so many of an item at a device. ``intent``: how the device names it ("" unnamed)."""

    agreement_id: str
    device: str
    item: str
    quantity: Fraction
    unit: str
    intent: str


def owner_of(terms: AgreementTerms) -> Owner:
    """Whose credit an agreement uses."""
    return terms.supplier_id, terms.customer_id, terms.currency


def net_price_of(version: Version, device: str, item: str, quantity: Fraction, unit: str) -> int | None:
    """What a draw will be billed at without tax, in minor units; None when the terms have no price for it."""
    found = _priced(version, device, item, quantity, unit)
    exactly = sum((exact_of(line) for line in found), Fraction(0))
    return nearest_minor(exactly, version.terms.currency) if found else None


def _priced(version: Version, device: str, item: str, quantity: Fraction, unit: str) -> list[Line]:
    terms = version.terms
    measured = Measured(
        measure="pieces",
        device=device,
        subject=item,
        first=version.first,
        end=version.first,
        quantity=quantity,
        unit=unit,
    )
    return rate(measured, terms.charges, Pricing(version.version, 0, terms.currency, terms.rounding))


def price_of(version: Version, device: str, item: str, quantity: Fraction, unit: str) -> int | None:
    """What a draw will be billed at, with tax, in minor units; None when the terms have no price for it."""
    terms = version.terms
    found = _priced(version, device, item, quantity, unit)
    if not found:
        return None
    gross = sum(
        (exact_of(line) * (1 + exact(rule_of(terms.tax, line.kind).percent) / 100) for line in found), Fraction(0)
    )
    return nearest_minor(gross, terms.currency)


def decide(tx: Tx, tenant: str, asked: Asked, reservation_id: str, now_ms: int) -> Granted | Refused:
    """Reserves the draw's money or says why not; the same intent gets the same answer. Raises NoCredit."""
    agreement = agreements.find(tx, tenant, asked.agreement_id)
    version = None if agreement is None else version_at(now_ms, agreement.versions)
    if version is None or version.terms.credit is None:
        raise NoCredit(f"The agreement {asked.agreement_id} is not in force, or has no credit terms.")
    terms, owner = version.terms, owner_of(version.terms)
    line = repository.line(tx, tenant, owner, lock=True)
    if line is None:
        raise NoCredit(f"{terms.customer_id} has no credit line with {terms.supplier_id} in {terms.currency}.")
    before = None
    if asked.intent:
        before = repository.reservation(tx, tenant, asked.device, asked.intent)
        if before is not None and before[2] != "void" and (before[2] == "used" or before[3] > now_ms):
            return Granted(before[0], before[1], _at_order(terms, line, before[1]), before[3])
    exposure = exposure_of(tx, tenant, line, terms, now_ms)
    if before is not None:
        return Refused("decision_ended", exposure.available)
    minor = price_of(version, asked.device, asked.item, asked.quantity, asked.unit)
    reason = _refusal(terms, line, asked, exposure, minor)
    if reason or minor is None:
        return Refused(reason, exposure.available)
    assert terms.credit is not None, "the version has credit terms, see above"
    expires = now_ms + terms.credit.reserved_minutes * MINUTE_MS
    what = (reservation_id, asked.agreement_id, *owner, asked.device, asked.intent)
    repository.add_reservation(tx, tenant, (*what, minor, "open", now_ms, expires))
    return Granted(reservation_id, minor, _at_order(terms, line, minor), expires)


def _refusal(terms: AgreementTerms, line: CreditLine, asked: Asked, exposure: Exposure, minor: int | None) -> str:
    """Why a draw may not happen on credit; "" when it may."""
    if asked.device not in terms.devices:
        return "not_under_this_agreement"
    if minor is None:
        return "unpriced"
    if line.state != "active":
        return line.state
    if exposure.fits(minor):
        return ""
    return "score_too_low" if _pays_at_order(terms, line) else "limit"


def _pays_at_order(terms: AgreementTerms, line: CreditLine) -> bool:
    """Below the lowest grade there is no credit: what a draw costs was paid before."""
    return line.limit_minor is None and terms.credit is not None and terms.credit.grade_of(line.score) is None


def exposure_of(tx: Tx, tenant: str, line: CreditLine, terms: AgreementTerms | None, now_ms: int) -> Exposure:
    """What the customer owes in all, against his limit."""
    owner = (line.supplier_id, line.customer_id, line.currency)
    return Exposure(
        limit=limit_of(line, terms),
        receivable=line.receivable_minor,
        unbilled=line.unbilled_minor + line.accrued_minor,
        reserved=repository.reserved(tx, tenant, owner, now_ms),
    )


def limit_of(line: CreditLine, terms: AgreementTerms | None) -> int:
    """The limit: the line's own, else the grade's; nothing below the lowest grade."""
    if line.limit_minor is not None:
        return line.limit_minor
    grade = None if terms is None or terms.credit is None else terms.credit.grade_of(line.score)
    return 0 if grade is None else to_minor(grade.limit, line.currency)


def _at_order(terms: AgreementTerms, line: CreditLine, minor: int) -> int:
    """What is to be paid beforehand: the grade's share; all of it below the lowest grade."""
    if _pays_at_order(terms, line):
        return minor
    grade = None if terms.credit is None else terms.credit.grade_of(line.score)
    percent = Fraction(0) if grade is None else exact(grade.at_order)
    return -(-minor * percent.numerator // (100 * percent.denominator))


def end_decision(tx: Tx, tenant: str, reservation_id: str, *, state: str) -> bool:
    """The draw did not happen (``void``): its money is free again. False when the decision had ended before."""
    owner = repository.reservation_owner(tx, tenant, reservation_id)
    if owner is None:
        raise NoCredit(f"There is no decision {reservation_id}.")
    repository.line(tx, tenant, owner, lock=True)
    return repository.end_reservation(tx, tenant, reservation_id, state) == 1
