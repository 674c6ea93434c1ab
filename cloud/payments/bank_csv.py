"""Bank statements as CSV: a header line that names the columns, in any order, with comma or semicolon. PURE.

The surprise: nothing is guessed. Days are ISO dates, amounts plain numbers with a point, unless whoever imports the
file says how this bank writes them; a file with decimal commas or two-digit years is refused otherwise, because a guess
would be wrong by a factor of a hundred or a hundred years.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from cloud.calendar import CalendarError, parse_day
from cloud.money import MoneyError, parse_amount
from cloud.payments.bank_entry import BankFileError, Entry, checked, made_up_ref, within_limits
from cloud.payments.csv_shape import PLAIN, Shape

NEEDED = ("date", "amount", "currency")
KNOWN = (*NEEDED, "account", "reference", "payer", "payer_account", "remittance", "end_to_end_id", "returns")


def read(raw: bytes, account: str = "", shape: Shape = PLAIN) -> list[Entry]:
    """The entries of a file; ``account`` is ours, when no column says so. Raises BankFileError."""
    text = shape.text(within_limits(raw))
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        names = [_ours(name.strip().lower(), shape) for name in rows.fieldnames or []]
    except csv.Error as error:
        raise BankFileError(f"the file is no CSV: {error}") from error
    missing = [name for name in NEEDED if name not in names and not (name == "currency" and shape.currency)]
    unknown = [name for name in names if name and name not in KNOWN]
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has unknown columns {', '.join(unknown)}"
        raise BankFileError(f"the header {wrong}; columns are {', '.join(KNOWN)}")
    rows.fieldnames = names
    found: list[Entry] = []
    seen: dict[tuple[str, ...], int] = {}
    try:
        for number, row in enumerate(rows, 2):
            told = {name: (value or "").strip() for name, value in row.items() if name}
            if any(told.values()):
                found += _entries(number, told, (account, shape), seen)
    except csv.Error as error:
        raise BankFileError(f"the file is no CSV: {error}") from error
    return checked(found)


def _ours(name: str, shape: Shape) -> str:
    """Our name of a column; "" for one that the file has beside those that were named."""
    return shape.columns.get(name, "") if shape.columns else name


def _entries(
    number: int, row: dict[str, str], whose: tuple[str, Shape], seen: dict[tuple[str, ...], int]
) -> Iterator[Entry]:
    """The entry of a row; none where no money moved."""
    account, shape = whose
    row = {"currency": shape.currency} | row
    try:
        day = parse_day(shape.day(row["date"])).isoformat()
        row["amount"] = shape.number(row["amount"])
        if not row["amount"].strip("-0.") and row["amount"]:
            return
        parse_amount(row["amount"])
    except (CalendarError, MoneyError, BankFileError) as error:
        raise BankFileError(f"line {number}: {error}") from error
    key = tuple(row.values())
    nth = seen[key] = seen.get(key, -1) + 1
    own = row.get("account", "") or account
    parts = (
        day,
        row["amount"],
        row["currency"],
        row.get("payer", ""),
        row.get("payer_account", ""),
        row.get("remittance", ""),
    )
    yield Entry(
        account=own,
        bank_ref=row.get("reference", "") or made_up_ref(own, parts, nth),
        booked_on=day,
        amount=row["amount"],
        currency=row["currency"],
        payer=row.get("payer", ""),
        payer_account=row.get("payer_account", "").replace(" ", ""),
        remittance=row.get("remittance", ""),
        references=tuple(one for one in (row.get("end_to_end_id", ""),) if one),
        returns=row.get("returns", ""),
        reversal=bool(row.get("returns", "")),
    )
