"""What lies in the two databases, read directly from their files; and what the moves of a log must come to.

The arithmetic here is written from the records' meaning and shares nothing with the product's ledger.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from wire.canonical import LeafError
from wire.ids import RecordKey
from wire.records import Draw, DrawResolved, Intent, Record, Reversal, Runtime, decode

LEAVES = "SELECT log_no, leaf FROM leaves ORDER BY log_no, idx"
KEYS = "SELECT src, ep, n, idx FROM record_keys"
UNUSED = "SELECT idx, state, reason FROM quarantine"
HEADS = (
    "SELECT l.origin, h.size, h.state, l.vkey FROM log_heads h JOIN logs l "
    "ON l.tenant_id = h.tenant_id AND l.log_no = h.log_no ORDER BY h.log_no"
)
LEAVES_OF = (
    "SELECT v.idx, v.leaf_hash FROM leaves v JOIN logs l ON l.tenant_id = v.tenant_id AND l.log_no = v.log_no "
    "WHERE l.origin = ? ORDER BY v.idx"
)
FORKS = (
    "SELECT l.origin, e.note, e.ours FROM evidence e JOIN logs l ON l.tenant_id = e.tenant_id AND l.log_no = e.log_no "
    "WHERE e.kind = 'fork'"
)
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


class Head(NamedTuple):
    """How a log stands in the cloud."""

    origin: str
    size: int
    state: str
    vkey: str


def seconds_run(records: Iterable[Record]) -> Counter[tuple[str, str]]:
    """(device, speed) -> seconds that the records say, each once."""
    found: Counter[tuple[str, str]] = Counter()
    for record in {one.key: one for one in records if isinstance(one, Runtime)}.values():
        for speed, seconds in record.speeds.items():
            found[record.src, speed] += seconds
    return found


def ask(path: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    """All rows of a query."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql, values).fetchall()


def journal_keys(path: Path) -> set[RecordKey]:
    """The keys of the records on the gateway's card."""
    return {RecordKey(*row) for row in ask(path, "SELECT src, ep, n FROM records")}  # type: ignore[arg-type]


def journal_entries(path: Path, origin: str) -> dict[int, bytes]:
    """A log on the gateway's card, as far as it was not pruned: the hash at each index."""
    asked = "SELECT e.idx, r.hash FROM entries e JOIN records r ON r.id = e.record JOIN logs l ON l.log = e.log"
    rows = ask(path, f"{asked} WHERE l.origin = ?", origin)
    return {int(str(index)): bytes(hashed) for index, hashed in rows}  # type: ignore[call-overload]


def heads(path: Path) -> list[Head]:
    """The cloud's logs, oldest first."""
    return [Head(*row) for row in ask(path, HEADS)]  # type: ignore[arg-type]


def log_size(path: Path, origin: str) -> int:
    """How many leaves a log has in the cloud, by its head."""
    return next((head.size for head in heads(path) if head.origin == origin), 0)


def log_hashes(path: Path, origin: str) -> list[bytes]:
    """The leaf hashes of a log in the cloud, in order; as long as no index is missing."""
    rows = ask(path, LEAVES_OF, origin)
    return [bytes(hashed) for at, (index, hashed) in enumerate(rows) if at == index]  # type: ignore[call-overload]


def cloud_records(path: Path) -> list[Record]:
    """Every record the cloud holds, in order of the logs; not those that a later log seals again, word for word."""
    found: list[Record] = []
    before: set[bytes] = set()
    here: list[bytes] = []
    now = None
    for number, raw in ask(path, LEAVES):
        leaf = bytes(raw)  # type: ignore[call-overload]
        if number != now:
            before.update(here)
            now, here = number, []
        here.append(leaf)
        if leaf in before:
            continue
        try:
            found.append(decode(leaf))
        except LeafError:
            continue
    return found


def first_entry(path: Path, origin: str) -> Record | None:
    """What a log of the cloud begins with."""
    asked = LEAVES_OF.replace("v.leaf_hash", "v.leaf") + " LIMIT 1"
    rows = ask(path, asked, origin)
    return decode(bytes(rows[0][1])) if rows else None  # type: ignore[call-overload]


def cloud_keys(path: Path) -> set[RecordKey]:
    """The keys of all records the cloud holds, counted or in quarantine."""
    return {record.key for record in cloud_records(path)}


def once(records: Iterable[Record]) -> list[Record]:
    """Each event of a device once: the first telling counts."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for record in records:
        if record.did and (record.src, record.did) in seen:
            continue
        seen.add((record.src, record.did))
        kept.append(record)
    return kept


def broken_off(records: Iterable[Record]) -> Counter[tuple[str, str]]:
    """Pieces by (cabinet, item) that somebody was about to take, and of which the log never says what became."""
    begun: dict[tuple[str, str], Intent] = {}
    for record in records:
        if isinstance(record, Intent):
            begun[record.src, f"{record.ep}/{record.n}"] = record
        elif isinstance(record, Draw):
            begun.pop((record.src, record.intent), None)
    return sum((Counter({(one.src, one.item): one.asked}) for one in begun.values()), Counter())


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
