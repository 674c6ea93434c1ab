"""PostgreSQL behind the port: a pool of connections, one transaction a use case, run again after a deadlock.

Many rows travel as one parameter (JSON) or as one binary COPY, because a round trip costs more than a row. Nothing here
needs more than plain SQL, so that a distributed PostgreSQL keyed by tenant can take the database's place.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

import msgspec
import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

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

TRIES = 6
LIMIT = "54"  # SQLSTATE class "program limit exceeded", e.g. a text that is too long for an index
COPY_FROM = 200  # rows; fewer are cheaper as JSON, since a COPY is a conversation that shares no round trip
OPTIONS = "-c statement_timeout=60000 -c lock_timeout=20000 -c idle_in_transaction_session_timeout=60000"
_GIVEN = re.compile(r"\bGIVEN\(([^)]*)\)")
_JOIN = re.compile(r" (LEFT )?JOIN (\w+) (\w+) ON (.+?)(?= (?:LEFT )?JOIN | WHERE | ORDER | GROUP |$)")
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_BIGINT = struct.Struct("!iq").pack
_LENGTH = struct.Struct("!i").pack

Connection = psycopg.Connection[Row]
Types = tuple[str, ...]
Statement = tuple[bytes, Sequence[Any] | None]


class PostgresTx:
    """An open transaction on one PostgreSQL connection.

    What may wait (the BEGIN, rows that nobody asks back) goes with the next statement in one round trip.
    """

    dialect: Dialect = "postgresql"

    def __init__(self, connection: Connection, types: dict[str, dict[str, str]], begin: str) -> None:
        self._connection = connection
        self._types = types
        self._left: list[Statement] = [(begin.encode(), None)]

    def all(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Every row of a query."""
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, params: Sequence[Param] = ()) -> Row | None:
        """The first row of a query, or None."""
        return self._execute(sql, params).fetchone()

    def run(self, sql: str, params: Sequence[Param] = ()) -> int:
        """Runs one statement; how many rows it touched."""
        return self._execute(sql, params).rowcount

    def several(self, *queries: Query) -> list[list[Row]]:
        """The rows of several queries, in one round trip."""
        done = self._together([_statement(sql, params) for sql, params in queries])
        return [cursor.fetchall() for cursor in done]

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], conflict: str = "") -> int:
        """Inserts many rows by one COPY or one statement with one JSON parameter."""
        if not rows:
            return 0
        types = self._types_of(table, columns)
        if _is_copied(types, rows, conflict):
            return self._copy(table, columns, types, rows)
        return self._together([_insert(table, columns, types, rows, conflict)])[0].rowcount

    def claim(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> bool:
        """Inserts those rows whose keys are free. Many are tried as one COPY first: taken keys are rare."""
        if len(rows) >= COPY_FROM:
            try:
                with self._savepoint():
                    return self.insert(table, columns, rows) == len(rows)
            except TakenError:
                pass
        return self.insert(table, columns, rows, "ON CONFLICT DO NOTHING") == len(rows)

    def later(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], conflict: str = "") -> None:
        """Inserts rows with the next statement; very many at once."""
        types = self._types_of(table, columns)
        if _is_copied(types, rows, conflict):
            self._copy(table, columns, types, rows)
        elif rows:
            self._left.append(_insert(table, columns, types, rows, conflict))

    def savepoint(self) -> AbstractContextManager[None]:
        """What is done inside is undone alone when it raises."""
        return self._savepoint()

    def commit(self) -> None:
        """Ends the transaction, if it has begun."""
        if self.has_begun or len(self._left) > 1:
            self._together([(b"COMMIT", None)])

    @property
    def has_begun(self) -> bool:
        """Whether the server knows of this transaction."""
        return not self._connection.broken and self._connection.info.transaction_status != TransactionStatus.IDLE

    def _together(self, statements: Sequence[Statement]) -> list[psycopg.Cursor[Row]]:
        """Runs what was left and these, in one round trip; the cursors of these."""
        everything, self._left = [*self._left, *statements], []
        if not everything:
            return []
        try:
            if len(everything) == 1:
                return [self._connection.execute(*everything[0])]
            with self._connection.pipeline():
                cursors = [self._connection.execute(*one) for one in everything]
        except errors.UniqueViolation as error:
            raise TakenError(str(error)) from error
        return cursors[len(everything) - len(statements) :]

    def _copy(self, table: str, columns: Sequence[str], types: Types, rows: Sequence[Sequence[Value]]) -> int:
        self._together([])
        try:
            with self._connection.cursor() as cursor:
                with cursor.copy(_copy(table, tuple(columns))) as copy:
                    copy.write(_binary(types, rows))
                return cursor.rowcount
        except errors.UniqueViolation as error:
            raise TakenError(str(error)) from error

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._together([])
        try:
            with self._connection.transaction():
                yield
                self._together([])
        finally:
            self._left.clear()

    def _execute(self, sql: str, params: Sequence[Param]) -> psycopg.Cursor[Row]:
        return self._together([_statement(sql, params)])[0]

    def _types_of(self, table: str, columns: Sequence[str]) -> Types:
        if table not in self._types:
            rows = self.all(
                "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute "
                "WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped",
                (table,),
            )
            self._types[table] = dict(rows)
        known = self._types[table]
        return tuple(known[column] for column in columns)


