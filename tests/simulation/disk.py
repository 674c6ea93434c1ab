"""A disk that forgets: what a process has written and not synced is gone, or partly gone, when the power is cut.

The files are real SQLite files and every statement is SQLite's; what is modelled is only what the hardware may do at
the points where SQLite asks it to make something durable: at each COMMIT and each single writing statement.

- ``synchronous=FULL``: durable when it returns. The cut may come before it (all of it is gone) or behind it (all of it
  is there, and nobody was told).
- anything less: volatile until the next checkpoint. At a cut some prefix of what was not synced survives.
- a failed sync (EIO): SQLite reports it and forgets the transaction; but its frames may lie on the disk whole, and if
  the power is cut before something else was written over them, recovery finds them: the write that failed is there.
- a full disk: the statement fails, nothing is written.

Not modelled here: sectors torn or lost inside one sync; that is the power-cut harness's, with real files and shims.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal

from tests.simulation.life import Life, PowerCut

Trouble = Literal["", "full", "eio", "read_eio"]
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER", "VACUUM")
DURABLE = 2


class Disk:
    """One machine's disk. ``trouble`` is what it suffers from now; ``cut`` is called when the power goes at a sync."""

    def __init__(self, chance: Random, cut: Callable[[], None]) -> None:
        self.trouble: Trouble = ""
        self.counts: Counter[str] = Counter()
        self._chance = chance
        self._cut = cut
        self._armed: int | None = None
        self._open: dict[DiskConnection, None] = {}
        self._unsynced: dict[Path, list[bytes]] = {}
        self._ghosts: dict[Path, bytes] = {}

    def connect(self, path: Path, life: Life, *, uri: str = "") -> DiskConnection:
        """A connection of one process to a file on this disk."""
        life.must_live()
        if self.trouble == "read_eio":
            raise failure(sqlite3.SQLITE_IOERR, "disk I/O error")
        made = sqlite3.connect(uri or path, uri=bool(uri), isolation_level=None, factory=DiskConnection)
        made.belong(self, path, life)
        self._open[made] = None
        return made

    def arm(self, syncs: int) -> None:
        """The power will go at the so-many-th sync from now: before it, or behind it and before anybody is told."""
        self._armed = syncs

    def disarm(self) -> None:
        """Nothing is going to happen to the power."""
        self._armed = None

    def power_cut(self) -> None:
        """What is not durable goes, whole or in part; connections of the dead process are closed."""
        self._armed = None
        for one in list(self._open):
            one.give_up()
        for path, states in sorted(self._unsynced.items()):
            self._leave(path, states[self._chance.randrange(len(states))])
        for path, ghost in sorted(self._ghosts.items()):
            if self._chance.random() < 0.5:
                self.counts["resurrected"] += 1
                self._leave(path, ghost)
        self._unsynced.clear()
        self._ghosts.clear()

    def image(self, path: Path) -> bytes:
        """What a copy of the whole disk would have of this file now."""
        connection = sqlite3.connect(path)
        try:
            return connection.serialize()
        finally:
            connection.close()

    def put_back(self, path: Path, image: bytes) -> None:
        """A file from an old backup; nobody has it open."""
        assert not self._open, "a running process cannot be restored"
        self._leave(path, image)

    # For the connections

    def forget(self, connection: DiskConnection) -> None:
        """It was closed."""
        self._open.pop(connection, None)

    def check(self, *, write: bool) -> None:
        """Before a statement: does the disk let it? Raises sqlite3.OperationalError."""
        if self.trouble == "read_eio" or (write and self.trouble == "eio" and self._chance.random() < 0.2):
            self.counts["eio"] += 1
            raise failure(sqlite3.SQLITE_IOERR, "disk I/O error")
        if write and self.trouble == "full":
            self.counts["full"] += 1
            raise failure(sqlite3.SQLITE_FULL, "database or disk is full")

    def sync(self, connection: DiskConnection, action: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """Carries out what must be durable when it returns, or what the hardware makes of that."""
        path = connection.path
        if self.trouble == "eio":
            self.counts["eio"] += 1
            if connection.in_transaction:
                self._ghosts[path] = connection.serialize()
            raise failure(sqlite3.SQLITE_IOERR, "disk I/O error")
        if self._armed is not None:
            self._armed -= 1
            if self._armed <= 0:
                self._power_goes(connection, action)
        if connection.synchronous < DURABLE:
            self._unsynced.setdefault(path, [self.image(path)])
        done = action()
        self._ghosts.pop(path, None)
        if path in self._unsynced and connection.synchronous < DURABLE:
            self._unsynced[path].append(self.image(path))
        self.counts["syncs"] += 1
        return done

    def checkpointed(self, path: Path) -> None:
        """Whatever was volatile is durable now."""
        self._unsynced.pop(path, None)

    def _power_goes(self, connection: DiskConnection, action: Callable[[], sqlite3.Cursor]) -> None:
        self._armed = None
        if self._chance.random() < 0.5:
            self.counts["cut_behind_sync"] += 1
            action()
            self._ghosts.pop(connection.path, None)
        else:
            self.counts["cut_before_sync"] += 1
        connection.life.alive = False
        self._cut()
        raise PowerCut

    def _leave(self, path: Path, image: bytes) -> None:
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_bytes(image)


class DiskConnection(sqlite3.Connection):
    """SQLite's own connection, with the hardware's word at each sync; real syncs are switched off."""

    disk: Disk
    path: Path
    life: Life
    synchronous = DURABLE

    def belong(self, disk: Disk, path: Path, life: Life) -> None:
        """Puts it on a disk and into a process."""
        self.disk, self.path, self.life = disk, path, life
        super().execute("PRAGMA synchronous=OFF")

    def __hash__(self) -> int:
        return id(self)

    def give_up(self) -> None:
        """The process is dead: its open transaction never happened."""
        self.disk.forget(self)
        if self.in_transaction:
            super().execute("ROLLBACK")
        super().close()

    def close(self) -> None:
        """Closed by its owner."""
        if self.life.alive:
            self.disk.forget(self)
            super().close()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """One statement."""
        self.life.must_live()
        word = sql.lstrip()[:8].upper()
        if word.startswith("PRAGMA"):
            return self._pragma(sql)
        if word.startswith("COMMIT"):
            return self.disk.sync(self, lambda: sqlite3.Connection.execute(self, sql))
        if word.startswith(("ROLLBACK", "SAVEPOIN", "RELEASE")):
            return super().execute(sql)
        writes = word.startswith(WRITES)
        self.disk.check(write=writes)
        if writes and not self.in_transaction:
            return self.disk.sync(self, lambda: sqlite3.Connection.execute(self, sql, parameters))
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """One statement for many rows; always in a transaction here."""
        self.life.must_live()
        self.disk.check(write=True)
        assert self.in_transaction, "many rows outside a transaction would be as many syncs"
        return super().executemany(sql, parameters)

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        """A migration: one transaction that says so itself."""
        self.life.must_live()
        self.disk.check(write=True)
        return self.disk.sync(self, lambda: sqlite3.Connection.executescript(self, script))

    def _pragma(self, sql: str) -> sqlite3.Cursor:
        words = sql.upper().replace("=", " ").replace("(", " ").split()
        if words[1] == "SYNCHRONOUS" and len(words) > 2:
            self.synchronous = {"OFF": 0, "NORMAL": 1, "FULL": 2, "EXTRA": 3}[words[2]]
            return super().execute("PRAGMA synchronous")
        if words[1] == "JOURNAL_MODE" or words[1] == "WAL_CHECKPOINT":
            self.disk.check(write=False)
            self.disk.checkpointed(self.path)
        return super().execute(sql)


def failure(code: int, words: str) -> sqlite3.OperationalError:
    """The error SQLite would raise."""
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_FULL" if code == sqlite3.SQLITE_FULL else "SQLITE_IOERR"
    return error


@contextmanager
def troubled(disk: Disk, trouble: Trouble) -> Iterator[None]:
    """The disk suffers for a while."""
    disk.trouble = trouble
    try:
        yield
    finally:
        disk.trouble = ""
