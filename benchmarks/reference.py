"""The bare limits of this machine: what the same rows, leaves and messages cost when nothing of ours touches them.

`./run python benchmarks/reference.py [--quick] [--json]`. The other benchmarks take their limits from here, in the
same run and in turns with the product. What is left out of a limit: checks, hashes, signatures, duplicates, ledgers.
"""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import psycopg

from benchmarks import samples
from benchmarks.broker import Broker, running_broker
from benchmarks.http_load import Lane, drive
from benchmarks.measure import ROOT, Options, Report, median, run
from benchmarks.processes import Program, free_port, python, running
from benchmarks.publishing import PUBLISHERS, Publisher, Publishing
from benchmarks.signed_requests import Gateway
from gateway.journal.commit import INSERT, Row
from gateway.journal.connection import location, migrate, settle_in
from tests.postgres_server import postgres

BOOT = "5e1f00d0c0ffee42"
COUNTED = "count/v1"
Kept = Literal["records", "leaves"]
# What is acknowledged must survive a power cut; the rest is what an operator of a small server would set.
DURABLE = {
    "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "on",
    "shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min",
}  # fmt: skip
UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
BARE_TABLE = "CREATE TABLE bare (log TEXT, idx BIGINT, leaf BYTEA, PRIMARY KEY (log, idx))"
BARE_INSERT = (
    "INSERT INTO bare SELECT x.log, x.idx, x.leaf::bytea "
    "FROM json_to_recordset(%s::json) AS x(log text, idx bigint, leaf text)"
)
# (connections, records a request) of the two kinds of load, and requests of a connection (full, quick)
LARGE, SMALL = (8, 1000), (32, 5)
REQUESTS = {LARGE: (5, 1), SMALL: (40, 3)}


def executemany_rate(path: Path, rows: Sequence[Row], per_commit: int) -> float:
    """Rows a second into an empty journal, by nothing but BEGIN, executemany and COMMIT."""
    database = sqlite3.connect(location(path, "rwc"), uri=True, isolation_level=None)
    settle_in(database, 0)
    migrate(database, path)
    parts = [rows[at : at + per_commit] for at in range(0, len(rows), per_commit)]
    begun = time.perf_counter()
    for part in parts:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(INSERT, part)
        database.execute("COMMIT")
    seconds = time.perf_counter() - begun
    database.close()
    return len(rows) / seconds


def copy_rate(address: str, leaves: Sequence[bytes], per_commit: int) -> float:
    """Leaves a second into an empty PostgreSQL table with a primary key, by COPY."""
    with _empty_table(address) as connection:
        begun = time.perf_counter()
        for first in range(0, len(leaves), per_commit):
            part = enumerate(leaves[first : first + per_commit], first)
            text = "".join([f"log\t{index}\t\\\\x{leaf.hex()}\n" for index, leaf in part])
            with connection.transaction(), connection.cursor().copy("COPY bare FROM STDIN") as copy:
                copy.write(text)
        return len(leaves) / (time.perf_counter() - begun)


def insert_rate(address: str, leaves: Sequence[bytes], per_commit: int) -> float:
    """The same by one INSERT a commit, all its rows in one JSON parameter."""
    with _empty_table(address) as connection:
        begun = time.perf_counter()
        for first in range(0, len(leaves), per_commit):
            part = enumerate(leaves[first : first + per_commit], first)
            rows = [{"log": "log", "idx": index, "leaf": "\\x" + leaf.hex()} for index, leaf in part]
            with connection.transaction():
                connection.execute(BARE_INSERT, (msgspec.json.encode(rows).decode(),))
        return len(leaves) / (time.perf_counter() - begun)


