"""Laws of rating: whatever the terms and the usage, sums add up, splits lose nothing, order and repeats do not
matter.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.calendar import Cycle, billing_periods, month, parse_day
from cloud.money import share_out, split
from cloud.rating.intervals import cut
from cloud.rating.lines import exact_of
from cloud.rating.price import Priced, parse_case, price
from cloud.rating.uses import Use, told_once, total

NOVEMBER = month("2026-11", "Europe/Berlin")
DECIMALS = st.decimals("0.001", "500", places=3).map(str)
FREE = st.none() | st.builds(
    lambda quantity, when: {"quantity": quantity, "when": when},
    DECIMALS, st.sampled_from(["before_conversion", "after_conversion"]),
)  # fmt: skip
COMMON = st.fixed_dictionaries(
    {
        "free_units": FREE,
        "convert": st.none() | st.builds(lambda by: {"divide_by": by, "unit": "k"}, DECIMALS),
        "round_quantity": st.none()
        | st.builds(lambda mode: {"mode": mode}, st.sampled_from(["up", "half_up", "down"])),
        "discounts": st.lists(
            st.builds(lambda percent: {"percent": percent}, st.sampled_from(["10", "33.3"])), max_size=2
        ),
        "minimum": st.none() | st.builds(lambda amount: {"amount": amount}, DECIMALS),
        "maximum": st.none() | st.builds(lambda amount: {"amount": amount}, st.sampled_from(["500", "700.5"])),
        "source": st.sampled_from([{}, {"group_by": ["subject"]}]),
        "aggregation": st.builds(
            lambda function: {"function": function}, st.sampled_from(["sum", "count", "max", "unique", "latest"])
        ),
    }
)
TIERS = st.lists(st.integers(1, 500), min_size=0, max_size=3, unique=True).flatmap(
    lambda bounds: st.tuples(*[DECIMALS] * (len(bounds) + 1)).map(
        lambda prices: [
            {"up_to": None if place == len(bounds) else str(sorted(bounds)[place]), "unit_price": one, "flat": one}
            for place, one in enumerate(prices)
        ]
    )
)
MODELS = st.one_of(
    st.builds(lambda one: {"kind": "standard", "unit_price": one}, DECIMALS),
    st.builds(lambda kind, tiers: {"kind": kind, "tiers": tiers},
              st.sampled_from(["graduated", "volume", "graduated_percentage", "bucketed_maximum"]), TIERS),
    st.builds(lambda size, one: {"kind": "package", "size": size, "price": one}, DECIMALS, DECIMALS),
    st.builds(lambda one, fixed: {"kind": "percentage", "percent": one, "fixed": fixed}, DECIMALS, DECIMALS),
)  # fmt: skip


def _charge(model: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    greatest = {"aggregation": {"function": "max"}} if model["kind"] == "bucketed_maximum" else {}
    return model | common | greatest


CHARGES = st.lists(st.builds(_charge, MODELS, COMMON), min_size=1, max_size=4)
USAGE = st.lists(
    st.builds(
        lambda number, minute, quantity: {
            "at": f"2026-11-{minute % 30 + 1:02}T{minute % 24:02}:{minute % 60:02}:00Z", "quantity": quantity,
            "source": "s", "id": f"e{number}", "labels": {"subject": f"v{number % 3}"},
        },
        st.integers(0, 10**6), st.integers(0, 10**6), DECIMALS,
    ),
    max_size=20, unique_by=lambda use: use["id"],
)  # fmt: skip
ROUNDINGS = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["half_up", "half_even", "half_down", "up", "down", "ceiling", "floor"]),
        "place": st.sampled_from(["line", "rate", "total"]),
    }
)


def bill(charges: list[dict[str, Any]], usage: list[dict[str, Any]], **case: Any) -> Priced:
    told = {"currency": "EUR", "zone": "Europe/Berlin", "period": {"month": "2026-11"}, "charges": charges,
            "usage": usage} | case  # fmt: skip
    return price(parse_case(msgspec.json.encode(told)))


@given(CHARGES, USAGE, ROUNDINGS)
@settings(max_examples=150, deadline=None)
def test_the_bill_is_the_sum_of_its_lines_and_of_their_rows(
    charges: list[dict[str, Any]], usage: list[dict[str, Any]], rounding: dict[str, str]
) -> None:
    found = bill(charges, usage, rounding=rounding)

    assert Decimal(found.total) == sum((Decimal(line.amount) for line in found.lines), Decimal(0))
    assert found.exact == sum((exact_of(line) for line in found.lines), Fraction(0))
    for line in found.lines:
        rows = [Fraction(step.amount) for step in line.steps if step.amount]
        assert not rows or abs(sum(rows) - exact_of(line)) <= Fraction(len(rows) + 1, 10**12)
        if rounding["place"] == "line":
            assert abs(Fraction(line.amount) - exact_of(line)) < Fraction(1, 100)


@given(CHARGES, USAGE, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_order_and_repeats_of_events_give_the_same_line_hashes(
    charges: list[dict[str, Any]], usage: list[dict[str, Any]], chance: Any
) -> None:
    again = [*usage, *chance.sample(usage, len(usage) // 2)]
    chance.shuffle(again)

    first, second = bill(charges, usage), bill(charges, again)

    assert [line.hash for line in first.lines] == [line.hash for line in second.lines]
    assert second.refused == []


@given(st.integers(-(10**12), 10**12), st.lists(st.fractions(0, 1000), min_size=1, max_size=12))
def test_a_split_loses_nothing_and_is_fair_to_a_unit(units: int, weights: list[Fraction]) -> None:
    shares = split(units, weights)

    assert sum(shares) == units
    if sum(weights):
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - units * weight / sum(weights)) < 1


@given(st.lists(st.fractions(-1000, 1000, max_denominator=10**6), min_size=1, max_size=12), st.integers(-3, 3))
def test_what_is_shared_out_adds_up(exacts: list[Fraction], off: int) -> None:
    units = int(sum(exacts) * 100) + off

    assert sum(share_out(units, exacts, 2)) == units


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.lists(st.integers(0, 10**6), max_size=8, unique=True))
def test_an_interval_that_is_cut_keeps_its_whole(value: int, length: int, edges: list[int]) -> None:
    use = Use(at=0, until=length, value=value, scale=-3)

    parts = cut(use, sorted(edges), "by_time")

    assert total(parts) == use.quantity
    assert (parts[0].at, parts[-1].until) == (0, length)


def test_events_of_a_year_are_in_one_month_each_and_add_up() -> None:
    charge = {"kind": "standard", "unit_price": "1"}
    usage = [
        {"at": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T23:30:00Z", "quantity": str(number), "id": f"{number}"}
        for number in range(200)
    ]
    months = list(
        billing_periods(Cycle(anchor_day=29), "Europe/Berlin", parse_day("2026-01-01"), parse_day("2027-01-01"))
    )

    parts = [bill([charge], usage, period={"first": one.first, "end": one.end}).total for one in months]

    assert sum(map(Decimal, parts)) == sum(range(200))
    assert told_once([Use(at=1, id="a"), Use(at=1, id="a")]).uses == [Use(at=1, id="a")]
