"""One entry of a bank statement, whatever file it came in. PURE."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class BankFileError(ValueError):
    """The file is no bank statement this program can read; the message says where it stops being one."""


class Entry(NamedTuple):
    """``amount`` in plain digits, negative for what left the account; ``references``: structured ones, best first;
    ``returns``: the bank's reference of the entry that this one takes back, or "".
    """

    account: str
    bank_ref: str
    booked_on: str
    amount: str
    currency: str
    payer: str
    payer_account: str
    remittance: str
    references: tuple[str, ...]
    returns: str = ""
    reversal: bool = False


def made_up_ref(account: str, parts: tuple[str, ...], nth: int) -> str:
    """A reference for an entry whose bank gives none: the same entry of the same file gets the same one. ``nth`` tells
    equal entries apart.
    """
    text = "\n".join((account, *parts, str(nth)))
    return f"h:{hashlib.sha256(text.encode()).hexdigest()[:24]}"
