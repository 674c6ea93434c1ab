"""What the finance pages read, each in one reading transaction: the supplier's own, or one customer's rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloud.agreements import repository as agreements
from cloud.agreements.repository import Agreement
from cloud.agreements.signatures import AgreementSignature
from cloud.billing import repository as statements
from cloud.billing.statement import Head
from cloud.books import repository as books
from cloud.books.beancount import amount
from cloud.books.book_events import trial_balance
from cloud.credit import repository as credit
from cloud.credit.decide import exposure_of
from cloud.credit.exposure import Exposure
from cloud.credit.repository import CreditLine, Delegation
from cloud.database import Tx
from cloud.invoices import repository as documents
from cloud.invoices.document import Document
from cloud.invoices.document_row import DocumentRow
from cloud.payments import repository as payments
from cloud.payments.repository import Allocation, Payment
from cloud.rating.lines import Line
from cloud.web.sessions import Visitor

MOST = 500
FIRST_STATES = ("unmatched", "refund")


def heads(tx: Tx, visitor: Visitor) -> list[Head]:
    """Statements, the newest first."""
    found = statements.statement_heads(tx, visitor.tenant_id, "", ("", 0), MOST)
    mine = [one for one in found if visitor.party in ("", one.customer_id)]
    return sorted(mine, key=lambda one: (one.period.to_ms, one.number), reverse=True)


def rows(tx: Tx, visitor: Visitor) -> list[DocumentRow]:
    """Documents, the newest first."""
    found = documents.page(tx, visitor.tenant_id, "", "", "", MOST)
    mine = [one for one in found if visitor.party in ("", one.customer_id)]
    return sorted(mine, key=lambda one: (one.issued_on, one.number_text), reverse=True)


class Billed(NamedTuple):
    """A document, the lines of the statement it bills by their numbers, what settles it, the steps it has reached."""

    row: DocumentRow
    document: Document
    lines: dict[int, Line]
    settled: list[Allocation]
    notices: list[tuple[str, str, int]]


def document(tx: Tx, visitor: Visitor, document_id: str) -> Billed | None:
    """A document with all that belongs to it; None for nobody's or another's."""
    row, found = documents.row(tx, visitor.tenant_id, document_id), documents.find(tx, visitor.tenant_id, document_id)
    if row is None or found is None or visitor.party not in ("", row.customer_id):
        return None
    settled = payments.allocations(tx, visitor.tenant_id, document=document_id)
    statement = statements.statement(tx, visitor.tenant_id, row.statement_id) if row.statement_id else None
    lines = {} if statement is None else {line.no: line for line in statement.lines}
    return Billed(row, found, lines, settled, payments.notices(tx, visitor.tenant_id, document_id))


def money_in(tx: Tx, visitor: Visitor) -> list[Payment]:
    """Payments: those that wait for a person first, then the newest."""
    found = payments.page(tx, visitor.tenant_id, "", "", MOST)
    mine = [one for one in found if visitor.party in ("", one.customer_id)]
    newest = sorted(mine, key=lambda one: (one.booked_on, one.payment_id), reverse=True)
    return sorted(newest, key=lambda one: one.state not in FIRST_STATES)


class Received(NamedTuple):
    """A payment, what it settles (``numbers`` of these documents), the open documents it could settle, and the
    agreements under which it may have been paid in advance.
    """

    payment: Payment
    settled: list[Allocation]
    fits: list[DocumentRow]
    agreements: list[Agreement]
    numbers: dict[str, str]


def payment(tx: Tx, visitor: Visitor, payment_id: str) -> Received | None:
    """A payment and all that may be done with it."""
    found = payments.find(tx, visitor.tenant_id, payment_id)
    if found is None or visitor.party not in ("", found.customer_id):
        return None
    fits = [
        one
        for one in documents.page(tx, visitor.tenant_id, "", "", "", MOST, only_open=True)
        if one.currency == found.currency
        and (one.open_minor > 0) == (found.free_minor > 0)
        and found.customer_id in ("", one.customer_id)
    ]
    settled = payments.allocations(tx, visitor.tenant_id, source=payment_id)
    billed = [documents.row(tx, visitor.tenant_id, one.document_id) for one in settled]
    numbers = {one.document_id: one.number_text for one in billed if one is not None}
    if not found.free_minor:
        return Received(found, settled, [], [], numbers)
    owners = [
        one
        for one in agreements.page(tx, visitor.tenant_id, "", MOST)
        if found.free_minor > 0
        and one.terms.currency == found.currency
        and (found.supplier_id, found.customer_id) in (("", ""), (one.terms.supplier_id, one.terms.customer_id))
    ]
    return Received(found, settled, sorted(fits, key=lambda one: (one.due_on, one.number_text)), owners, numbers)


def overdue(tx: Tx, visitor: Visitor, today: str) -> list[DocumentRow]:
    """What was due before today and is not paid, the oldest first."""
    found = documents.overdue(tx, visitor.tenant_id, today)
    return [one for one in found if visitor.party in ("", one.customer_id)]


def credit_lines(
    tx: Tx, visitor: Visitor, now_ms: int
) -> tuple[list[tuple[CreditLine, Exposure]], list[tuple[Delegation, str]]]:
    """Credit lines with what is owed, and the gateways' shares of them."""
    found, shares = [], []
    for line in credit.lines(tx, visitor.tenant_id):
        if visitor.party not in ("", line.customer_id):
            continue
        owner = (line.supplier_id, line.customer_id, line.currency)
        terms = agreements.newest_terms(tx, visitor.tenant_id, owner)
        found.append((line, exposure_of(tx, visitor.tenant_id, line, terms, now_ms)))
        shares += [(one, line.currency) for one in credit.delegations(tx, visitor.tenant_id, owner)]
    return found, shares


def balance(tx: Tx, visitor: Visitor) -> list[tuple[str, str, str, str]]:
    """The trial balance in plain digits."""
    return [
        (account, unit, amount(debit, unit), amount(owed, unit))
        for account, unit, debit, owed in trial_balance(books.balances(tx, visitor.tenant_id))
    ]


def contracts(tx: Tx, visitor: Visitor) -> list[tuple[Agreement, Sequence[AgreementSignature]]]:
    """Agreements with their signatures."""
    found = agreements.page(tx, visitor.tenant_id, "", MOST)
    mine = [one for one in found if visitor.party in ("", one.terms.customer_id)]
    return [(one, agreements.signatures(tx, visitor.tenant_id, one.agreement_id)) for one in mine]


def contract(tx: Tx, visitor: Visitor, agreement_id: str) -> tuple[Agreement, list[AgreementSignature]] | None:
    """An agreement with its signatures; None for nobody's or another's."""
    found = agreements.find(tx, visitor.tenant_id, agreement_id)
    if found is None or visitor.party not in ("", found.terms.customer_id):
        return None
    return found, agreements.signatures(tx, visitor.tenant_id, agreement_id)
