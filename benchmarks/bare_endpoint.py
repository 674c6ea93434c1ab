"""The least that could be called an ingest endpoint, in two builds: it believes everything it is sent.

``BARE_KEEPS=leaves``: the leaves go into one table in order, durably; nothing is even read. ``records``: each leaf is
read, kept under its key, indexed by device and time, and folded into a balance for each device, as the limits kit of
the design does it; a repeat is passed over. No signature, no hash, no root, no canonical form, no registration, no
ledgers: what the cloud's own endpoint adds is what a comparison shows. Same framework, server and settings as the
cloud. ``BARE_DATABASE`` is ``sqlite:///path`` or a PostgreSQL address.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from psycopg_pool import ConnectionPool

GROUPED = 50
CONNECTIONS = 4
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "mmap_size=0", "cache_size=-32768", "wal_autocheckpoint=8000")
Row = tuple[Any, ...]
Write = Callable[[Sequence[Row]], None]


class Read(msgspec.Struct):
    """What the records build wants to know of a leaf."""

    k: str
    src: str
    ep: str
    n: int
    t: int
    qty: int = 0
    value: int = 0


_lines = msgspec.json.Decoder(Read)


def leaf_rows(log: str, first: int, lines: bytes) -> list[Row]:
    """Rows of the leaves build: log, index, leaf."""
    return [(log, first + at, leaf) for at, leaf in enumerate(lines.split(b"\n")[:-1])]


def record_rows(_log: str, _first: int, lines: bytes) -> list[Row]:
    """Rows of the records build: device, epoch, counter, kind, time, amount, leaf."""
    read = zip(_lines.decode_lines(lines), lines.decode().split("\n"), strict=False)
    return [(one.src, one.ep, one.n, one.k, one.t, one.qty + one.value, leaf) for one, leaf in read]


SQLITE_LEAVES = (
    "CREATE TABLE IF NOT EXISTS bare (log TEXT, idx INTEGER, leaf BLOB, PRIMARY KEY (log, idx)) WITHOUT ROWID",
)
SQLITE_RECORDS = (
    """CREATE TABLE IF NOT EXISTS bare (
        src TEXT, ep TEXT, n INTEGER, k TEXT, t INTEGER, amount INTEGER, leaf TEXT, PRIMARY KEY (src, ep, n)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS bare_times ON bare (src, t)",
    "CREATE TABLE IF NOT EXISTS balances (src TEXT PRIMARY KEY, amount INTEGER, records INTEGER) WITHOUT ROWID",
)
SQLITE_FOLD = (
    "INSERT INTO balances VALUES (?, ?, ?) ON CONFLICT (src) DO UPDATE "
    "SET amount = amount + excluded.amount, records = records + excluded.records"
)
POSTGRES_LEAVES = ("CREATE TABLE IF NOT EXISTS bare (log TEXT, idx BIGINT, leaf BYTEA, PRIMARY KEY (log, idx))",)
POSTGRES_RECORDS = (
    """CREATE TABLE IF NOT EXISTS bare (
        src TEXT, ep TEXT, n BIGINT, k TEXT, t BIGINT, amount BIGINT, leaf TEXT, PRIMARY KEY (src, ep, n)
    )""",
    "CREATE INDEX IF NOT EXISTS bare_times ON bare (src, t)",
    "CREATE TABLE IF NOT EXISTS balances (src TEXT PRIMARY KEY, amount BIGINT, records BIGINT) WITH (fillfactor = 70)",
)
POSTGRES_STORE = """
WITH new AS (
    INSERT INTO bare
    SELECT v->>0, v->>1, (v->>2)::bigint, v->>3, (v->>4)::bigint, (v->>5)::bigint, v->>6
    FROM json_array_elements(%s::json) v
    ON CONFLICT DO NOTHING RETURNING src, amount
)
INSERT INTO balances AS b SELECT src, sum(amount), count(*) FROM new GROUP BY src ORDER BY src
ON CONFLICT (src) DO UPDATE SET amount = b.amount + excluded.amount, records = b.records + excluded.records
"""


def sqlite_writer(path: str, *, leaves: bool) -> Write:
    """One file, one writer, the PRAGMAs of the cloud."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    for statement in SQLITE_LEAVES if leaves else SQLITE_RECORDS:
        connection.execute(statement)

    def write(rows: Sequence[Row]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if leaves:
            connection.executemany("INSERT INTO bare VALUES (?, ?, ?)", rows)
        else:
            connection.executemany("INSERT INTO bare VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)
            connection.executemany(SQLITE_FOLD, _folded(rows))
        connection.execute("COMMIT")

    return write


def postgres_writer(address: str, *, leaves: bool) -> Write:
    """COPY for leaves, the fastest way in; one statement with one JSON parameter for records. A connection a thread."""
    pool = ConnectionPool(address, min_size=CONNECTIONS, max_size=CONNECTIONS, open=True)
    with pool.connection() as connection:
        for statement in POSTGRES_LEAVES if leaves else POSTGRES_RECORDS:
            connection.execute(statement.encode())

    def write(rows: Sequence[Row]) -> None:
        with pool.connection() as connection, connection.cursor() as cursor:
            if leaves:
                text = "".join([f"{log}\t{idx}\t\\\\x{leaf.hex()}\n" for log, idx, leaf in rows])
                with cursor.copy("COPY bare (log, idx, leaf) FROM STDIN") as copy:
                    copy.write(text)
            else:
                cursor.execute(POSTGRES_STORE.encode(), (msgspec.json.encode(rows).decode(),))

    return write


def _folded(rows: Sequence[Row]) -> list[Row]:
    sums: dict[str, tuple[int, int]] = {}
    for row in rows:
        amount, count = sums.get(row[0], (0, 0))
        sums[row[0]] = (amount + row[5], count + 1)
    return [(src, *sums[src]) for src in sorted(sums)]


class Grouped:
    """Group commit: what came in while the last transaction ran is the next one."""

    def __init__(self, write: Write, threads: ThreadPoolExecutor) -> None:
        self._write = write
        self._threads = threads
        self._waiting: list[tuple[list[Row], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, rows: list[Row]) -> None:
        """Returns after the commit."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, kept))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        await kept

    async def _drain(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            rows = [row for some, _ in group for row in some]
            await asyncio.get_running_loop().run_in_executor(self._threads, self._write, rows)
            for _, kept in group:
                kept.set_result(None)


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Opens the database that BARE_DATABASE names."""
    address, leaves = os.environ["BARE_DATABASE"], os.environ["BARE_KEEPS"] == "leaves"
    path = address.removeprefix("sqlite:///")
    is_file = path != address
    write = sqlite_writer(path, leaves=leaves) if is_file else postgres_writer(address, leaves=leaves)
    threads = ThreadPoolExecutor(1 if is_file else CONNECTIONS)
    application.state.rows = leaf_rows if leaves else record_rows
    application.state.threads = threads
    application.state.write = write
    application.state.grouped = Grouped(write, threads)
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/logs/{log}/entries")
async def entries(log: str, request: Request) -> Response:
    """The same request that the cloud takes; everything in it is believed."""
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = zlib.decompress(body, wbits=31)
    old, _, _, lines = body.split(b"\n\n", 3)
    first, state = int(old[4:]), request.app.state
    rows = state.rows(log, first, lines)
    if len(rows) <= GROUPED:
        await state.grouped.put(rows)
    else:
        await asyncio.get_running_loop().run_in_executor(state.threads, state.write, rows)
    return Response(b'{"size":%d}' % (first + len(rows)), media_type="application/json")
