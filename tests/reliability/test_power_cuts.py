"""Power cuts of the real journal process, recovery included; ``python -m tests.reliability.power_cuts`` is longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.power_cuts import BUGS, play


@pytest.mark.slow
def test_two_thousand_cuts_lose_nothing_that_was_acknowledged_and_contradict_no_checkpoint() -> None:
    result = play(seed=1, cuts=2000, generations=10)

    assert result.findings == []
    assert (result.cuts, result.generations) == (2000, 10)
    assert result.in_recovery > 200


@pytest.mark.parametrize("bug", BUGS)
def test_the_cuts_find_a_mistake_that_loses_records(bug: str, tmp_path: Path) -> None:
    result = play(seed=1, cuts=300, generations=3, bug=bug, folder=tmp_path)

    assert "acknowledged records are lost" in result.findings[0]
