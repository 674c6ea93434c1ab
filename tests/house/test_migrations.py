"""The database's steps are numbered 0001, 0002, ... without a gap or a double, before anything is merged."""

from __future__ import annotations

from cloud.migrations.runner import known


def test_migrations_are_numbered_one_after_the_other() -> None:
    found = known()

    assert [one.number for one in found] == list(range(1, len(found) + 1))
