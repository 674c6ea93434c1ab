"""What lies in the two databases, read directly from their files; and what the moves of a log must come to.

The arithmetic here is written from the records' meaning and shares nothing with the product's ledger.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from wire.canonical import LeafError
from wire.ids import RecordKey
from wire.records import Draw, DrawResolved, Record, Reversal, decode

LEAVES = "SELECT idx, leaf, leaf_hash FROM leaves ORDER BY log_no, idx"
KEYS = "SELECT src, ep, n, idx FROM record_keys"
UNUSED = "SELECT idx, state, reason FROM quarantine"
HEAD = "SELECT size, root, state FROM log_heads"
MOVED = (
    "SELECT device_id, slot, item_id, place, sum(micro) FROM ("
    "SELECT device_id, slot, item_id, target AS place, micro FROM stock_moves UNION ALL "
    "SELECT device_id, slot, item_id, source, -micro FROM stock_moves) GROUP BY 1, 2, 3, 4"
)
BALANCES = "SELECT device_id, slot, item_id, place, micro FROM stock_balances"
OPEN_ORDERS = (
    "SELECT device_id, slot, count(*) FROM orders WHERE state IN ('proposed', 'ordered') GROUP BY 1, 2 "
    "HAVING count(*) > 1"
)
ORDERS = "SELECT order_id, device_id, slot, log_id, idx FROM orders"


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    """All rows of a query."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def journal_keys(path: Path) -> set[RecordKey]:
    """The keys of the records on the gateway's card."""
    return {RecordKey(*row) for row in ask(path, "SELECT src, ep, n FROM records")}  # type: ignore[arg-type]


def journal_entries(path: Path) -> dict[int, bytes]:
    """The gateway's log: the hash at each index."""
    rows = ask(path, "SELECT e.idx, r.hash FROM entries e JOIN records r ON r.id = e.record")
    return {int(str(index)): bytes(hashed) for index, hashed in rows}  # type: ignore[call-overload]


def log_size(path: Path) -> int:
    """How many leaves the cloud's log has, by its head."""
    return int(str(ask(path, HEAD)[0][0]))


def cloud_leaves(path: Path) -> list[tuple[int, bytes, bytes]]:
    """The cloud's copy of the log, in order: index, bytes, hash."""
    return ask(path, LEAVES)  # type: ignore[return-value]


def cloud_records(path: Path) -> list[Record]:
    """Every record the cloud holds, in order of the log."""
    found = []
    for _, leaf, _ in cloud_leaves(path):
        try:
            found.append(decode(leaf))
        except LeafError:
            continue
    return found


def cloud_keys(path: Path) -> set[RecordKey]:
    """The keys of all records the cloud holds, counted or in quarantine."""
    return {record.key for record in cloud_records(path)}


def consumed(records: Iterable[Record]) -> dict[tuple[str, str], int]:
    """Pieces that left by (cabinet, item), as the records say: proven draws, doubtful ones decided later, reversals."""
    total: Counter[tuple[str, str]] = Counter()
    doubtful: dict[RecordKey, Draw] = {}
    draws: dict[RecordKey, Draw] = {}
    for record in records:
        if isinstance(record, Draw):
            draws[record.key] = record
            if record.outcome == "confirmed":
                total[record.src, record.item] += record.qty
            elif record.outcome == "unverified":
                doubtful[record.key] = record
        elif isinstance(record, DrawResolved) and record.outcome != "unverified":
            draw = doubtful.pop(record.ref.key, None)
            if draw is not None and record.outcome == "confirmed":
                total[draw.src, draw.item] += record.qty
        elif isinstance(record, Reversal) and record.ref.key in draws:
            draw = draws[record.ref.key]
            total[draw.src, draw.item] -= record.qty
    return {place: pieces for place, pieces in total.items() if pieces}
