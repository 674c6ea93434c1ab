"""Rating again on SQLite, on PostgreSQL and by the offline check gives the same line hashes for random agreements."""

from __future__ import annotations

from tests.cloud.billing.random_agreements import compare
from tests.cloud.databases import Databases


def test_random_agreements_are_rated_equally_everywhere(databases: Databases) -> None:
    assert compare(databases, 12, 3) == 36
