"""SQLite behind the port: one writing connection in one thread, readers beside it.

WAL with ``synchronous=FULL``: a commit that returned survives a power cut. One writer is also what makes
``FOR UPDATE`` unnecessary: a transaction that writes is alone from its first statement (``BEGIN IMMEDIATE``).
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from cloud import folders
from cloud.database import (
    BESIDE,
    DatabaseAwayError,
    Dialect,
    Param,
    Query,
    Row,
    T,
    TakenError,
    Tx,
    UnstorableError,
    Value,
)

BUSY_MS = 15_000
# A checkpoint every 32 MB instead of every 4: a page that many commits change is copied home once. 4 MB of pages for
# each connection hold what ingest touches; the system's own cache holds the rest, and the process does not grow.
PRAGMAS = (
    "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "mmap_size=0", "cache_size=-4096",
    "wal_autocheckpoint=8000",
)  # fmt: skip
AT_ONCE = 500  # rows of one INSERT: a statement's overhead, and a turn for the other threads, once for all of them
MOST_GIVEN = 1024  # rows handed in as parameters of their own; more travel as JSON, which is slower to take apart
READERS = 2
Connect = Callable[[Path], sqlite3.Connection]
_LOCK = re.compile(r" FOR UPDATE( OF \w+)?")
_GIVEN = re.compile(r"\bGIVEN\(([^)]*)\)")
_GIVEN_JOIN = re.compile(r"(\bGIVEN\([^)]*\) AS \w+) JOIN\b")


class SqliteTx:
    """An open transaction on one SQLite connection."""

    dialect: Dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._depth = 0

    def all(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Every row of a query."""
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, params: Sequence[Param] = ()) -> Row | None:
        """The first row of a query, or None."""
        row: Row | None = self._execute(sql, params).fetchone()
        return row

    def run(self, sql: str, params: Sequence[Param] = ()) -> int:
        """Runs one statement; how many rows it touched."""
        return self._execute(sql, params).rowcount

    def several(self, *queries: Query) -> list[list[Row]]:
        """The rows of several queries."""
        return [self.all(sql, params) for sql, params in queries]

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], conflict: str = "") -> int:
        """Inserts many rows with two prepared statements: one for so many at once, one for the rest."""
        names, together = tuple(columns), len(rows) - len(rows) % AT_ONCE
        written = 0
        try:
            for at in range(0, together, AT_ONCE):
                values = tuple(chain.from_iterable(rows[at : at + AT_ONCE]))
                written += self._connection.execute(_insert(table, names, conflict, AT_ONCE), values).rowcount
            if together < len(rows):
                statement = _insert(table, names, conflict)
                written += self._connection.executemany(statement, rows[together:]).rowcount
        except sqlite3.IntegrityError as error:
            raise (TakenError(str(error)) if "UNIQUE" in str(error) else error) from error
        return written

    def claim(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> bool:
        """Inserts those rows whose keys are free."""
        return self.insert(table, columns, rows, "ON CONFLICT DO NOTHING") == len(rows)

    def later(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], conflict: str = "") -> None:
        """Inserts rows now: here is no round trip."""
        self.insert(table, columns, rows, conflict)

    def _execute(self, sql: str, params: Sequence[Param]) -> sqlite3.Cursor:
        packed: list[Any] = []
        given: list[int] = []
        for value in params:
            if not isinstance(value, list):
                if type(value) is str and "\x00" in value:
                    raise UnstorableError("a text with a NUL")  # PostgreSQL cannot keep one, so nobody does
                packed.append(value)
            elif 0 < len(value) <= MOST_GIVEN:
                # Sizes are rounded up, so that a few prepared statements serve all; a row of nulls joins nothing.
                size = 1 << (len(value) - 1).bit_length()
                for row in value:
                    packed += row
                packed += [None] * ((size - len(value)) * len(value[0]))
                given.append(size)
            else:
                packed.append(msgspec.json.encode(value).decode())
                given.append(0)
        return self._connection.execute(_translate(sql, tuple(given)), packed)

    def savepoint(self) -> AbstractContextManager[None]:
        """What is done inside is undone alone when it raises."""
        return self._savepoint()

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._depth += 1
        name = f"s{self._depth}"
        self._connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self._connection.execute(f"ROLLBACK TO {name}")
            raise
        finally:
            self._connection.execute(f"RELEASE {name}")
            self._depth -= 1


