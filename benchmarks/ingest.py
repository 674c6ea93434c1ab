"""The cloud's ingest against a bare endpoint that believes everything: the same requests, on both databases.

`./run python benchmarks/ingest.py [--quick] [--json]`. From the first byte of a POST to the cosignature: the signature
verified, leaves hashed, the root recomputed, duplicates found, ledgers posted, all committed durably. The bare endpoint
reads the records, keeps them under their key, indexes them and adds up a balance for each device, durably too, without
any check (bare_endpoint.py, build "records"). Both run in one process of uvicorn and get the very same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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


def benchmark(options: Options, report: Report) -> None:
    """Both databases, one after the other."""
    for name in DATABASES:
        with (
            databases(options, name) as (address, bare_address),
            running_cloud(options.folder, address) as cloud,
            bare_endpoint(options.folder, bare_address) as bare,
        ):
            measure(options, report, name, cloud, bare)


@contextmanager
def databases(options: Options, name: str) -> Iterator[tuple[str, str]]:
    """The address of the cloud's database and of the bare endpoint's, side by side on one disk."""
    if name == "SQLite":
        yield f"sqlite:///{options.folder / 'cloud.db'}", f"sqlite:///{options.folder / 'bare.db'}"
        return
    with durable_postgres(options.folder) as address:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE DATABASE bare")
        yield address, address.rpartition("/")[0] + "/bare"


def measure(options: Options, report: Report, name: str, cloud: Cloud, bare: int) -> None:
    """Every size of request; a row for each, and one for sending the largest all again."""
    gateways = cloud.gateways(options.size(32, 4))
    for per, (connections, each, quick, goal) in LOADS.items():
        sent: list[tuple[Sequence[Lane], float]] = []
        turn = compare(options, gateways[:connections], options.size(each, quick), per, cloud, bare, sent)
        load = f"{per} a request from {min(connections, len(gateways))} connections"
        report.add_turn(f"{name}: POST entries to cosignature, {load}", turn, "records/s", goal)
        if per == max(LOADS):
            again = [Turn(load_rate(cloud.port, lanes, per), new) for lanes, new in sent]
            said = f"{name}: all of that sent again, to new records"
            report.add_turn(said, median_turn(again), "records/s", NO_DEARER)


def compare(
    options: Options,
    gateways: Sequence[Gateway],
    each: int,
    per: int,
    cloud: Cloud,
    bare: int,
    sent: list[tuple[Sequence[Lane], float]],
) -> Turn:
    """The cloud and the bare endpoint in turns; ``sent`` keeps what the cloud was sent, and its rate."""

    def product(lanes: Sequence[Lane]) -> float:
        rate = load_rate(cloud.port, lanes, per)
        sent.append((lanes, rate))
        return rate

    return alternate(
        options,
        lambda: [gateway.requests(each, per) for gateway in gateways],
        product,
        lambda lanes: load_rate(bare, lanes, per),
    )


if __name__ == "__main__":
    sys.exit(run("The cloud's ingest against a bare endpoint", benchmark))
