"""A bad network, a month of backlog, and everything at once; each module's long run is one command."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.month import lay
from gateway.journal import reading, sealing
from tests.gateway.desk import ORIGIN, SEED, a_journal, play
from tests.reliability import chaos, soak
from wire.seal import Signer


@pytest.mark.slow
def test_twenty_thousand_records_through_a_bad_network_are_stored_once_and_nothing_is_repeated() -> None:
    result = chaos.play(20_000, seed=1)

    assert result.findings == []
    assert result.sent >= 19_990
    assert min(result.fates[fate] for fate in ("dropped", "cut", "replayed")) > 0


@pytest.mark.slow
def test_the_bad_network_finds_a_gateway_that_forgets_what_it_sent() -> None:
    result = chaos.play(3000, seed=1, bug="forget", patience=15.0)

    assert any("records lost" in one for one in result.findings)


@pytest.mark.slow
def test_a_minute_of_everything_at_once_loses_and_doubles_nothing() -> None:
    result = soak.play(45, seed=1)

    assert result.findings == []
    assert result.faults.total() >= 5


@pytest.mark.slow
def test_everything_at_once_finds_a_gateway_that_acknowledges_what_it_could_not_store() -> None:
    result = soak.play(20, seed=2, bug="acknowledge")

    assert any("events lost" in one for one in result.findings)


def test_a_long_backlog_is_told_without_counting_it(tmp_path: Path) -> None:
    asyncio.run(lay(tmp_path / "journal.db", "gw-1", reading.COUNTED + 500))

    async def main() -> list[int]:
        async with a_journal(tmp_path) as journal:
            state = await journal.change(sealing.open_log, ORIGIN)
            before = await journal.read(reading.backlog, state)
            for _ in range(2):
                state, _ = await journal.change(sealing.seal, state, 512, Signer(ORIGIN, SEED).sign)
            after = await journal.read(reading.backlog, state)
        return [before.count, after.count, state.sealed]

    assert play(main()) == [reading.COUNTED + 500, reading.COUNTED + 500, 1024]
