"""An invoice, a credit note or a cancellation: what is owed, line by line, in a series without gaps. PURE.

The surprise: it adds nothing to the statement it bills but tax, a due day and what waited (credits, coupons, deposits,
fees). Its lines name the statement's lines, and its hash chains to the document before it in the series, so that
neither can be exchanged. Once numbered it never changes: a mistake is cancelled by a document of its own.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from cloud.agreements.tax_terms import Category
from cloud.agreements.terms import canonical_json
from cloud.invoices.taxes import TaxTotal
from cloud.rating.lines import Amount

FORMAT: Literal["tallystick/document/1"] = "tallystick/document/1"
Kind = Literal["invoice", "credit_note", "cancellation"]
PREFIX: dict[Kind, str] = {"invoice": "INV", "credit_note": "CN", "cancellation": "CN"}
ItemKind = Literal[
    "guarantee_credit", "coupon", "deposit", "deposit_return", "late_fee", "interest", "agreed",
    "progressive_billing",
]  # fmt: skip


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that waits for the next invoice. ``amount``: net, negative for a credit; for ``percent`` (a coupon)
    it is worked out from the invoice's lines of the kinds ``of``. ``who`` and ``why`` are printed: it is level C.
    ``category`` and ``tax_percent``: its rate of tax, where that is known and not that of the lines it is about.
    ``rest``: what becomes of a coupon's amount that is more than the invoice ("": lost, and nobody said so);
    ``rest_of``: the document that left this rest.
    """

    item_id: str
    kind: ItemKind
    text: str
    amount: str = "0"
    percent: str = ""
    of: list[str] = []
    about: str = ""
    who: str = ""
    why: str = ""
    category: str = ""
    tax_percent: str = ""
    rest: Literal["", "carried", "lost"] = ""
    rest_of: str = ""


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``statement_line``: the line of the statement it bills (0: none); ``about``: the line of the document it takes
    back, or the cause of an item. ``net`` is payable, ``unrounded`` the exact amount behind it.
    """

    no: int
    kind: str
    text: str
    statement_line: int
    quantity: Amount
    unit_price: str
    unrounded: str
    net: str
    category: Category
    percent: str
    about: str = ""
    who: str = ""
    why: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document as it is hashed. Days are local days of the agreement's zone; money in plain digits."""

    format: Literal["tallystick/document/1"]
    document_id: str
    tenant: str
    kind: Kind
    series: str
    number: int
    number_text: str
    supplier_id: str
    customer_id: str
    agreement_id: str
    statement_id: str
    statement_hash: str
    about: str
    period_first: str
    period_end: str
    currency: str
    issued_on: str
    due_on: str
    tax_rule: str
    lines: list[DocumentLine]
    taxes: list[TaxTotal]
    net: str
    tax: str
    gross: str
    prev_hash: str

    @property
    def hash(self) -> str:
        """SHA-256 of the document's canonical JSON, hex."""
        return hashlib.sha256(canonical_json(self)).hexdigest()


class Place(msgspec.Struct, frozen=True):
    """The place of a new document in its series."""

    series: str
    number: int
    prev_hash: str


def series_of(supplier: str, kind: Kind, wanted: str = "") -> str:
    """The series a supplier's documents of a kind are numbered in."""
    prefix = PREFIX[kind] + (f"-{wanted}" if wanted else "")
    return f"{supplier}/{prefix}"


def number_text(place: Place) -> str:
    """As it is printed, e.g. ``INV-000042``."""
    return f"{place.series.rpartition('/')[2]}-{place.number:06d}"


def document_id(tenant: str, place: Place) -> str:
    """The id follows from the place in the series: two documents cannot share one."""
    text = f"{tenant}\n{place.series}\n{place.number}"
    return f"doc_{hashlib.sha256(text.encode()).hexdigest()[:20]}"
