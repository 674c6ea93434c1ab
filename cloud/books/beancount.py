"""The books as a beancount file and as CSV. PURE.

The surprise: the ``balance`` lines come from the balances we keep, not from the entries above them. Without them a
checker only proves that each entry sums to nothing; with them it proves that our own totals are those of the entries.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from cloud.books.entries import Entry
from cloud.money import EXPONENTS, plain


def amount(units: int, unit: str) -> str:
    """Units of a commodity in plain digits: a currency's own places, six for goods, without trailing zeros there."""
    if unit in EXPONENTS:
        return plain(Decimal(units).scaleb(-EXPONENTS[unit]))
    text = plain(Decimal(units).scaleb(-6))
    return text.rstrip("0").rstrip(".") if "." in text else text


def export(entries: Sequence[Entry], balances: Mapping[tuple[str, str], int], *, title: str = "Tallystick") -> str:
    """The whole books as a beancount file: accounts opened, entries by day, balances on the day after the last."""
    ordered = sorted(entries, key=lambda entry: (entry.on_day, entry.at_ms, entry.entry_id))
    lines = [f'option "title" "{_text(title)}"', *_currencies(balances)]
    first = ordered[0].on_day if ordered else "2026-01-01"
    accounts = sorted(
        {account for account, _ in balances} | {one.account for entry in ordered for one in entry.postings}
    )
    lines += [f"{first} open {account}" for account in accounts]
    for entry in ordered:
        lines.append("")
        lines.append(f'{entry.on_day} * "{_text(entry.kind)}" "{_text(entry.text)}"')
        lines.append(f'  event: "{_text(entry.entry_id)}"')
        lines += [f"  {one.account}  {amount(one.units, one.commodity)} {one.commodity}" for one in entry.postings]
    if ordered:
        after = (date.fromisoformat(ordered[-1].on_day) + timedelta(days=1)).isoformat()
        lines.append("")
        lines += [
            f"{after} balance {account}  {amount(units, unit)} {unit}"
            for (account, unit), units in sorted(balances.items())
        ]
    return "\n".join(lines) + "\n"


def to_csv(entries: Iterable[Entry]) -> str:
    """One row a posting."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("day", "event", "kind", "text", "agreement", "account", "amount", "commodity"))
    for entry in entries:
        for one in entry.postings:
            shown = amount(one.units, one.commodity)
            what = (entry.on_day, entry.entry_id, entry.kind, _cell(entry.text), entry.agreement_id)
            rows.writerow((*what, one.account, shown, one.commodity))
    return out.getvalue()


def _currencies(balances: Mapping[tuple[str, str], int]) -> list[str]:
    return [
        f'option "operating_currency" "{unit}"' for unit in sorted({unit for _, unit in balances if unit in EXPONENTS})
    ]


def _text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _cell(text: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
