"""From a numbered document to what its e-invoice says: days and parties are added, no number is touched. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cloud.documents.e_invoice import last_day
from cloud.documents.invoice_facts import Address, InvoiceFacts, InvoiceLine, Preceding, TaxSum
from cloud.invoices.document import Document, DocumentLine


def facts_of(
    document: Document, seller: Address, buyer: Address, *, preceding: Sequence[Document] = (), iban: str = ""
) -> InvoiceFacts:
    """An invoice; or a credit note or cancellation, which are one kind there, with the documents they take back."""
    notes = [document.tax_rule] if document.tax_rule else []
    notes += [f"{line.no}: {line.why} ({line.who})" for line in document.lines if line.why]
    return InvoiceFacts(
        number=document.number_text,
        kind="invoice" if document.kind == "invoice" else "credit_note",
        issued_on=date.fromisoformat(document.issued_on),
        due_on=date.fromisoformat(document.due_on) if document.due_on else None,
        currency=document.currency,
        seller=seller,
        buyer=buyer,
        lines=[_line(line) for line in document.lines],
        taxes=[TaxSum(one.category, one.percent, one.net, one.tax, one.reason) for one in document.taxes],
        net=document.net,
        tax=document.tax,
        gross=document.gross,
        first=date.fromisoformat(document.period_first) if document.period_first else None,
        last=last_day(date.fromisoformat(document.period_end)) if document.period_end else None,
        preceding=[Preceding(one.number_text, date.fromisoformat(one.issued_on)) for one in preceding],
        agreement=document.agreement_id,
        iban=iban,
        notes=notes,
        evidence=document.statement_id,
        evidence_hash=document.statement_hash,
    )


def _line(line: DocumentLine) -> InvoiceLine:
    return InvoiceLine(
        no=line.no,
        name=line.text,
        quantity=line.quantity.value,
        unit=line.quantity.unit,
        unit_price=line.unit_price,
        net=line.net,
        category=line.category,
        percent=line.percent,
        note=line.about,
    )
