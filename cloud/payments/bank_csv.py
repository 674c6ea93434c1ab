"""Bank statements as CSV: a header line that names the columns, in any order, with comma or semicolon. PURE.

The surprise: nothing is guessed. Days are ISO dates, amounts plain numbers with a point; a file with decimal commas or
two-digit years is refused, because a guess would be wrong by a factor of a hundred or a hundred years.
"""

from __future__ import annotations

import csv
import io

from cloud.calendar import CalendarError, parse_day
from cloud.money import MoneyError, parse_amount
from cloud.payments.bank_entry import BankFileError, Entry, checked, made_up_ref, within_limits

NEEDED = ("date", "amount", "currency")
KNOWN = (*NEEDED, "account", "reference", "payer", "payer_account", "remittance", "end_to_end_id", "returns")


def read(raw: bytes, account: str = "") -> list[Entry]:
    """The entries of a file; ``account`` is ours, when no column says so. Raises BankFileError."""
    try:
        text = within_limits(raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BankFileError("the file is not in UTF-8; export it again as UTF-8") from error
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        names = [name.strip().lower() for name in rows.fieldnames or []]
    except csv.Error as error:
        raise BankFileError(f"the file is no CSV: {error}") from error
    missing = [name for name in NEEDED if name not in names]
    unknown = [name for name in names if name not in KNOWN]
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has unknown columns {', '.join(unknown)}"
        raise BankFileError(f"the header {wrong}; columns are {', '.join(KNOWN)}")
    rows.fieldnames = names
    found: list[Entry] = []
    seen: dict[tuple[str, ...], int] = {}
    try:
        for number, row in enumerate(rows, 2):
            found.append(
                _entry(number, {name: (value or "").strip() for name, value in row.items() if name}, account, seen)
            )
    except csv.Error as error:
        raise BankFileError(f"the file is no CSV: {error}") from error
    return checked(found)


def _entry(number: int, row: dict[str, str], account: str, seen: dict[tuple[str, ...], int]) -> Entry:
    try:
        day = parse_day(row["date"]).isoformat()
        parse_amount(row["amount"])
    except (CalendarError, MoneyError) as error:
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
    return Entry(
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
