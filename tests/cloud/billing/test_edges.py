"""A register's step over the edge of a period, a price or a window: the same on a statement as in a priced case."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.agreements.terms import AgreementTerms, Version
from cloud.billing.facts import Fact
from cloud.billing.scope import Scope
from cloud.billing.settle import settle
from cloud.calendar import Period, parse_day, period, utc_text
from cloud.rating.lines import LeafRef, Line
from cloud.rating.price import parse_case, price
from tests.cloud.billing.test_settle import BEGIN, PLAIN, reading

HOUR = 3_600_000
FIRST = period(parse_day("2026-11-01"), parse_day("2026-11-07"), "UTC")
SECOND = period(parse_day("2026-11-07"), parse_day("2026-11-13"), "UTC")
CHANGE = "2026-11-04T05:00:00+00:00"
CHANGES = 77  # hours after the beginning
ENDS = 144
WINDOWS = {"rules": [{"window": "peak", "from": "08:00", "to": "20:00"}], "otherwise": "low"}
SOURCE = {"source": {"measure": "energy", "devices": ["meter-1"]}}
KINDS: Sequence[Mapping[str, Any]] = [
    {"kind": "energy", "devices": ["meter-1"]},
    {"kind": "standard"} | SOURCE,
    {"kind": "standard", "over_edges": "at_start"} | SOURCE,
    {"kind": "standard", "over_edges": "at_end"} | SOURCE,
    {"kind": "time_of_use", "windows": WINDOWS} | SOURCE,
    {"kind": "time_of_use", "windows": WINDOWS, "split": "at_end", "over_edges": "at_end"} | SOURCE,
]


def charge(told: Mapping[str, Any], each: int) -> dict[str, Any]:
    """The charge at a price."""
    prices = {"unit_price": f"{each}"} if told["kind"] != "time_of_use" else {"prices": {"peak": f"{each}", "low": "7"}}
    return {**told, **prices}


def on_statements(told: Mapping[str, Any], readings: Mapping[int, int]) -> list[list[Line]]:
    """The lines of two statements in a row; the price changes in the first period."""
    before, after = (
        AgreementTerms.model_validate(PLAIN | {"zone": "UTC", "charges": [charge(told, each)]} | more)
        for each, more in ((1, {}), (3, {"effective_at": CHANGE}))
    )
    versions = (Version(1, "2026-11-01", before), Version(2, "2026-11-04", after))
    facts = [
        Fact(LeafRef(log=0, index=index, at=BEGIN + hour * HOUR, quality="synchronised"), reading(index, wh))
        for index, (hour, wh) in enumerate(sorted(readings.items()))
    ]
    first = settle(Scope(period=FIRST, closed=(), versions=versions, settled=(0,)), facts)
    registers = tuple(first.registers)
    scope = Scope(period=SECOND, closed=(FIRST,), versions=versions, settled=(len(facts),), registers=registers)
    return [first.lines, settle(scope, facts).lines]


def case_of(told: Mapping[str, Any], readings: Mapping[int, int], counted_in: Period = FIRST) -> dict[str, Any]:
    """The same as a case."""
    return {
        "currency": "EUR", "period": {"first": counted_in.first, "end": counted_in.end},
        "versions": [
            {"version": 1, "from": "2026-11-01", "charges": [charge(told, 1)]},
            {"version": 2, "from": CHANGE, "charges": [charge(told, 3)]},
        ],
        "readings": [
            {"at": utc_text(BEGIN + hour * HOUR), "value": f"{wh // 1000}.{wh % 1000:03}", "device": "meter-1"}
            for hour, wh in readings.items()
        ],
    }  # fmt: skip


def as_a_case(told: Mapping[str, Any], readings: Mapping[int, int], counted_in: Period) -> list[Line]:
    """The lines of one period."""
    return price(parse_case(json.dumps(case_of(told, readings, counted_in)))).lines


def shown(lines: Sequence[Line]) -> list[tuple[object, ...]]:
    """What is billed."""
    billed = [line for line in lines if Fraction(line.quantity.value)]
    return sorted((line.version, line.window, line.quantity.value, line.unrounded, line.amount) for line in billed)


@pytest.mark.parametrize("told", KINDS)
@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.integers(0, 2 * ENDS), st.integers(0, 10**6), min_size=2, max_size=9))
def test_statements_and_priced_cases_bill_the_same(told: Mapping[str, Any], rises: dict[int, int]) -> None:
    readings = dict(zip(sorted(rises), sorted(rises.values()), strict=True))

    first, second = on_statements(told, readings)

    assert shown(first) == shown(as_a_case(told, readings, FIRST))
    assert shown(second) == shown(as_a_case(told, readings, SECOND))


@pytest.mark.parametrize(("told", "total"), [*zip(KINDS[:4], ["24.00", "16.00", "8.00", "24.00"], strict=True)])
def test_a_step_in_which_the_price_changes(told: Mapping[str, Any], total: str) -> None:
    readings = {CHANGES - 4: 0, CHANGES + 4: 8000}

    case = price(parse_case(json.dumps(case_of(told, readings))))

    assert case.total == total
    assert sum(Fraction(line.amount) for line in on_statements(told, readings)[0]) == Fraction(total)
    assert any("in which the price changes" in said for said in case.options)


@pytest.mark.parametrize("told", KINDS)
def test_a_step_over_a_periods_edge_belongs_to_the_later_readings_period(told: Mapping[str, Any]) -> None:
    readings = {ENDS - 4: 0, ENDS + 4: 8000}

    first, second = (as_a_case(told, readings, one) for one in (FIRST, SECOND))

    assert shown(first) == []
    assert sum(Fraction(line.quantity.value) for line in second) == 8


def test_readings_from_before_the_agreement_are_not_its_own() -> None:
    case = case_of(KINDS[1], {0: 0, 30: 5000, 40: 7000}) | {"starts": "2026-11-02"}

    assert price(parse_case(json.dumps(case))).lines[0].quantity.value == "2"
