"""The log's life in the journal: index, note, cosignature; and what to send. Runs on the journal's thread.

A record gets its index only here, together with the signed note that covers it, in one transaction: so there is never
an index without its note, and never two notes of one size. Whoever calls has asked the cloud for its head before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from gateway.journal.connection import DamagedError, transaction
from wire.ids import RecordKey
from wire.log import Frontier, leaf_hash
from wire.seal import Checkpoint

Sign = Callable[[Checkpoint], str]

WAITING = "WHERE r.id > ? AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.record = r.id)"
COUNT_UNSEALED = "SELECT count(*) FROM records r " + WAITING  # noqa: S608 - put together from constants
TAKE_UNSEALED = "SELECT r.id, r.hash FROM records r " + WAITING + " ORDER BY r.id LIMIT ?"  # noqa: S608
FIRST = "SELECT r.id, r.hash FROM logs l JOIN records r ON r.id = l.first WHERE l.log = ?"
ENTRIES = "FROM entries e JOIN records r ON r.id = e.record WHERE e.log = ? AND e.idx >= ? AND e.idx < ? ORDER BY e.idx"
LEAVES = "SELECT r.leaf, r.hash " + ENTRIES
HASHES = "SELECT r.hash " + ENTRIES


class LogState(msgspec.Struct, frozen=True):
    """Where a log stands. Sizes: ``sealed`` has notes, ``cosigned`` the cloud's answer, ``backed_up`` its backups."""

    log: int
    origin: str
    floor: int
    frontier: Frontier
    cosigned: int
    cosigned_at: int
    backed_up: int
    frozen: str

    @property
    def sealed(self) -> int:
        """Entries that have an index and are covered by a note."""
        return self.frontier.size


def open_log(db: sqlite3.Connection, origin: str) -> LogState:
    """The log of this origin, begun now if it is new."""
    db.execute("INSERT OR IGNORE INTO logs (origin) VALUES (?)", (origin,))
    return read_log(db, origin)


class Predecessor(msgspec.Struct, frozen=True):
    """The log before this one: its origin, and how far the cloud had cosigned it (root in hex)."""

    origin: str
    size: int
    root: str


def predecessor(db: sqlite3.Connection, origin: str) -> Predecessor | None:
    """The newest other log of this journal, if ``origin`` has not begun yet; None: nothing to follow."""
    if db.execute("SELECT 1 FROM logs WHERE origin = ?", (origin,)).fetchone():
        return None
    row = db.execute("SELECT origin FROM logs ORDER BY log DESC LIMIT 1").fetchone()
    if row is None:
        return None
    state = read_log(db, row[0])
    return Predecessor(state.origin, state.cosigned, root_at(db, state, state.cosigned).hex())


def begin_after(db: sqlite3.Connection, origin: str, first: RecordKey) -> None:
    """Begins a log whose entry 0 is ``first``. What the logs before did not get cosigned is free to be sealed again."""
    with transaction(db):
        db.execute("DELETE FROM entries WHERE idx >= (SELECT cosigned FROM logs WHERE logs.log = entries.log)")
        record = db.execute("SELECT id FROM records WHERE src = ? AND ep = ? AND n = ?", first).fetchone()
        db.execute("INSERT INTO logs (origin, first) VALUES (?, ?)", (origin, record[0]))


def read_log(db: sqlite3.Connection, origin: str) -> LogState:
    """The log as the file has it; raises DamagedError when its notes cannot be."""
    row = db.execute(
        "SELECT log, floor, cosigned, cosigned_at, backed_up, pruned, pruned_peaks, frozen FROM logs WHERE origin = ?",
        (origin,),
    ).fetchone()
    log, floor, cosigned, at, backed_up, pruned, pruned_peaks, frozen = row
    note = db.execute("SELECT size, peaks FROM notes WHERE log = ? ORDER BY size DESC LIMIT 1", (log,)).fetchone()
    size, peaks = note or (pruned, pruned_peaks)
    try:
        frontier = Frontier.from_bytes(size, peaks)
    except ValueError as error:
        raise DamagedError(f"the note at size {size} is damaged: {error}") from error
    return LogState(log, origin, floor, frontier, cosigned, at, backed_up, frozen)


def unsealed(db: sqlite3.Connection, state: LogState) -> int:
    """How many records have no index yet."""
    return int(db.execute(COUNT_UNSEALED, (state.floor,)).fetchone()[0])


def seal(db: sqlite3.Connection, state: LogState, limit: int, sign: Sign) -> tuple[LogState, str]:
    """Gives the next ``limit`` records their index and stores the signed note that covers them; one transaction.

    Returns the new state and the note; the old state and "" when all records are sealed.
    """
    first = [] if state.sealed else db.execute(FIRST, (state.log,)).fetchall()
    rows = first or db.execute(TAKE_UNSEALED, (state.floor, limit)).fetchall()
    if not rows:
        return state, ""
    frontier = state.frontier.extend([row[1] for row in rows])
    note = sign(Checkpoint(state.origin, frontier.size, frontier.root()))
    floor = state.floor if first else rows[-1][0]
    entries = [(state.log, index, row[0]) for index, row in enumerate(rows, state.sealed)]
    with transaction(db):
        db.executemany("INSERT INTO entries (log, idx, record) VALUES (?, ?, ?)", entries)
        _store_note(db, state.log, frontier, note)
        db.execute("UPDATE logs SET floor = ? WHERE log = ?", (floor, state.log))
    return msgspec.structs.replace(state, frontier=frontier, floor=floor), note


