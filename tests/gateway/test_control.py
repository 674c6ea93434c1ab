"""The rule of an air unit as a table: value in, level out; and who may switch by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.control import Decision, Now, Order, Running, Value, by_rule, decide, may_order
from gateway.control_rules import Control, Source

AIR = Source(device="air-1", metric="pm2_5")
ROOM = Source(device="pir-1", metric="occupancy")
# Monday 2 November 2026, 10:00 in Shanghai.
MONDAY = 1_793_584_800_000
HOUR = 3_600_000
LATE = 10 * HOUR


def rule(**changes: Any) -> Control:
    steps = [{"above": "35", "level": 1}, {"above": "75", "level": 2}, {"above": "150", "level": 3}]
    told = {"unit": "fan-1", "air": AIR, "steps": steps, "hysteresis": "10", "zone": "Asia/Shanghai"}
    return Control.model_validate({**told, **changes})


def at(value: str, level: int = 0, control: Control | None = None, **changes: Any) -> Decision | None:
    """What is decided ten hours after the start, with a fresh value and a unit long at its level."""
    seen = {AIR: Value(Decimal(value), LATE)}
    order, now = changes.get("order"), changes.get("now", Now(LATE, MONDAY))
    running = changes.get("running", Running(level, 0))
    return decide(control or rule(), running, {**seen, **changes.get("values", {})}, order, now)


@pytest.mark.parametrize(
    ("value", "held", "wanted"),
    [
        ("35", 0, 0), ("35.1", 0, 1), ("80", 0, 2), ("151", 0, 3),
        ("70", 2, 2), ("65.1", 2, 2), ("65", 2, 1), ("26", 1, 1), ("25", 1, 0), ("10", 3, 0), ("90", 3, 2),
    ],
)  # fmt: skip
def test_it_steps_up_at_a_threshold_and_down_below_the_hysteresis(value: str, held: int, wanted: int) -> None:
    decided = at(value, held)

    assert decided is not None
    assert (decided.level, decided.why) == (wanted, "rule")


@pytest.mark.parametrize("q", [("warming_up",), ("frozen",), ("out_of_range",)])
def test_a_doubtful_value_moves_nothing(q: tuple[str, ...]) -> None:
    decided = at("10", 2, values={AIR: Value(Decimal(500), LATE, q)})

    assert decided == Decision(2, "blind")


def test_an_old_value_moves_nothing_and_a_level_can_be_named_for_it() -> None:
    old = {AIR: Value(Decimal(500), LATE - 301_000)}

    held, named = at("0", 1, values=old), at("0", 1, rule(when_blind=2), values=old)

    assert (held, named) == (Decision(1, "blind"), Decision(2, "blind"))


def test_a_silent_unit_that_nobody_can_see_is_left_alone() -> None:
    assert decide(rule(), None, {}, None, Now(LATE, MONDAY)) is None


def test_a_unit_rests_after_it_was_switched_off() -> None:
    resting = at("100", running=Running(0, LATE - 179_000))
    rested = at("100", running=Running(0, LATE - 180_000))

    assert resting is not None
    assert rested is not None
    assert ((resting.level, resting.why), rested.level) == ((0, "resting"), 2)


def test_speeds_change_at_once_while_it_runs() -> None:
    decided = at("100", running=Running(1, LATE - 1000))

    assert decided is not None
    assert decided.level == 2


def test_a_persons_order_goes_before_the_rule_until_it_ends() -> None:
    order = Order(3, "p-17", LATE + 1)

    during, after = at("10", 1, order=order), at("10", 1, order=order, now=Now(LATE + 1, MONDAY))

    assert during == Decision(3, "order", "p-17")
    assert after is not None
    assert (after.level, after.why) == (0, "rule")


def test_a_person_may_switch_off_at_once_but_not_start_a_compressor_that_rests() -> None:
    off = at("100", order=Order(0, "p", None), running=Running(2, LATE - 1000))
    on = at("100", order=Order(1, "p", None), running=Running(0, LATE - 1000))

    assert off is not None
    assert on is not None
    assert (off.level, on.level, on.why) == (0, 0, "resting")


@pytest.mark.parametrize(
    ("hours", "shift", "inside"),
    [
        ([{"days": ["mon"], "from": "08:00", "to": "18:00"}], 0, True),
        ([{"days": ["mon"], "from": "08:00", "to": "18:00"}], 8 * HOUR, False),
        ([{"days": ["tue"], "from": "08:00", "to": "18:00"}], 0, False),
        ([{"days": ["mon"], "from": "22:00", "to": "06:00"}], 19 * HOUR, True),
        ([{"days": ["mon"], "from": "22:00", "to": "06:00"}], 20 * HOUR, False),
        ([{"days": ["tue"], "from": "22:00", "to": "06:00"}], 19 * HOUR, False),
        ([], 99 * HOUR, True),
    ],
)
def test_hours_are_local_and_may_run_over_midnight(hours: list[dict[str, Any]], shift: int, inside: bool) -> None:
    decided = at("100", 2, rule(hours=hours), now=Now(LATE, MONDAY + shift))

    assert decided is not None
    assert (decided.why == "rule") is inside


def test_without_a_trusted_clock_no_hour_shuts_anything_off() -> None:
    decided = at("100", 2, rule(hours=[{"days": ["tue"], "from": "08:00", "to": "18:00"}]), now=Now(LATE, None))

    assert decided is not None
    assert decided.why == "rule"


@pytest.mark.parametrize(
    ("presence", "wanted"),
    [
        (Value(Decimal(1), LATE, (), LATE), (2, "rule")),
        (Value(Decimal(0), LATE, (), LATE - 899_000), (2, "rule")),
        (Value(Decimal(0), LATE, (), LATE - 901_000), (0, "empty_room")),
        (Value(Decimal(0), LATE), (0, "empty_room")),
        (Value(Decimal(0), LATE - 7_201_000), (2, "rule")),
    ],
)
def test_an_empty_room_is_not_cleaned(presence: Value, wanted: tuple[int, str]) -> None:
    control = rule(occupancy={"source": ROOM, "hold_seconds": 900})

    decided = at("100", 2, control, values={ROOM: presence})

    assert decided is not None
    assert (decided.level, decided.why) == wanted


@pytest.mark.parametrize(
    "changes",
    [
        {"cuts_off": True},
        {"steps": []},
        {"air": None},
        {"hysteresis": "40"},
        {"steps": [{"above": "35", "level": 2}, {"above": "75", "level": 1}]},
        {"zone": "Mars/Base"},
        {"speed": 3},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**changes)


def test_no_rule_ever_moves_a_relay_that_cuts_a_customer_off() -> None:
    relay = Control(unit="meter-1", cuts_off=True)
    seen = {AIR: Value(Decimal(999), LATE)}

    assert not by_rule(relay)
    assert decide(relay, Running(1, 0), seen, None, Now(LATE, MONDAY)) is None


@pytest.mark.parametrize(
    ("known", "switcher", "reason", "refused"),
    [
        (False, True, "unpaid", "unknown_badge"),
        (True, False, "unpaid", "not_allowed"),
        (True, True, "  ", "no_reason"),
        (True, True, "unpaid", ""),
    ],
)
def test_who_may_cut_a_customer_off(*, known: bool, switcher: bool, reason: str, refused: str) -> None:
    refusal = may_order(Control(unit="meter-1", cuts_off=True), known=known, switcher=switcher, reason=reason)

    assert (refusal.reason if refusal else "") == refused


@given(st.integers(0, 400), st.integers(0, 3), st.integers(0, 3 * HOUR), st.integers(0, 3 * HOUR))
def test_whatever_the_air_a_unit_is_never_switched_on_and_off_before_its_rest(
    value: int, level: int, since: int, now: int
) -> None:
    running = Running(level, min(since, now))
    decided = decide(rule(), running, {AIR: Value(Decimal(value), now)}, None, Now(now, None))

    assert decided is not None
    if (decided.level > 0) is not (level > 0):
        assert now - running.since >= 180_000
