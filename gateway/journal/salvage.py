"""A damaged journal: moved aside, never repaired in place; what is provably sound of it goes into a new file.

Sound is a record whose bytes fit its hash and its key, and a log as far as its entries are whole and its notes'
frontiers are met. Entries beyond that are fetched from the cloud's mirror, the same way as after a restore. One bit can
turn any value into one of another type: what is of the wrong kind is spoilt, and never a reason not to start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gateway.journal.check import is_whole, key_in
from gateway.journal.connection import location, readable, transaction
from wire.log import Frontier

CHUNK = 256
GIVE_UP = 4096
RECORD_TYPES = [str, str, int, bytes, bytes]
GOODS_TYPES = [str, str, int, int, bytes]
LOG_TYPES = [int, str, int, int, int, int, int, bytes, str, int]
# SQLite's complaint may cite the damaged bytes themselves, and then Python cannot even read the complaint.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)


class Salvaged(msgspec.Struct, frozen=True):
    """What became of a damaged file: where it lies, records taken over, records seen but spoilt."""

    why: str
    moved_to: str
    kept: int = 0
    spoilt: int = 0


def move_aside(path: Path) -> Path:
    """Renames the file with its WAL to the next free ``.damaged-N``; returns the new name."""
    number = 1
    while path.with_name(f"{path.name}.damaged-{number}").exists():
        number += 1
    aside = path.with_name(f"{path.name}.damaged-{number}")
    for suffix in ("-wal", "-shm", ""):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(aside.with_name(aside.name + suffix))
    return aside


def take_over(db: sqlite3.Connection, aside: Path, why: str) -> Salvaged:
    """Copies what is sound from the file aside into the new journal ``db``; one transaction."""
    try:
        old = sqlite3.connect(location(aside, "rw"), uri=True, isolation_level=None)
    except sqlite3.Error:
        return Salvaged(why, str(aside))
    old.text_factory = readable
    try:
        with transaction(db):
            kept, spoilt = _records(old, db)
            _attempts(old, db)
            _goods(old, db)
            for log in _rows(old, "logs", "log"):
                if [type(one) for one in log] == LOG_TYPES:
                    _log(old, db, log)
        return Salvaged(why, str(aside), kept, spoilt)
    finally:
        old.close()


def _records(old: sqlite3.Connection, db: sqlite3.Connection) -> tuple[int, int]:
    kept = spoilt = 0
    for row in _rows(old, "records", "id"):
        if not _is_record(row):
            spoilt += 1
            continue
        try:
            db.execute("INSERT INTO records (id, src, ep, n, did, leaf, hash) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.Error:
            spoilt += 1
        else:
            kept += 1
    return kept, spoilt


def _is_record(row: tuple[Any, ...]) -> bool:
    _, src, ep, n, did, leaf, hashed = row
    if [type(one) for one in (src, ep, n, leaf, hashed)] != RECORD_TYPES or not isinstance(did, str | None):
        return False
    return is_whole(src.encode(), ep.encode(), b"%d" % n, leaf, hashed)


def _attempts(old: sqlite3.Connection, db: sqlite3.Connection) -> None:
    try:
        rows = old.execute("SELECT src, ep, n, commanded FROM attempts").fetchall()
    except UNREADABLE:
        return
    sound = [row for row in rows if [type(one) for one in row] == [str, str, int, int]]
    db.executemany("INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?)", sound)


def _goods(old: sqlite3.Connection, db: sqlite3.Connection) -> None:
    """What stands for records that are not here any more: of a readable leaf, under the key that is in it."""
    rows: list[tuple[Any, ...]] = []
    with suppress(*UNREADABLE):
        for row in old.execute("SELECT ep, src, n, id, leaf FROM goods ORDER BY ep, src, n"):
            rows.append(row)  # noqa: PERF402 - what was read before the damage is kept
    sound = [row for row in rows if [type(one) for one in row] == GOODS_TYPES and key_in(row[4]) == _key(row)]
    db.executemany("INSERT OR IGNORE INTO goods (ep, src, n, id, leaf) VALUES (?, ?, ?, ?, ?)", sound)


def _key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    ep, src, n, *_ = row
    return src, ep, n


def _log(old: sqlite3.Connection, db: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    """A log up to the largest note whose frontier its salvaged entries reach."""
    log, origin, _, cosigned, at, backed_up, pruned, pruned_peaks, frozen, first = row
    try:
        notes = {size: rest for size, *rest in old.execute(
            "SELECT size, peaks, note, cosignature, cosigned_at FROM notes WHERE log = ?", (log,)
        )}  # fmt: skip
        entries = old.execute("SELECT idx, record FROM entries WHERE log = ? ORDER BY idx", (log,)).fetchall()
        frontier = Frontier.from_bytes(pruned, pruned_peaks)
    except (sqlite3.Error, ValueError, TypeError):
        notes, entries, frontier, pruned, pruned_peaks = {}, [], Frontier(), 0, b""
    reached = pruned
    for index, record in entries:
        hashed = db.execute("SELECT hash FROM records WHERE id = ?", (record,)).fetchone()
        if hashed is None or index != frontier.size:
            break
        frontier = frontier.extend([hashed[0]])
        if frontier.size in notes and notes[frontier.size][0] == frontier.to_bytes():
            reached = frontier.size
    db.execute(
        "INSERT OR IGNORE INTO logs VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?)",
        (log, origin, min(cosigned, reached), at, backed_up, pruned, pruned_peaks, frozen, first),
    )
    whole = [(log, index, record) for index, record in entries if index < reached]
    db.executemany("INSERT INTO entries VALUES (?, ?, ?)", whole)
    sound = [(log, size, *rest) for size, rest in notes.items() if size <= reached and _is_note(size, rest)]
    db.executemany("INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?)", sound)


def _is_note(size: object, rest: list[Any]) -> bool:
    return [type(size), *map(type, rest)] == [int, bytes, str, str, int]


def _rows(old: sqlite3.Connection, table: str, key: str) -> Iterator[tuple[Any, ...]]:
    """Every readable row in key order; unreadable stretches are stepped over, at last one key at a time."""
    after, step, empty = max(_edge(old, table, key, "min") or 1, 1) - 1, CHUNK, 0
    last = _edge(old, table, key, "max")
    while empty < GIVE_UP and (last is None or after < last):
        try:
            rows = old.execute(
                f"SELECT * FROM {table} WHERE {key} > ? AND {key} <= ? ORDER BY {key}",  # noqa: S608 - names above
                (after, after + step),
            ).fetchall()
        except UNREADABLE:
            if step > 1:
                step //= 2
                continue
            rows = []
        yield from rows
        empty = 0 if rows else empty + 1
        after += step
        step = min(step * 2, CHUNK)


def _edge(old: sqlite3.Connection, table: str, key: str, edge: str) -> int | None:
    try:
        row = old.execute(f"SELECT {edge}({key}) FROM {table}").fetchone()  # noqa: S608 - names from above
    except UNREADABLE:
        return None
    return row[0] if isinstance(row[0], int) else None
