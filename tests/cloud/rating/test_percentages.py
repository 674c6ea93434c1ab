"""A percentage is of what the aggregation makes of the events, and of nothing where there were none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.rating.test_models import priced

SALES = [
    {"at": f"2026-11-0{day}", "quantity": much, "id": f"e{day}", "labels": {"subject": f"s{day % 2}"}}
    for day, much in ((1, "200"), (2, "700"), (3, "400"), (4, "100"))
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "base"), [("sum", 1400), ("max", 700), ("latest", 100), ("count", 4), ("unique", 2)]
)
@pytest.mark.parametrize(
    "charge",
    [{"kind": "percentage", "percent": "50"}, {"kind": "graduated_percentage", "tiers": [{"unit_price": "50"}]}],
)
def test_it_is_of_what_the_aggregation_gives(charge: dict[str, Any], function: str, base: int) -> None:
    found = priced(charge | {"aggregation": {"function": function}}, usage=SALES)

    assert found.lines[0].quantity.value == str(base)
    assert found.total == f"{base / 2:.2f}"


@pytest.mark.parametrize(
    ("more", "total"),
    [
        ({}, "17.60"),
        ({"free_amount": "300"}, "11.60"),
        ({"free_amount": "900"}, "3.60"),
        ({"free_units": {"quantity": "200"}}, "13.60"),
        ({"maximum": {"amount": "9"}}, "9.00"),
    ],
)
def test_of_the_greatest_it_has_a_fee_for_each_event_and_a_free_amount(more: dict[str, Any], total: str) -> None:
    charge = {"kind": "percentage", "percent": "2", "fixed": "0.90", "aggregation": {"function": "max"}}

    assert priced(charge | more, usage=SALES).total == total


def test_of_a_level_over_time_it_is_of_the_mean() -> None:
    charge = {"kind": "percentage", "percent": "10", "aggregation": {"function": "time_weighted", "per": "period"}}

    assert priced(charge, usage=[{"at": "2026-11-16", "quantity": "300"}]).total == "15.00"


@pytest.mark.parametrize("function", ["sum", "count", "max"])
def test_where_nothing_was_used_no_fee_for_an_event_is_due(function: str) -> None:
    least = {} if function == "max" else {"least_per_event": "0.50"}
    charge = {"kind": "percentage", "percent": "2", "fixed": "0.30", "aggregation": {"function": function}} | least

    assert priced(charge, usage=[]).total == "0.00"


def test_events_that_are_counted_are_one_each_for_the_least_and_the_free_ones() -> None:
    charge = {"kind": "percentage", "percent": "100", "aggregation": {"function": "count"}, "free_events": 1}

    assert priced(charge, usage=SALES).total == "3.00"
    assert priced(charge | {"least_per_event": "1.50"}, usage=SALES).total == "4.50"


def test_prices_of_events_that_are_counted_are_added_up() -> None:
    usage = [one | {"price": "2"} for one in SALES]

    assert priced({"kind": "dynamic", "aggregation": {"function": "count"}}, usage=usage).total == "8.00"
    assert priced({"kind": "dynamic"}, usage=usage).total == "2800.00"
