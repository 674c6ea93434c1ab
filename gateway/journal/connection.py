"""One SQLite connection on aiosqlite's thread, opened so that a power cut costs nothing that was acknowledged.

The settings are measured, not folklore: WAL with synchronous=FULL loses nothing when power fails; `psow=0` plus a
TRUNCATE checkpoint right after opening is what survives cards that damage a whole sector; mmap would hide I/O errors.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

import aiosqlite

T = TypeVar("T")
P = ParamSpec("P")

VOLATILE = frozenset({"overlay", "overlayfs", "aufs", "tmpfs", "ramfs"})
SAFE_SQLITE = (3, 51, 3)


class JournalRefusedError(Exception):
    """The journal must not be used like this (wrong file system, newer schema): a person has to change something."""


class DamagedError(Exception):
    """The file is not a sound journal any more."""


class Lock:
    """Only one process may write a journal; the system takes the lock back when that process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises JournalRefusedError when another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            message = f"another process writes this journal ({self._path} is locked): stop the other gateway first"
            raise JournalRefusedError(message) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Lets others in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Busy:
    """Counts thread jobs under way, so that a simulated world can wait for them before it lets time pass."""

    def __init__(self) -> None:
        self.jobs = 0


class Connection:
    """A connection whose every use is a function run on its own thread: one hop for a whole transaction."""

    def __init__(self, db: aiosqlite.Connection, busy: Busy) -> None:
        self._db = db
        self._busy = busy

    @classmethod
    async def open(cls, path: Path, *, busy: Busy, read_only: bool = False) -> Connection:
        """Connects; nothing is read yet. Raises sqlite3.Error."""
        mode = "ro" if read_only else "rwc"
        busy.jobs += 1
        try:
            db = await aiosqlite.connect(location(path, mode), uri=True, isolation_level=None)
        finally:
            busy.jobs -= 1
        return cls(db, busy)

    async def run(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """The result of ``function(connection, ...)``, run on the connection's thread."""
        self._busy.jobs += 1
        try:
            # aiosqlite offers a hop a statement; a commit of a hundred rows wants one for all.
            db = self._db
            result: T = await db._execute(function, db._conn, *args, **kw)  # type: ignore[no-untyped-call] # noqa: SLF001
        except UnicodeDecodeError as error:
            # SQLite's complaint may cite the damaged bytes themselves: it is a complaint all the same.
            raise sqlite3.DatabaseError(f"Could not decode to UTF-8: {error}") from error
        else:
            return result
        finally:
            self._busy.jobs -= 1

    async def close(self) -> None:
        """Ends the thread. Raises sqlite3.Error when SQLite could not close."""
        self._busy.jobs += 1
        try:
            await self._db.close()
        finally:
            self._busy.jobs -= 1


def location(path: Path, mode: str) -> str:
    """The SQLite URI of a journal file."""
    return f"file:{quote(str(path))}?psow=0&mode={mode}"


def settle_in(db: sqlite3.Connection, pages: int) -> None:
    """Settings of the one writer; ``pages`` is the most the file may grow to (0: no limit)."""
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA mmap_size=0")
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute("PRAGMA cache_size=-1024")
    db.execute("PRAGMA cell_size_check=ON")
    db.execute("PRAGMA journal_size_limit=4194304")
    checkpoint(db)
    limit_pages(db, pages)


def checkpoint(db: sqlite3.Connection) -> None:
    """Brings the WAL into the file and empties it. A full disk is no reason not to open: what is in the WAL is safe."""
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise


def limit_pages(db: sqlite3.Connection, pages: int) -> None:
    """Sets the quota in pages of 4 KiB; 0 lifts it. SQLite never sets it below what is in use."""
    db.execute(f"PRAGMA max_page_count={pages or 4_294_967_294}")


def settle_in_reader(db: sqlite3.Connection) -> None:
    """Settings of a reader: it can neither write nor checkpoint."""
    db.execute("PRAGMA query_only=ON")
    db.execute("PRAGMA mmap_size=0")
    db.execute("PRAGMA cache_size=-512")


def file_system(path: Path, mounts: str | None = None) -> str:
    """The type of the file system that holds ``path`` ("" where the system does not tell). ``mounts``: /proc/mounts."""
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    real = str(path.resolve())
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def refuse_volatile(path: Path, *, demo: bool) -> None:
    """Raises JournalRefusedError for a folder that forgets at the next power cut, unless this is a demo."""
    kind = file_system(path.parent)
    if kind in VOLATILE and not demo:
        message = (
            f"{path.parent} is on {kind}, which forgets everything at the next power cut: draws would be lost. "
            "Put [journal] path on a real disk partition, or set demo = true if nothing here is ever billed."
        )
        raise JournalRefusedError(message)


def migrations() -> list[tuple[int, str]]:
    """The numbered scripts beside this file, in order."""
    found = [one for one in resources.files("gateway.journal").iterdir() if one.name.endswith(".sql")]
    return sorted((int(one.name[:4]), one.read_text(encoding="utf-8")) for one in found)


def migrate(db: sqlite3.Connection, path: Path, scripts: list[tuple[int, str]] | None = None) -> None:
    """Brings the file to the newest schema, forward only; a file with contents is copied first."""
    scripts = migrations() if scripts is None else scripts
    have = int(db.execute("PRAGMA user_version").fetchone()[0])
    newest = scripts[-1][0]
    if have > newest:
        message = (
            f"{path} was written by a newer version (schema {have}, this program knows {newest}). "
            f"Install the newer version again, or restore the copy {path.name}.before-{have:04d}."
        )
        raise JournalRefusedError(message)
    for number, script in scripts:
        if number <= have:
            continue
        if have:
            copy = path.with_name(f"{path.name}.before-{number:04d}")
            copy.unlink(missing_ok=True)
            db.execute("VACUUM INTO ?", (str(copy),))
        db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
        have = number


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """One synced transaction; rolled back on any error, a failed COMMIT among them."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def readable(text: bytes) -> str:
    """A ``text_factory``: text that is no UTF-8 any more is seen, and found spoilt, instead of ending the look."""
    return text.decode("utf-8", "replace")


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection for commands that look at a journal, perhaps while the gateway runs."""
    db = sqlite3.connect(location(path, "ro"), uri=True, isolation_level=None)
    settle_in_reader(db)
    return db
