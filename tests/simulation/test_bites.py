"""The simulator bites: each seeded mistake is found within sixty seeds, by the first of them that meets it."""

from __future__ import annotations

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.play import play

SEEDS = 60


def test_there_are_enough_mistakes_to_prove_it() -> None:
    assert len(BUGS) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_a_mistake_is_found(name: str) -> None:
    found = next((seed for seed in range(1, SEEDS + 1) if play(seed, bug=BUGS[name]).findings), None)

    assert found is not None, f"{BUGS[name].about}: not found in {SEEDS} seeds"
