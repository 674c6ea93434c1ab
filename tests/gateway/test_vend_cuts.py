"""kill -9 at every step of a vend and of the start after it, against boards that go on living."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.gateway.vend_cuts import FAMILIES, all_of

# So many for each family; the long run does 2,000: `python -m tests.gateway.vend_cuts`.
WANTED = 60


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_whatever_step_a_gateway_dies_at_nothing_is_lost_doubled_or_driven_twice(tmp_path: Path, family: str) -> None:
    kinds = FAMILIES[family]

    scores = asyncio.run(all_of(tmp_path, kinds, -(-WANTED // len(kinds))))

    assert sum(one.cuts for one in scores) >= WANTED
    assert [(one.kind, one.lost, one.doubled, one.second_turns) for one in scores] == [
        (kind, 0, 0, 0) for kind in kinds
    ]
    assert all(one.fell for one in scores)
