"""The account of running fans, against examples worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from random import Random

from firmware_sim.coil_plan import APART_S, CoilStep, steps
from firmware_sim.run_time import RunTimes
from firmware_sim.truth import RunHours, Terms, Truth

DAY = date(2026, 11, 9)
MIDNIGHT = int(datetime(2026, 11, 8, 23, tzinfo=UTC).timestamp()) * 1000


def looked_at(every_s: int, *, until_s: int, silent: range = range(0)) -> RunTimes:
    """A coil that ran high from second 100 to 400 and low from 400 to 1000, asked 40 ms after each round second."""
    account = RunTimes()
    account.installed("coil", every_s)
    for speed, at_s in (("high", 100), ("low", 400), ("", 1000)):
        account.runs("coil", speed, MIDNIGHT + at_s * 1000)
    for at_s in range(0, until_s, every_s):
        if at_s not in silent:
            account.looked("coil", MIDNIGHT + at_s * 1000 + 40)
    return account


def test_time_between_two_looks_belongs_to_the_earlier_one_in_whole_seconds_of_each_window() -> None:
    account = looked_at(15, until_s=1500)

    # Seen high at 105.04 .. 405.04, low at 405.04 .. 1005.04; windows end at 300, 600, 900, 1200:
    # high 194.96 + 105.04, low 194.96 + 300 + 105.04, each without the part of a second.
    assert account.seconds(MIDNIGHT, MIDNIGHT + 86_400_000) == {("coil", "high"): 194 + 105, ("coil", "low"): 194 + 405}
    assert account.within_a_look(MIDNIGHT, MIDNIGHT + 86_400_000)


def test_a_collector_that_nobody_asks_proves_nothing() -> None:
    assert not looked_at(15, until_s=90).within_a_look(MIDNIGHT, MIDNIGHT + 86_400_000)
    assert not looked_at(15, until_s=1500, silent=range(300, 1300)).within_a_look(MIDNIGHT, MIDNIGHT + 86_400_000)


def test_hours_are_weighed_by_speed_and_a_line_is_rounded_half_up() -> None:
    charge = RunHours(Decimal("1.37"), {"high": Decimal(1), "low": Decimal("0.6")}, ["coil"])
    account = Truth(Terms("EUR", "Europe/Berlin", DAY, [charge]))
    account.coils = looked_at(15, until_s=1500)

    (line,) = account.bill(DAY, date(2026, 11, 10)).lines

    # (299 + 599 x 0.6) / 3600 h x 1.37 = 0.250558...
    assert (line.kind, line.device, line.amount) == ("weighted_runtime", "coil", Decimal("0.25"))


def test_fans_without_water_are_not_paid_for_and_steps_lie_apart() -> None:
    day = list(steps(Random(1), "coil", MIDNIGHT, MIDNIGHT + 6 * 3_600_000))

    assert CoilStep(0, "coil", "high", valve=False, flow=True).effective == ""
    assert {one.effective for one in day} == {"", "low", "mid", "high"}
    assert all(later.at_ms - sooner.at_ms >= APART_S[0] * 1000 for sooner, later in pairwise(day))
    assert day[-1] == CoilStep(MIDNIGHT + 6 * 3_600_000, "coil", "", valve=False, flow=False)
