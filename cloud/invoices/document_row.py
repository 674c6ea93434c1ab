"""A document in a list: what it was issued with, and what changes after that. PURE."""

from __future__ import annotations

from typing import NamedTuple


class DocumentRow(NamedTuple):
    """A document as lists show it, with what changes after it was issued."""

    document_id: str
    kind: str
    number_text: str
    agreement_id: str
    customer_id: str
    supplier_id: str
    currency: str
    issued_on: str
    due_on: str
    gross_minor: int
    open_minor: int
    state: str
    step: str
    disputed: int
    about: str
    statement_id: str
