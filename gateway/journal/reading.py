"""Questions to the journal that change nothing: on the reader's thread, or on a command's own connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gateway.journal.sealing import LogState

COUNTED = 20_000
FIRST_BOOT = "SELECT min(ep) FROM (SELECT min(ep) AS ep FROM records UNION ALL SELECT min(ep) FROM goods)"
NEXT_BOOT = (
    "SELECT min(ep) FROM (SELECT min(ep) AS ep FROM records WHERE ep > ? "
    "UNION ALL SELECT min(ep) FROM goods WHERE ep > ?)"
)
# Where a boot's first record stands: among the pruned, or in a log, or else by when it was written. After a restore the
# mirror's records are written last, and are the oldest.
FIRST_OF = (
    "SELECT * FROM (SELECT 0, min(id), 0 FROM goods WHERE ep = ? AND src = ? HAVING count(*) UNION ALL "
    "SELECT * FROM (SELECT CASE WHEN e.log IS NULL THEN 2 ELSE 1 END, coalesce(e.log, r.id), coalesce(e.idx, 0) "
    "FROM records r LEFT JOIN entries e ON e.record = r.id WHERE r.ep = ? AND r.src = ? ORDER BY r.n LIMIT 1)) LIMIT 1"
)
SAID = (
    "SELECT n, leaf FROM goods WHERE ep = ? AND src = ? AND n > ? UNION ALL "
    "SELECT n, leaf FROM records WHERE ep = ? AND src = ? AND n > ? ORDER BY n LIMIT ?"
)

LAST_SAID = (
    "SELECT n, leaf FROM goods WHERE ep = ? AND src = ? UNION ALL "
    "SELECT n, leaf FROM records WHERE ep = ? AND src = ? ORDER BY n DESC LIMIT ?"
)

CONTROL = (
    'SELECT leaf FROM records WHERE ep = ? AND src = ? AND instr(leaf, CAST(\'"event":"control_\' AS BLOB)) ORDER BY n'
)


class Held(msgspec.Struct, frozen=True):
    """A stored record: ``index`` None while it has no place in a log; ``cosigned``: the cloud has acknowledged it."""

    id: int
    leaf: bytes
    index: int | None
    cosigned: bool


class Backlog(msgspec.Struct, frozen=True):
    """What the cloud has not cosigned: how many, and the leaf of the oldest."""

    count: int
    oldest: bytes | None


def backlog(db: sqlite3.Connection, state: LogState | None) -> Backlog:
    """The records that still have to be acknowledged; without a log: all."""
    if state is None:
        count, first = db.execute("SELECT count(*), min(id) FROM records").fetchone()
        return Backlog(count, _leaf(db, first))
    unsealed, first = _unsealed(db, state.floor)
    if state.cosigned < state.sealed:
        found = db.execute("SELECT record FROM entries WHERE log = ? AND idx = ?", (state.log, state.cosigned))
        row = found.fetchone()
        first = row[0] if row else first
    return Backlog(unsealed + state.sealed - state.cosigned, _leaf(db, first))


def _unsealed(db: sqlite3.Connection, floor: int) -> tuple[int, int | None]:
    """How many records have no index, and the first of them. A month of them is not counted but measured by its ids:
    they have no gaps but those of a salvage, and counting would keep the reader busy for seconds, every two seconds.
    """
    first = db.execute("SELECT min(id) FROM records WHERE id > ?", (floor,)).fetchone()[0]
    sealed = db.execute("SELECT coalesce(max(record), 0) FROM entries").fetchone()[0]
    waiting = newest(db) - floor
    if waiting > COUNTED and sealed <= floor:
        return waiting, first
    row: tuple[int, int | None] = db.execute(
        "SELECT count(*), min(r.id) FROM records r WHERE r.id > ? "
        "AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.record = r.id)",
        (floor,),
    ).fetchone()
    return row


def boots_of(db: sqlite3.Connection, device: str) -> list[str]:
    """The boots in which this device said something, in order; asks the key's index, not the records."""
    found: list[tuple[tuple[int, int, int], str]] = []
    boot = db.execute(FIRST_BOOT).fetchone()[0]
    while boot is not None:
        first = db.execute(FIRST_OF, (boot, device, boot, device)).fetchone()
        if first is not None:
            found.append((first, boot))
        boot = db.execute(NEXT_BOOT, (boot, boot)).fetchone()[0]
    return [boot for _, boot in sorted(found)]


