"""One contract, two disks: what the simulator's disk promises is what SQLite on a real file promises.

Each test runs against the real journal (a thread, a file) and the simulated one, or the real cloud store and the
simulated one. A power cut of a real file is a copy of what lies on the disk while the program still runs.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cloud.database import DatabaseAwayError, TakenError, Tx
from firmware_sim import faults
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway.journal import sealing
from gateway.journal.connection import settle_in, transaction
from gateway.journal.store import Journal
from gateway.ports import JournalFull, NotStored, RecordRefused
from tests.gateway.desk import ORIGIN, SEED, reading, readings
from tests.simulation.contract_machines import Machine, Play, SimulatedMachine
from tests.simulation.disk import failure
from tests.simulation.life import PowerCut
from wire.seal import Signer

COUNT = "SELECT count(*) FROM records"


async def count(journal: Journal) -> int:
    return int(await journal.read(lambda db: db.execute(COUNT).fetchone()[0]))


def test_what_append_has_returned_survives_a_power_cut(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        journal = await machine.journal()
        keys = await journal.append(readings(3))
        await machine.cut()

        assert [key.n for key in keys] == [1, 2, 3]
        assert await count(await machine.journal()) == 3

    on_a_machine(script)


def test_an_append_that_nobody_was_told_of_is_there_whole_or_not_at_all(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        journal = await machine.journal()
        waiting = asyncio.ensure_future(journal.append(readings(5)))
        await asyncio.sleep(0)
        await machine.cut()
        waiting.cancel()
        with suppress(asyncio.CancelledError, NotStored, PowerCut):
            await waiting

        assert await count(await machine.journal()) in (0, 5)

    on_a_machine(script)


def test_numbers_go_on_where_they_were(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        await (await machine.journal()).append(readings(3))
        await machine.cut()
        (key,) = await (await machine.journal()).append([reading(9)])

        assert key.n == 4

    on_a_machine(script)


def test_an_event_told_again_is_held_once_across_a_power_cut(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        (first,) = await (await machine.journal()).append([reading(1, did="e-1")])
        await machine.cut()
        journal = await machine.journal()
        again = await journal.append([reading(1, did="e-1")])

        assert (again, await count(journal)) == ([first], 1)

    on_a_machine(script)


def test_a_record_that_has_no_leaf_leaves_no_gap(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        journal = await machine.journal()
        with pytest.raises(RecordRefused):
            await journal.append([reading(1), reading(2, boot="another")])
        (key,) = await journal.append([reading(3)])

        assert (key.n, await count(journal)) == (1, 1)

    on_a_machine(script)


def test_what_raises_inside_a_transaction_leaves_nothing(on_a_machine: Play) -> None:
    def half(db: sqlite3.Connection) -> None:
        with transaction(db):
            db.execute("INSERT INTO mirrored (idx, leaf) VALUES (1, x'00')")
            raise ValueError

    async def script(machine: Machine) -> None:
        journal = await machine.journal()
        with pytest.raises(ValueError):  # noqa: PT011 - raised above
            await journal.change(half)

        assert await journal.read(lambda db: db.execute("SELECT count(*) FROM mirrored").fetchone()) == (0,)

    on_a_machine(script)


def test_a_reader_cannot_write(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        journal = await machine.journal()
        with pytest.raises(NotStored):
            await journal.read(lambda db: db.execute("INSERT INTO mirrored (idx, leaf) VALUES (1, x'00')").fetchall())

    on_a_machine(script)


def test_work_goes_on_when_nobody_waits_for_it(on_a_machine: Play) -> None:
    begun: list[bool] = []

    def put(db: sqlite3.Connection) -> None:
        begun.append(True)
        db.execute("INSERT INTO mirrored (idx, leaf) VALUES (1, x'00')")

    async def script(machine: Machine) -> None:
        journal = await machine.journal()
        waiting = asyncio.ensure_future(journal.change(put))
        for _ in range(10_000):
            if begun:
                break
            await asyncio.sleep(0.001)
        waiting.cancel()
        await asyncio.sleep(1)

        assert await journal.read(lambda db: db.execute("SELECT count(*) FROM mirrored").fetchone()) == (1,)

    on_a_machine(script)


def test_a_quota_stops_records_and_neither_seals_nor_reading(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        journal = await machine.journal(quota_mb=1)
        with pytest.raises(JournalFull):
            for piece in range(200):
                await journal.append(readings(50, first=50 * piece))
        held = await count(journal)
        state = await journal.change(sealing.open_log, ORIGIN)
        state, note = await journal.change(sealing.seal, state, 100, Signer(ORIGIN, SEED).sign)

        assert (held % 50, state.sealed, bool(note)) == (0, 100, True)

    on_a_machine(script)


def test_an_index_and_its_note_survive_together(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        journal = await machine.journal()
        await journal.append(readings(4))
        state = await journal.change(sealing.open_log, ORIGIN)
        await journal.change(sealing.seal, state, 100, Signer(ORIGIN, SEED).sign)
        await machine.cut()
        journal = await machine.journal()
        state = await journal.change(sealing.open_log, ORIGIN)

        assert state.sealed == 4
        assert await journal.change(sealing.note_at, state, 4)

    on_a_machine(script)


# The cloud's store


def put(*numbers: int) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        tx.run("CREATE TABLE IF NOT EXISTS t (x BIGINT PRIMARY KEY)")
        tx.insert("t", ("x",), [(number,) for number in numbers])

    return work


def held(tx: Tx) -> list[int]:
    return [row[0] for row in tx.all("SELECT x FROM t ORDER BY x")]


def test_what_run_has_returned_survives_a_power_cut(on_a_machine: Play) -> None:
    async def script(machine: Machine) -> None:
        await (await machine.store()).run(put(1, 2))
        await machine.cut()

        assert await (await machine.store()).read(held) == [1, 2]

    on_a_machine(script)


def test_work_that_raises_leaves_nothing_in_the_store(on_a_machine: Play) -> None:
    def half(tx: Tx) -> None:
        put(3)(tx)
        raise ValueError

    async def script(machine: Machine) -> None:
        store = await machine.store()
        await store.run(put(1))
        with pytest.raises(ValueError):  # noqa: PT011 - raised above
            await store.run(half)

        assert await store.read(held) == [1]

    on_a_machine(script)


def test_a_savepoint_is_undone_alone(on_a_machine: Play) -> None:
    def work(tx: Tx) -> None:
        put(2)(tx)
        with suppress(TakenError), tx.savepoint():
            tx.insert("t", ("x",), [(3,), (1,)])

    async def script(machine: Machine) -> None:
        store = await machine.store()
        await store.run(put(1))
        await store.run(work)

        assert await store.read(held) == [1, 2]

    on_a_machine(script)


def test_a_full_database_is_away_and_keeps_what_it_has(on_a_machine: Play) -> None:
    def fill(tx: Tx) -> None:
        tx.one("PRAGMA max_page_count=1")
        tx.insert("t", ("x",), [(number,) for number in range(10, 20_000)])

    async def script(machine: Machine) -> None:
        store = await machine.store()
        await store.run(put(1))
        with pytest.raises(DatabaseAwayError):
            await store.run(fill)

        assert await store.read(held) == [1]

    on_a_machine(script)


# What only the model can be asked: how the hardware behaves where a real disk cannot be told to


async def opened(folder: Path) -> tuple[SimulatedMachine, Journal]:
    machine = SimulatedMachine(folder)
    return machine, await machine.journal()


def simulated(script: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(script)


def test_less_than_full_sync_loses_a_suffix_and_nothing_else(tmp_path: Path) -> None:
    def lazy(db: sqlite3.Connection) -> None:
        settle_in(db, 0)
        db.execute("PRAGMA synchronous=NORMAL")

    async def main() -> None:
        machine, journal = await opened(tmp_path)
        await journal.append(readings(2))
        await journal.change(lazy)
        for number in range(8):
            await journal.append([reading(10 + number)])
        await machine.cut()
        rows = await (await machine.journal()).read(
            lambda db: db.execute("SELECT n FROM records ORDER BY n").fetchall()
        )

        assert 2 <= len(rows) < 10
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
        await machine.cut()

    simulated(main())


@pytest.mark.parametrize("trouble", ["full", "eio", "read_eio"])
def test_a_disk_in_trouble_acknowledges_nothing_and_heals(tmp_path: Path, trouble: Any) -> None:
    async def main() -> None:
        machine, journal = await opened(tmp_path)
        await journal.append(readings(2))
        machine.disk.trouble = trouble
        with pytest.raises(NotStored):
            for number in range(50):
                await journal.append([reading(10 + number)])
                await journal.read(lambda db: db.execute(COUNT).fetchone())
        machine.disk.trouble = ""
        await asyncio.sleep(2)
        (key,) = await journal.append([reading(99)])
        await machine.cut()

        assert await count(await machine.journal()) == key.n
        await machine.cut()

    simulated(main())


def test_a_write_that_failed_may_be_there_after_a_power_cut(tmp_path: Path) -> None:
    async def after(seed: str) -> int:
        folder = tmp_path / seed
        folder.mkdir()
        machine, journal = await opened(folder)
        machine.disk = journal_disk = machine.disk
        journal_disk._chance = faults.stream(seed)
        await journal.append(readings(1))
        journal_disk.trouble = "eio"
        with pytest.raises(NotStored):
            for _ in range(20):
                await journal.append([reading(7)])
        await machine.cut()
        journal_disk.trouble = ""
        found = await count(await machine.journal())
        await machine.cut()
        return found

    async def main() -> None:
        assert {await after(f"seed {number}") for number in range(12)} == {1, 2}

    simulated(main())


def test_the_errors_are_those_of_sqlite() -> None:
    assert failure(sqlite3.SQLITE_FULL, "database or disk is full").sqlite_errorname == "SQLITE_FULL"
