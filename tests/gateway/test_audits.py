"""Counters to draws: the given differences, and every doubt that must bill nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audits import Assessment, AuditRules, assess, interval_usable, moved
from gateway.drivers.dts_file import read_dts
from tests.gateway.test_dts_file import machine

DELTAS = {
    one["id"]: one for one in tomllib.loads((Path(__file__).parents[1] / "vectors/evadts.toml").read_text())["delta"]
}
DAY = 86_400_000
MANY = AuditRules(capacity=200)


def between(
    *before: str, now: tuple[str, ...], rules: AuditRules = MANY, days: int = 1, chain: str = "good", **more: Any
) -> Assessment:
    """The judgement of two files with these segments."""
    broken = "20260103*0000" if chain == "broken" else "20260105*073000"
    first = machine(*before, "CB1*B1", "EA3*11*20260105*073000*GW*20260104*073000*GW")
    second = machine(*now, f"CB1*{more.get('board', 'B1')}", f"EA3*12*20260106*073000*GW*{broken}*GW")
    known = assess(None, read_dts(first), "one", rules, 0).known
    return assess(known, read_dts(second), "two", rules, days * DAY)


def counted(selection: str, paid: int | str, interval: int | str = "") -> list[str]:
    return [f"PA1*{selection}*0*X*200", f"PA2*{paid}*0*{interval}"]


def reasons(found: Assessment) -> list[str]:
    return [gap.reason for gap in found.gaps]


@pytest.mark.parametrize("name", ["delta.01", "delta.02"])
def test_the_given_rollovers(name: str) -> None:
    one = DELTAS[name]
    rules = AuditRules(modulus=one["modulus"], capacity=200)

    found = between(*counted("1", one["prev"]), now=tuple(counted("1", one["now"])), rules=rules)

    assert [move.billable for move in found.moves] == [one["draws"]]


def test_an_interval_that_was_reset_in_between_agrees() -> None:
    one = DELTAS["delta.03"]

    found = between(
        *counted("1", one["prev"], one["interval_prev"]), now=tuple(counted("1", one["now"], one["interval_now"]))
    )

    assert [move.billable for move in found.moves] == [one["draws"]]


def test_free_vends_are_draws_and_tests_are_not() -> None:
    one = DELTAS["delta.04"]
    before = [*counted("1", one["prev"]), f"PA3*{one['test_prev']}", f"PA4*{one['free_prev']}"]
    now = [*counted("1", one["now"]), f"PA3*{one['test_now']}", f"PA4*{one['free_now']}"]

    (move,) = between(*before, now=tuple(now)).moves
    (strict,) = between(*before, now=tuple(now), rules=AuditRules(bill_free=False)).moves

    assert (move.physical, move.billable) == (one["physical"], one["billable"])
    assert (strict.physical, strict.billable) == (6, 3)


def test_another_board_is_a_new_chain() -> None:
    found = between(*counted("1", 5000), now=tuple(counted("1", 2)), board="B2")

    assert (found.kind, found.moves, reasons(found)) == ("new_chain", (), ["board_changed"])
    assert found.known.chain == 2


@pytest.mark.parametrize("modulus", [65_536, 100_000, 10**8, 2**32])
def test_a_small_decrease_is_no_rollover(modulus: int) -> None:
    one = DELTAS["delta.06"]

    found = between(*counted("1", one["prev"]), now=tuple(counted("1", one["now"])), rules=AuditRules(modulus=modulus))

    assert (found.moves, reasons(found), found.gaps[0].count) == ((), ["implausible"], True)
    assert found.known.counters["1"]["paid"] == one["now"]


def test_the_same_file_again_is_nothing() -> None:
    raw = machine(*counted("1", 5), "EA3*11*20260105*073000*GW*20260104*073000*GW")
    known = assess(None, read_dts(raw), "one", MANY, 0).known

    assert assess(known, read_dts(raw), "one", MANY, DAY).kind == "same"
    assert assess(known, read_dts(raw + b"\r\n"), "other bytes, same read", MANY, DAY).kind == "same"


def test_an_older_file_that_comes_late_changes_nothing() -> None:
    old = machine(*counted("1", 3), "EA3*9*20260103*073000*GW*20260102*073000*GW")
    new = machine(*counted("1", 5), "EA3*11*20260105*073000*GW*20260104*073000*GW")
    known = assess(None, read_dts(new), "one", MANY, 0).known

    found = assess(known, read_dts(old), "two", MANY, DAY)

    assert (found.kind, found.known, found.moves) == ("stale", known, ())


def test_a_mixed_payment_is_counted_once() -> None:
    one = DELTAS["delta.09"]
    before = ("PA1*1*50*X*200", "PA7*1*CA*1*50*100", "PA7*1*DA*1*50*30", "PA8*1*1*10")
    now = ("PA1*1*50*X*200", "PA7*1*CA*1*50*104", "PA7*1*DA*1*50*35", "PA8*1*1*12")

    (move,) = between(*before, now=now).moves

    assert move.billable == one["draws"]


def test_a_machine_without_cumulative_counters_needs_a_profile() -> None:
    one = DELTAS["delta.10"]
    before, now = counted("1", 0, 80), tuple(counted("1", one["cumulative"], one["interval"]))

    assert reasons(between(*before, now=now)) == ["interval_only"]
    kept = between(*before, now=now, rules=AuditRules(counting="interval"))
    cleared = between(*before, now=now, rules=AuditRules(counting="interval", read_resets=True))
    assert [move.billable for move in kept.moves] == [4]
    assert [move.billable for move in cleared.moves] == [84]


def test_an_interval_larger_than_the_total_is_not_used() -> None:
    one = DELTAS["delta.11"]

    found = between(*counted("1", 410, 2650), now=tuple(counted("1", one["cumulative"], one["interval"])))

    assert not interval_usable(one["cumulative"], one["interval"])
    assert ([move.billable for move in found.moves], found.gaps) == ([2], ())


def test_an_interval_that_disagrees_bills_nothing() -> None:
    found = between(*counted("1", 100, 10), now=tuple(counted("1", 103, 19)))

    assert (found.moves, reasons(found)) == ((), ["interval_disagrees"])


def test_a_chain_that_somebody_broke_is_said_and_total_counters_carry_on() -> None:
    found = between(*counted("1", 100), now=tuple(counted("1", 103)), chain="broken")

    assert ([move.billable for move in found.moves], reasons(found)) == ([3], ["chain_broken"])


def test_interval_counters_do_not_survive_a_broken_chain() -> None:
    rules = AuditRules(counting="interval")

    found = between(*counted("1", 0, 5), now=tuple(counted("1", 0, 9)), chain="broken", rules=rules)

    assert (found.moves, reasons(found)) == ((), ["chain_broken", "chain_broken"])


def test_more_than_the_machine_can_have_held_is_not_billed() -> None:
    few = ("PA1*1*0*X*10", "PA2*0")

    assert [m.billable for m in between(*few, now=("PA1*1*0*X*10", "PA2*50"), days=1).moves] == [50]
    assert reasons(between(*few, now=("PA1*1*0*X*10", "PA2*51"), days=1)) == ["implausible"]


@pytest.mark.parametrize(("total", "reason"), [("7", []), ("9", ["counter_new"]), ("", ["counter_new"])])
def test_a_counter_that_appears_is_believed_if_the_machines_total_moved_with_it(total: str, reason: list[str]) -> None:
    found = between(
        *counted("1", 5), "VA3*0*4" if total else "VA3", now=(*counted("1", 5), "PA4*3", f"VA3*0*{total}"),
    )  # fmt: skip

    assert [move.billable for move in found.moves] == ([] if reason else [3])
    assert reasons(found) == reason


def test_a_selection_that_appears_is_a_beginning() -> None:
    found = between(*counted("1", 5), now=(*counted("1", 5), *counted("2", 40)))

    assert (found.moves, reasons(found)) == ((), ["selection_new"])


@given(before=st.integers(0, 10**8), steps=st.integers(0, 600), modulus=st.sampled_from([65_536, 100_000, 10**8]))
def test_a_counter_modulo_anything_gives_the_steps_back(before: int, steps: int, modulus: int) -> None:
    assert moved(before % modulus, (before + steps) % modulus, modulus, 600) == steps


@given(before=st.integers(0, 10**8), now=st.integers(0, 10**8), most=st.integers(0, 1000))
def test_never_more_than_can_have_been(before: int, now: int, most: int) -> None:
    steps = moved(before, now, 100_000, most)

    assert steps is None or 0 <= steps <= most
