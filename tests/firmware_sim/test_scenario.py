"""Scenario files: strict, checked against themselves, and all of ours can be played."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest

from firmware_sim import shop
from firmware_sim.scenario import FOLDER, load, parse
from firmware_sim.strict_toml import ScenarioError

TEXT = (FOLDER / "first_day.toml").read_text()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_scenario_of_ours_can_be_planned(path: object) -> None:
    scenario = load(str(path))

    assert scenario.name in str(path)
    assert shop.plan(scenario).visits


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = ", "sed = ", "unknown key 'sed'; did you mean 'seed'?"),
        ("strangers = 2", "stranger = 2", "shop: unknown key 'stranger'; did you mean 'strangers'?"),
        ('confirm = "door"', 'confirm = "dor"', r"cabinet[0]: confirm is 'dor'; it may be 'door', 'sensor', 'none'"),
        ("draws = 40", 'draws = "40"', "shop: draws is '40'; it must be int"),
        ('amount = "300.00"', "amount = true", 'it must be text in quotes, such as "0.85"'),
        ('line = "bus1"\naddress', 'line = "bus2"\naddress', "meter-1 is on line 'bus2', which is not a [[line]]"),
        ('meters = ["meter-1"]', 'meters = ["meter-2"]', "names unknown things: meter-2"),
        ('item = "EM-6-4F", capacity = 6, filled = 5', 'item = "EM", capacity = 6, filled = 5', "holds 'EM'"),
        ("capacity = 6, filled = 5", "capacity = 6, filled = 7", "cannot hold 7 pieces"),
        ("draws = 40\n", "", "'draws' is missing"),
        ('about = "', "about = ", "not TOML"),
    ],
)
def test_a_mistake_is_an_error_that_says_what_to_change(old: str, new: str, message: str) -> None:
    assert old in TEXT

    with pytest.raises(ScenarioError, match=re.escape(message)):
        parse(TEXT.replace(old, new, 1))


def test_a_scenario_nobody_wrote_is_named_with_those_that_exist() -> None:
    with pytest.raises(ScenarioError, match=r"known are: .*first_day"):
        load("last_day")


def test_money_stays_exact_and_times_of_day_are_the_shops() -> None:
    scenario = load("first_day")

    assert scenario.agreement.charge[0].prices["CNMG-120408"] == Decimal("7.45")
    assert scenario.ms("06:00") == 1_794_200_400_000
    assert scenario.end_day == date(2026, 11, 10)
