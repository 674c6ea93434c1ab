"""Kills at calls of gateway, cloud, PostgreSQL and broker: 150 points here; each module's long run is one command."""

from __future__ import annotations

import pytest

from tests.reliability import broker_kills, cloud_kills, gateway_kills, postgres_kills
from tests.reliability.aside import aside


@pytest.mark.slow
def test_a_gateway_killed_at_any_call_loses_and_doubles_nothing() -> None:
    result = aside(gateway_kills.play, points=100, seed=1)

    assert result.findings == []
    assert result.points >= 80
    assert result.again > 0


@pytest.mark.slow
def test_a_cloud_killed_at_any_call_of_ingest_and_closing_has_the_books_of_one_that_was_not() -> None:
    result = aside(cloud_kills.play, points=36, seed=1)

    assert result.findings == []
    assert result.points >= 30


@pytest.mark.slow
def test_a_postgresql_killed_under_the_cloud_changes_nothing_in_its_books() -> None:
    result = aside(postgres_kills.play, points=10, seed=1)

    assert result.findings == []
    assert result.points >= 8
    assert result.refused > 0


@pytest.mark.slow
def test_a_broker_killed_under_cabinets_loses_and_doubles_nothing() -> None:
    result = aside(broker_kills.play, kills=4, seed=1)

    assert (result.kills, result.lost, result.doubled) == (4, 0, 0)


@pytest.mark.slow
def test_kills_find_a_gateway_that_acknowledges_before_it_syncs() -> None:
    result = aside(gateway_kills.play, points=150, seed=1, bug="ack before sync")

    assert "acknowledged records are lost" in result.findings[0]


@pytest.mark.slow
def test_kills_find_a_cloud_that_answers_before_it_commits() -> None:
    result = aside(cloud_kills.play, points=60, seed=1, bug="answer before commit")

    assert result.findings


@pytest.mark.slow
def test_kills_find_a_postgresql_that_answers_before_it_writes() -> None:
    result = aside(postgres_kills.play, 20, 1, **postgres_kills.ASYNCHRONOUS)

    assert result.findings


@pytest.mark.slow
def test_kills_find_a_broker_that_forgets() -> None:
    result = aside(broker_kills.play, kills=2, seed=1, forgets=True)

    assert result.lost > 0
