"""A bank's file into payments: each entry once, matched and allocated as far as nobody has to guess.

The surprise: the same file twice, or two files that overlap, change nothing: the bank's reference is the key. A payment
that is returned undoes what it settled; one that nobody can place waits as unmatched. What a payment settles that names
nothing, and what becomes of what is too much, is what the agreement says whose documents it may pay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cloud.agreements import repository as agreements
from cloud.agreements.payment_terms import USUAL, PaymentTerms
from cloud.credit.recount import recount
from cloud.database import Tx
from cloud.invoices.minor import from_minor, to_minor
from cloud.money import MoneyError
from cloud.payments import repository
from cloud.payments.allocate import AllocationRefused, allocate, return_payment
from cloud.payments.bank_entry import BankFileError, Entry
from cloud.payments.matching import Match, Open, match
from cloud.payments.repository import Payment

Outcome = dict[str, str | int]
BY_HAND = "by_hand"


def import_entries(tx: Tx, tenant: str, entries: Sequence[Entry], *, now_ms: int) -> list[Outcome]:
    """What became of each entry: ``known``, ``returned``, ``refunded``, ``unmatched``, or how it was ``matched`` and to
    what.
    """
    return [_import(tx, tenant, entry, now_ms) for entry in entries]


def _import(tx: Tx, tenant: str, entry: Entry, now_ms: int) -> Outcome:
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
        before = repository.find(tx, tenant, made.payment_id)
        if before is None or _same(before, made):
            return outcome | {"outcome": "known"}
        if entry.account == BY_HAND:
            shown = from_minor(before.amount_minor, before.currency)
            raise BankFileError(
                f"{entry.bank_ref} is known as {shown} {before.currency} of {before.booked_on}; name this one otherwise"
            )
        # A bank that uses a reference again means another entry: money is never lost over a name.
        return _import(tx, tenant, entry._replace(bank_ref=_told_apart(entry)), now_ms)
    if entry.reversal:
        return outcome | {"outcome": _take_back(tx, tenant, made, entry, now_ms)}
    customer = _payer(tx, tenant, entry)
    if minor < 0 and customer and _pay_back(tx, tenant, made, customer):
        return outcome | {"outcome": "refunded", "customer_id": customer}
    known = [Open(*row) for row in repository.open_numbers(tx, tenant, entry.currency)]
    texts = (*entry.references, entry.remittance)
    oldest_first = all(
        _terms(tx, tenant, one.agreement).allocation == "oldest_due_first" for one in known if one.customer == customer
    )
    found = match(minor, texts, customer, known, oldest_first=oldest_first)
    if found.by == "nobody":
        return outcome | {"outcome": "unmatched"}
    first = next(one for one in known if one.document_id == found.documents[0])
    return outcome | _place(tx, tenant, made, found, _terms(tx, tenant, first.agreement), now_ms)


def _payer(tx: Tx, tenant: str, entry: Entry) -> str:
    return repository.customer_of_account(tx, tenant, entry.payer_account) if entry.payer_account else ""


def _terms(tx: Tx, tenant: str, agreement_id: str) -> PaymentTerms:
    agreement = agreements.find(tx, tenant, agreement_id)
    return (None if agreement is None else agreement.terms.payment) or USUAL


def _pay_back(tx: Tx, tenant: str, made: Payment, customer: str) -> bool:
    """Money that leaves us is what was to be paid back to this customer, if it is just so much."""
    owed = repository.owed_back(tx, tenant, customer, made.currency, -made.amount_minor)
    if owed is None:
        return False
    repository.change(tx, tenant, owed._replace(free_minor=0, state="refunded"))
    whose = made._replace(supplier_id=owed.supplier_id, customer_id=customer, matched_by="refund")
    repository.change(tx, tenant, whose._replace(free_minor=0, state="refunded"))
    return True


def _same(before: Payment, made: Payment) -> bool:
    """Whether a reference that is known stands for the same entry."""
    return (before.amount_minor, before.currency, before.booked_on) == (
        made.amount_minor,
        made.currency,
        made.booked_on,
    )


def _told_apart(entry: Entry) -> str:
    return f"{entry.bank_ref}#{entry.booked_on}#{entry.amount}#{entry.currency}"


def _id(entry: Entry) -> str:
    text = f"{entry.account}\n{entry.bank_ref}"
    return f"pay_{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _take_back(tx: Tx, tenant: str, made: Payment, entry: Entry, now_ms: int) -> str:
    """What the bank took back, if it can be one payment only: the same amount under the reference that was named. One
    that a person has returned already is left as it is.
    """
    same = repository.of_amount(tx, tenant, made.account, made.currency, -made.amount_minor) if entry.returns else []
    named = [one for one in same if entry.returns in (one.bank_ref, *one.remittance.split())]
    named = [one for one in named if one.state != "returned" or one.matched_by == BY_HAND]
    if len(named) != 1 or made.amount_minor > 0:
        return "unmatched"
    before = named[0]
    if before.state != "returned":
        return_payment(tx, tenant, before.payment_id, now_ms)
    returned = repository.find(tx, tenant, before.payment_id)
    assert returned is not None, "a payment stays"
    repository.change(tx, tenant, returned._replace(matched_by="return"))
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
        repository.change(tx, tenant, left._replace(state="refund"))
    recount(tx, tenant, (found.supplier, found.customer, made.currency))
    return {"outcome": "matched", "by": found.by, "customer_id": found.customer, "settled_minor": settled}
