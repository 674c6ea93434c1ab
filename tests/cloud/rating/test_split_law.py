"""Terms that only have a new number change no amount: what holds once for a period holds over every edge in it."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.rating.price import Priced, parse_case, price
from tests.cloud.rating.test_laws import DECIMALS, USAGE

AMOUNT = st.builds(lambda amount: {"amount": amount}, DECIMALS)
LIMITS = st.fixed_dictionaries(
    {
        "minimum": st.none() | st.builds(lambda one: {"amount": one}, st.sampled_from(["20", "400.5"])),
        "maximum": st.none() | st.builds(lambda one: {"amount": one}, st.sampled_from(["500", "2700.25"])),
        "free_units": st.none() | st.builds(lambda one, when: {"quantity": one, "when": when}, DECIMALS,
                                            st.sampled_from(["before_conversion", "after_conversion"])),
        "convert": st.none() | st.just({"multiply_by": "3", "divide_by": "7", "unit": "k"}),
        "discounts": st.lists(AMOUNT, max_size=2),
        "bounds_apply": st.sampled_from(["after_discounts", "before_discounts"]),
        "source": st.sampled_from([{}, {"group_by": ["subject"]}]),
        "aggregation": st.sampled_from([{"function": "sum"}, {"function": "count"}]),
    }
)  # fmt: skip
WINDOWS = {"rules": [{"window": "peak", "from": "08:00", "to": "20:00"}], "otherwise": "low"}
TIERS = [{"up_to": "40", "unit_price": "0.7", "flat": "3"}, {"unit_price": "0.4", "flat": "1"}]


def _charge(model: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    if model["kind"] == "time_of_use":
        return model | limits | {"free_units": None, "aggregation": {"function": "sum"}}
    return limits | model


CHARGE = st.builds(
    _charge,
    st.one_of(
        st.builds(lambda one: {"kind": "standard", "unit_price": one}, DECIMALS),
        st.builds(lambda one, fixed, free, events: {"kind": "percentage", "percent": one, "fixed": fixed,
                                                    "free_amount": free, "free_events": events, "least_per_event": "2"},
                  DECIMALS, DECIMALS, st.none() | DECIMALS, st.integers(0, 4)),
        st.just({"kind": "graduated", "tiers": TIERS, "across_versions": "continue"}),
        st.builds(lambda function: {"kind": "standard", "unit_price": "2", "across_versions": "continue",
                                    "aggregation": {"function": function, "per": "day"}},
                  st.sampled_from(["max", "unique", "time_weighted"])),
        st.just({"kind": "package", "size": "9", "price": "4", "across_versions": "continue"}),
        st.just({"kind": "time_of_use", "windows": WINDOWS, "prices": {"peak": "2", "low": "1"}}),
    ),
    LIMITS,
)  # fmt: skip


def bill(charge: dict[str, Any], usage: list[dict[str, Any]], begins: list[str]) -> Priced:
    versions = [{"version": at, "from": day, "charges": [charge]} for at, day in enumerate(begins, 1)]
    told = {"currency": "EUR", "zone": "UTC", "period": {"month": "2026-11"}, "versions": versions, "usage": usage,
            "rounding": {"place": "total"}}  # fmt: skip
    return price(parse_case(msgspec.json.encode(told)))


@given(CHARGE, USAGE, st.lists(st.integers(2, 30), max_size=3, unique=True))
@settings(max_examples=150, deadline=None)
def test_a_version_with_the_same_prices_changes_no_amount(
    charge: dict[str, Any], usage: list[dict[str, Any]], days: list[int]
) -> None:
    edges = [f"2026-11-{day:02}T05:00:00" for day in sorted(days)]

    assert bill(charge, usage, ["2026-11-01", *edges]).exact == bill(charge, usage, ["2026-11-01"]).exact
