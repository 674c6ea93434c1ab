"""The port: the same words mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.database import DatabaseAwayError, Store, TakenError, Tx, UnstorableError
from cloud.migrations import MigrationError, migrate
from cloud.migrations.runner import Migration, known
from cloud.open_store import AddressError, open_store

LEAF = ("tenant_id", "log_no", "idx", "leaf", "leaf_hash")
PIECE = (
    "tenant_id", "log_no", "size", "old_size", "root", "frontier", "note", "cosignature", "cosigned_s", "quarantined",
)  # fmt: skip


class Base:
    """A store, and a loop to run it in."""

    def __init__(self, address: str) -> None:
        self.runner = asyncio.Runner()
        self.store: Store = open_store(address)

    def close(self) -> None:
        """Ends both."""
        self.runner.run(self.store.close())
        self.runner.close()


@pytest.fixture
def base(address: str) -> Iterator[Base]:
    """A database with a small table."""
    made = Base(address)
    create = "CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT, data BYTEA)"
    made.runner.run(made.store.run(lambda tx: tx.run(create)))
    yield made
    made.close()


def rows(tx: Tx) -> list[tuple[int, str | None, bytes | None]]:
    """All of the table."""
    return [(row[0], row[1], row[2]) for row in tx.all("SELECT id, name, data FROM things ORDER BY id")]


@pytest.mark.parametrize("count", [1, 3, 300])
def test_many_rows_go_in_together_whatever_they_hold(base: Base, count: int) -> None:
    nasty = ['a"b', "c\\d", "{e,f}", "g\th", "ü%s?", "", None]
    sent = [(2**40 + at, nasty[at % 7], bytes([0, 255, at % 256]) if at % 2 else None) for at in range(count)]

    written = base.runner.run(base.store.run(lambda tx: tx.insert("things", ("id", "name", "data"), sent)))

    assert written == count
    assert base.runner.run(base.store.read(rows)) == sent


@pytest.mark.parametrize("count", [1, 30])
def test_rows_that_are_there_already_are_not_counted(base: Base, count: int) -> None:
    sent = [(at, "x") for at in range(count)]
    conflict = "ON CONFLICT DO NOTHING"
    base.runner.run(base.store.run(lambda tx: tx.insert("things", ("id", "name"), sent[:1])))

    written = base.runner.run(base.store.run(lambda tx: tx.insert("things", ("id", "name"), sent, conflict)))

    assert written == count - 1


@pytest.mark.parametrize("count", [3, 300])
def test_a_claim_takes_what_is_free_and_says_whether_all_was(base: Base, count: int) -> None:
    sent = [(at, "x") for at in range(count)]

    first = base.runner.run(base.store.run(lambda tx: tx.claim("things", ("id", "name"), sent[1:])))
    second = base.runner.run(base.store.run(lambda tx: tx.claim("things", ("id", "name"), sent)))

    assert (first, second) == (True, False)
    assert [row[0] for row in base.runner.run(base.store.read(rows))] == list(range(count))


@pytest.mark.parametrize("count", [2, 300])
def test_rows_for_later_are_seen_by_the_next_statement(base: Base, count: int) -> None:
    def work(tx: Tx) -> list[int]:
        tx.later("things", ("id",), [(at,) for at in range(count)])
        numbers, again = tx.several(("SELECT COUNT(*) FROM things", ()), ("SELECT MAX(id) + ? FROM things", (1,)))
        tx.later("things", ("id",), [(count,)])
        return [numbers[0][0], again[0][0]]

    assert base.runner.run(base.store.run(work)) == [count, count]
    assert len(base.runner.run(base.store.read(rows))) == count + 1


def test_rows_for_later_whose_keys_are_taken_spoil_the_commit(base: Base) -> None:
    def work(tx: Tx) -> None:
        tx.insert("things", ("id",), [(1,)])
        tx.later("things", ("id",), [(2,), (1,)])

    with pytest.raises(TakenError):
        base.runner.run(base.store.run(work))

    assert base.runner.run(base.store.read(rows)) == []


def test_rows_for_later_are_undone_with_their_savepoint(base: Base) -> None:
    def work(tx: Tx) -> None:
        tx.later("things", ("id",), [(1,)])
        for last in (2, 3):
            try:
                with tx.savepoint():
                    tx.later("things", ("id",), [(last,)])
                    if last == 3:
                        tx.later("things", ("id",), [(1,)])
            except TakenError:
                continue

    base.runner.run(base.store.run(work))

    assert [row[0] for row in base.runner.run(base.store.read(rows))] == [1, 2]


def test_nothing_to_insert_is_no_statement(base: Base) -> None:
    assert base.runner.run(base.store.run(lambda tx: tx.insert("things", ("id",), []))) == 0


def test_rows_that_are_handed_in_can_be_joined(base: Base) -> None:
    base.runner.run(base.store.run(lambda tx: tx.insert("things", ("id", "name"), [(1, "a"), (2, "b"), (3, "c")])))
    wanted = "SELECT t.id FROM things t JOIN GIVEN(id bigint, name text) AS g ON g.id = t.id AND g.name = t.name"

    found = base.runner.run(base.store.read(lambda tx: tx.all(wanted, [[(1, "a"), (2, "x"), (3, "c")]])))

    assert sorted(found) == [(1,), (3,)]


def test_what_raises_leaves_nothing_behind(base: Base) -> None:
    def work(tx: Tx) -> None:
        tx.insert("things", ("id",), [(1,)])
        raise KeyError

    with pytest.raises(KeyError):
        base.runner.run(base.store.run(work))

    assert base.runner.run(base.store.read(rows)) == []


def test_a_savepoint_is_undone_alone_even_after_an_error_of_the_database(base: Base) -> None:
    def work(tx: Tx) -> None:
        tx.insert("things", ("id",), [(1,)])
        with pytest.raises(Exception, match=r"(?i)unique"), tx.savepoint():
            tx.insert("things", ("id",), [(2,)])
            with tx.savepoint():
                tx.insert("things", ("id",), [(1,)])
        with tx.savepoint():
            tx.insert("things", ("id",), [(3,)])

    base.runner.run(base.store.run(work))

    assert [row[0] for row in base.runner.run(base.store.read(rows))] == [1, 3]


def test_a_reader_cannot_write(base: Base) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        base.runner.run(base.store.read(lambda tx: tx.insert("things", ("id",), [(1,)])))


def test_two_that_lock_each_others_rows_both_get_through(base: Base) -> None:
    base.runner.run(base.store.run(lambda tx: tx.insert("things", ("id", "name"), [(1, ""), (2, "")])))
    both_hold_one = threading.Barrier(2)
    tries: list[int] = []

    def cross(first: int, second: int) -> None:
        def work(tx: Tx) -> None:
            tries.append(first)
            tx.run("UPDATE things SET name = name || 'x' WHERE id = ?", (first,))
            if tx.dialect == "postgresql" and tries.count(first) == 1:
                both_hold_one.wait(10)
            tx.run("UPDATE things SET name = name || 'x' WHERE id = ?", (second,))

        works.append(base.store.run(work))

    works: list[object] = []
    cross(1, 2)
    cross(2, 1)

    async def both() -> None:
        await asyncio.gather(*works)  # type: ignore[call-overload]

    base.runner.run(both())

    assert [row[1] for row in base.runner.run(base.store.read(rows))] == ["xx", "xx"]


def test_a_database_that_is_away_is_said_to_be_away() -> None:
    store = open_store("sqlite:////proc/nowhere/x.db")

    with pytest.raises(DatabaseAwayError):
        asyncio.run(store.run(rows))


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(AddressError, match="sqlite:///"):
        open_store("mysql://x")


def test_migrations_are_applied_once(base: Base) -> None:
    assert base.runner.run(migrate(base.store, 0)) == []


def test_a_migration_changed_afterwards_is_refused(base: Base) -> None:
    files = known()
    changed = [Migration(1, files[0].name, files[0].text + "-- x"), *files[1:]]

    with pytest.raises(MigrationError, match="changed after"):
        base.runner.run(migrate(base.store, 0, changed))


def test_a_database_newer_than_the_program_is_refused(base: Base) -> None:
    with pytest.raises(MigrationError, match="newer"):
        base.runner.run(migrate(base.store, 0, known()[:1]))


def test_a_migration_that_fails_leaves_no_half(base: Base) -> None:
    bad = Migration(len(known()) + 1, "bad.sql", "CREATE TABLE half (id BIGINT); CREATE TABLE half (id BIGINT)")

    with pytest.raises(Exception, match="half"):
        base.runner.run(migrate(base.store, 0, [*known(), bad]))

    assert base.runner.run(migrate(base.store, 0)) == []
    good = Migration(bad.number, "good.sql", "CREATE TABLE half (id BIGINT)")
    assert base.runner.run(migrate(base.store, 0, [*known(), good])) == ["good.sql"]


def test_two_programs_that_start_together_apply_each_migration_once(base: Base, address: str) -> None:
    extra = Migration(len(known()) + 1, "extra.sql", "CREATE TABLE extra (id BIGINT)")
    other = open_store(address)

    async def both() -> list[list[str]]:
        return await asyncio.gather(*(migrate(store, 0, [*known(), extra]) for store in (base.store, other)))

    applied = base.runner.run(both())
    base.runner.run(other.close())

    assert sorted(applied) == [[], ["extra.sql"]]


def test_leaves_and_checkpoints_outlive_the_move_into_long_rows(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'old.db'}")
    names = [one.name.partition("_")[2] for one in known()]
    before = known()[: names.index("long_rows.sql")]

    async def story() -> tuple[int, int]:
        await migrate(store, 0, before)
        await store.run(lambda tx: tx.insert("leaves", LEAF, [("t", 1, at, b"{}", bytes(32)) for at in range(3)]))
        await store.run(lambda tx: tx.insert("checkpoints", PIECE, [("t", 1, 3, 0, b"", b"", "", "", 0, 0)]))
        await migrate(store, 0)
        counts = await store.read(
            lambda tx: tx.several(("SELECT COUNT(*) FROM leaves", ()), ("SELECT COUNT(*) FROM checkpoints", ()))
        )
        await store.close()
        return counts[0][0][0], counts[1][0][0]

    assert asyncio.run(story()) == (3, 1)


def test_a_text_too_long_for_an_index_is_no_reason_to_come_again(base: Base) -> None:
    def work(tx: Tx) -> str:
        tx.run("CREATE UNIQUE INDEX names ON things (name)")
        long = "".join(hashlib.sha256(bytes([at])).hexdigest() for at in range(200))
        return "stored" if tx.insert("things", ("id", "name"), [(1, long)]) else ""

    try:
        outcome = base.runner.run(base.store.run(work))
    except UnstorableError:
        outcome = "unstorable"

    assert outcome == {"sqlite": "stored", "postgresql": "unstorable"}[base.store.dialect]