def note_after(db: sqlite3.Connection, state: LogState, old: int, limit: int, sign: Sign) -> tuple[int, str]:
    """Size and note of the next piece after ``old`` of the sealed log (``old`` < ``sealed``), at most ``limit`` leaves.

    The stored note where one fits; else (the cloud went back, or smaller pieces are wanted) one is signed and stored.
    """
    found = db.execute(
        "SELECT size, note FROM notes WHERE log = ? AND size > ? AND size <= ? ORDER BY size DESC LIMIT 1",
        (state.log, old, old + limit),
    ).fetchone()
    if found is not None:
        return int(found[0]), str(found[1])
    frontier = frontier_at(db, state, min(old + limit, state.sealed))
    note = sign(Checkpoint(state.origin, frontier.size, frontier.root()))
    with transaction(db):
        _store_note(db, state.log, frontier, note)
    return frontier.size, note


def root_at(db: sqlite3.Connection, state: LogState, size: int) -> bytes:
    """The root of our own log at a size; raises DamagedError where it cannot be shown any more."""
    return frontier_at(db, state, size).root()


def leaves_between(db: sqlite3.Connection, state: LogState, old: int, size: int) -> list[bytes]:
    """The stored bytes of entries ``[old, size)``; raises DamagedError on a gap or a changed byte."""
    rows = db.execute(LEAVES, (state.log, old, size)).fetchall()
    if len(rows) != size - old:
        raise DamagedError(f"the journal holds {len(rows)} of the entries {old} to {size}")
    for at, (leaf, hashed) in enumerate(rows, old):
        if leaf_hash(leaf) != hashed:
            raise DamagedError(f"entry {at} is not what was stored: its hash does not fit")
    return [row[0] for row in rows]


def frontier_at(db: sqlite3.Connection, state: LogState, size: int) -> Frontier:
    """The frontier of our log at a smaller size, from the nearest note below. DamagedError below what is pruned."""
    if size == state.sealed:
        return state.frontier
    pruned, pruned_peaks = db.execute("SELECT pruned, pruned_peaks FROM logs WHERE log = ?", (state.log,)).fetchone()
    if size < pruned:
        raise DamagedError(f"entries below {pruned} were pruned; the log at size {size} cannot be shown any more")
    note = db.execute(
        "SELECT size, peaks FROM notes WHERE log = ? AND size <= ? ORDER BY size DESC LIMIT 1", (state.log, size)
    ).fetchone()
    frontier = Frontier.from_bytes(*(note or (pruned, pruned_peaks)))
    hashes = db.execute(HASHES, (state.log, frontier.size, size))
    grown = frontier.extend([row[0] for row in hashes])
    if grown.size != size:
        raise DamagedError(f"the journal holds entries up to {grown.size} only, not {size}")
    return grown


class Cosigned(msgspec.Struct, frozen=True):
    """The cloud's (verified) word on a size. ``line`` "" where our own note of this size is already complete."""

    size: int
    line: str
    at: int
    backed_up: int


def settle(db: sqlite3.Connection, state: LogState, word: Cosigned) -> LogState:
    """Stores the cosignature: entries below its size are acknowledged. A smaller size: a cloud that went back."""
    at = max(state.cosigned_at, word.at)
    with transaction(db):
        if word.line:
            db.execute(
                "UPDATE notes SET cosignature = ?, cosigned_at = ? WHERE log = ? AND size = ?",
                (word.line, word.at, state.log, word.size),
            )
        db.execute(
            "UPDATE logs SET cosigned = ?, cosigned_at = ?, backed_up = ? WHERE log = ?",
            (word.size, at, word.backed_up, state.log),
        )
    return msgspec.structs.replace(state, cosigned=word.size, cosigned_at=at, backed_up=word.backed_up)


def freeze(db: sqlite3.Connection, state: LogState, why: str, ours: str, theirs: str) -> LogState:
    """Stops this log for good and keeps both notes; the journal itself goes on."""
    with transaction(db):
        db.execute("INSERT INTO evidence (log, what, ours, theirs) VALUES (?, ?, ?, ?)", (state.log, why, ours, theirs))
        db.execute("UPDATE logs SET frozen = ? WHERE log = ?", (why, state.log))
    return msgspec.structs.replace(state, frozen=why)


def note_at(db: sqlite3.Connection, state: LogState, size: int) -> str:
    """The stored note of a size, "" when there is none."""
    row = db.execute("SELECT note FROM notes WHERE log = ? AND size = ?", (state.log, size)).fetchone()
    return str(row[0]) if row else ""


def newest_note(db: sqlite3.Connection, state: LogState, size: int) -> tuple[int, str]:
    """Our own signed note of the largest size up to ``size``; (0, "") when there is none."""
    row = db.execute(
        "SELECT size, note FROM notes WHERE log = ? AND size <= ? ORDER BY size DESC LIMIT 1", (state.log, size)
    ).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def _store_note(db: sqlite3.Connection, log: int, frontier: Frontier, note: str) -> None:
    row = (log, frontier.size, frontier.to_bytes(), note)
    db.execute("INSERT INTO notes (log, size, peaks, note) VALUES (?, ?, ?, ?)", row)
