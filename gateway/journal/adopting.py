"""After a restore: what the cloud holds of our own log and we do not any more. Runs on the journal's thread.

Entries from the mirror wait apart until the root over ours and theirs is one that we signed and that is cosigned.
"""

from __future__ import annotations

import sqlite3
from hashlib import sha256

import msgspec

from gateway.journal.commit import note_vends
from gateway.journal.connection import transaction
from gateway.journal.opening import mark_commanded
from gateway.journal.sealing import LogState, read_log
from wire.canonical import LeafError
from wire.log import Frontier, leaf_hash
from wire.records import Draw, Intent, Loan, decode

CHUNK = 1000


class Proven(msgspec.Struct, frozen=True):
    """A checkpoint that carries our signature and the cloud's cosignature."""

    size: int
    root: bytes
    note: str
    cosignature: str
    cosigned_at: int


class _Key(msgspec.Struct):
    src: str
    ep: str
    n: int
    did: str = ""


_key = msgspec.json.Decoder(_Key)


def mirrored_to(db: sqlite3.Connection, state: LogState) -> int:
    """Up to which index entries have been fetched already; a fetch that was cut off goes on there."""
    db.execute("DELETE FROM mirrored WHERE idx < ?", (state.sealed,))
    first, last, count = db.execute("SELECT min(idx), max(idx), count(*) FROM mirrored").fetchone()
    if count and (first != state.sealed or last - first + 1 != count):
        db.execute("DELETE FROM mirrored")
        count = 0
    return state.sealed + int(count)


def keep_mirrored(db: sqlite3.Connection, start: int, leaves: list[bytes]) -> None:
    """Puts fetched entries aside, unproven."""
    with transaction(db):
        db.executemany("INSERT OR REPLACE INTO mirrored (idx, leaf) VALUES (?, ?)", list(enumerate(leaves, start)))


def forget_mirrored(db: sqlite3.Connection) -> None:
    """Throws away what was fetched: it does not lead to the cosigned root."""
    db.execute("DELETE FROM mirrored")


def adopt(db: sqlite3.Connection, state: LogState, proven: Proven) -> LogState | None:
    """Makes the fetched entries ours if they lead to the proven root; None (nothing changed) if they do not."""
    rows = db.execute("SELECT leaf FROM mirrored WHERE idx >= ? AND idx < ? ORDER BY idx", (state.sealed, proven.size))
    frontier = state.frontier
    while chunk := rows.fetchmany(CHUNK):
        frontier = frontier.extend([leaf_hash(row[0]) for row in chunk])
    if frontier.size != proven.size or frontier.root() != proven.root:
        return None
    with transaction(db):
        for index in range(state.sealed, proven.size):
            leaf = db.execute("SELECT leaf FROM mirrored WHERE idx = ?", (index,)).fetchone()[0]
            db.execute(
                "INSERT INTO entries (log, idx, record) VALUES (?, ?, ?)", (state.log, index, _record(db, index, leaf))
            )
        _end_vends(db)
        _keep_note(db, state, frontier, proven)
        db.execute("DELETE FROM mirrored")
    return read_log(db, state.origin)


def _record(db: sqlite3.Connection, index: int, leaf: bytes) -> int:
    """The id of the record with these bytes: the one we have, or a new one."""
    hashed = sha256(b"\x00" + leaf).digest()
    try:
        key = _key.decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Another gateway's mistake of long ago is still an entry of this log.
        key = _Key("", hashed.hex(), index)
    same = db.execute("SELECT id, hash FROM records WHERE ep = ? AND src = ? AND n = ?", (key.ep, key.src, key.n))
    found = same.fetchone()
    if found is not None:
        if found[1] == hashed:
            return int(found[0])
        # One key, two contents: both are evidence, and the key column can hold only one of them.
        key = _Key(key.src, f"{key.ep}/{hashed.hex()}", key.n)
    told = db.execute("SELECT 1 FROM records WHERE src = ? AND did = ?", (key.src, key.did)).fetchone()
    did = None if told or not key.did else key.did
    row = (key.src, key.ep, key.n, did, leaf, hashed)
    cursor = db.execute("INSERT INTO records (src, ep, n, did, leaf, hash) VALUES (?, ?, ?, ?, ?, ?)", row)
    _note_vend(db, leaf)
    return int(cursor.lastrowid or 0)


def _note_vend(db: sqlite3.Connection, leaf: bytes) -> None:
    try:
        record = decode(leaf)
    except LeafError:
        return
    if isinstance(record, Intent | Draw | Loan):
        note_vends(db, [record])
    if isinstance(record, Intent):
        # Whether its command left stood on the card that is gone: it may have.
        mark_commanded(db, record.key)


def _end_vends(db: sqlite3.Connection) -> None:
    """Devices have gone on talking: what became of an attempt may stand here already, without a place in the log."""
    unsealed = db.execute("SELECT r.leaf FROM records r LEFT JOIN entries e ON e.record = r.id WHERE e.record IS NULL")
    for (leaf,) in unsealed.fetchall():
        if b'"k":"draw"' in leaf or b'"k":"loan"' in leaf:
            _note_vend(db, leaf)


def _keep_note(db: sqlite3.Connection, state: LogState, frontier: Frontier, proven: Proven) -> None:
    db.execute(
        "INSERT OR IGNORE INTO notes (log, size, peaks, note, cosignature, cosigned_at) VALUES (?, ?, ?, ?, ?, ?)",
        (state.log, proven.size, frontier.to_bytes(), proven.note, proven.cosignature, proven.cosigned_at),
    )
    db.execute(
        "UPDATE logs SET cosigned = ?, cosigned_at = max(cosigned_at, ?) WHERE log = ?",
        (proven.size, proven.cosigned_at, state.log),
    )
