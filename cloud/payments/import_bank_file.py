"""A bank's file into payments: each entry once, matched and allocated as far as nobody has to guess.

The surprise: the same file twice, or two files that overlap, change nothing: the bank's reference is the key. A payment
that is returned undoes what it settled; one that nobody can place waits as unmatched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cloud.agreements.payment_terms import PaymentTerms
from cloud.credit.recount import recount
from cloud.database import Tx
from cloud.invoices.minor import to_minor
from cloud.money import MoneyError
from cloud.payments import repository
from cloud.payments.allocate import AllocationRefused, allocate, return_payment
from cloud.payments.bank_entry import BankFileError, Entry
from cloud.payments.matching import Match, Open, match
from cloud.payments.repository import Payment

Outcome = dict[str, str | int]


def import_entries(
    tx: Tx, tenant: str, entries: Sequence[Entry], *, terms: PaymentTerms | None, now_ms: int
) -> list[Outcome]:
    """What became of each entry: ``known``, ``returned``, ``unmatched``, or how it was ``matched`` and to what."""
    return [_import(tx, tenant, entry, terms or PaymentTerms(), now_ms) for entry in entries]


def _import(tx: Tx, tenant: str, entry: Entry, terms: PaymentTerms, now_ms: int) -> Outcome:
    try:
        minor = to_minor(entry.amount, entry.currency)
    except MoneyError as error:
        raise BankFileError(f"the entry {entry.bank_ref} of {entry.booked_on}: {error}") from error
    made = Payment(
        payment_id=_id(entry),
        account=entry.account,
        bank_ref=entry.bank_ref,
        supplier_id="",
        customer_id="",
        currency=entry.currency,
        amount_minor=minor,
        free_minor=minor,
        booked_on=entry.booked_on,
        payer=entry.payer,
        payer_account=entry.payer_account,
        remittance=" ".join([*entry.references, entry.remittance])[:1000],
        state="unmatched",
        matched_by="",
        at_ms=now_ms,
    )
    outcome: Outcome = {"payment_id": made.payment_id, "amount": entry.amount, "currency": entry.currency}
    if not repository.add(tx, tenant, made):
        return outcome | {"outcome": "known"}
    if minor < 0 and entry.returns:
        return outcome | {"outcome": _take_back(tx, tenant, made, entry.returns, now_ms)}
    customer = repository.customer_of_account(tx, tenant, entry.payer_account) if entry.payer_account else ""
    known = [Open(*row) for row in repository.open_numbers(tx, tenant, entry.currency)]
    texts = (*entry.references, entry.remittance)
    found = match(minor, texts, customer, known, oldest_first=terms.allocation == "oldest_due_first")
    if found.by == "nobody":
        return outcome | {"outcome": "unmatched"}
    return outcome | _place(tx, tenant, made, found, terms, now_ms)


def _id(entry: Entry) -> str:
    text = f"{entry.account}\n{entry.bank_ref}"
    return f"pay_{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _take_back(tx: Tx, tenant: str, made: Payment, returns: str, now_ms: int) -> str:
    before = repository.find_by_reference(tx, tenant, returns)
    if before is None or before.state == "returned" or before.amount_minor != -made.amount_minor:
        return "unmatched"
    return_payment(tx, tenant, before.payment_id, now_ms)
    repository.change(
        tx,
        tenant,
        made._replace(
            free_minor=0,
            state="returned",
            matched_by="return",
            customer_id=before.customer_id,
            supplier_id=before.supplier_id,
        ),
    )
    return "returned"


def _place(tx: Tx, tenant: str, made: Payment, found: Match, terms: PaymentTerms, now_ms: int) -> Outcome:
    placed = made._replace(supplier_id=found.supplier, customer_id=found.customer, state="matched", matched_by=found.by)
    repository.change(tx, tenant, placed)
    settled = 0
    for document_id in found.documents:
        current = repository.find(tx, tenant, made.payment_id)
        if current is None or current.free_minor == 0:
            break
        try:
            settled += allocate(tx, tenant, made.payment_id, document_id, None, now_ms)
        except AllocationRefused:
            continue
    left = repository.find(tx, tenant, made.payment_id)
    if left is not None and left.free_minor and terms.overpaid == "refund":
        repository.change(tx, tenant, left._replace(matched_by=f"{found.by}, rest to be paid back"))
    recount(tx, tenant, (found.supplier, found.customer, made.currency))
    return {"outcome": "matched", "by": found.by, "customer_id": found.customer, "settled_minor": settled}
