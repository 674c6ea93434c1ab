"""Mutated batches, notes and signatures: each is refused by its name, nothing is stored, the honest gateway goes on."""

from __future__ import annotations

from tests.cloud.twins import CloudTwin
from tests.mutations.attacking import attacks
from tests.mutations.classes import CLASSES


def test_there_are_many_ways_to_attack() -> None:
    assert len(CLASSES) >= 15


def test_every_mutated_batch_is_refused_by_name_and_leaves_nothing(cloud: CloudTwin) -> None:
    assert attacks(cloud, 420, seed=1) == []
