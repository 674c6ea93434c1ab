"""A dunning run: every overdue document to the step its days have earned, once; fees and interest wait as items."""

from __future__ import annotations

from cloud.agreements import repository as agreements
from cloud.agreements.payment_terms import USUAL
from cloud.agreements.terms import AgreementTerms
from cloud.calendar import local_day
from cloud.credit import repository as credit
from cloud.credit.recount import recount
from cloud.credit.shares import share_out_again
from cloud.database import Tx
from cloud.invoices import repository as documents
from cloud.invoices.document import Item
from cloud.invoices.document_row import DocumentRow
from cloud.invoices.minor import from_minor, nearest_minor
from cloud.payments import repository
from cloud.payments.dunning import interest, standing
from cloud.rating.terms_fields import exact

DAY_MS = 86_400_000


def dun(tx: Tx, tenant: str, now_ms: int) -> list[dict[str, str]]:
    """The steps that were reached now, by document."""
    reached: list[dict[str, str]] = []
    owners: dict[tuple[str, str, str], str] = {}
    latest = local_day(now_ms + DAY_MS, "UTC").isoformat()
    for row in documents.overdue(tx, tenant, latest):
        agreement = agreements.find(tx, tenant, row.agreement_id)
        assert agreement is not None, "a document's agreement stays"
        terms = agreement.terms
        today = local_day(now_ms, terms.zone).isoformat()
        found = standing(row.due_on, today, row.open_minor, terms.payment or USUAL, disputed=bool(row.disputed))
        owner = (row.supplier_id, row.customer_id, row.currency)
        # Of several clocks the one on which the customer has longest.
        owners[owner] = min(today, owners.get(owner, today))
        if found.step is None or found.step.name == row.step:
            continue
        if not repository.add_notice(tx, tenant, (row.document_id, found.step.name, today, row.open_minor), now_ms):
            continue
        documents.set_step(tx, tenant, row.document_id, found.step.name)
        _charge(tx, tenant, row, terms, (found.step.name, found.step.fee, today, found.days), now_ms)
        reached.append({"document_id": row.document_id, "number": row.number_text, "step": found.step.name})
    for owner, today in owners.items():
        before = credit.line(tx, tenant, owner, lock=True)
        after = recount(tx, tenant, owner, today=today)
        if before is not None and after is not None and before.state != after.state:
            share_out_again(tx, tenant, owner, now_ms)
    return reached


def _charge(
    tx: Tx, tenant: str, row: DocumentRow, terms: AgreementTerms, step: tuple[str, str, str, int], now_ms: int
) -> None:
    """The step's fee, and the interest up to it at the last step, on the next invoice."""
    name, fee, today, days = step
    payment = terms.payment or USUAL
    if exact(fee):
        item = Item(
            item_id=f"fee:{row.document_id}:{name}", kind="late_fee", amount=fee, about=row.document_id, why=name,
            text=f"{name}: {row.number_text} was due on {row.due_on}",
        )  # fmt: skip
        documents.add_item(tx, tenant, row.agreement_id, item, due_first=today, now_ms=now_ms)
    owed = nearest_minor(interest(exact(from_minor(row.open_minor, row.currency)), days, payment), row.currency)
    if owed and name == payment.dunning[-1].name:
        item = Item(
            item_id=f"interest:{row.document_id}", kind="interest", amount=from_minor(owed, row.currency),
            about=row.document_id, why=f"{payment.interest_percent} % a year for {days} days",
            text=f"interest on {row.number_text} until {today}",
        )  # fmt: skip
        documents.add_item(tx, tenant, row.agreement_id, item, due_first=today, now_ms=now_ms)