class SqliteStore:
    """One database file. ``connect`` opens it; a simulated world hands in its own."""

    dialect: Dialect = "sqlite"
    writers = 1

    def __init__(self, path: Path, *, inline: bool = False, connect: Connect | None = None) -> None:
        self._path = path
        self._connect_to = connect or _connect
        self._inline = inline
        self._writer: sqlite3.Connection | None = None
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writing = ThreadPoolExecutor(1, "sqlite-writer")
        self._reading = ThreadPoolExecutor(READERS, "sqlite-reader")
        self._beside = ThreadPoolExecutor(BESIDE, "beside")

    async def run(self, work: Callable[[Tx], T]) -> T:
        """One writing transaction."""
        if self._inline:
            return self._write(work)
        return await asyncio.get_running_loop().run_in_executor(self._writing, self._write, work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """One reading transaction, beside the writer."""
        if self._inline:
            return self._write(work)
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    async def beside(self, work: Callable[[], T]) -> T:
        """Work that asks no database anything."""
        if self._inline:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._beside, work)

    async def close(self) -> None:
        """Ends all connections."""
        if not self._inline:
            await asyncio.to_thread(self._shut)
        else:
            self._shut()

    def _shut(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._beside.shutdown()
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._writer = None

    def _write(self, work: Callable[[Tx], T]) -> T:
        try:
            if self._writer is None:
                folders.make(self._path.parent)
                self._writer = self._connect()
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return self._transaction(self._writer, "BEGIN IMMEDIATE", work)
        except (sqlite3.OperationalError, OSError) as error:
            away = _away(self._path, error)
            if isinstance(away, DatabaseAwayError) and not any(word in str(error) for word in ("locked", "busy")):
                self._retire_writer()
            raise away from error

    def _retire_writer(self) -> None:
        """After a failed write or sync this connection is not trusted any more: the next use opens the file anew."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._opened.remove(writer)
            with suppress(sqlite3.Error):
                writer.close()

    def _read(self, work: Callable[[Tx], T]) -> T:
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._connect()
                connection.execute("PRAGMA query_only=ON")
            return self._transaction(connection, "BEGIN", work)
        except (sqlite3.OperationalError, OSError) as error:
            raise _away(self._path, error) from error

    def _transaction(self, connection: sqlite3.Connection, begin: str, work: Callable[[Tx], T]) -> T:
        connection.execute(begin)
        try:
            result = work(SqliteTx(connection))
            connection.execute("COMMIT")
        except (OverflowError, UnicodeEncodeError) as error:
            connection.execute("ROLLBACK")
            raise UnstorableError(str(error)) from error
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _connect(self) -> sqlite3.Connection:
        connection = self._connect_to(self._path)
        self._opened.append(connection)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000, cached_statements=512
    )


def _away(path: Path, error: sqlite3.OperationalError | OSError) -> Exception:
    """A full disk, a locked or unreadable file: may pass. A mistake in the SQL does not, and stays what it is."""
    text = str(error)
    if isinstance(error, OSError) or any(
        sign in text for sign in ("locked", "full", "I/O", "unable to open", "readonly", "busy")
    ):
        return DatabaseAwayError(f"the database file {path} cannot be used now: {text}")
    return error


@lru_cache(maxsize=512)
def _insert(table: str, columns: tuple[str, ...], conflict: str, rows: int = 1) -> str:
    marks = ",".join([f"({','.join('?' * len(columns))})"] * rows)
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES {marks} {conflict}"  # noqa: S608 -- names come from our own code


@lru_cache(maxsize=1024)
def _translate(sql: str, given: tuple[int, ...] = ()) -> str:
    """Portable SQL as SQLite wants it; ``given``: rows of each GIVEN relation, 0 for one that comes as JSON.

    Where given rows come first, CROSS JOIN keeps them first: the planner believes that a tenant has ten rows of
    anything, and would read them all again for each row that was given.
    """
    sizes = iter(given)
    text = _GIVEN_JOIN.sub(r"\1 CROSS JOIN", _LOCK.sub("", sql))
    return _GIVEN.sub(lambda match: _relation(match.group(1), next(sizes)), text)


def _relation(columns: str, size: int) -> str:
    names = [column.split()[0] for column in columns.split(",")]
    if size:
        picked = ", ".join(f"column{at} AS {name}" for at, name in enumerate(names, 1))
        row = f"({','.join('?' * len(names))})"
        return f"(SELECT {picked} FROM (VALUES {','.join([row] * size)}))"  # noqa: S608 -- names come from our own code
    picked = ", ".join(f"json_extract(value, '$[{at}]') AS {name}" for at, name in enumerate(names))
    return f"(SELECT {picked} FROM json_each(?))"  # noqa: S608 -- names come from our own code
