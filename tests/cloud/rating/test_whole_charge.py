"""What is agreed on for a charge counts once for all of it, also where it has several lines or prices single events."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.rating.price import CaseError
from tests.cloud.rating.test_models import priced

WINDOWS = {
    "kind": "time_of_use", "prices": {"peak": "1", "low": "3"},
    "windows": {"rules": [{"window": "peak", "from": "08:00", "to": "20:00"}], "otherwise": "low"},
}  # fmt: skip
WHOLE = "part of a period: by local days, the end day not counted, of the whole period"
DAY_AND_NIGHT = [{"at": "2026-11-03T10:00:00", "quantity": "10"}, {"at": "2026-11-03T21:00:00", "quantity": "5"}]


@pytest.mark.parametrize(
    ("discounts", "amounts"),
    [
        ([{"amount": "12"}], ["0.00", "13.00"]),
        ([{"amount": "12"}, {"percent": "50"}], ["0.00", "6.50"]),
        ([{"percent": "50"}, {"amount": "12"}], ["0.00", "0.50"]),
        ([{"amount": "12", "prorated": True}], ["0.00", "13.00"]),
        ([{"amount": "99"}], ["0.00", "0.00"]),
    ],
)
def test_an_amount_is_taken_off_once_and_not_in_each_window(
    discounts: list[dict[str, Any]], amounts: list[str]
) -> None:
    lines = priced(WINDOWS | {"discounts": discounts}, usage=DAY_AND_NIGHT).lines

    assert [line.amount for line in lines] == amounts


@pytest.mark.parametrize("place", ["line", "rate", "total"])
@pytest.mark.parametrize(("apply", "total"), [("after_discounts", "14.00"), ("before_discounts", "4.00")])
def test_a_maximum_over_windows_looks_at_what_the_terms_say(place: str, apply: str, total: str) -> None:
    charge = WINDOWS | {"discounts": [{"percent": "40"}], "maximum": {"amount": "14"}, "bounds_apply": apply}

    assert priced(charge, usage=DAY_AND_NIGHT, rounding={"place": place}).total == total


@pytest.mark.parametrize(
    ("more", "total"),
    [
        ({"free_units": {"quantity": "100"}}, "20.60"),
        ({"free_units": {"quantity": "1000"}}, "0.60"),
        ({"convert": {"divide_by": "100", "unit": "EUR"}}, "0.83"),
        ({"round_quantity": {"mode": "up", "places": -3}}, "25.60"),
    ],
)
def test_a_percentage_of_what_is_not_free_converted_and_rounded(more: dict[str, Any], total: str) -> None:
    usage = [{"at": f"2026-11-0{day}", "quantity": much, "id": f"e{day}"} for day, much in ((1, "200"), (2, "700"))]

    assert priced({"kind": "percentage", "percent": "2.5", "fixed": "0.30"} | more, usage=usage).total == total


def test_weighted_hours_may_be_free() -> None:
    charge = {
        "kind": "weighted_runtime", "unit_price": "2", "weights": [{"speed": "1", "weight": "0.5"}],
        "free_units": {"quantity": "1.5"},
    }  # fmt: skip
    usage = [{"at": "2026-11-02", "quantity": "18000", "labels": {"speed": "1"}}]

    (line,) = priced(charge, usage=usage).lines

    assert (line.quantity.value, line.amount) == ("2.5", "2.00")


@pytest.mark.parametrize(
    "more", [{"free_units": {"quantity": "1"}}, {"convert": {"unit": "k"}}, {"round_quantity": {}}]
)
def test_prices_that_come_with_each_event_have_no_free_units(more: dict[str, Any]) -> None:
    with pytest.raises(CaseError, match="dynamic prices each event by itself"):
        priced({"kind": "dynamic"} | more, usage=[])


@pytest.mark.parametrize(
    ("charge", "said"),
    [
        ({"kind": "standard", "unit_price": "1", "minimum": {"amount": "5", "prorated": True}},
         ["at least 5 is due, by the part of the period",
          WHOLE]),
        ({"kind": "standard", "unit_price": "1", "convert": {"divide_by": "60", "unit": "min"},
          "free_units": {"quantity": "3", "prorated": True}},
         ["quantity times 1, divided by 60, counted in min",
          "3 units free, after conversion, by the part of the period"]),
        ({"kind": "standard", "unit_price": "1", "aggregation": {"function": "time_weighted", "per": "day"}},
         ["a level is counted by the day, 0 at first, and each use sets it"]),
        ({"kind": "percentage", "percent": "1", "free_events": 3, "free_amount": "9", "most_per_event": "2"},
         ["the first 3 events or the first 9 are free, whichever ends first", "an event costs at most 2"]),
        ({"kind": "flat", "amount": "1", "proration": {"ratio_places": 2, "ratio_mode": "down"}},
         [f"{WHOLE}, the ratio rounded down to 2 places"]),
        ({"kind": "monthly_fee", "amount": "1"},
         ["part of a calendar month: by local days, the end day not counted"]),
        ({"kind": "commitment", "maximum": {"amount": "9"}}, ["at most 9 is due"]),
    ],
)  # fmt: skip
def test_what_decides_an_amount_is_printed(charge: dict[str, Any], said: list[str]) -> None:
    options = priced(charge).options

    assert [f"{charge['kind']}: {one}" for one in said if f"{charge['kind']}: {one}" not in options] == []


@pytest.mark.parametrize("charge", [{"kind": "standard", "unit_price": "1"}, WINDOWS, {"kind": "commitment"}])
def test_a_minimum_above_the_maximum_is_refused(charge: dict[str, Any]) -> None:
    with pytest.raises(CaseError, match=r"the minimum \(50\) is above the maximum \(10\)"):
        priced(charge | {"minimum": {"amount": "50"}, "maximum": {"amount": "10"}}, "20")
