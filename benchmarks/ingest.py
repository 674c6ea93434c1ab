"""The cloud's ingest against bare endpoints that believe everything: the same requests, on both databases.

`./run python benchmarks/ingest.py [--quick] [--json]`. From the first byte of a POST to the cosignature: the signature
verified, leaves hashed, the root recomputed, duplicates found, ledgers posted, all committed durably. The goals stand
against the bare endpoint that keeps records (`bare_endpoint.py`); the one that throws leaves into a table is shown as
well. All run in one process of uvicorn each and get the very same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from benchmarks.cloud_process import Cloud, running_cloud
from benchmarks.http_load import Lane
from benchmarks.measure import Goal, Options, Report, Turn, alternate, median_turn, run
from benchmarks.reference import bare_endpoint, durable_postgres, load_rate
from benchmarks.signed_requests import Gateway

DATABASES = ("SQLite", "PostgreSQL")
# records a request: (connections, requests of each, quick requests of each, goal)
LOADS = {
    1000: (8, 5, 1, Goal("min", 0.40, "ratio")),
    100: (8, 25, 2, None),
    5: (32, 40, 3, Goal("min", 0.45, "ratio")),
}
NO_DEARER = Goal("min", 1.0, "ratio")


class Side(NamedTuple):
    """What is compared on one database: the cloud, and the ports of the two bare endpoints."""

    cloud: Cloud
    records: int
    leaves: int


class Sent(NamedTuple):
    """One turn: what was sent, and the rates of the cloud and of the endpoint that keeps leaves."""

    lanes: Sequence[Lane]
    cloud: float
    leaves: float


def benchmark(options: Options, report: Report) -> None:
    """Both databases, one after the other."""
    for name in DATABASES:
        with databases(options, name) as (address, *bare), running_cloud(options.folder, address) as cloud:
            gateways = cloud.gateways(options.size(32, 4))
            if name == "PostgreSQL":
                analyse(address)
            with (
                bare_endpoint(options.folder, bare[0], "records") as records,
                bare_endpoint(options.folder, bare[1], "leaves") as leaves,
            ):
                measure(options, report, name, Side(cloud, records, leaves), gateways)


@contextmanager
def databases(options: Options, name: str) -> Iterator[tuple[str, str, str]]:
    """The addresses of the cloud's database and of the bare endpoints', side by side on one disk."""
    if name == "SQLite":
        cloud, records, leaves = (f"sqlite:///{options.folder / one}.db" for one in ("cloud", "records", "leaves"))
        yield cloud, records, leaves
        return
    with durable_postgres(options.folder) as address:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE DATABASE records")
            connection.execute("CREATE DATABASE leaves")
        server = address.rpartition("/")[0]
        yield address, f"{server}/records", f"{server}/leaves"


def analyse(address: str) -> None:
    """What autovacuum does within the first minute of a database's life."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("ANALYZE")


def measure(options: Options, report: Report, name: str, side: Side, gateways: Sequence[Gateway]) -> None:
    """Every size of request against both bare endpoints, and sending the largest all again."""
    for per, (connections, each, quick, goal) in LOADS.items():
        sent: list[Sent] = []
        turn = compare(options, gateways[:connections], options.size(each, quick), per, side, sent)
        load = (
            f"{name}: POST entries to cosignature, {per} a request from {min(connections, len(gateways))} connections"
        )
        report.add_turn(load, turn, "records/s", goal)
        to_leaves = median_turn([Turn(one.cloud, one.leaves) for one in sent])
        report.add_turn(f"{load}, to leaves in a table", to_leaves, "records/s")
        if per == max(LOADS):
            again = [Turn(load_rate(side.cloud.port, one.lanes, per), one.cloud) for one in sent]
            said = f"{name}: all of that sent again, to new records"
            report.add_turn(said, median_turn(again), "records/s", NO_DEARER)


def compare(options: Options, gateways: Sequence[Gateway], each: int, per: int, side: Side, sent: list[Sent]) -> Turn:
    """The cloud and the bare endpoint that keeps records, in turns; ``sent`` keeps what else was measured."""

    def product(lanes: Sequence[Lane]) -> float:
        rate = load_rate(side.cloud.port, lanes, per)
        sent.append(Sent(lanes, rate, load_rate(side.leaves, lanes, per)))
        return rate

    return alternate(
        options,
        lambda: [gateway.requests(each, per) for gateway in gateways],
        product,
        lambda lanes: load_rate(side.records, lanes, per),
    )


if __name__ == "__main__":
    sys.exit(run("The cloud's ingest against a bare endpoint", benchmark))
