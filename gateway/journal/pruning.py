"""What may leave the disk, and nothing else: never on an acknowledgement alone. Runs on the journal's thread.

A record goes when all three hold: the cloud cosigned it, the cloud's own backups reach beyond it (so that a restored
cloud cannot have lost it), and the note that covers it is older than the rule says by the *cloud's* time, so that a
clock of ours that jumped a year ahead deletes nothing. What the newest note covers stays in any case: SQLite gives the
id of a deleted newest row again, and a record under an id that counts as sealed would never be sent.
"""

from __future__ import annotations

import sqlite3

from gateway.journal.connection import transaction
from gateway.journal.sealing import LogState, frontier_at, read_log

RULE = "cosigned, backed up by the cloud, and old"
AT_ONCE = 5000
KEEP_GOODS = (
    "INSERT OR IGNORE INTO goods SELECT r.ep, r.src, r.n, "
    "(SELECT max(0, coalesce(max(id), 0)) FROM goods) + row_number() OVER (ORDER BY e.idx), r.leaf FROM entries e "
    "JOIN records r ON r.id = e.record "
    "WHERE e.log = ? AND e.idx < ? AND (json_extract(CAST(r.leaf AS TEXT), '$.k') IN "
    "('draw', 'draw_resolved', 'reversal', 'refill', 'count', 'return', 'loan', 'loan_back') "
    "OR json_extract(CAST(r.leaf AS TEXT), '$.event') IN ('used_taken', 'used_missing'))"
)
KEPT_NOTES = 256
DAY = 86_400


def prunable(db: sqlite3.Connection, state: LogState, keep_days: int) -> int:
    """The size below which all entries may go; a size that has a cosigned note."""
    row = db.execute(
        "SELECT coalesce(max(size), 0) FROM notes WHERE log = ? AND cosigned_at > 0 AND cosigned_at <= ? AND size <= ?",
        (state.log, state.cosigned_at - keep_days * DAY, min(state.cosigned, state.backed_up, state.sealed - 1)),
    ).fetchone()
    return int(row[0])


def prune(db: sqlite3.Connection, origin: str, keep_days: int) -> int:
    """Deletes at most a few thousand records; how many have gone."""
    state = read_log(db, origin)
    pruned = int(db.execute("SELECT pruned FROM logs WHERE log = ?", (state.log,)).fetchone()[0])
    size = min(prunable(db, state, keep_days), pruned + AT_ONCE)
    if size <= pruned or state.frozen:
        return 0
    frontier = frontier_at(db, state, size)
    with transaction(db):
        db.execute(KEEP_GOODS, (state.log, size))
        db.execute(
            "DELETE FROM records WHERE id IN (SELECT record FROM entries WHERE log = ? AND idx < ?)", (state.log, size)
        )
        db.execute("DELETE FROM entries WHERE log = ? AND idx < ?", (state.log, size))
        db.execute("DELETE FROM notes WHERE log = ? AND size < ?", (state.log, size))
        db.execute("UPDATE logs SET pruned = ?, pruned_peaks = ? WHERE log = ?", (size, frontier.to_bytes(), state.log))
    return size - pruned


def thin_notes(db: sqlite3.Connection, origin: str) -> int:
    """Forgets cosigned notes that later ones cover, except the newest and one every few thousand entries.

    Signing is deterministic: should one be wanted again, the same bytes come out.
    """
    state = read_log(db, origin)
    cursor = db.execute(
        "DELETE FROM notes WHERE log = ? AND size < ? AND size / 4096 = (SELECT min(later.size) FROM notes later "
        "WHERE later.log = notes.log AND later.size > notes.size) / 4096 AND size NOT IN "
        "(SELECT size FROM notes WHERE log = ? ORDER BY size DESC LIMIT ?)",
        (state.log, state.cosigned, state.log, KEPT_NOTES),
    )
    return cursor.rowcount
