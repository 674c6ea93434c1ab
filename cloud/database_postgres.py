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
from psycopg_pool import ConnectionPool, PoolTimeout

from cloud.database import BESIDE, DatabaseAwayError, Dialect, Param, Row, T, TakenError, Tx, UnstorableError, Value

TRIES = 6
COPY_FROM = 20  # rows; below it one JSON statement is cheaper than the COPY conversation
OPTIONS = "-c statement_timeout=60000 -c lock_timeout=20000 -c idle_in_transaction_session_timeout=60000"
_GIVEN = re.compile(r"\bGIVEN\(([^)]*)\)")
_JOIN = re.compile(r" (LEFT )?JOIN (\w+) (\w+) ON (.+?)(?= (?:LEFT )?JOIN | WHERE | ORDER | GROUP |$)")
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_BIGINT = struct.Struct("!iq").pack
_LENGTH = struct.Struct("!i").pack

Connection = psycopg.Connection[Row]


class PostgresTx:
    """An open transaction on one PostgreSQL connection."""

    dialect: Dialect = "postgresql"

    def __init__(self, connection: Connection, types: dict[str, dict[str, str]]) -> None:
        self._connection = connection
        self._types = types

    def all(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Every row of a query."""
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, params: Sequence[Param] = ()) -> Row | None:
        """The first row of a query, or None."""
        return self._execute(sql, params).fetchone()

    def run(self, sql: str, params: Sequence[Param] = ()) -> int:
        """Runs one statement; how many rows it touched."""
        return self._execute(sql, params).rowcount

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], conflict: str = "") -> int:
        """Inserts many rows by one COPY or one statement with one JSON parameter."""
        if not rows:
            return 0
        try:
            return self._insert(table, columns, rows, conflict)
        except errors.UniqueViolation as error:
            raise TakenError(str(error)) from error

    def savepoint(self) -> AbstractContextManager[None]:
        """What is done inside is undone alone when it raises."""
        return self._savepoint()

    def _insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], conflict: str) -> int:
        known = self._columns(table)
        types = tuple(known[column] for column in columns)
        if len(rows) == 1:
            return self._connection.execute(_insert_one(table, tuple(columns), conflict), rows[0]).rowcount
        if len(rows) >= COPY_FROM and not conflict and _FIELDS.keys() >= set(types):
            with self._connection.cursor() as cursor:
                with cursor.copy(_copy(table, tuple(columns))) as copy:
                    copy.write(_binary(types, rows))
                return cursor.rowcount
        statement, row_type = _insert_many(table, tuple(columns), types, conflict)
        packed = msgspec.json.encode([row_type(*row) for row in rows]).decode()
        return self._connection.execute(statement, (packed,)).rowcount

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        with self._connection.transaction():
            yield

    def _execute(self, sql: str, params: Sequence[Param]) -> psycopg.Cursor[Row]:
        packed = [msgspec.json.encode(value).decode() if isinstance(value, list) else value for value in params]
        return self._connection.execute(_translate(sql), packed)

    def _columns(self, table: str) -> dict[str, str]:
        if table not in self._types:
            rows = self._connection.execute(
                "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute "
                "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
                (table,),
            )
            self._types[table] = dict(rows.fetchall())
        return self._types[table]


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
                raise DatabaseAwayError(f"the database does not answer: {error}") from error
        raise AssertionError("unreachable")

    def _once(self, begin: str, work: Callable[[Tx], T]) -> T:
        self._pool.open()
        with self._pool.connection() as connection:
            connection.execute(begin)
            try:
                result = work(PostgresTx(connection, self._types))
                connection.execute("COMMIT")
            except BaseException:
                if not connection.broken:
                    connection.execute("ROLLBACK")
                raise
            return result


def _binary(types: tuple[str, ...], rows: Sequence[Sequence[Value]]) -> bytes:
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
