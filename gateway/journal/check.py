"""Are the stored bytes still the stored bytes? Each has its hash; SQLite's own check misses most bit flips."""

from __future__ import annotations

import sqlite3

import msgspec

from gateway.journal.connection import DamagedError
from wire.log import leaf_hash

SMALL_PAGES = 4096
RECENT = 2000
# As bytes: a flipped bit can make text that is no UTF-8, and a number that is text.
RECORDS = (
    "SELECT id, CAST(src AS BLOB), CAST(ep AS BLOB), CAST(n AS BLOB), iif(typeof(leaf) = 'blob', leaf, NULL), "
    "CAST(hash AS BLOB) FROM records WHERE id > ? ORDER BY id LIMIT ?"
)


class _Key(msgspec.Struct):
    src: str
    ep: str
    n: int


_key = msgspec.json.Decoder(_Key)


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
    rows = db.execute(RECORDS, (after, limit)).fetchall()
    damaged = [row[0] for row in rows if not is_whole(row[1], row[2], row[3], row[4], row[5])]
    return damaged, (rows[-1][0] if rows else 0)


def is_whole(src: bytes, ep: bytes, n: bytes, leaf: bytes | None, hashed: bytes) -> bool:
    """Whether a stored row still is what was stored: the leaf fits its hash, and (src, ep, n) beside it is the leaf's.

    An adopted entry may have a key of its own making (``adopting.py``): it is none of this gateway's, but evidence.
    """
    if leaf is None or leaf_hash(leaf) != hashed:
        return False
    said = key_in(leaf)
    if said is None:
        return src == b""
    own = said[1].encode()
    return src == said[0].encode() and n == b"%d" % said[2] and ep in (own, b"%s/%s" % (own, hashed.hex().encode()))


def key_in(leaf: bytes) -> tuple[str, str, int] | None:
    """Device, epoch and number as a leaf says them; None where it says none."""
    try:
        said = _key.decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return said.src, said.ep, said.n
