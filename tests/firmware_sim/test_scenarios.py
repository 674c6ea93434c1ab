"""Every scenario that is shipped, judged: something of each kind is compared, and nothing differs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from firmware_sim import scenario as scenarios
from firmware_sim.cli import main
from firmware_sim.judging import judge_scenario


def sound(found: dict[str, Any]) -> bool:
    """Nothing differs, and every count of what was compared is more than nothing."""
    assert found["differences"] == []
    return all(count > 0 for count in found["compared"].values())


def test_first_day(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["judge", "first_day", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert code == 0
    assert sound(found), found
    assert {"scenario", "seed", "mode", "compared", "differences"} <= set(found)


def test_another_seed_is_another_day_and_as_true() -> None:
    whole = scenarios.load("first_day")

    shop = replace(whole.shop, draws=20, load=replace(whole.shop.load, on="13:30"), shift=whole.shop.shift[1:])
    found = judge_scenario(replace(whole, seed=7, opens="13:00", shop=shop))

    assert sound(found), found
    assert found["seed"] == 7


@pytest.mark.slow
def test_noisy_bus() -> None:
    found = judge_scenario(scenarios.load("noisy_bus"))

    assert sound(found), found
    assert sum(sum(line.values()) for line in found["played"]["lines"].values()) > 10_000


@pytest.mark.slow
def test_cloud_away() -> None:
    found = judge_scenario(scenarios.load("cloud_away"))

    assert sound(found), found
    assert found["played"]["road"]["lost"] > 50
    assert found["played"]["road"]["refused"] > 500


@pytest.mark.slow
def test_power_cuts_of_real_programs() -> None:
    found = judge_scenario(scenarios.load("power_cuts"))

    assert sound(found), found
    assert found["played"]["kills"] == 20
    assert found["played"]["broker_restarts"] == 2
    assert found["played"]["cloud_outages"] == 1


@pytest.mark.slow
def test_mixed_hall() -> None:
    found = judge_scenario(scenarios.load("mixed_hall"))

    assert sound(found), found
    assert set(found["truth"]["wh"]) == {"meter-cn", "meter-heat"}
    assert {key.split()[0] for key in found["truth"]["runs"]} == {"coil-room-1", "coil-room-2"}
    assert found["played"]["answers"].get("taken", 0) > 0
    assert "refused" not in found["played"]["answers"]