def said_after(db: sqlite3.Connection, boot: str, device: str, n: int, limit: int) -> list[tuple[int, bytes]]:
    """``n`` and leaf of what a device said in a boot, in order, beginning after ``n``; of pruned records the goods."""
    return db.execute(SAID, (boot, device, n, boot, device, n, limit)).fetchall()


def said_of_control(db: sqlite3.Connection, boot: str, device: str) -> list[bytes]:
    """The leaves about the control of a unit in one boot, in order."""
    return [row[0] for row in db.execute(CONTROL, (boot, device))]


def last_said(db: sqlite3.Connection, device: str, count: int) -> list[bytes]:
    """The leaves of the last records of a device, oldest of them first; of pruned records the goods."""
    found: list[bytes] = []
    for boot in reversed(boots_of(db, device)):
        rows = db.execute(LAST_SAID, (boot, device, boot, device, count - len(found))).fetchall()
        found += [row[1] for row in rows]
        if len(found) >= count:
            break
    return found[::-1]


def told(db: sqlite3.Connection, device: str, count: int) -> list[str]:
    """A device's own names of its last events, newest first; does not look for ever for a device that is gone."""
    rows = db.execute(
        "SELECT did FROM records WHERE src = ? AND did IS NOT NULL "
        "AND id > (SELECT coalesce(max(id), 0) FROM records) - 50000 ORDER BY id DESC LIMIT ?",
        (device, count),
    )
    return [row[0] for row in rows]


def tail(db: sqlite3.Connection, count: int) -> list[Held]:
    """The newest records, oldest of them first."""
    rows = db.execute(
        "SELECT r.id, r.leaf, e.idx, coalesce(e.idx < l.cosigned, 0) FROM records r "
        "LEFT JOIN entries e ON e.record = r.id LEFT JOIN logs l ON l.log = e.log ORDER BY r.id DESC LIMIT ?",
        (count,),
    )
    return [Held(row[0], row[1], row[2], bool(row[3])) for row in reversed(rows.fetchall())]


def leaves(db: sqlite3.Connection) -> Iterator[bytes]:
    """Every stored leaf, in order of commit."""
    for row in db.execute("SELECT leaf FROM records ORDER BY id"):
        yield row[0]


def leaves_after(db: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, bytes]]:
    """Id and leaf of the records behind ``after``, in order of commit; what is pruned is not among them."""
    return db.execute("SELECT id, leaf FROM records WHERE id > ? ORDER BY id LIMIT ?", (after, limit)).fetchall()


def origins(db: sqlite3.Connection) -> list[str]:
    """The logs of this journal, oldest first."""
    return [row[0] for row in db.execute("SELECT origin FROM logs ORDER BY log")]


def has_log(db: sqlite3.Connection, origin: str) -> bool:
    """Whether this log has begun here."""
    return db.execute("SELECT 1 FROM logs WHERE origin = ?", (origin,)).fetchone() is not None


def newest(db: sqlite3.Connection) -> int:
    """The id of the newest record; 0 when there is none."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0])


def copy_to(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """A whole copy in one plain file; the open copy, for checking it."""
    copy = sqlite3.connect(path)
    db.backup(copy)
    copy.execute("PRAGMA journal_mode=DELETE")
    return copy


def notes(db: sqlite3.Connection, origin: str) -> Iterable[tuple[int, str, str]]:
    """Size, note and cosignature of each kept note of a log, in order."""
    return db.execute(
        "SELECT size, note, cosignature FROM notes JOIN logs USING (log) WHERE origin = ? ORDER BY size", (origin,)
    )


def _leaf(db: sqlite3.Connection, record: int | None) -> bytes | None:
    row = db.execute("SELECT leaf FROM records WHERE id = ?", (record,)).fetchone() if record is not None else None
    return row[0] if row else None
