"""The least that could be called an ingest endpoint: it keeps the leaves it is sent, durably, and says so.

No signature, no hash, no root, no duplicate, no ledger: it believes everything. What the cloud's own endpoint adds to
this is what the comparison shows. Run by uvicorn, with the same framework, worker and settings as the cloud;
BARE_DATABASE is ``sqlite:///path`` or a PostgreSQL URL.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from psycopg_pool import ConnectionPool

GROUPED = 50
Rows = list[tuple[str, int, bytes]]


class Sqlite:
    """One file, one writer, the PRAGMAs of the cloud."""

    writers = 1

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "mmap_size=0", "cache_size=-32768"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS bare (log TEXT, idx INTEGER, leaf BLOB, PRIMARY KEY (log, idx)) WITHOUT ROWID"
        )

    def write(self, rows: Rows) -> None:
        """One transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO bare VALUES (?, ?, ?)", rows)
        self._connection.execute("COMMIT")


class Postgresql:
    """COPY: the fastest way in. A connection a thread."""

    writers = 4

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool(url, min_size=self.writers, max_size=self.writers, open=True)
        with self._pool.connection() as connection:
            connection.execute(TABLE)

    def write(self, rows: Rows) -> None:
        """One transaction."""
        text = "".join([f"{log}\t{idx}\t\\\\x{leaf.hex()}\n" for log, idx, leaf in rows])
        with self._pool.connection() as connection, connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write(text)


TABLE = "CREATE TABLE IF NOT EXISTS bare (log TEXT, idx BIGINT, leaf BYTEA, PRIMARY KEY (log, idx))"
COPY = "COPY bare (log, idx, leaf) FROM STDIN"


class Grouped:
    """Group commit: what came in while the last transaction ran is the next one."""

    def __init__(self, write: Callable[[Rows], None], threads: ThreadPoolExecutor) -> None:
        self._write = write
        self._threads = threads
        self._waiting: list[tuple[Rows, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, rows: Rows) -> None:
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
    url = os.environ["BARE_DATABASE"]
    path = url.removeprefix("sqlite:///")
    database = Sqlite(path) if path != url else Postgresql(url)
    threads = ThreadPoolExecutor(database.writers)
    application.state.threads = threads
    application.state.write = database.write
    application.state.grouped = Grouped(database.write, threads)
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/logs/{log}/entries")
async def entries(log: str, request: Request) -> Response:
    """The same request that the cloud takes: its leaves are kept, everything else is believed."""
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = zlib.decompress(body, wbits=31)
    old, _, _, leaves = body.split(b"\n\n", 3)
    first = int(old[4:])
    rows = [(log, first + at, leaf) for at, leaf in enumerate(leaves.split(b"\n")[:-1])]
    state = request.app.state
    if len(rows) <= GROUPED:
        await state.grouped.put(rows)
    else:
        await asyncio.get_running_loop().run_in_executor(state.threads, state.write, rows)
    return Response(b'{"size":%d}' % (first + len(rows)), media_type="application/json")
