"""The life of a draw as a table, against the published cases and as laws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.device_events import Dispensed
from gateway.vending import DOUBTFUL, ENDS, NEXT, Fact, OutOfOrderError, State, after, counted, dispensed, verdict

LIFE = json.loads((Path(__file__).parents[1] / "vectors" / "draw_lifecycle.json").read_text())["cases"]
CASES = [case for case in LIFE if "facts" in case]
# Incidents of the table of cases that belong to another part: recovery, quota, the cut itself.
ELSEWHERE = {"interrupted", "recovered", "over_take"}


def played(facts: list[str]) -> State:
    state = State.REQUESTED
    for fact in facts:
        state = after(state, Fact(fact))
    return state


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']} {case['name']}")
def test_a_published_case_ends_as_it_must(case: dict[str, Any]) -> None:
    assert played(case["facts"]).value == case["expect"]["state"]


@pytest.mark.parametrize("case", [case for case in CASES if len(case["facts"]) == 4], ids=lambda case: case["id"])
def test_a_published_case_is_billed_and_counted_as_it_must(case: dict[str, Any]) -> None:
    expect = case["expect"]
    if played(case["facts"]) is State.COMMANDED:
        return
    qty = expect["qty"] or 1

    end = verdict(Fact(case["facts"][-1]), qty)

    assert (end.qty, end.billable) == (expect["qty"], expect["billable"])
    # The provisional piece of an unverified draw is off our shelf; the ledger of the table counts it later.
    assert end.stock == (-qty if end.outcome == "unverified" else expect["stock_delta"])
    assert (end.incident or None) == expect["incident"] or expect["incident"] in ELSEWHERE


@given(st.lists(st.sampled_from(Fact), max_size=8))
def test_no_order_of_facts_leaves_the_table_or_goods_without_a_command(facts: list[Fact]) -> None:
    state, commanded = State.REQUESTED, False
    for fact in facts:
        try:
            state = after(state, fact)
        except OutOfOrderError:
            continue
        commanded |= fact is Fact.SENT

    assert state is not State.CONFIRMED or commanded


def test_what_has_ended_stays_ended_but_for_evidence() -> None:
    reopened = {(state, fact) for state, fact in NEXT if state in ENDS and state is not State.UNVERIFIED}

    assert reopened == {(State.CONFIRMED, Fact.TAKEN_BACK)}


def test_only_confirmed_draws_are_billed_and_only_pieces_that_may_have_left_move_stock() -> None:
    for state, fact in NEXT:
        if state is State.COMMANDED and NEXT[state, fact] in ENDS:
            end = verdict(fact, 2)
            assert end.billable is (end.outcome == "confirmed")
            assert end.stock == (-2 if end.outcome in ("confirmed", "unverified") else 0)
            assert end.doubt is (fact in DOUBTFUL)


def test_a_fact_that_ends_nothing_gives_no_verdict() -> None:
    with pytest.raises(OutOfOrderError, match="cannot happen"):
        verdict(Fact.DOOR_LEFT_OPEN, 1)


def result(motor: str = "ok", drop: str = "seen", qty: int = 1, ctr: int | None = None) -> Dispensed:
    return Dispensed("1/1/x", "c", "1-03", qty, motor, drop, ctr=ctr)


@pytest.mark.parametrize(
    ("told", "fact", "qty"),
    [
        (result(), Fact.DROPPED, 1),
        (result(drop="extra"), Fact.DROPPED_LATE, 1),
        (result(qty=0, drop="none"), Fact.NO_DROP, 0),
        (result(motor="jam", drop="none", qty=0), Fact.JAM, 0),
        (result(motor="jam", drop="seen", qty=2), Fact.DROPPED, 2),
        (result(motor="none", drop="none", qty=0), Fact.NO_MOTOR, 0),
        (result(drop="off", qty=3), Fact.UNPROVEN, 3),
        (result(motor="unknown", drop="unknown", qty=0, ctr=11), Fact.COUNTER_MOVED, 1),
        (result(motor="unknown", drop="unknown", qty=0, ctr=10), Fact.COUNTER_STOOD, 0),
        (result(motor="unknown", drop="unknown", qty=0), Fact.NO_ANSWER, 3),
    ],
)
def test_a_cabinets_result_proves_what_its_sensor_saw(told: Dispensed, fact: Fact, qty: int) -> None:
    assert dispensed(told, "sensor", 3, 10) == (fact, qty)


def test_where_nothing_confirms_a_turn_of_the_motor_proves_nothing() -> None:
    assert dispensed(result(qty=0, drop="none"), "none", 1, None) == (Fact.UNPROVEN, 1)


@pytest.mark.parametrize(
    ("before", "now", "fresh", "fact"),
    [
        (8, 9, False, Fact.COUNTER_MOVED),
        (8, 8, True, Fact.COUNTER_STOOD),
        (8, 8, False, Fact.NO_ANSWER),
        (8, 2, True, Fact.NO_ANSWER),
        (None, 9, True, Fact.NO_ANSWER),
    ],
)
def test_a_counter_proves_a_piece_always_and_its_absence_only_when_it_is_fresh(
    before: int | None, now: int, *, fresh: bool, fact: Fact
) -> None:
    assert counted(before, now, 1, fresh=fresh)[0] is fact