class PostgresStore:
    """One database behind a pool of connections."""

    dialect: Dialect = "postgresql"

    def __init__(self, address: str, *, connections: int = 4) -> None:
        self._pool = ConnectionPool(
            address,
            min_size=1,
            max_size=connections,
            open=False,
            timeout=10,
            kwargs={"options": OPTIONS, "autocommit": True},
        )
        self._types: dict[str, dict[str, str]] = {}
        self.writers = max(1, connections // 2)
        self._threads = ThreadPoolExecutor(connections, "postgres")
        self._beside = ThreadPoolExecutor(BESIDE, "beside")

    async def run(self, work: Callable[[Tx], T]) -> T:
        """One writing transaction; run again when the database found it in another's way."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._work, "BEGIN", work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """One reading transaction with one view of the data."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._work, begin, work)

    async def beside(self, work: Callable[[], T]) -> T:
        """Work that asks no database anything."""
        return await asyncio.get_running_loop().run_in_executor(self._beside, work)

    async def close(self) -> None:
        """Ends all connections."""
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._threads.shutdown()
        self._beside.shutdown()
        self._pool.close()

    def _work(self, begin: str, work: Callable[[Tx], T]) -> T:
        for attempt in range(TRIES):
            try:
                return self._once(begin, work)
            except (errors.SerializationFailure, errors.DeadlockDetected):
                if attempt == TRIES - 1:
                    raise
            except (psycopg.DataError, UnicodeEncodeError) as error:
                raise UnstorableError(str(error)) from error
            except (psycopg.OperationalError, PoolTimeout) as error:
                if (getattr(error, "sqlstate", None) or "").startswith(LIMIT):  # no retry makes such a value smaller
                    raise UnstorableError(str(error)) from error
                raise DatabaseAwayError(f"the database does not answer: {error}") from error
        raise AssertionError("unreachable")

    def _once(self, begin: str, work: Callable[[Tx], T]) -> T:
        self._pool.open()
        with self._pool.connection() as connection:
            tx = PostgresTx(connection, self._types, begin)
            try:
                result = work(tx)
                tx.commit()
            except BaseException:
                if tx.has_begun:
                    connection.execute("ROLLBACK")
                raise
            return result


def _statement(sql: str, params: Sequence[Param]) -> Statement:
    packed = [msgspec.json.encode(value).decode() if isinstance(value, list) else value for value in params]
    return _translate(sql), packed


def _insert(
    table: str, columns: Sequence[str], types: Types, rows: Sequence[Sequence[Value]], conflict: str
) -> Statement:
    if len(rows) == 1:
        return _insert_one(table, tuple(columns), conflict), rows[0]
    statement, row_type = _insert_many(table, tuple(columns), types, conflict)
    return statement, (msgspec.json.encode([row_type(*row) for row in rows]).decode(),)


def _is_copied(types: Types, rows: Sequence[Sequence[Value]], conflict: str) -> bool:
    return len(rows) >= COPY_FROM and not conflict and _FIELDS.keys() >= set(types)


def _binary(types: Types, rows: Sequence[Sequence[Value]]) -> bytes:
    """Rows in COPY's binary form: a count of fields, then each field's length and bytes; packed column by column."""
    columns = [_FIELDS[kind](column) for kind, column in zip(types, zip(*rows, strict=True), strict=True)]
    count = repeat(struct.pack("!h", len(types)), len(rows))
    return b"".join([_COPY_HEAD, *chain.from_iterable(zip(count, *columns, strict=True)), _COPY_END])


def _integers(column: Sequence[Any]) -> list[bytes]:
    return [_NULL if value is None else _BIGINT(8, value) for value in column]


def _bytes(column: Sequence[Any]) -> list[bytes]:
    return [_NULL if value is None else _LENGTH(len(value)) + value for value in column]


def _texts(column: Sequence[Any]) -> list[bytes]:
    return _bytes([None if value is None else value.encode() for value in column])


_FIELDS: dict[str, Callable[[Sequence[Any]], list[bytes]]] = {"bigint": _integers, "text": _texts, "bytea": _bytes}


@lru_cache(maxsize=1024)
def _translate(sql: str) -> bytes:
    """Portable SQL as psycopg wants it.

    What is joined to given rows is looked up for each of them: the planner would rather read a whole tenant, which it
    takes for six rows as long as the tables are new.
    """
    led = _JOIN.sub(_looked_up, sql) if " GIVEN(" in sql and " FOR UPDATE" not in sql else sql
    return _GIVEN.sub(_relation, led.replace("%", "%%")).replace("?", "%s").encode()


def _looked_up(match: re.Match[str]) -> str:
    left, table, alias, condition = match.groups()
    found = f"LATERAL (SELECT * FROM {table} {alias} WHERE {condition} OFFSET 0) AS {alias}"  # noqa: S608 -- our own code
    return f" LEFT JOIN {found} ON TRUE" if left else f" CROSS JOIN {found}"


def _relation(match: re.Match[str]) -> str:
    columns = [column.split() for column in match.group(1).split(",")]
    picked = ", ".join(f"(value->>{at})::{kind} AS {name}" for at, (name, kind) in enumerate(columns))
    # OFFSET 0: a value is taken out of the JSON once, and not again for every row that it is compared with.
    return f"(SELECT {picked} FROM json_array_elements(?::json) OFFSET 0)"  # noqa: S608 -- names come from our own code


@lru_cache(maxsize=512)
def _insert_one(table: str, columns: tuple[str, ...], conflict: str) -> bytes:
    marks = ",".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks}) {conflict}".encode()  # noqa: S608 -- as above


@lru_cache(maxsize=512)
def _copy(table: str, columns: tuple[str, ...]) -> bytes:
    return f"COPY {table} ({','.join(columns)}) FROM STDIN (FORMAT BINARY)".encode()


@lru_cache(maxsize=512)
def _insert_many(
    table: str, columns: tuple[str, ...], types: tuple[str, ...], conflict: str
) -> tuple[bytes, Callable[..., Any]]:
    """The statement, and the type its JSON rows are made of. Bytes travel as base64."""
    row_type = msgspec.defstruct(f"{table}_row", [(column, Any) for column in columns])
    shape = ", ".join(
        f"{column} {'text' if kind == 'bytea' else kind}" for column, kind in zip(columns, types, strict=True)
    )
    picked = ", ".join(
        f"decode({column}, 'base64')" if kind == "bytea" else column
        for column, kind in zip(columns, types, strict=True)
    )
    names = ",".join(columns)
    statement = (
        f"INSERT INTO {table} ({names}) SELECT {picked} FROM json_to_recordset(%s::json) AS x({shape}) {conflict}"  # noqa: S608 -- as above
    )
    return statement.encode(), row_type
