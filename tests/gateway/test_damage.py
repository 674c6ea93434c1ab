"""Damage on the disk: said loudly, moved aside, and what is sound of it goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.journal import check
from gateway.journal.verifying import verify
from tests.gateway.desk import a_journal, an_uplink, cosigned, new_cloud, play, reading, readings

OTHER_BOOT = "d" * 16
THIRD_BOOT = "f" * 16


def flip_a_byte(folder: Path, record: int) -> None:
    """One bit of one leaf, behind the journal's back."""
    db = sqlite3.connect(folder / "journal.db")
    leaf = bytearray(db.execute("SELECT leaf FROM records WHERE id = ?", (record,)).fetchone()[0])
    db.close()
    data = (folder / "journal.db").read_bytes()
    at = data.index(bytes(leaf)) + len(leaf) // 2
    (folder / "journal.db").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_one_flipped_bit_costs_one_record(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(50))
        flip_a_byte(tmp_path, 20)
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            salvaged = journal.opened.salvaged
            assert salvaged is not None
            assert (salvaged.kept, salvaged.spoilt) == (49, 1)
            assert salvaged.moved_to == str(tmp_path / "journal.db.damaged-1")

            (key,) = await journal.append([reading(1, boot=OTHER_BOOT)])

            assert key.n == 1

    play(main())


@pytest.mark.parametrize(
    "spoilt",
    [
        "UPDATE records SET src = CAST(x'6dff' AS TEXT) WHERE id = 20",
        "UPDATE records SET n = 'many' WHERE id = 20",
        "UPDATE records SET leaf = 'no bytes' WHERE id = 20",
    ],
)
def test_a_value_of_another_kind_is_no_reason_not_to_start(tmp_path: Path, spoilt: str) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(50))
        db = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        db.execute(spoilt)
        assert check.damaged_after(db, 0, 100) == ([20], 50)
        assert "record 20 has changed on the disk: its hash does not fit" in verify(db, None).findings
        db.close()

        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            salvaged = journal.opened.salvaged
            assert salvaged is not None
            assert (salvaged.kept, salvaged.spoilt) == (49, 1)

    play(main())


def test_a_log_whose_row_is_spoilt_begins_again_from_the_mirror(tmp_path: Path) -> None:
    cloud = new_cloud()

    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(20))
            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 20)
        db = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        db.execute("UPDATE logs SET log = 5, cosigned = 'all'")
        db.execute("UPDATE records SET hash = x'00' WHERE id = 20")
        db.close()

        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            await journal.append([reading(99, boot=OTHER_BOOT)])
            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 21)

        assert len(cloud.leaves) == len(set(cloud.leaves)) == 21

    play(main())


def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"not a database, but somebody's holiday photograph" * 100)

    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            assert journal.opened.salvaged is not None
            assert len(await journal.append(readings(2))) == 2

    play(main())
    assert (tmp_path / "journal.db.damaged-1").read_bytes().startswith(b"not a database")


def test_a_complaint_that_cites_damaged_bytes_is_a_complaint_all_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(50))
        data = (tmp_path / "journal.db").read_bytes()
        (tmp_path / "journal.db").write_bytes(data.replace(b"CREATE TABLE records", b"CREATE T\xa0BLE records"))

        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            assert journal.opened.salvaged is not None
            assert len(await journal.append([reading(1, boot=OTHER_BOOT)])) == 1

    play(main())


def test_half_a_file_gives_what_can_be_read(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(400))
        whole = (tmp_path / "journal.db").read_bytes()
        (tmp_path / "journal.db").write_bytes(whole[: len(whole) // 8192 * 4096])
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            assert journal.opened.salvaged is not None
            assert len(await journal.append([reading(1, boot=OTHER_BOOT)])) == 1

    play(main())


def test_what_was_lost_of_the_log_comes_back_from_the_mirror(tmp_path: Path) -> None:
    cloud = new_cloud()

    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            for number in range(6):
                await journal.append(readings(10, first=number * 10))
                async with an_uplink(journal, cloud) as uplink:
                    await cosigned(uplink, number * 10 + 10)
        before = list(cloud.leaves)
        flip_a_byte(tmp_path, 35)
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            await journal.append([reading(99, boot=OTHER_BOOT)])
            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 61)
            leaves = await journal.read(lambda db: db.execute("SELECT leaf FROM records").fetchall())

        assert cloud.leaves[:60] == before
        assert {leaf for (leaf,) in leaves} == set(cloud.leaves)
        assert all(len(notes) == 1 for notes in cloud.notes.values())

    play(main())


def test_the_background_check_finds_what_sqlite_does_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(10))
        flip_a_byte(tmp_path, 4)
        db = sqlite3.connect(tmp_path / "journal.db")
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

        assert check.damaged_after(db, 0, 100) == ([4], 10)

        db.close()

    play(main())


def test_what_stands_for_records_that_are_gone_is_taken_over_too(tmp_path: Path) -> None:
    kept, other = b'{"src":"cab-1","ep":"e","n":1}', b'{"src":"cab-1","ep":"e","n":7}'

    async def main() -> None:
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(50))
        db = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        db.execute("INSERT INTO goods (ep, src, n, id, leaf) VALUES ('e', 'cab-1', 1, -2, ?)", (kept,))
        db.execute("INSERT INTO goods (ep, src, n, id, leaf) VALUES ('e', 'cab-1', 2, -1, ?)", (other,))
        db.close()
        flip_a_byte(tmp_path, 20)

        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            rows = await journal.read(lambda db: db.execute("SELECT n, id, leaf FROM goods").fetchall())

        assert rows == [(1, -2, kept)]

    play(main())
