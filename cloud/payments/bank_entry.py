"""One entry of a bank statement, whatever file it came in. PURE."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cloud.calendar import CalendarError, parse_day

MAX_BYTES, MOST_ENTRIES, LONGEST_TEXT = 32 * 1024 * 1024, 50_000, 2000
LONGEST: Mapping[str, int] = {"account": 64, "bank_ref": 200, "payer_account": 64, "returns": 200}
# What no text of a bank has, and what a database or a terminal stumbles over: control characters, lone surrogates.
_HIDDEN = re.compile("[\\x00-\\x08\\x0e-\\x1f\\x7f\\ud800-\\udfff]")


class BankFileError(ValueError):
    """The file is no bank statement this program can read; the message says where it stops being one."""


class Entry(NamedTuple):
    """``amount`` in plain digits, negative for what left the account; ``references``: structured ones, best first;
    ``reversal``: it takes back another entry; ``returns``: that one's reference, the bank's or the payer's, or "".
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


def within_limits(raw: bytes) -> bytes:
    """The file, if it is not too long to be read; raises BankFileError."""
    if len(raw) > MAX_BYTES:
        raise BankFileError(f"the file has {len(raw)} bytes; at most {MAX_BYTES} are read: export a shorter time")
    return raw


def checked(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of a file, if each can be kept: a day there is, texts that can be shown. Raises BankFileError."""
    if len(entries) > MOST_ENTRIES:
        raise BankFileError(
            f"the file has {len(entries)} entries; at most {MOST_ENTRIES} at a time: export a shorter time"
        )
    for number, one in enumerate(entries, 1):
        try:
            parse_day(one.booked_on)
        except CalendarError as error:
            raise BankFileError(f"entry {number}: {error}") from error
        for name, text in zip(one._fields, one, strict=True):
            told = " ".join(text) if isinstance(text, tuple) else str(text)
            if len(told) > LONGEST.get(name, LONGEST_TEXT):
                raise BankFileError(f"entry {number}: {name} has {len(told)} characters; that is no bank's")
            if _HIDDEN.search(told):
                raise BankFileError(f"entry {number}: {name} has a character that cannot be shown; export it again")
    return list(entries)


def made_up_ref(account: str, parts: tuple[str, ...], nth: int) -> str:
    """A reference for an entry whose bank gives none: the same entry of the same file gets the same one. ``nth`` tells
    equal entries apart.
    """
    text = "\n".join((account, *parts, str(nth)))
    return f"h:{hashlib.sha256(text.encode()).hexdigest()[:24]}"