@contextmanager
def _empty_table(address: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute(BARE_TABLE)
        yield connection


@contextmanager
def durable_postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL that keeps what it says, with its files in ``folder``; gives its address."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        with postgres(**DURABLE) as address:
            yield address
    finally:
        tempfile.tempdir = before


@contextmanager
def bare_endpoint(folder: Path, database: str, keeps: Kept = "records") -> Iterator[int]:
    """A bare endpoint on its own process and database; gives its port."""
    port = free_port()
    command = python("-m", "uvicorn", "benchmarks.bare_endpoint:app", "--port", str(port), *UVICORN)
    name = f"bare-{keeps}-{database.partition(':')[0]}"
    with running(Program(name, command, folder, {"BARE_DATABASE": database, "BARE_KEEPS": keeps})) as program:
        program.await_port(port)
        yield port


def counted_rate(broker: Broker, count: int, boot: int, publisher: Publisher) -> float:
    """Messages a second, from the first publish, to a plain paho consumer that counts them and does nothing else."""
    command = [str(word) for word in python("-m", "benchmarks.mqtt_counter", str(broker.port), str(count), COUNTED)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as counter:
        assert counter.stdout is not None
        try:
            assert counter.stdout.readline() == "0\n", "the counting consumer did not subscribe"
            so_far = [0]
            publishing = Publishing(
                broker, count, boot, "--prefix", COUNTED, progress=lambda: so_far[0], publisher=publisher
            )
            for line in counter.stdout:
                if "." in line:
                    return count / (float(line) - publishing.finish().began)
                so_far[0] = int(line)
            raise RuntimeError("the counting consumer ended early")
        finally:
            counter.kill()


def bare_start() -> float:
    """Seconds that a Python takes which imports what a gateway stands on, and ends."""
    libraries = "import aiosqlite, asyncio, cryptography.x509, httpx, msgspec, paho.mqtt.client, pydantic, sqlite3"
    begun = time.perf_counter()
    subprocess.run([str(word) for word in python("-c", libraries)], cwd=ROOT, check=True)
    return time.perf_counter() - begun


def load_rate(port: int, lanes: Sequence[Lane], per_request: int) -> float:
    """Records a second until every request of every lane is answered."""
    return sum(map(len, lanes)) * per_request / drive(port, lanes).seconds


def benchmark(options: Options, report: Report) -> None:
    """Every limit once."""
    _sqlite(options, report)
    with durable_postgres(options.folder) as address:
        leaves = samples.leaves(samples.mixed(options.size(40_000, 2000), BOOT))
        for name, way in (("COPY", copy_rate), ("one INSERT", insert_rate)):
            figure = median(options, partial(way, address, leaves, 1000))
            report.add(f"PostgreSQL {name}, 1000 a commit", figure, "rows/s")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("DROP TABLE bare")
        for kind, database in (("SQLite", f"sqlite:///{options.folder / 'endpoint.db'}"), ("PostgreSQL", address)):
            with bare_endpoint(options.folder, database) as port:
                _endpoint(options, report, port, kind)
    boots = itertools.count()
    with running_broker(options.folder) as broker:
        count = options.size(20_000, 1000)
        for publisher, words in PUBLISHERS.items():

            def rate(publisher: Publisher = publisher) -> float:
                return counted_rate(broker, count, next(boots), publisher)

            name = f"{words} to {broker.name} to a paho consumer that only counts, QoS 1"
            report.add(name, median(options, rate), "messages/s")


def _sqlite(options: Options, report: Report) -> None:
    files = itertools.count()
    for per_commit, sizes in {1: (600, 50), 100: (20_000, 400), 1000: (40_000, 2000)}.items():
        rows = samples.journal_rows(samples.mixed(options.size(*sizes), BOOT))

        def rate(rows: list[Row] = rows, per_commit: int = per_commit) -> float:
            return executemany_rate(options.folder / f"bare-{next(files)}.db", rows, per_commit)

        report.add(f"SQLite executemany, the journal's table, {per_commit} a commit", median(options, rate), "rows/s")


def _endpoint(options: Options, report: Report, port: int, database: str) -> None:
    for load, sizes in REQUESTS.items():
        connections, per_request = load
        gateways = [Gateway(number, f"bare/{connections}/{number}") for number in range(connections)]

        def rate(gateways: list[Gateway] = gateways, per: int = per_request, each: int = options.size(*sizes)) -> float:
            return load_rate(port, [one.requests(each, per) for one in gateways], per)

        name = f"bare endpoint on {database}, {per_request} a request, {connections} connections"
        report.add(name, median(options, rate), "records/s")


if __name__ == "__main__":
    sys.exit(run("The bare limits of this machine", benchmark))
