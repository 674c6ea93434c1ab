"""How much room the journal has: a quota for records, a reserve for what must still be written when it is used up.

SQLite in WAL mode cannot even delete on a full disk. So records stop at the quota while seals, cosignatures and the
alarm may use the reserve; and a ballast file gives real disk space back when the disk itself is full.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

PAGE = 4096
MARGIN = 64


class Room:
    """Quota and reserve in pages of 4 KiB (quota 0: none); the ballast file beside the journal."""

    def __init__(self, path: Path, *, quota_mb: int, ballast_mb: int) -> None:
        self._folder = path.parent
        self._ballast = path.with_name(f"{path.name}.ballast")
        self._ballast_bytes = ballast_mb * 1024 * 1024
        self.quota = quota_mb * 1024 * 1024 // PAGE
        self._urgent = False

    @property
    def pages(self) -> int:
        """The page limit of the connection now."""
        if not self.quota:
            return 0
        return self.quota + max(self.quota // 8, 2 * MARGIN) if self._urgent else self.quota

    def use_reserve(self) -> None:
        """From now on what must be written may go beyond the quota, and the ballast's space is given back."""
        self._urgent = True
        self._ballast.unlink(missing_ok=True)

    def settle_in(self) -> None:
        """Lays the ballast at the start. A disk too small for it goes without."""
        if not self._lay_ballast():
            self._ballast_bytes = 0

    def enough(self, db: sqlite3.Connection) -> bool:
        """Whether records fit again, with some margin; if so the ballast is laid anew and the quota holds again."""
        used = int(db.execute("PRAGMA page_count").fetchone()[0]) - int(
            db.execute("PRAGMA freelist_count").fetchone()[0]
        )
        if self.quota and used > self.quota - min(MARGIN, self.quota // 8):
            return False
        if not self._lay_ballast() or free_bytes(self._folder) < MARGIN * PAGE:
            return False
        self._urgent = False
        return True

    def _lay_ballast(self) -> bool:
        size = self._ballast_bytes
        if not size or (self._ballast.exists() and self._ballast.stat().st_size == size):
            return True
        if free_bytes(self._folder) < 2 * size:
            return False
        try:
            with self._ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            self._ballast.unlink(missing_ok=True)
            return False
        return True


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write on the file system of ``folder``."""
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def is_full(error: BaseException) -> bool:
    """Whether this error says that there is no room (the quota or the disk)."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
