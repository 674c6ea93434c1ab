"""The gateway's journal against raw executemany of the same rows into the same table with the same PRAGMAs.

`./run python benchmarks/journal.py [--quick] [--json]`. The journal encodes, checks, numbers, salts and hashes each
record and hands it over a thread; the limit is given finished rows and does nothing but write them.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks import reference, samples
from benchmarks.measure import Goal, Options, Report, Turn, alternate, run
from gateway.entropy import salt
from gateway.journal.store import Journal
from wire.records import Record

BOOT = "5e1f00d0c0ffee42"
AT_LEAST = {1: 0.25, 100: 0.40, 1000: 0.40}
RECORDS = {1: (600, 50), 100: (20_000, 400), 1000: (40_000, 2000)}
AT_ONCE = 100
FILES = itertools.count()


def benchmark(options: Options, report: Report) -> None:
    """One row a size of commit, and one for many that append at once."""
    for per_commit, sizes in RECORDS.items():
        goal = Goal("min", AT_LEAST[per_commit], "ratio")
        turn = compare(options, options.size(*sizes), per_commit)
        report.add_turn(f"journal append, {per_commit} a commit, to raw executemany", turn, "records/s", goal)
    turn = compare(options, options.size(20_000, 400), AT_ONCE, one_by_one=True)
    report.add_turn(f"journal append, {AT_ONCE} who append 1 at once", turn, "records/s")


def compare(options: Options, count: int, per_commit: int, *, one_by_one: bool = False) -> Turn:
    """The journal and the raw table in turns. ``one_by_one``: the journal makes its groups from single appends."""
    records = samples.mixed(count, BOOT)
    rows = samples.journal_rows(records)

    def product(number: int) -> float:
        path = options.folder / f"journal-{number}.db"
        return append_rate(path, records, 1, per_commit) if one_by_one else append_rate(path, records, per_commit)

    def limit(number: int) -> float:
        return reference.executemany_rate(options.folder / f"bare-{number}.db", rows, per_commit)

    return alternate(options, partial(next, FILES), product, limit)


def append_rate(path: Path, records: list[Record], per_commit: int, at_once: int = 1) -> float:
    """Records a second through ``append``, which returns after the synced commit; ``at_once`` callers take turns."""
    return asyncio.run(_append_all(path, records, per_commit, at_once))


async def _append_all(path: Path, records: list[Record], per_commit: int, at_once: int) -> float:
    journal = await Journal.open(path, boot=BOOT, salt=salt, demo=True)
    parts = iter([records[at : at + per_commit] for at in range(0, len(records), per_commit)])

    async def one() -> None:
        for part in parts:
            await journal.append(part)

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(at_once)))
    seconds = time.perf_counter() - begun
    await journal.close()
    return len(records) / seconds


if __name__ == "__main__":
    sys.exit(run("The gateway's journal against raw executemany", benchmark))
