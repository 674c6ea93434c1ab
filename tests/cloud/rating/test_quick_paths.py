"""What is rated by integers is, to the last character, what is rated by fractions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.money import RoundingPolicy
from cloud.rating.buckets import BucketNames, bucket_name
from cloud.rating.charges import dynamic, graduated, graduated_percentage, percentage, standard, volume
from cloud.rating.line_amounts import multiplied_line, price_line
from cloud.rating.lines import (
    Evidence,
    LeafRef,
    Line,
    LineRef,
    Measured,
    Pricing,
    RegisterPoint,
    Step,
    exact_price,
)
from cloud.rating.tiers import TieredTerms, planned_line, tier_rows, volume_rows
from cloud.rating.usage_terms import usage_lines
from cloud.rating.uses import Use, time_weighted

PRICES = st.decimals("0", "999", places=5).map(lambda price: f"{price.normalize():f}")
QUANTITIES = st.one_of(
    st.builds(Fraction, st.integers(-10, 10**9), st.sampled_from([1, 10, 1000, 10**6, 8, 625])),
    st.builds(Fraction, st.integers(0, 10**6), st.sampled_from([3, 7, 10**9, 10**13])),
)
MODES = st.sampled_from(["half_up", "half_even", "half_down", "up", "down", "ceiling", "floor"])
PRICINGS = st.builds(
    lambda currency, mode: Pricing(2, 3, currency, RoundingPolicy(mode=mode), "Europe/Berlin"),
    st.sampled_from(["EUR", "JPY", "KWD", "CLF"]), MODES,
)  # fmt: skip
TIERS = st.lists(st.integers(1, 5000), max_size=4, unique=True).flatmap(
    lambda bounds: st.tuples(*[st.tuples(PRICES, st.sampled_from(["0", "1", "2.5"]))] * (len(bounds) + 1)).map(
        lambda prices: [
            {"up_to": None if place == len(bounds) else f"{sorted(bounds)[place] / 8:.3f}"}
            | {"unit_price": one, "flat": flat}
            for place, (one, flat) in enumerate(prices)
        ]
    )
)  # fmt: skip


def measured(quantity: Fraction, **more: Any) -> Measured:
    return Measured(
        measure="usage", device="d", subject="s", first="2026-11-01", end="2026-12-01", quantity=quantity, unit="kWh",
        leaves=(LeafRef(log=0, index=7, at=9, quality="synchronised"),), **more,
    )  # fmt: skip


def by_fractions(one: Measured, kind: str, terms: TieredTerms, pricing: Pricing) -> list[Line]:
    if kind == "volume":
        return usage_lines(kind, one, terms, pricing, lambda q, before, unit: volume_rows(terms, q, before, unit))
    percent = kind == "graduated_percentage"
    return usage_lines(
        kind, one, terms, pricing, lambda q, before, unit: tier_rows(terms, q, before, unit, percent=percent)
    )


@given(QUANTITIES, PRICES, PRICINGS, st.booleans())
def test_a_product_by_integers_is_the_product_of_fractions(
    quantity: Fraction, price: str, pricing: Pricing, instants: bool
) -> None:
    one = measured(quantity, instants=instants, from_ms=5, to_ms=6, evidence=Evidence(1, "00"))

    assert multiplied_line(one, "standard", price, pricing) == price_line(
        one, "standard", price, quantity * exact_price(price), pricing
    )


@given(QUANTITIES, TIERS, PRICINGS, st.sampled_from(["graduated", "volume", "graduated_percentage"]))
def test_tiers_by_integers_are_the_tiers_of_fractions(
    quantity: Fraction, tiers: list[dict[str, Any]], pricing: Pricing, kind: str
) -> None:
    model = {"graduated": graduated, "volume": volume, "graduated_percentage": graduated_percentage}[kind]
    terms = model.Terms.model_validate({"kind": kind, "tiers": tiers})
    one = measured(quantity)

    made = [model.charge(one, terms, pricing) for _ in range(2)]

    assert made == [by_fractions(one, kind, terms, pricing)] * 2


SOME_LINES_HAVE = {
    "corrects": LineRef(hash="ab", line=2, statement=1), "evidence": Evidence(1, "00"), "exact": "1/3", "from_": 5,
    "group": {"version": '"version":2}', "a": "b"}, "name": '"version":2}', "quality": "edited",
    "steps": [Step(what="tier 1", quantity="2", unit="kWh", unit_price="0.1", amount="0.2")], "to": 6,
    "window": "\u8c37",
}  # fmt: skip


@given(QUANTITIES, PRICES, PRICINGS, st.sets(st.sampled_from(sorted(SOME_LINES_HAVE))))
def test_a_line_is_hashed_as_its_json_with_sorted_keys(
    quantity: Fraction, price: str, pricing: Pricing, more: set[str]
) -> None:
    point = RegisterPoint(
        device="d", register="r", value=1, scale=0, unit="Wh",
        leaf=LeafRef(log=0, index=1, at=2, quality="repaired"),
    )  # fmt: skip
    plain = multiplied_line(measured(quantity, registers=(point,)), "standard", price, pricing)
    line = msgspec.structs.replace(plain, **{name: SOME_LINES_HAVE[name] for name in more})

    told = json.dumps(msgspec.to_builtins(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert line.hash == sha256(told.encode()).hexdigest()


def test_usual_tiers_take_the_way_by_integers() -> None:
    tiers = [{"up_to": "20", "unit_price": "0.27"}, {"up_to": "50", "unit_price": "0.25", "flat": "1"},
             {"unit_price": "0.21"}]  # fmt: skip
    terms = graduated.Terms.model_validate({"kind": "graduated", "tiers": tiers})

    lines = [
        planned_line("graduated", measured(Fraction(60123, 1000)), terms, Pricing(1, 0, "EUR", RoundingPolicy()))
        for _ in range(2)
    ]

    (first, line) = lines
    assert first is None
    assert line is not None
    assert [step.amount for step in line.steps] == ["5.4", "7.5", "1", "2.12583"]
    assert line.amount == "16.03"


EVENTS = st.lists(
    st.builds(
        lambda at, value, scale, price: Use(at=at, value=value, scale=scale, id=f"{at}", price=price),
        st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from([0, -2, -5, 2]), PRICES,
    ),
    min_size=1, max_size=12, unique_by=lambda use: use.at,
)  # fmt: skip


def one_by_one(uses: Sequence[Use], terms: percentage.Terms) -> tuple[Fraction, int, Fraction]:
    """A percentage in fractions, an event at a time, straight from the words of the terms."""
    rate, fixed, free = Fraction(terms.percent) / 100, Fraction(terms.fixed), terms.free_amount
    based, charged, bounded, running = Fraction(0), 0, Fraction(0), Fraction(0)
    for place, use in enumerate(sorted(uses, key=lambda use: use.at)):
        running += use.quantity
        part: Fraction | None = use.quantity
        if (terms.free_events or free is not None) and (not terms.free_events or place < terms.free_events):
            beyond = Fraction(0) if free is None else running - Fraction(free)
            part = None if beyond <= 0 else min(beyond, use.quantity)
        if part is not None:
            own = part * rate + fixed
            held = own if terms.least_per_event is None else max(own, Fraction(terms.least_per_event))
            held = held if terms.most_per_event is None else min(held, Fraction(terms.most_per_event))
            based, charged, bounded = based + part, charged + 1, bounded + held - own
    return based * rate, charged, bounded


@given(EVENTS, PRICES, PRICES, st.integers(0, 4), st.none() | PRICES, st.none() | PRICES, st.none() | PRICES)
def test_percentages_of_events_by_integers_are_those_of_fractions(
    uses: list[Use], percent: str, fixed: str, free: int, amount: str | None, least: str | None, most: str | None
) -> None:
    if least is not None and most is not None:
        least, most = sorted((least, most), key=Fraction)
    terms = percentage.Terms.model_validate(
        {"kind": "percentage", "percent": percent, "fixed": fixed, "free_events": free, "free_amount": amount,
         "least_per_event": least, "most_per_event": most}
    )  # fmt: skip
    pricing = Pricing(1, 0, "EUR", RoundingPolicy())

    lines = percentage.charge(measured(Fraction(1), uses=tuple(uses)), terms, pricing)

    of_percent, charged, bounded = one_by_one(uses, terms)
    total = of_percent + charged * Fraction(fixed) + bounded
    assert Fraction(lines[0].exact or lines[0].unrounded) == total


@given(EVENTS, st.sampled_from(["unit_price", "amount"]), PRICES.filter(lambda price: Fraction(price) > 0))
def test_prices_of_events_by_integers_are_those_of_fractions(uses: list[Use], is_: str, by: str) -> None:
    terms = dynamic.Terms.model_validate({"kind": "dynamic", "price_is": is_, "multiplier": by})

    (line,) = dynamic.charge(measured(Fraction(1), uses=tuple(uses)), terms, Pricing(1, 0, "EUR", RoundingPolicy()))

    each = [Fraction(use.price) * (use.quantity if is_ == "unit_price" else 1) for use in uses]
    assert Fraction(line.exact or line.unrounded) == sum(each, Fraction(0)) * Fraction(by)


@given(EVENTS, st.sampled_from([Fraction(0), Fraction(7, 8)]), st.booleans())
def test_a_level_over_time_by_integers_is_that_of_fractions(uses: list[Use], opening: Fraction, changes: bool) -> None:
    level, since, area = opening, 10, Fraction(0)
    for use in sorted(uses, key=lambda use: use.at):
        at = min(max(use.at, 10), 10**9 // 2)
        area, since = area + level * (at - since), at
        level = level + use.quantity if changes else use.quantity
    area += level * (10**9 // 2 - since)

    assert time_weighted(uses, (10, 10**9 // 2), "hour", opening, changes=changes) == area / 3_600_000


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"])
@pytest.mark.parametrize("bucket", ["hour", "day", "week", "month"])
def test_remembered_buckets_are_the_buckets(zone: str, bucket: str) -> None:
    names = BucketNames(bucket, zone)
    instants = range(1_143_000_000_000, 1_175_000_000_000, 47 * 60_000 * 97)

    assert [names.of(at) for at in instants] == [bucket_name(at, bucket, zone) for at in instants]


def test_a_standard_price_is_a_product() -> None:
    terms = standard.Terms.model_validate({"kind": "standard", "unit_price": "0.005"})
    pricing = Pricing(1, 0, "EUR", RoundingPolicy())

    (line,) = standard.charge(measured(Fraction(3)), terms, pricing)

    assert (line.quantity.value, line.unrounded, line.amount) == ("3", "0.015", "0.02")


def test_a_line_that_leaves_out_what_every_line_says_is_none() -> None:
    line = multiplied_line(measured(Fraction(3)), "standard", "0.5", Pricing(1, 0, "EUR", RoundingPolicy()))
    told = msgspec.to_builtins(line)

    for name in told:
        with pytest.raises(msgspec.ValidationError, match="missing required field"):
            msgspec.json.decode(json.dumps({key: told[key] for key in told if key != name}), type=Line)
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.json.decode(b'{"amount":"1"}', type=Step)
