"""Every charge model and every named convention by worked examples: a case in, what is due out."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest

from cloud.rating.lines import RatingError
from cloud.rating.price import CaseError, Priced, parse_case, price
from cloud.rating.price_cases import price_cases

TIERS = [{"up_to": "100", "unit_price": "0.20", "flat": "5"}, {"unit_price": "0.15", "flat": "2"}]
BOUNDED = [{"up_to": "10", "unit_price": "2"}, {"up_to": "20", "unit_price": "1"}]
CLICKS = [
    {"at": f"2026-11-0{day}", "quantity": quantity, "id": f"e{day}"} for day, quantity in ((1, "200"), (2, "700"))
]


def priced(charge: dict[str, Any] | list[dict[str, Any]], quantity: str | None = None, **case: Any) -> Priced:
    charges = charge if isinstance(charge, list) else [charge]
    told = {"currency": "EUR", "period": {"month": "2026-11"}, "quantity": quantity, "charges": charges} | case
    if "versions" in case:
        del told["charges"]
    return price(parse_case(msgspec.json.encode(told)))


@pytest.mark.parametrize(
    ("charge", "quantity", "total"),
    [
        ({"kind": "standard", "unit_price": "0.333"}, "10", "3.33"),
        ({"kind": "graduated", "tiers": TIERS}, "0", "5.00"),
        ({"kind": "graduated", "tiers": TIERS, "first_flat_at_zero": "not_due"}, "0", "0.00"),
        ({"kind": "graduated", "tiers": TIERS}, "100", "25.00"),
        ({"kind": "graduated", "tiers": TIERS}, "100.01", "27.00"),
        ({"kind": "graduated", "tiers": TIERS}, "150", "34.50"),
        ({"kind": "graduated", "tiers": BOUNDED, "beyond_last_tier": "cap"}, "25", "30.00"),
        ({"kind": "graduated", "tiers": BOUNDED, "beyond_last_tier": "extend"}, "25", "35.00"),
        ({"kind": "volume", "tiers": TIERS}, "0", "5.00"),
        ({"kind": "volume", "tiers": TIERS, "first_flat_at_zero": "not_due"}, "0", "0.00"),
        ({"kind": "volume", "tiers": TIERS}, "100", "25.00"),
        ({"kind": "volume", "tiers": TIERS}, "101", "17.15"),
        ({"kind": "volume", "tiers": BOUNDED, "beyond_last_tier": "cap"}, "25", "20.00"),
        ({"kind": "volume", "tiers": BOUNDED, "beyond_last_tier": "extend"}, "25", "25.00"),
        ({"kind": "package", "size": "100", "price": "7"}, "0", "0.00"),
        ({"kind": "package", "size": "100", "price": "7"}, "101", "14.00"),
        ({"kind": "package", "size": "100", "price": "7", "free_units": {"quantity": "1"}}, "101", "7.00"),
        ({"kind": "package", "size": "100", "price": "7", "begun": "not_counted"}, "199", "7.00"),
        ({"kind": "percentage", "percent": "1.5", "fixed": "0.30"}, "200", "3.30"),
        ({"kind": "graduated_percentage", "tiers": [{"up_to": "100", "unit_price": "2"}, {"unit_price": "1"}]}, "300",
         "4.00"),
        ({"kind": "flat", "amount": "19.90", "quantity": "3"}, None, "59.70"),
    ],
)  # fmt: skip
def test_a_quantity_costs(charge: dict[str, Any], quantity: str | None, total: str) -> None:
    assert priced(charge, quantity).total == total


@pytest.mark.parametrize("kind", ["graduated", "volume"])
def test_usage_beyond_a_bounded_last_tier_is_refused_unless_the_terms_say_otherwise(kind: str) -> None:
    with pytest.raises(RatingError, match="beyond the last tier"):
        priced({"kind": kind, "tiers": BOUNDED}, "20.1")


@pytest.mark.parametrize(
    ("extra", "total"),
    [
        ({"convert": {"divide_by": "1000", "unit": "k"}}, "1.50"),
        ({"convert": {"divide_by": "1000", "unit": "k"}, "round_quantity": {"mode": "up"}}, "2.00"),
        ({"convert": {"divide_by": "1000", "unit": "k"}, "round_quantity": {"mode": "down"}}, "1.00"),
        ({"round_quantity": {"mode": "half_up", "places": -3}}, "2000.00"),
        ({"free_units": {"quantity": "1"}, "convert": {"divide_by": "1000", "unit": "k"}}, "0.50"),
        ({"free_units": {"quantity": "1", "when": "before_conversion"}, "convert": {"divide_by": "1000", "unit": "k"}},
         "1.50"),
        ({"free_units": {"quantity": "501", "when": "before_conversion"}, "round_quantity": {"mode": "up"},
          "convert": {"divide_by": "1000", "unit": "k"}}, "1.00"),
        ({"free_units": {"quantity": "1"}, "round_quantity": {"mode": "up"},
          "convert": {"divide_by": "1000", "unit": "k"}}, "1.00"),
        ({"discounts": [{"percent": "10"}, {"amount": "50"}]}, "1300.00"),
        ({"discounts": [{"amount": "50"}, {"percent": "10"}]}, "1305.00"),
        ({"discounts": [{"amount": "5000"}]}, "0.00"),
        ({"minimum": {"amount": "2000"}}, "2000.00"),
        ({"maximum": {"amount": "1000"}}, "1000.00"),
        ({"minimum": {"amount": "1500"}, "discounts": [{"percent": "50"}]}, "1500.00"),
        ({"minimum": {"amount": "1500"}, "discounts": [{"percent": "50"}], "bounds_apply": "before_discounts"},
         "750.00"),
    ],
)  # fmt: skip
def test_fifteen_hundred_units_at_one_euro_with(extra: dict[str, Any], total: str) -> None:
    assert priced({"kind": "standard", "unit_price": "1"} | extra, "1500").total == total


@pytest.mark.parametrize(
    ("extra", "total"),
    [
        ({}, "9.00"),
        ({"fixed": "0.5"}, "10.00"),
        ({"free_events": 1, "fixed": "0.5"}, "7.50"),
        ({"free_amount": "300"}, "6.00"),
        ({"free_amount": "300", "fixed": "0.5"}, "6.50"),
        ({"free_events": 1, "free_amount": "300"}, "7.00"),
        ({"least_per_event": "3"}, "10.00"),
        ({"most_per_event": "4"}, "6.00"),
    ],
)
def test_a_percentage_of_two_events(extra: dict[str, Any], total: str) -> None:
    assert priced({"kind": "percentage", "percent": "1"} | extra, usage=CLICKS).total == total


def test_a_dynamic_price_comes_with_each_event() -> None:
    usage = [
        {"at": "2026-11-01", "quantity": "2", "price": "1.105", "id": "a"},
        {"at": "2026-11-02", "quantity": "1", "price": "0.1", "id": "b"},
    ]

    totals = [
        priced({"kind": "dynamic"} | extra, usage=usage).total
        for extra in ({}, {"price_is": "amount"}, {"multiplier": "1.2"})
    ]

    assert totals == ["2.31", "1.21", "2.77"]


LEVELS = [{"at": f"2026-11-{day:02}", "quantity": quantity, "id": f"e{day}", "labels": {"subject": quantity}}
          for day, quantity in ((1, "10"), (11, "4"), (21, "10"))]  # fmt: skip


@pytest.mark.parametrize(
    ("aggregation", "total"),
    [
        ({"function": "sum"}, "24.00"),
        ({"function": "count"}, "3.00"),
        ({"function": "max"}, "10.00"),
        ({"function": "unique"}, "2.00"),
        ({"function": "latest"}, "10.00"),
        ({"function": "time_weighted", "per": "period"}, "8.00"),
        ({"function": "time_weighted", "per": "day"}, "240.00"),
        ({"function": "time_weighted", "per": "period", "level": "changed_by_use"}, "16.00"),
        ({"function": "time_weighted", "per": "period", "level": "changed_by_use", "opening": "1"}, "17.00"),
    ],
)
def test_uses_become_one_quantity(aggregation: dict[str, Any], total: str) -> None:
    charge = {"kind": "standard", "unit_price": "1", "aggregation": aggregation}

    assert priced(charge, usage=LEVELS[::-1] + LEVELS).total == total


def test_the_maximum_of_each_day_is_priced_by_itself_or_summed() -> None:
    usage = [{"at": at, "quantity": quantity} for at, quantity in (
        ("2026-11-01T08:00Z", "5"), ("2026-11-01T09:00Z", "8"), ("2026-11-02T08:00Z", "12"))]  # fmt: skip
    charge = {"kind": "bucketed_maximum", "tiers": [{"up_to": "10", "unit_price": "2"}, {"unit_price": "1"}]}

    each = priced(charge, usage=usage).total
    summed = priced(charge | {"tiers_apply": "to_the_sum"}, usage=usage).total

    assert (each, summed) == ("38.00", "30.00")


@pytest.mark.parametrize(
    ("proration", "total"),
    [
        ({}, "150.00"),
        ({"denominator": "actual_period"}, "300.00"),
        ({"count": "fixed_30_days"}, "150.00"),
        ({"count": "none"}, "300.00"),
        ({"count": "seconds"}, "150.00"),
        ({"ratio_places": 1}, "150.00"),
    ],
)
def test_an_agreement_that_begins_inside_a_period_pays_a_part(proration: dict[str, Any], total: str) -> None:
    charge = {"kind": "flat", "amount": "300", "proration": proration}

    assert priced(charge, period={"at": "2026-11-20"}, cycle={"anchor_day": 1}, starts="2026-11-16").total == total


@pytest.mark.parametrize(
    ("count", "amounts"),
    [
        ("days", ["140.00", "160.00"]), ("both_edges", ["150.00", "160.00"]), ("end_inclusive", ["145.16", "164.52"]),
        ("seconds", ["145.00", "155.00"]),
    ],
)  # fmt: skip
def test_a_price_that_changes_inside_a_period_splits_the_line(count: str, amounts: list[str]) -> None:
    flat = {"kind": "flat", "amount": "300", "proration": {"count": count}}
    versions = [
        {"version": 1, "from": "2026-11-01", "charges": [flat]},
        {"version": 2, "from": "2026-11-15T12:00:00", "charges": [flat]},
    ]

    lines = priced([], versions=versions).lines

    assert [line.amount for line in lines] == amounts
    assert lines[0].to == lines[1].from_ > 0


@pytest.mark.parametrize(("across", "total"), [("restart", "24.00"), ("continue", "22.00")])
def test_tiers_begin_anew_with_a_new_price_or_continue(across: str, total: str) -> None:
    charge = {"kind": "graduated", "across_versions": across,
              "tiers": [{"up_to": "10", "unit_price": "2"}, {"unit_price": "1"}]}  # fmt: skip
    versions = [
        {"version": version, "from": day, "charges": [charge]}
        for version, day in ((1, "2026-11-01"), (2, "2026-11-16"))
    ]
    usage = [{"at": "2026-11-02", "quantity": "8"}, {"at": "2026-11-20", "quantity": "4"}]

    assert priced([], versions=versions, usage=usage).total == total


def test_windows_of_the_clock_on_the_night_the_clock_is_set_back() -> None:
    charge = {
        "kind": "time_of_use", "source": {"unit": "kWh"}, "prices": {"night": "0.1", "day": "0.3"},
        "windows": {"rules": [{"window": "night", "from": "22:00", "to": "06:00"}], "otherwise": "day"},
    }  # fmt: skip
    readings = [{"at": "2026-10-25T00:00", "value": "0"}, {"at": "2026-10-26T00:00", "value": "25"}]
    case: dict[str, Any] = {
        "zone": "Europe/Berlin",
        "period": {"first": "2026-10-25", "end": "2026-10-26"},
        "readings": readings,
    }

    lines = priced(charge, **case).lines

    assert [(line.window, line.quantity.value, line.amount) for line in lines] == [
        ("night", "9", "0.90"), ("day", "16", "4.80"),
    ]  # fmt: skip


@pytest.mark.parametrize(("split", "total"), [("by_time", "2.00"), ("at_start", "3.00"), ("at_end", "1.00")])
def test_an_interval_over_the_edge_of_a_window(split: str, total: str) -> None:
    charge = {
        "kind": "time_of_use", "prices": {"peak": "1", "low": "3"}, "split": split,
        "windows": {"rules": [{"window": "peak", "from": "08:00", "to": "20:00"}], "otherwise": "low"},
    }  # fmt: skip
    usage = [{"at": "2026-11-03T07:30:00", "until": "2026-11-03T08:30:00", "quantity": "1"}]

    assert priced(charge, usage=usage).total == total


def test_run_time_is_weighted_by_speed_coil_and_season() -> None:
    charge = {
        "kind": "weighted_runtime", "unit_price": "2", "unknown_weight": "0.5", "coils": {"fan-1": "wet"},
        "seasons": [{"name": "winter", "first": "11-01", "last": "03-31"}],
        "weights": [{"speed": "1", "weight": "0.5"}, {"speed": "2", "coil": "wet", "season": "winter", "weight": "3"},
                    {"speed": "2", "weight": "1"}],
    }  # fmt: skip
    usage = [
        {"at": "2026-11-02", "quantity": seconds, "labels": {"device": device, "speed": speed}}
        for device, speed, seconds in (
            ("fan-1", "1", "3600"), ("fan-1", "2", "3600"), ("fan-2", "2", "1800"), ("fan-2", "unknown", "3600"),
        )
    ]  # fmt: skip

    (line,) = priced(charge, usage=usage).lines

    assert (line.quantity.value, line.amount, len(line.steps)) == ("4.5", "9.00", 4)


@pytest.mark.parametrize(
    ("charge", "amounts"),
    [
        ({"areas": [{"subject": "hall", "m2": "100"}], "unit_price": "1.5"}, ["150.00"]),
        ({"areas": [{"subject": "hall", "m2": "100", "end": "2026-11-16"}, {"subject": "hall", "m2": "40",
          "first": "2026-11-16"}], "unit_price": "1.5"}, ["75.00", "30.00"]),
        ({"areas": [{"subject": "hall", "m2": "100"}], "plant_cost": "1000", "total_m2": "300"}, ["333.33"]),
        ({"areas": [{"subject": "hall", "m2": "100", "first": "2026-12-01"}], "unit_price": "1.5"}, []),
    ],
)  # fmt: skip
def test_an_area_costs_by_the_square_metre_or_by_its_share(charge: dict[str, Any], amounts: list[str]) -> None:
    assert [line.amount for line in priced({"kind": "area"} | charge).lines] == amounts


def test_a_commitment_brings_several_charges_up_to_their_minimum_to_the_cent() -> None:
    charges: list[dict[str, Any]] = [
        {"kind": "standard", "unit_price": "0.335"},
        {"kind": "flat", "amount": "10"},
        {"kind": "commitment", "minimum": {"amount": "25"}, "covers": [0]},
    ]

    found = priced(charges, "1")

    assert [line.amount for line in found.lines] == ["0.34", "10.00", "24.66"]
    assert found.total == "35.00"


@pytest.mark.parametrize("place", ["line", "rate", "total"])
def test_progressive_billing_asks_early_and_takes_it_off_at_the_end(place: str) -> None:
    early = {"kind": "progressive_billing", "thresholds": ["300", "1000"], "then_every": "1000"}
    charges: list[dict[str, Any]] = [{"kind": "standard", "unit_price": "1"}, early]
    usage = [{"at": f"2026-11-{day:02}", "quantity": "450"} for day in range(1, 6)]

    found = priced(charges, usage=usage, rounding={"place": place})

    assert [(str(one.threshold), str(one.amount)) for one in found.interim] == [
        ("300", "450"), ("1000", "900"), ("2000", "900"),
    ]  # fmt: skip
    assert ([line.no for line in found.lines], found.lines[-1].amount, found.total) == ([1, 2], "-2250.00", "0.00")


@pytest.mark.parametrize(
    ("rounding", "amounts", "total"),
    [
        ({}, ["0.34", "0.34", "0.34"], "1.02"),
        ({"place": "total"}, ["0.34", "0.34", "0.33"], "1.01"),
        ({"place": "rate"}, ["0.34", "0.33", "0.34"], "1.01"),
        ({"mode": "down"}, ["0.33", "0.33", "0.33"], "0.99"),
    ],
)
def test_the_place_of_rounding_is_part_of_the_terms(rounding: dict[str, str], amounts: list[str], total: str) -> None:
    charges = [{"kind": kind, **extra} for kind, extra in (
        ("flat", {"amount": "0.335"}), ("flat", {"amount": "0.335"}),
        ("graduated", {"tiers": [{"unit_price": "0", "flat": "0.335"}]}))]  # fmt: skip

    found = priced(charges, rounding=rounding, tax_rates={"flat": "19", "graduated": "7"})

    assert ([line.amount for line in found.lines], found.total) == (amounts, total)


def test_a_group_that_used_nothing_in_a_period_has_no_line_in_it() -> None:
    charge = {"kind": "graduated", "tiers": TIERS, "source": {"group_by": ["team"]}}
    usage = [
        {"at": at, "quantity": "1", "labels": {"team": team}}
        for at, team in (("2026-10-05", "red"), ("2026-11-05", "blue"), ("2026-12-05", "green"))
    ]

    assert [line.group for line in priced(charge, usage=usage).lines] == [{"team": "blue"}]


def test_a_level_of_a_group_goes_on_into_the_next_period() -> None:
    level = {"function": "time_weighted", "per": "period"}
    charge = {"kind": "standard", "unit_price": "1", "source": {"group_by": ["team"]}, "aggregation": level}
    usage = [{"at": "2026-10-05", "quantity": "3", "labels": {"team": "red"}}]

    assert priced(charge, usage=usage).total == "3.00"


@pytest.mark.parametrize("counted_from", ["last_valid", "last_of_any"])
def test_repeats_are_the_same_in_whatever_order_events_arrived(counted_from: str) -> None:
    valid = {"repeats": {"seconds": 3600, "counted_from": counted_from}}
    charge = {"kind": "standard", "unit_price": "1", "valid": valid}
    usage = [
        {"at": f"2026-11-05T{clock}Z", "quantity": "1", "id": clock, "labels": {"subject": "v"}}
        for clock in ("10:00:00", "10:40:00", "11:20:00", "13:00:00")
    ]

    found = {priced(charge, usage=list(order)).total for order in permutations(usage)}

    assert found == {"3.00" if counted_from == "last_valid" else "2.00"}


def test_groups_have_a_line_each() -> None:
    charge = {"kind": "standard", "unit_price": "1", "source": {"group_by": ["team"], "where": {"kind": ["a"]}}}
    usage = [
        {"at": "2026-11-02", "quantity": quantity, "labels": {"team": team, "kind": kind}}
        for team, kind, quantity in (("red", "a", "2"), ("blue", "a", "3"), ("red", "b", "9"), ("red", "a", "1"))
    ]

    lines = priced(charge, usage=usage).lines

    assert [(line.group, line.amount) for line in lines] == [({"team": "blue"}, "3.00"), ({"team": "red"}, "3.00")]


def test_every_convention_is_said() -> None:
    found = priced([{"kind": "graduated", "tiers": BOUNDED, "beyond_last_tier": "cap", "name": "kWh"}], "1").options

    assert "kWh: usage beyond the last tier costs nothing" in found
    assert "kWh: up_to is an inclusive upper bound" in found
    assert found[0].startswith("each line is rounded once, half away from zero")


def test_a_case_that_is_none_says_which_field() -> None:
    with pytest.raises(CaseError, match="unit_price"):
        priced({"kind": "standard"})
    answers = price_cases(
        b'[{"currency":"EURO","period":{"month":"2026-11"},"charges":[{"kind":"flat","amount":"1"}]}]'
    )

    assert isinstance(answers, list)
    assert "ISO 4217" in str(answers[0]["error"])
