"""A real writer process, killed and starved: what it acknowledged is on the disk, and it goes on by itself."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.desk import a_journal, play
from wire.log import leaf_hash
from wire.records import Reading, decode

ROUNDS = 8


@contextmanager
def a_writer(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The process; killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gateway.writer", str(folder), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert read(process).startswith("open")
        yield process
    finally:
        process.kill()
        process.communicate()


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def stored(folder: Path) -> list[Reading]:
    """What the journal holds, every hash checked."""

    async def main() -> list[Reading]:
        async with a_journal(folder, "e" * 16) as journal:
            rows = await journal.read(lambda db: db.execute("SELECT leaf, hash FROM records ORDER BY id").fetchall())
        assert all(leaf_hash(leaf) == hashed for leaf, hashed in rows)
        records = [decode(leaf) for leaf, _ in rows]
        return [record for record in records if isinstance(record, Reading)]

    return play(main())


def test_what_a_killed_process_acknowledged_is_there_in_order_and_without_gaps(tmp_path: Path) -> None:
    acknowledged: list[tuple[str, int, int]] = []
    for round_ in range(ROUNDS):
        with a_writer(tmp_path) as process:
            tell(process, "append 100000")
            for _ in range(30 + 37 * round_):
                _, boot, n, number = read(process).split()
                acknowledged.append((boot, int(n), int(number)))
            process.kill()

    held = stored(tmp_path)

    assert {(record.ep, record.n, record.value) for record in held} >= set(acknowledged)
    for boot in {boot for boot, _, _ in acknowledged}:
        mine = [record for record in held if record.ep == boot]
        assert [record.n for record in mine] == list(range(1, len(mine) + 1))
        assert [record.value for record in mine] == list(range(1, len(mine) + 1))


def test_a_disk_without_room_stops_acknowledgements_and_loses_nothing(tmp_path: Path) -> None:
    with a_writer(tmp_path) as process:
        tell(process, "append 50")
        before = [read(process) for _ in range(50)]
        tell(process, f"narrow {(tmp_path / 'journal.db-wal').stat().st_size}")
        assert read(process) == "narrow"
        tell(process, "append 20")
        during = [read(process) for _ in range(20)]

        tell(process, "widen")
        assert read(process) == "wide"
        after = until_acknowledged(process)
        tell(process, "close")

    acknowledged = [line for line in [*before, *during, *after] if line.startswith("ack")]
    assert any(line.startswith("refused") for line in during)
    held = stored(tmp_path)
    numbers = [int(line.split()[3]) for line in acknowledged]
    assert set(numbers) <= {record.value for record in held}
    assert [record.n for record in held] == list(range(1, len(held) + 1))


def until_acknowledged(process: subprocess.Popen[str]) -> list[str]:
    """Appends until the journal takes one again; each refusal is quick, and its rest is a second."""
    lines: list[str] = []
    for _ in range(2_000_000):
        tell(process, "append 1")
        lines.append(read(process))
        if lines[-1].startswith("ack"):
            return lines
    raise AssertionError("the journal never took a record again")


def test_the_quota_is_a_full_disk_that_ends_when_room_is_made(tmp_path: Path) -> None:
    with a_writer(tmp_path, "1") as process:
        tell(process, "append 6000")
        lines = [read(process) for _ in range(6000)]
        tell(process, "probe")
        assert read(process) == "state full"

    acknowledged = [line for line in lines if line.startswith("ack")]
    refused = [line for line in lines if line.startswith("refused")]
    assert 500 < len(acknowledged) < 5000
    assert {line.split()[1] for line in refused} == {"JournalFull"}
    assert lines == [*acknowledged, *refused]
    assert len(stored(tmp_path)) == len(acknowledged)
    assert (tmp_path / "journal.db").stat().st_size <= 1024 * 1024
    db = sqlite3.connect(tmp_path / "journal.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
