"""Are the stored bytes still the stored bytes? Each has its hash; SQLite's own check misses most bit flips."""

from __future__ import annotations

import sqlite3

from gateway.journal.connection import DamagedError
from wire.log import leaf_hash

SMALL_PAGES = 4096
RECENT = 2000


def check_recent(db: sqlite3.Connection, recent: int = RECENT) -> None:
    """What every opening checks: the tree of a small file, and the newest records. Raises DamagedError."""
    pages = int(db.execute("PRAGMA page_count").fetchone()[0])
    if pages <= SMALL_PAGES:
        verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        if verdict != "ok":
            raise DamagedError(f"SQLite says: {verdict}")
    last = int(db.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0])
    damaged, _ = damaged_after(db, max(0, last - recent), recent)
    if damaged:
        raise DamagedError(f"records {damaged[:10]} are not what was stored: their hashes do not fit")


def damaged_after(db: sqlite3.Connection, after: int, limit: int) -> tuple[list[int], int]:
    """Ids of changed records among the ``limit`` next ones after an id; and the last id looked at (0: none left)."""
    rows = db.execute("SELECT id, leaf, hash FROM records WHERE id > ? ORDER BY id LIMIT ?", (after, limit)).fetchall()
    damaged = [row[0] for row in rows if leaf_hash(row[1]) != row[2]]
    return damaged, (rows[-1][0] if rows else 0)
