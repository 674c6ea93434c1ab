"""Services that have run up since the last invoice count as owed: energy, run-time, areas, fees.

The surprise: goods are not among them, draws owe by themselves the moment they are told. The rest is the running bill,
taken again when it is older than agreed, so that a decision stands on what was used and not on what was invoiced.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from cloud.agreements import repository as agreements
from cloud.agreements.repository import Agreement
from cloud.billing.close_period import running
from cloud.credit import repository
from cloud.credit.decide import owner_of
from cloud.credit.shares import share_out
from cloud.database import Tx
from cloud.invoices.minor import nearest_minor
from cloud.invoices.taxes import TaxBook
from cloud.rating.lines import Line
from cloud.rating.rate_usage import charge_models
from cloud.rating.terms_fields import exact

MINUTE_MS = 60_000
EVERY_MINUTES = 60


def accrue(tx: Tx, tenant: str, agreement_id: str, now_ms: int, *, only_old: bool = False) -> int | None:
    """What the services of an agreement have run up to now, with tax, in minor units; None without a credit line.

    ``only_old``: leaves a figure alone that is younger than agreed. Raises AgreementUnknown.
    """
    agreement = agreements.find(tx, tenant, agreement_id)
    if agreement is None or agreement.terms.credit is None:
        return None
    terms = agreement.terms
    line = repository.line(tx, tenant, owner_of(terms), lock=True)
    if line is None:
        return None
    before = repository.accrual(tx, tenant, agreement_id)
    every = agreement.terms.credit.accrue_minutes or EVERY_MINUTES
    if only_old and before is not None and now_ms - before[1] < every * MINUTE_MS:
        return before[0]
    found = running(tx, tenant, agreement_id, now_ms)
    minor = services_of(agreement, found.settlement.lines)
    repository.put_accrual(tx, tenant, agreement_id, minor, now_ms)
    counted = line._replace(accrued_minor=repository.accrued(tx, tenant, owner_of(terms)))
    if counted != line:
        repository.put(tx, tenant, counted)
    return minor


def services_of(agreement: Agreement, lines: Sequence[Line]) -> int:
    """What these lines come to with tax, without those whose draws owe one by one: minor units, never negative."""
    tax = TaxBook.of(agreement.terms.tax, agreement.versions)
    gross = sum((_gross(tax, one) for one in lines if not _owes_by_draw(one)), Fraction(0))
    return max(0, nearest_minor(gross, agreement.terms.currency))


def asked_early(tx: Tx, tenant: str, agreement: Agreement, lines: Sequence[Line], span: tuple[int, int]) -> None:
    """An early bill asked for these lines of the period since ``span[0]``, up to ``span[1]``: its draws and services
    are owed by that bill from now on, and not once more by having been used.
    """
    if agreement.terms.credit is None:
        return
    repository.mark_asked_early(tx, tenant, agreement.agreement_id, (span[0], span[1] + 1))
    repository.put_asked(tx, tenant, agreement.agreement_id, services_of(agreement, lines))


def accrue_all(tx: Tx, tenant: str, now_ms: int) -> list[dict[str, object]]:
    """Every agreement with a credit line: its services, and its gateways' shares as they fit now."""
    done: list[dict[str, object]] = []
    for agreement_id in agreements.ids(tx, tenant):
        minor = accrue(tx, tenant, agreement_id, now_ms)
        if minor is not None:
            shares = share_out(tx, tenant, agreement_id, now_ms)
            told = {one.gateway_id: one.next_minor for one in shares if one.agreement_id == agreement_id}
            done.append({"agreement_id": agreement_id, "accrued_minor": minor, "shares_minor": told})
    return done


def _gross(tax: TaxBook, line: Line) -> Fraction:
    return Fraction(line.amount) * (1 + exact(tax.of_line(line.version, line.kind).percent) / 100)


def _owes_by_draw(line: Line) -> bool:
    """Whether the line's draws are on the credit line one by one."""
    model = charge_models().get(line.kind)
    return model is not None and model.MEASURE == "pieces"
