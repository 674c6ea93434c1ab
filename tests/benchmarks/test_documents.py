"""Each benchmark runs, and prints the one document that says what it measured, against what, on what machine.

What the figures are is not looked at here: speed is a ratio of a quiet run, never a reason for a test to fail.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
ROW = {"name", "unit", "value", "limit", "ratio", "goal"}


def test_the_journal_is_measured_against_raw_executemany() -> None:
    document = run("journal.py")

    goals = {row["name"]: row["goal"] for row in rows(document) if row["goal"]}

    assert goals == {
        "journal append, 1 a commit, to raw executemany": {"min": 0.25, "of": "ratio"},
        "journal append, 100 a commit, to raw executemany": {"min": 0.4, "of": "ratio"},
        "journal append, 1000 a commit, to raw executemany": {"min": 0.4, "of": "ratio"},
    }


def test_papers_are_measured_against_the_bare_compiler() -> None:
    document = run("paper.py")

    assert [row["goal"] for row in rows(document)] == [{"max": 100, "of": "value"}] * 2


def test_a_vend_is_measured_from_the_badge_to_the_wire() -> None:
    document = run("vend.py")

    assert [row["goal"] for row in rows(document)] == [{"max": 1, "of": "ratio"}, None, {"max": 1, "of": "value"}, None]


@pytest.mark.slow
def test_ingest_is_measured_on_both_databases() -> None:
    document = run("ingest.py")

    measured = [row for row in rows(document) if row["goal"]]

    assert sorted({row["name"].partition(":")[0] for row in measured}) == ["PostgreSQL", "SQLite"]
    assert sorted(row["goal"]["min"] for row in measured) == [0.4, 0.4, 0.45, 0.45, 1.0, 1.0]


@pytest.mark.slow
def test_a_month_of_backlog_is_measured_with_live_events() -> None:
    document = run("backlog.py")

    goals = {row["name"]: row["goal"] for row in rows(document) if row["goal"]}

    assert goals["backlog: start of the gateway to the last cosignature"] == {"max": 1200, "of": "value"}
    assert goals["memory of the gateway at its peak"] == {"max": 150, "of": "value"}
    assert goals["records lost or doubled, live events unanswered"] == {"max": 0, "of": "value"}


@pytest.mark.slow
def test_the_edge_is_measured_from_publish_to_receipt() -> None:
    document = run("edge.py")

    units = {row["name"]: row["unit"] for row in rows(document) if row["goal"]}

    assert len(units) == 9
    assert units["paho publisher, QoS 1, to durable journal, to a consumer that only counts"] == "messages/s"


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_in_any_scenario() -> None:
    document = run("edge.py", "--scenarios")

    losses = {row["name"]: row["value"] for row in rows(document) if row["name"].endswith(": lost or doubled")}

    assert len(losses) == 12
    assert not any(losses.values()), losses


@pytest.mark.slow
def test_the_shared_line_is_measured_against_the_wire_and_beside_its_peers() -> None:
    document = run("bus.py")

    goals = [row["goal"] for row in rows(document) if row["goal"]]

    assert sum("min" in goal and goal["min"] in (0.95, 0.92, 0.9) for goal in goals) == 7
    assert {"minimalmodbus", "pymodbus async"} <= {row["name"].split(", ")[-1].split(":")[0] for row in rows(document)}


@pytest.mark.slow
def test_the_bare_limits_can_be_measured_alone() -> None:
    document = run("reference.py")

    assert len(rows(document)) == 11
    assert all(row["value"] > 0 and row["goal"] is None for row in rows(document))


def run(name: str, *words: str) -> dict[str, Any]:
    """The document of a benchmark's quick run: the only thing it prints on stdout."""
    command = [sys.executable, str(ROOT / "benchmarks" / name), "--quick", "--json", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    document: dict[str, Any] = json.loads(done.stdout)
    assert set(document) == {"machine", "rows"}
    assert {"cpu", "cores", "fdatasync_ms_p99", "python"} <= document["machine"].keys()
    return document


def rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Its rows, each whole and of the right types."""
    for row in document["rows"]:
        assert set(row) == ROW, row
        assert isinstance(row["value"], int | float), row
        assert (row["limit"] is None) == (row["ratio"] is None), row
        if row["goal"] is not None:
            assert row["goal"]["of"] in ("value", "ratio"), row
            assert row["goal"].keys() & {"min", "max"}, row
    found: list[dict[str, Any]] = document["rows"]
    return found


def test_rating_is_measured_a_core_with_hashes() -> None:
    document = run("rating.py")

    goals = {row["name"]: row["goal"]["min"] for row in rows(document) if row["goal"] and "min" in row["goal"]}

    assert goals["lines of a usual statement, hashes included"] == 100_000
    assert goals["events, sum"] == 500_000
    assert goals["agreements closed, SQLite"] == pytest.approx(166.7, abs=0.1)
