"""What settles what: payments and credit notes against open documents, never more than is free or open.

The surprise: nothing is ever deleted. A returned payment or a void document undoes its allocations, which stay to be
seen; what a payment is free of again is the customer's prepaid balance and settles his next invoice by itself.
"""

from __future__ import annotations

from cloud.credit.recount import recount
from cloud.database import Tx
from cloud.invoices import repository as documents
from cloud.invoices.document_row import DocumentRow
from cloud.payments import repository
from cloud.payments.repository import Payment


class AllocationRefused(ValueError):
    """More than is free of the payment or open of the document, or they do not belong together."""


def allocate(tx: Tx, tenant: str, payment_id: str, document_id: str, minor: int | None, now_ms: int) -> int:
    """Settles a document with so much of a payment (None: as much as fits); what was allocated. Raises
    AllocationRefused.
    """
    document = documents.row(tx, tenant, document_id, lock=True)
    payment = repository.find(tx, tenant, payment_id, lock=True)
    if payment is None or document is None:
        raise AllocationRefused("There is no such payment or document.")
    if payment.state == "returned" or payment.currency != document.currency:
        raise AllocationRefused(
            f"A payment that is {payment.state}, in {payment.currency}, cannot settle this document."
        )
    if payment.customer_id not in ("", document.customer_id) or payment.supplier_id not in ("", document.supplier_id):
        raise AllocationRefused(f"The payment is of {payment.customer_id}, the document of {document.customer_id}.")
    same_side = (payment.free_minor > 0) == (document.open_minor > 0)
    most = min(abs(payment.free_minor), abs(document.open_minor)) if same_side else 0
    wanted = most if minor is None else minor
    if not 0 < wanted <= most:
        raise AllocationRefused(f"At most {most} of the smallest unit can be allocated, not {wanted}.")
    signed = wanted if document.open_minor > 0 else -wanted
    matched = payment._replace(
        free_minor=payment.free_minor - signed,
        supplier_id=document.supplier_id,
        customer_id=document.customer_id,
        state="matched",
        matched_by=payment.matched_by or "by_hand",
    )
    repository.change(tx, tenant, matched)
    _settle(tx, tenant, payment_id, document, signed, now_ms)
    if payment.payer_account:
        repository.learn_account(tx, tenant, payment.payer_account, document.customer_id)
    recount(tx, tenant, (document.supplier_id, document.customer_id, document.currency))
    return wanted


def prepay(tx: Tx, tenant: str, payment_id: str, owner: tuple[str, str, str]) -> Payment:
    """Says whose money it is (supplier, customer, currency): what settles nothing yet is his prepaid balance, which
    his next invoices use up. Raises AllocationRefused.
    """
    payment = repository.find(tx, tenant, payment_id, lock=True)
    if payment is None or payment.state not in ("unmatched", "refund", "matched") or payment.free_minor <= 0:
        raise AllocationRefused("There is no such payment, or nothing of it is free.")
    if payment.currency != owner[2] or (
        payment.customer_id and (payment.supplier_id, payment.customer_id) != owner[:2]
    ):
        raise AllocationRefused(f"The payment is in {payment.currency}, of {payment.customer_id or 'nobody yet'}.")
    placed = payment._replace(
        supplier_id=owner[0], customer_id=owner[1], state="matched", matched_by=payment.matched_by or "by_hand"
    )
    repository.change(tx, tenant, placed)
    if payment.payer_account:
        repository.learn_account(tx, tenant, payment.payer_account, owner[1])
    recount(tx, tenant, owner)
    return placed


def apply_credit_note(tx: Tx, tenant: str, note_id: str, document_id: str, now_ms: int) -> None:
    """A credit note lowers what is open of its invoice; the rest of it stays open for the next one."""
    note = documents.row(tx, tenant, note_id, lock=True)
    document = documents.row(tx, tenant, document_id, lock=True)
    if note is not None and document is not None:
        _offset(tx, tenant, note, document, now_ms)


def apply_prepaid(tx: Tx, tenant: str, document_id: str, now_ms: int) -> None:
    """Credit notes with a rest, then free payments, settle a new document, oldest first."""
    document = documents.row(tx, tenant, document_id, lock=True)
    if document is None or document.open_minor <= 0:
        return
    owner = (document.supplier_id, document.customer_id, document.currency)
    for other in documents.open_credits(tx, tenant, *owner):
        current = documents.row(tx, tenant, document_id)
        if current is not None and current.open_minor > 0:
            _offset(tx, tenant, other, current, now_ms)
    for payment in repository.with_free(tx, tenant, *owner):
        current = documents.row(tx, tenant, document_id)
        if current is not None and current.open_minor > 0 and payment.free_minor > 0:
            part = min(payment.free_minor, current.open_minor)
            repository.change(tx, tenant, payment._replace(free_minor=payment.free_minor - part))
            _settle(tx, tenant, payment.payment_id, current, part, now_ms)


def undo_allocations(tx: Tx, tenant: str, document_id: str, now_ms: int) -> None:
    """The document is void: what payments settled of it is free again, and what credit notes lowered too."""
    for one in repository.allocations(tx, tenant, document=document_id):
        if one.undone_ms is None and repository.find(tx, tenant, one.source_id) is not None:
            _undo(tx, tenant, one, now_ms)


def return_payment(tx: Tx, tenant: str, payment_id: str, now_ms: int) -> Payment:
    """The bank took the payment back: what it settled is open again. Raises AllocationRefused."""
    payment = repository.find(tx, tenant, payment_id, lock=True)
    if payment is None or payment.state == "returned":
        raise AllocationRefused("There is no such payment, or it was returned before.")
    for one in repository.allocations(tx, tenant, source=payment_id):
        if one.undone_ms is None:
            _undo(tx, tenant, one, now_ms)
    returned = payment._replace(free_minor=0, state="returned", matched_by="by_hand")
    repository.change(tx, tenant, returned)
    if payment.customer_id:
        recount(tx, tenant, (payment.supplier_id, payment.customer_id, payment.currency))
    return returned


def _undo(tx: Tx, tenant: str, one: repository.Allocation, now_ms: int) -> None:
    document = documents.row(tx, tenant, one.document_id, lock=True)
    payment = repository.find(tx, tenant, one.source_id, lock=True)
    if document is not None:
        documents.set_open(tx, tenant, one.document_id, document.open_minor + one.minor)
    if payment is not None:
        repository.change(tx, tenant, payment._replace(free_minor=payment.free_minor + one.minor))
    repository.undo(tx, tenant, one, now_ms)


def _settle(tx: Tx, tenant: str, source_id: str, document: DocumentRow, minor: int, now_ms: int) -> None:
    documents.set_open(tx, tenant, document.document_id, document.open_minor - minor)
    repository.add_allocation(tx, tenant, source_id, document.document_id, minor, now_ms)


def _offset(tx: Tx, tenant: str, note: DocumentRow, document: DocumentRow, now_ms: int) -> None:
    part = min(-note.open_minor, document.open_minor)
    if part > 0:
        documents.set_open(tx, tenant, note.document_id, note.open_minor + part)
        _settle(tx, tenant, note.document_id, document, part, now_ms)
