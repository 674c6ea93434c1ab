"""The long runs: ``python -m tests.fuzz --inputs 1000000`` (codecs, minutes each), ``--entrances 20000`` (inputs of
each parser), ``--requests 500`` (rounds over every operation of the API), ``--pages 2000`` (rounds over every page of
the cloud); ``--only NAME`` and ``--seed`` narrow them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cloud.databases import _migrate
from tests.cloud.twins import CloudTwin
from tests.fuzz.attack import attack
from tests.fuzz.cloud_pages import PageAttack
from tests.fuzz.codecs import all_codecs
from tests.fuzz.entrances import ENTRANCES
from tests.fuzz.fuzzing import FoundError, fuzz
from tests.fuzz.requests import Attack
from tests.fuzz.shop import shop


def main() -> int:
    """What is asked for; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=0, help="inputs a codec")
    parser.add_argument("--entrances", type=int, default=0, help="inputs a parser")
    parser.add_argument("--requests", type=int, default=0, help="rounds over the API")
    parser.add_argument("--pages", type=int, default=0, help="rounds over the cloud's pages")
    parser.add_argument("--only", "--codec", default="", help="only this codec or parser")
    parser.add_argument("--seed", default="long", help="another seed is another million")
    given = parser.parse_args()
    if not (given.inputs or given.entrances or given.requests or given.pages):
        given.inputs = 1_000_000
    found = [*_codecs(given), *_entrances(given), *_cloud(given)]
    sys.stderr.write("\n".join([*found, f"{len(found)} found"]) + "\n")
    return 1 if found else 0


def _codecs(given: argparse.Namespace) -> Iterator[str]:
    for codec in all_codecs() if given.inputs else ():
        if given.only in ("", codec.name):
            try:
                lines = fuzz(codec, given.inputs, given.seed)
                sys.stderr.write(f"{codec.name}: {given.inputs} inputs, {lines} lines reached, nothing found\n")
            except FoundError as error:
                yield str(error)


def _entrances(given: argparse.Namespace) -> Iterator[str]:
    for one in ENTRANCES if given.entrances else ():
        if given.only in ("", one.name):
            try:
                tried = attack(one, given.entrances, given.seed)
                sys.stderr.write(f"{one.name}: {tried} inputs, nothing found\n")
            except FoundError as error:
                yield str(error)


def _cloud(given: argparse.Namespace) -> Iterator[str]:
    kinds: tuple[tuple[str, int, type[Attack | PageAttack]], ...] = (
        ("requests", given.requests, Attack), ("pages", given.pages, PageAttack),
    )  # fmt: skip
    for name, rounds, kind in kinds:
        if rounds:
            with _a_cloud() as cloud:
                run = kind(cloud, shop(cloud))
                run.run(rounds, given.seed)
                sys.stderr.write(f"{name}: {run.statuses}\n")
                yield from run.wrong


@contextmanager
def _a_cloud() -> Iterator[CloudTwin]:
    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{folder}/cloud.db"
        asyncio.run(_migrate(address))
        with CloudTwin(address, Path(folder) / "state") as cloud:
            yield cloud


if __name__ == "__main__":
    sys.exit(main())
