"""The judge: a sound day has no differences, and each seeded bug has some."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from firmware_sim import scenario as scenarios
from firmware_sim import virtual_time
from firmware_sim.cli import main
from firmware_sim.judge import Account, Verdict, judge
from firmware_sim.judging import judge_scenario
from firmware_sim.scenario import Scenario, Shift
from firmware_sim.settling import everything_sent, settle
from firmware_sim.truth import PerPiece
from firmware_sim.world import Fast, fast


def short_day() -> Scenario:
    """The last hours of first_day."""
    whole = scenarios.load("first_day")
    shop = replace(
        whole.shop, draws=8, strangers=1, shift=(Shift("21:00", "22:00", 3),), load=replace(whole.shop.load, on="20:45")
    )
    return replace(whole, name="short_day", opens="20:30", shop=shop)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """In memory where there is such a place: virtual days need no disk."""
    in_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=in_memory if os.access(in_memory, os.W_OK) else None) as made:
        yield Path(made)


def play(scenario: Scenario, folder: Path, sabotage: Callable[[Fast], None]) -> Verdict:
    async def day() -> Verdict:
        async with fast(scenario, folder) as run:
            sabotage(run)
            await run.day.play(0, scenario.ms("00:00", scenario.days) + 300_000)
            await everything_sent(run.people, run.day.pace)
            evening = await settle(scenario, run.truth, run.office, run.opened, folder)
            return evening.verdict

    return virtual_time.run(day())


def no_sabotage(run: Fast) -> None:
    """A sound day."""


def a_refill_is_written_down_twice(run: Fast) -> None:
    refill = run.day.kiosk.refill

    class Stammering:
        draw, count, status = run.day.kiosk.draw, run.day.kiosk.count, run.day.kiosk.status

        async def refill(self, cabinet: str, badge: str, slot: str, quantity: int) -> dict[str, Any]:
            await refill(cabinet, badge, slot, quantity)
            return await refill(cabinet, badge, slot, quantity)

    run.day.kiosk = Stammering()


def a_piece_is_billed_that_nobody_took(run: Fast) -> None:
    left = run.truth.piece_left

    def forget_the_first(*place: str, **facts: Any) -> None:
        run.truth.piece_left = left  # type: ignore[method-assign]

    run.truth.piece_left = forget_the_first  # type: ignore[method-assign]


def a_meter_shows_more_than_flowed(run: Fast) -> None:
    (meter,) = run.wired.meters.values()
    meter.twin.set_load_w(70, meter.line.now)


def a_price_differs_by_a_cent(run: Fast) -> None:
    per_piece, *others = run.truth.terms.charges
    assert isinstance(per_piece, PerPiece)
    prices = {item: price + Decimal("0.01") for item, price in per_piece.prices.items()}
    run.truth.terms = replace(run.truth.terms, charges=[replace(per_piece, prices=prices), *others])


@pytest.mark.parametrize(
    ("bug", "seen"),
    [
        (no_sabotage, set()),
        (a_refill_is_written_down_twice, {"stock", "records"}),
        (a_piece_is_billed_that_nobody_took, {"pieces", "stock", "money", "records"}),
        (a_meter_shows_more_than_flowed, {"energy in Wh", "money"}),
        (a_price_differs_by_a_cent, {"money"}),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_the_judge_sees_each_seeded_bug(scratch: Path, bug: Callable[[Fast], None], seen: set[str]) -> None:
    verdict = play(short_day(), scratch, bug)

    assert {one.what for one in verdict.differences} >= seen
    assert bool(verdict.differences) == bool(seen)
    assert all(verdict.compared.values())


def short_hall() -> Scenario:
    """Two hours of mixed_hall: its fan coils, and one cabinet for somebody who wants a thing."""
    whole = scenarios.load("mixed_hall")
    charges = tuple(one for one in whole.agreement.charge if one.kind in ("per_piece", "weighted_runtime"))
    return replace(
        whole, name="short_hall", opens="20:55", meter=(), agreement=replace(whole.agreement, charge=charges),
        line=tuple(one for one in whole.line if one.name in ("locks", "climate")), cabinet=whole.cabinet[:1],
        shop=replace(
            whole.shop, draws=2, shift=(Shift("21:00", "21:40", 2),), load=replace(whole.shop.load, on="21:00")
        ),
    )  # fmt: skip


def a_valve_reads_open_that_is_shut(run: Fast) -> None:
    run.wired.fan_coils["coil-room-1"].stuck.add(3)


def test_the_judge_sees_a_coil_that_counts_without_water_and_believes_the_one_beside_it(scratch: Path) -> None:
    verdict = play(short_hall(), scratch, a_valve_reads_open_that_is_shut)

    seen = {(one.what, one.where.partition(" / ")[0]) for one in verdict.differences}
    assert seen == {("effective seconds", "coil-room-1"), ("money", "weighted_runtime"), ("money", "total")}
    assert verdict.compared["minutes run"] > 10


def test_seconds_that_nobody_ran_and_seconds_at_another_speed_are_differences() -> None:
    truth = Account(runs={("coil", "low"): 600})

    for runs in ({("coil", "low"): 601}, {("coil", "mid"): 600}, {}):
        assert {one.what for one in judge(truth, Account(runs=runs), proofs={}).differences} == {"effective seconds"}


def test_the_same_seed_gives_the_same_day(scratch: Path) -> None:
    one, other = (judge_scenario(short_day(), folder=scratch / name) for name in ("one", "other"))

    assert one == other
    assert (scratch / "one/statement.bundle.json").read_bytes() == (
        scratch / "other/statement.bundle.json"
    ).read_bytes()


def test_nothing_compared_is_nothing_found_out() -> None:
    verdict = judge(Account(), Account(), proofs={})

    assert not verdict.differences
    assert not verdict.sound


def test_a_lost_row_of_either_side_is_a_difference() -> None:
    truth = Account(pieces={("cab", "item"): 1}, total=Decimal(1))

    assert [one.what for one in judge(truth, Account(), proofs={"p": False}).differences] == [
        "pieces",
        "money",
        "proof",
    ]
    assert [one.what for one in judge(Account(), truth, proofs={}).differences] == ["pieces", "money"]


def test_an_unknown_scenario_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "no_such_day"]) == 2
    assert "known are" in capsys.readouterr().err
