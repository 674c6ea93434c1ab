"""Records of cards before this one, put where the goods of pruned records lie. Runs on the journal's thread.

The surprise: they get numbers below zero. They are older than all that this card has recorded, whenever they come, and
stock and limits are made up in the order of these numbers. None has a place in this card's log: another one holds them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.journal.commit import note_vends
from gateway.journal.connection import transaction
from gateway.journal.opening import mark_commanded
from wire.records import Draw, Intent, Loan, Record

INSERT = "INSERT OR IGNORE INTO goods (ep, src, n, id, leaf) VALUES (?, ?, ?, ?, ?)"
# Told twice (the power went before the file was forgotten): what this card has ended since stays ended.
ENDED = "SELECT 1 FROM records WHERE src = ? AND json_extract(CAST(leaf AS TEXT), '$.intent') = ? LIMIT 1"


def inherit(db: sqlite3.Connection, told: Sequence[tuple[Record, bytes]]) -> int:
    """Keeps these records, the oldest first, and notes the attempts that none of them ends; how many were new.

    What this card has recorded itself in the same boot it knows better: such boots are left out. An attempt's command
    may have left; whether it had stood on the card that is gone.
    """
    own = {row[0] for row in db.execute("SELECT DISTINCT ep FROM records")}
    unknown = [one for one in told if one[0].ep not in own]
    opened: dict[tuple[str, str], Intent] = {}
    for record, _ in unknown:
        if isinstance(record, Intent):
            opened[record.src, f"{record.ep}/{record.n}"] = record
        elif isinstance(record, Draw | Loan):
            opened.pop((record.src, record.intent), None)
    waiting = {intent.key for intent in opened.values()}
    kept = [one for one in unknown if not isinstance(one[0], Intent) or one[0].key in waiting]
    lowest = min(0, db.execute("SELECT coalesce(min(id), 0) FROM goods").fetchone()[0]) - len(kept)
    rows = [(record.ep, record.src, record.n, lowest + at, leaf) for at, (record, leaf) in enumerate(kept)]
    with transaction(db):
        had = db.execute("SELECT count(*) FROM goods").fetchone()[0]
        db.executemany(INSERT, rows)
        for intent in opened.values():
            if not db.execute(ENDED, (intent.src, f"{intent.ep}/{intent.n}")).fetchone():
                note_vends(db, [intent])
                mark_commanded(db, intent.key)
        return int(db.execute("SELECT count(*) FROM goods").fetchone()[0]) - int(had)
