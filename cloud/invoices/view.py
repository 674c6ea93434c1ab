"""Documents, payments and credit lines as API and pages show them: money as texts with the currency. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from cloud.calendar import utc_text
from cloud.credit.exposure import Exposure
from cloud.credit.repository import CreditLine, Delegation
from cloud.invoices.document import Document, Item
from cloud.invoices.document_row import DocumentRow
from cloud.invoices.minor import from_minor
from cloud.money import Money
from cloud.payments.repository import Allocation, Payment

Shown = dict[str, object]


def money(minor: int, currency: str) -> dict[str, str]:
    """``{"amount": "12.30", "currency": "CNY"}`` of minor units."""
    return {"amount": from_minor(minor, currency), "currency": currency}


def row_document(row: DocumentRow) -> Shown:
    """What a list shows of a document."""
    return {
        "document_id": row.document_id,
        "kind": row.kind,
        "number": row.number_text,
        "agreement_id": row.agreement_id,
        "customer_id": row.customer_id,
        "supplier_id": row.supplier_id,
        "statement_id": row.statement_id,
        "about": row.about,
        "issued_on": row.issued_on,
        "due_on": row.due_on,
        "gross": money(row.gross_minor, row.currency),
        "open": money(row.open_minor, row.currency),
        "state": row.state,
        "step": row.step,
        "disputed": bool(row.disputed),
    }


def document_document(
    found: Document,
    row: DocumentRow,
    allocations: Sequence[Allocation],
    notices: Sequence[tuple[str, str, int]],
) -> Shown:
    """A document with its lines, taxes, and what became of it."""
    currency = found.currency
    return row_document(row) | {
        "period": {"first": found.period_first, "end": found.period_end},
        "net": Money(Decimal(found.net), currency).as_json(),
        "tax": Money(Decimal(found.tax), currency).as_json(),
        "tax_rule": found.tax_rule,
        "taxes": found.taxes,
        "lines": found.lines,
        "statement_hash": found.statement_hash,
        "hash": found.hash,
        "prev_hash": found.prev_hash,
        "settled_by": [_allocation(one, currency) for one in allocations],
        "notices": [{"step": step, "on": day, "open": money(minor, currency)} for step, day, minor in notices],
    }


def _allocation(one: Allocation, currency: str) -> Shown:
    return {
        "source": one.source_id,
        "document_id": one.document_id,
        "amount": money(one.minor, currency),
        "at": utc_text(one.at_ms),
        "undone_at": "" if one.undone_ms is None else utc_text(one.undone_ms),
    }


def payment_document(one: Payment, allocations: Sequence[Allocation] = ()) -> Shown:
    """A payment, what it settles and what of it is free."""
    return {
        "payment_id": one.payment_id,
        "account": one.account,
        "bank_ref": one.bank_ref,
        "supplier_id": one.supplier_id,
        "customer_id": one.customer_id,
        "amount": money(one.amount_minor, one.currency),
        "free": money(one.free_minor, one.currency),
        "booked_on": one.booked_on,
        "payer": one.payer,
        "payer_account": one.payer_account,
        "remittance": one.remittance,
        "state": one.state,
        "matched_by": one.matched_by,
        "settles": [_allocation(one_, one.currency) for one_ in allocations],
    }


def item_document(item: Item, due_first: str, document_id: str) -> Shown:
    """What waits for the next invoice, or stands on one."""
    return {
        "item_id": item.item_id,
        "kind": item.kind,
        "text": item.text,
        "amount": item.amount,
        "percent": item.percent,
        "of": item.of,
        "about": item.about,
        "who": item.who,
        "why": item.why,
        "rest": item.rest,
        "rest_of": item.rest_of,
        "due_first": due_first,
        "document_id": document_id,
    }


def credit_document(line: CreditLine, exposure: Exposure, delegations: Sequence[Delegation]) -> Shown:
    """A credit line with everything that is owed."""
    currency = line.currency
    return {
        "supplier_id": line.supplier_id,
        "customer_id": line.customer_id,
        "currency": currency,
        "score": line.score,
        "state": line.state,
        "reason": line.reason,
        "limit": money(exposure.limit, currency),
        "receivable": money(exposure.receivable, currency),
        "unbilled": money(exposure.unbilled, currency),
        "reserved": money(exposure.reserved, currency),
        "available": money(exposure.available, currency),
        "delegated": [
            {
                "gateway_id": one.gateway_id,
                "limit": money(one.limit_minor, currency),
                "left": money(one.left_minor, currency),
                "told": money(one.next_minor, currency),
                "version": one.version,
                "until_ms": one.until_ms,
            }
            for one in delegations
        ],
    }
