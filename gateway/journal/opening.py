"""Opening a journal: settings, schema, check; and what the boots before have left. Runs on the journal's thread."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from gateway.journal.check import check_recent
from gateway.journal.commit import last_numbers
from gateway.journal.connection import DamagedError, migrate, settle_in
from gateway.journal.room import Room
from gateway.journal.salvage import Salvaged
from wire.ids import RecordKey

DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class PreviousBoot(msgspec.Struct, frozen=True):
    """The boot that stored the last record before this one, and its last counter of each device."""

    boot: str
    last: list[tuple[str, int]]


class Opened(msgspec.Struct, frozen=True):
    """What opening found. ``salvaged``: the file was damaged, moved aside, and this much of it taken over."""

    last: dict[str, int] = {}
    previous: PreviousBoot | None = None
    salvaged: Salvaged | None = None


def prepare(db: sqlite3.Connection, path: Path, room: Room, boot: str) -> Opened:
    """Settings, migrations, check. Raises DamagedError, JournalRefusedError, sqlite3.Error."""
    try:
        settle_in(db, room.pages)
        migrate(db, path)
        check_recent(db)
        return left(db, boot)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise DamagedError(f"SQLite says: {error}") from error
        raise
    except (TypeError, ValueError) as error:
        raise DamagedError(f"a value is not of the kind that was stored: {error}") from error


def left(db: sqlite3.Connection, boot: str, salvaged: Salvaged | None = None) -> Opened:
    """What the boots before have left in the file."""
    return Opened(last_numbers(db, boot), _previous(db, boot), salvaged)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether this error says that the file's contents are wrong, not that the disk refused. Low byte: primary code.

    Python's own complaint about text that is no UTF-8 any more has no code.
    """
    if "Could not decode to UTF-8" in str(error):
        return True
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE_CODES


def _previous(db: sqlite3.Connection, boot: str) -> PreviousBoot | None:
    row = db.execute("SELECT ep FROM records WHERE ep <> ? ORDER BY id DESC LIMIT 1", (boot,)).fetchone()
    if row is None:
        return None
    return PreviousBoot(row[0], sorted(last_numbers(db, row[0]).items()))


def mark_commanded(db: sqlite3.Connection, key: RecordKey) -> None:
    """The command of this intent may leave from now on. One statement is one synced transaction."""
    db.execute("UPDATE attempts SET commanded = 1 WHERE src = ? AND ep = ? AND n = ?", key)


def attempts(db: sqlite3.Connection) -> list[tuple[bytes, int]]:
    """Leaf and ``commanded`` of each intent that no draw names, oldest first; also what an earlier card left open."""
    return db.execute(
        "SELECT leaf, commanded FROM (SELECT r.id, r.leaf, a.commanded FROM attempts a "
        "JOIN records r ON r.ep = a.ep AND r.src = a.src AND r.n = a.n "
        "UNION ALL SELECT g.id, g.leaf, a.commanded FROM attempts a "
        "JOIN goods g ON g.ep = a.ep AND g.src = a.src AND g.n = a.n) ORDER BY id"
    ).fetchall()
