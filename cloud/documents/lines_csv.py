"""A statement's lines as a table for spreadsheets and bookkeeping programs. PURE.

The surprise: no number here is made pretty. Values stand in plain digits with a point, dates in ISO 8601, and a text
that a spreadsheet would take for a formula gets a quote before it. Source: RFC 4180.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from cloud.rating.lines import Line, describe

COLUMNS = (
    "statement", "line", "kind", "effect", "device", "subject", "window", "first", "end", "belongs_to", "quantity",
    "unit", "unit_price", "unrounded", "amount", "currency", "evidence_level", "agreement_version", "corrects", "text",
    "line_hash",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines_csv(statement_id: str, currency: str, lines: Sequence[Line]) -> str:
    """The table with its header, lines ending in CRLF."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(COLUMNS)
    for line in lines:
        corrected = line.corrects
        writer.writerow(
            [
                statement_id, line.no, line.kind, line.effect, _text(line.device), _text(line.subject),
                _text(line.window), line.first, line.end, line.belongs_to, line.quantity.value, line.quantity.unit,
                line.unit_price, line.exact or line.unrounded, line.amount, currency, line.level, line.version,
                f"{corrected.statement}/{corrected.line}" if corrected else "", _text(describe(line)), line.hash,
            ]
        )  # fmt: skip
    return sink.getvalue()


def _text(said: str) -> str:
    """OWASP, CSV injection: what begins like a formula is said to be text."""
    return f"'{said}" if said.startswith(FORMULA) else said
