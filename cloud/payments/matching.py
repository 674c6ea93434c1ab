"""Which documents an entry of the bank pays: by number, by the only amount that fits, else nobody guesses. PURE.

The surprise: people retype numbers. ``inv 42``, ``INV000042`` and ``RF18INV000042`` all mean INV-000042; but a number
is taken only when it stands alone among other digits, an amount only when the payer is known and one document has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

By = Literal["number", "amount", "oldest", "nobody"]
_NOISE = re.compile(r"[^A-Z0-9]")


class Open(NamedTuple):
    """A document that is open; ``open_minor`` is negative for a credit note."""

    number_text: str
    document_id: str
    supplier: str
    customer: str
    open_minor: int
    due_on: str
    agreement: str = ""


class Match(NamedTuple):
    """The documents to settle, in order, whose they are, and how they were found."""

    by: By
    supplier: str
    customer: str
    documents: tuple[str, ...]


NOBODY = Match("nobody", "", "", ())


def match(
    minor: int, texts: Sequence[str], customer: str, open_documents: Sequence[Open], *, oldest_first: bool
) -> Match:
    """What an amount pays. ``texts``: references, remittance; ``customer``: whose account it came from ("" unknown)."""
    side = [one for one in open_documents if (one.open_minor > 0) == (minor > 0)]
    named = [one for one in side if _named(one.number_text, texts)]
    owners = {(one.supplier, one.customer) for one in named}
    if len(owners) == 1:
        supplier, owner = owners.pop()
        return Match("number", supplier, owner, tuple(one.document_id for one in named))
    if named or not customer:
        return NOBODY
    theirs = [one for one in side if one.customer == customer]
    exact = [one for one in theirs if one.open_minor == minor]
    if len(exact) == 1:
        return Match("amount", exact[0].supplier, customer, (exact[0].document_id,))
    suppliers = {one.supplier for one in theirs}
    if oldest_first and len(suppliers) == 1:
        return Match("oldest", suppliers.pop(), customer, tuple(one.document_id for one in theirs))
    return NOBODY


def _named(number_text: str, texts: Sequence[str]) -> bool:
    """Whether a document's number stands in one of the texts, with or without its leading zeros and dashes."""
    prefix, _, digits = number_text.rpartition("-")
    letters = "[^A-Z0-9]*".join(_NOISE.sub("", prefix))
    wanted = re.compile(rf"{letters}[^A-Z0-9]*0*{int(digits)}(?![0-9])")
    return any(wanted.search(text.upper()) for text in texts)
