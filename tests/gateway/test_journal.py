"""The journal: what was acknowledged is there, once, in order, whatever happened in between."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from gateway.journal.connection import JournalRefusedError, file_system, migrate, migrations
from gateway.journal.store import Journal
from gateway.ports import NotStored, RecordRefused
from tests.gateway.desk import BOOT, START, a_journal, draw, intent, play, reading, readings
from wire.canonical import Deepest
from wire.ids import RecordKey
from wire.records import GatewayEvent, Record, decode

OTHER_BOOT = "d" * 16


async def held(journal: Journal) -> list[Record]:
    rows = await journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
    return [decode(row[0]) for row in rows]


def test_each_device_counts_from_one_without_gaps(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            keys = await journal.append([reading(1), reading(2, src="meter-2"), reading(3)])

            assert keys == [RecordKey("meter-1", BOOT, 1), RecordKey("meter-2", BOOT, 1), RecordKey("meter-1", BOOT, 2)]

    play(main())


def test_what_was_told_twice_is_stored_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            first = await journal.append([reading(1, did="7/1"), reading(2, did="7/2")])
            again = await journal.append([reading(2, did="7/2"), reading(3, did="7/3"), reading(3, did="7/3")])

            assert again == [first[1], RecordKey("meter-1", BOOT, 3), RecordKey("meter-1", BOOT, 3)]
            assert [record.n for record in await held(journal)] == [1, 2, 3]

    play(main())


def test_what_was_told_before_a_crash_is_known_after_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            first = await journal.append([reading(1, did="7/1")])
            await journal.abandon()
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            again = await journal.append([reading(1, boot=OTHER_BOOT, did="7/1")])

            assert again == first

    play(main())


def test_one_identity_at_two_devices_is_two_events(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append([reading(1, did="7/1"), reading(1, src="meter-2", did="7/1")])

            assert len(await held(journal)) == 2

    play(main())


def test_what_waits_is_committed_together_and_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            tasks = [asyncio.create_task(journal.append([reading(number)])) for number in range(250)]
            keys = [key for (key,) in await asyncio.gather(*tasks)]

            assert [key.n for key in keys] == list(range(1, 251))
            assert [record.m for record in await held(journal)] == list(range(250))
            assert journal.stats().commits <= 4

    play(main())


def test_a_record_without_a_leaf_is_refused_alone(tmp_path: Path) -> None:
    bad = msgspec.structs.replace(reading(2), unit="k\x00Wh")

    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            results = await asyncio.gather(
                journal.append([reading(1)]),
                journal.append([reading(2), bad]),
                journal.append([reading(3)]),
                return_exceptions=True,
            )

            assert isinstance(results[1], RecordRefused)
            assert [(record.n, record.m) for record in await held(journal)] == [(1, 1), (2, 3)]

    play(main())


@pytest.mark.parametrize("value", [1.5, 2**53, None, "12"])
def test_a_value_of_the_wrong_type_never_reaches_the_disk(tmp_path: Path, value: object) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            with pytest.raises(RecordRefused):
                await journal.append([msgspec.structs.replace(reading(1), value=value)])

            assert await held(journal) == []

    play(main())


def test_a_record_of_another_boot_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            with pytest.raises(RecordRefused, match="not of this boot"):
                await journal.append([reading(1, boot=OTHER_BOOT)])

    play(main())


def test_a_boot_learns_how_far_the_one_before_had_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append([*readings(5), reading(9, src="cab-1")])
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            previous = journal.opened.previous

        assert previous is not None
        assert (previous.boot, previous.last) == (BOOT, [("cab-1", 1), ("meter-1", 5)])

    play(main())


def test_an_intent_is_open_until_its_draw_is_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            (key,) = await journal.append([intent()])
            await journal.append([intent(slot="8")])
            await journal.mark_commanded(key)
            await journal.abandon()
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            attempts = await journal.open_attempts()
            assert [(one.key.n, one.intent.slot, one.commanded) for one in attempts] == [
                (1, "7", True),
                (2, "8", False),
            ]

            await journal.append([draw(f"{key.ep}/{key.n}", OTHER_BOOT)])

            assert [one.intent.slot for one in await journal.open_attempts()] == ["8"]

    play(main())


def test_closing_commits_what_waits_and_takes_nothing_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            tasks = [asyncio.create_task(journal.append([reading(number)])) for number in range(30)]
            await asyncio.wait(tasks, timeout=0)
            await journal.close()

            assert len(await asyncio.gather(*tasks)) == 30
            with pytest.raises(NotStored, match="stopping"):
                await journal.append([reading(31)])
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            assert len(await held(journal)) == 30

    play(main())


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path):
            with pytest.raises(JournalRefusedError, match="another process"):
                async with a_journal(tmp_path):
                    pass

    play(main())


def test_a_disk_that_forgets_is_refused_unless_it_is_a_demo(tmp_path: Path) -> None:
    mounts = "/dev/sda1 / ext4 rw 0 0\noverlay /data overlay rw 0 0\ntmpfs /data/my\\040run tmpfs rw 0 0\n"

    assert file_system(Path("/data/journal"), mounts) == "overlay"
    assert file_system(Path("/database"), mounts) == "ext4"
    assert file_system(Path("/data/my run/x"), mounts) == "tmpfs"


def test_a_migration_keeps_a_copy_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, path)
    db.execute("INSERT INTO records (src, ep, n, leaf, hash) VALUES ('a', 'b', 1, x'00', x'01')")

    migrate(db, path, [*migrations(), (2, "CREATE TABLE more (x INTEGER);")])

    copy = sqlite3.connect(tmp_path / "journal.db.before-0002")
    assert copy.execute("SELECT count(*) FROM records").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM more").fetchone() == (0,)
    db.close()
    copy.close()


def test_a_journal_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA user_version=99")
    db.close()

    async def main() -> None:
        with pytest.raises(JournalRefusedError, match="newer version"):
            async with a_journal(tmp_path):
                pass

    play(main())


def test_a_boot_record_with_many_counters_fits_a_leaf(tmp_path: Path) -> None:
    pairs: list[Deepest] = [[f"device-{number:03}", 2**40] for number in range(80)]
    event = GatewayEvent(
        v=1, z="", src="gw-1", ep=BOOT, n=0, t=START, ts="S", b=BOOT, m=0, event="boot", data={"last": pairs}
    )  # fmt: skip

    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append([event])

    play(main())
