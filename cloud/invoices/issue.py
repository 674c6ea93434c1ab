"""Issues documents: an invoice with a closed statement, a credit note for lines of it, a cancellation with a void one.

The surprise: the number is taken last and its series is held until the commit, so a run that is killed takes no number
with it, and sixteen runs at once give sixteen numbers in a row.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.agreements import repository as agreements
from cloud.agreements.repository import Agreement
from cloud.agreements.terms import AgreementTerms
from cloud.billing.statement import Statement
from cloud.billing.void_statement import void_statement
from cloud.calendar import last_day, local_day
from cloud.credit import repository as credit_lines
from cloud.credit.recount import owed_again, recount
from cloud.database import Tx
from cloud.guarantees.withdraw_verdicts import withdraw
from cloud.invoices import repository
from cloud.invoices.build import carried_on, due_day, invoice_of, taken_now
from cloud.invoices.credit_note import CreditRefused, Wanted, cancellation_of, credit_note_of
from cloud.invoices.document import Document, Kind, Place, series_of
from cloud.invoices.minor import to_minor
from cloud.invoices.taxes import TaxBook
from cloud.payments.allocate import apply_credit_note, apply_prepaid, undo_allocations


class DocumentUnknown(LookupError):
    """There is no such document."""


def issue_invoice(tx: Tx, tenant: str, agreement: Agreement, statement: Statement, now_ms: int) -> Document | None:
    """The invoice of a statement, with what waited for it; None when there is nothing to ask for.

    Its terms are those of the period's last day; what was concluded for later says nothing about it.
    """
    head = statement.head
    terms = agreement.on(last_day(head.period.end))
    tax = TaxBook.of(terms.tax, agreement.versions)
    waiting = repository.waiting_items(tx, tenant, head.agreement_id, head.period.end)
    items = taken_now(waiting, billed=bool(statement.lines))
    if not statement.lines and not items:
        return None
    today = local_day(now_ms, head.zone).isoformat()
    grade = credit_lines.grade_of(tx, tenant, terms)
    due = due_day(terms.payment, today, due_days=None if grade is None else grade.due_days)
    made = invoice_of(statement, items, tax, place_of(tx, tenant, terms, "invoice"), days=(today, due))
    repository.add(tx, tenant, made, open_minor=to_minor(made.gross, made.currency), now_ms=now_ms)
    taken, rests = carried_on(items, made)
    repository.take_items(tx, tenant, head.agreement_id, taken, made.document_id)
    for rest in rests:
        repository.add_item(tx, tenant, head.agreement_id, rest, due_first=head.period.end, now_ms=now_ms)
    apply_prepaid(tx, tenant, made.document_id, now_ms)
    recount(
        tx,
        tenant,
        (made.supplier_id, made.customer_id, made.currency),
        billed=made.agreement_id,
        before_ms=head.period.to_ms,
    )
    return made


def credit(tx: Tx, tenant: str, document_id: str, wanted: Sequence[Wanted], *, who: str, now_ms: int) -> Document:
    """A credit note for lines of an invoice; it lowers what is open there. Raises DocumentUnknown, CreditRefused."""
    about, terms = _locked(tx, tenant, document_id)
    row = repository.row(tx, tenant, document_id)
    if row is not None and row.state == "void":
        raise CreditRefused(f"{about.number_text} is void: all of it was taken back already.")
    today = local_day(now_ms, terms.zone).isoformat()
    before = repository.about(tx, tenant, document_id)
    place = place_of(tx, tenant, terms, "credit_note")
    made = credit_note_of(about, before, wanted, terms.tax, place, issued_on=today, who=who)
    repository.add(tx, tenant, made, open_minor=to_minor(made.gross, made.currency), now_ms=now_ms)
    apply_credit_note(tx, tenant, made.document_id, document_id, now_ms)
    recount(tx, tenant, (made.supplier_id, made.customer_id, made.currency))
    return made


def take_back(
    tx: Tx, tenant: str, statement_id: str, *, reason: str, who: str, now_ms: int
) -> tuple[Statement, Document | None]:
    """A statement made void, and the cancellation of its invoice; what had been paid is free again.

    Raises StatementUnknown, NotVoidable.
    """
    statement = void_statement(tx, tenant, statement_id, reason=reason, who=who, now_ms=now_ms)
    withdraw(tx, tenant, statement_id, now_ms)
    document_id = repository.invoice_of_statement(tx, tenant, statement_id)
    if not document_id:
        return statement, None
    about, terms = _locked(tx, tenant, document_id)
    undo_allocations(tx, tenant, document_id, now_ms)
    today = local_day(now_ms, terms.zone).isoformat()
    before = repository.about(tx, tenant, document_id)
    place = place_of(tx, tenant, terms, "cancellation")
    made = cancellation_of(about, before, place, issued_on=today, why=(reason, who))
    repository.add(tx, tenant, made, open_minor=to_minor(made.gross, made.currency), now_ms=now_ms)
    apply_credit_note(tx, tenant, made.document_id, document_id, now_ms)
    repository.set_state(tx, tenant, document_id, "void")
    repository.drop_rests(tx, tenant, about.agreement_id, document_id)
    repository.release_items(tx, tenant, about.agreement_id, document_id)
    # Fees and interest for not paying what was never owed.
    repository.drop_items(tx, tenant, about.agreement_id, document_id)
    early = _early_bills(tx, tenant, about.agreement_id)
    span = statement.head.period
    owed_again(tx, tenant, about.agreement_id, (span.from_ms, span.to_ms), early)
    recount(tx, tenant, (made.supplier_id, made.customer_id, made.currency))
    return statement, made


def _early_bills(tx: Tx, tenant: str, agreement_id: str) -> int:
    """What the early bills that no invoice has taken off have asked for, with tax, in minor units."""
    items = repository.items_page(tx, tenant, agreement_id)
    early = {item.about for item, _, taken in items if not taken and item.kind == "progressive_billing"}
    found = [repository.find(tx, tenant, one) for one in sorted(early)]
    return sum(to_minor(one.gross, one.currency) for one in found if one is not None)


def _locked(tx: Tx, tenant: str, document_id: str) -> tuple[Document, AgreementTerms]:
    """A document behind its agreement's lock, and the newest terms."""
    about = repository.find(tx, tenant, document_id)
    if about is None:
        raise DocumentUnknown(f"There is no document {document_id}.")
    agreement = agreements.find(tx, tenant, about.agreement_id, lock=True)
    assert agreement is not None, "a document's agreement stays"
    return about, agreement.terms


def place_of(tx: Tx, tenant: str, terms: AgreementTerms, kind: Kind) -> Place:
    """The next place in the series of a kind of document, held until the transaction ends."""
    wanted = "" if terms.payment is None else terms.payment.series
    return repository.next_place(tx, tenant, series_of(terms.supplier_id, kind, wanted))
