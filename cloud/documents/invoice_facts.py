"""What an e-invoice needs to know of an invoice or credit note: amounts as texts, days, parties with their tax numbers.

The surprise: nothing of it is worked out for the e-invoice. The numbers are those of the document that was numbered and
hashed; if they do not fit the standard's sums, that is said and no XML is made. PURE.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A party as an e-invoice names it. ``country``: ISO 3166-1 alpha-2; ``vat_id`` with its country's prefix."""

    name: str
    country: str = ""
    street: str = ""
    city: str = ""
    postcode: str = ""
    vat_id: str = ""
    tax_id: str = ""
    legal_id: str = ""
    email: str = ""


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """``net`` is what the line comes to; ``first`` and ``last`` (inclusive) are its service period."""

    no: int
    name: str
    quantity: str
    unit: str
    unit_price: str
    net: str
    category: str
    percent: str
    note: str = ""
    seller_id: str = ""
    first: date | None = None
    last: date | None = None


class TaxSum(msgspec.Struct, frozen=True):
    """What one category and rate comes to."""

    category: str
    percent: str
    net: str
    tax: str
    reason: str = ""


class Preceding(msgspec.Struct, frozen=True):
    """The document that this one corrects."""

    number: str
    issued_on: date


class InvoiceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One document. ``paid``: what was paid before it was issued. ``iban``: where it is to be paid."""

    number: str
    kind: Literal["invoice", "credit_note"]
    issued_on: date
    due_on: date | None
    currency: str
    seller: Address
    buyer: Address
    lines: list[InvoiceLine]
    taxes: list[TaxSum]
    net: str
    tax: str
    gross: str
    paid: str = "0"
    first: date | None = None
    last: date | None = None
    preceding: list[Preceding] = []
    agreement: str = ""
    buyer_reference: str = ""
    iban: str = ""
    terms: str = ""
    notes: list[str] = []
    evidence: str = ""
    evidence_hash: str = ""
