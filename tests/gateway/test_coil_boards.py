"""What is special about boards that number nothing: TCN, ZDM8 and the motors of WKLY."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware_sim.devices.lock_wkly import LockWkly
from firmware_sim.faults import LinePlan, Scheduled
from gateway import drivers
from gateway.device_events import Dispensed, MotorState
from tests.gateway.board_site import BoardSite, balance, on_a_board
from tests.gateway.test_drivers import hexed
from wire.records import Draw, DrawResolved

SEEN = bytes.fromhex("00 5D 00 AA 07")


# TCN


@pytest.mark.parametrize(
    ("trouble", "outcome", "doubtful"),
    [
        ("jam", "jammed", True),
        ("slow", "confirmed", False),
        ("blind", "not_dispensed", False),
        ("unplugged", "not_dispensed", False),
    ],
)
def test_each_code_of_a_tcn_board_has_its_end(tmp_path: Path, trouble: str, outcome: str, *, doubtful: bool) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            if trouble == "unplugged":
                site.twin.unplugged.add("1")
            else:
                getattr(site.coils, trouble)("1")

            result = await gateway.draw()

            assert result.outcome == outcome
            if doubtful:
                assert gateway.premises.shelf.doubtful()

    on_a_board(tmp_path, "coil_tcn", play)


def test_without_a_sensor_a_turn_proves_nothing(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.sensor = False
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, site.fell, site.turns) == ("unverified", 1, 1)

    on_a_board(tmp_path, "coil_tcn", play)


def test_a_late_answer_decides_the_draw_it_must_belong_to_and_nobody_is_served_before(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            result = await gateway.draw()
            again = await gateway.draw()
            await gateway.clock.sleep(6)

            records = await gateway.records()
            (decided,) = [record for record in records if isinstance(record, DrawResolved)]
            assert (result.outcome, again.outcome, again.reason) == ("unverified", "refused", "unreachable")
            assert (decided.outcome, decided.qty, balance(records), site.turns) == ("confirmed", 1, (1, 0), 1)

    on_a_board(tmp_path, "coil_tcn", play, turn_s=8.0)


def test_a_late_answer_names_the_coil_of_the_last_question() -> None:
    driver: Any = drivers.create("coil_tcn", {})
    driver.drive("24")
    (unknown,) = driver.expired(20.0)

    (late,) = driver.feed(SEEN, 21.0)

    assert (unknown.slot, unknown.motor) == ("24", "unknown")
    assert (late.slot, late.qty, late.motor) == ("24", 1, "ok")
    assert driver.feed(SEEN, 22.0) == []


@pytest.mark.parametrize(
    ("name", "reason"), [("coil_tcn.n2", "sum"), ("coil_tcn.n3", "short"), ("coil_tcn.n4", "drop_code")]
)
def test_what_a_tcn_driver_refuses_has_a_reason(name: str, reason: str) -> None:
    driver: Any = drivers.create("coil_tcn", {})
    driver.drive("24")

    driver.feed(hexed("coil_tcn", name), 1.0)
    driver.expired(20.0)

    assert driver.counters.refusals[reason] == 1


def test_several_pieces_are_several_turns_and_one_draw(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            result = await gateway.draw(3)

            assert (result.outcome, result.qty, site.turns) == ("confirmed", 3, 3)
            assert [draw.qty for draw in await gateway.draws()] == [3]
            assert (await gateway.events()).count("piece") == 2

    on_a_board(tmp_path, "coil_tcn", play)


def test_what_fell_before_the_coil_was_empty_is_charged_and_no_more(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.coils.fill("1", 2 - site.coils.goods("1"))

            result = await gateway.draw(3)

            assert (result.outcome, result.qty, site.fell) == ("confirmed", 2, 2)

    on_a_board(tmp_path, "coil_tcn", play)


# ZDM8


def test_a_result_that_the_line_destroyed_is_unknown_and_never_asked_for_by_another_turn(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            task = gateway.begin_draw()
            while not site.twin.shown:
                await gateway.clock.sleep(0.01)
            result = await task

            assert (result.outcome, site.turns, site.fell) == ("unverified", 1, 1)

    # The line loses what the board says from shortly before the motor stops.
    lost = tuple(Scheduled(at, "lose") for at in (4.0, 4.1, 4.2))
    on_a_board(tmp_path, "motor_zdm8", play, plan=LinePlan(schedule=lost))


def test_idle_after_answers_that_were_lost_proves_nothing(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            write = site.twin._slave._write

            def deafening(first: int, values: list[int], now: float) -> None:
                write(first, values, now)
                site.faults.plan = LinePlan(lose=1.0)

            site.twin._slave._write = deafening
            task = gateway.begin_draw()
            while not site.twin.shown:
                await gateway.clock.sleep(0.05)
            site.faults.plan = LinePlan()
            result = await task

            assert (result.outcome, site.turns, site.fell) == ("unverified", 1, 1)

    on_a_board(tmp_path, "motor_zdm8", play)


def test_a_start_that_never_arrived_is_proven_by_a_board_that_stays_idle(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            ask = site.line.send_from_host
            site.line.send_from_host = lambda data: None if data[1] == 0x10 else ask(data)  # type: ignore[method-assign]

            result = await gateway.draw()

            assert (result.outcome, site.turns) == ("not_dispensed", 0)

    on_a_board(tmp_path, "motor_zdm8", play)


def test_a_refused_start_charges_nothing(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            result = await gateway.draw(slot="3")

            assert (result.outcome, site.turns) == ("not_dispensed", 0)
            assert [draw.confirmation for draw in await gateway.draws()] == ["illegal_value"]

    on_a_board(tmp_path, "motor_zdm8", play)


@pytest.mark.parametrize(("trouble", "outcome"), [("jam", "jammed"), ("blind", "not_dispensed")])
def test_each_failure_of_a_zdm8_has_its_end(tmp_path: Path, trouble: str, outcome: str) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            getattr(site.coils, trouble)("1")

            result = await gateway.draw()

            assert (result.outcome, result.qty) == (outcome, 0)

    on_a_board(tmp_path, "motor_zdm8", play)


def test_a_light_curtain_that_is_blocked_is_told_and_its_return_too(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.twin.curtain = False
            await gateway.clock.sleep(25)
            site.twin.curtain = True
            await gateway.clock.sleep(25)

            assert await gateway.events() == ["identified", "drop_sensor_blocked", "drop_sensor_back"]

    on_a_board(tmp_path, "motor_zdm8", play)


# WKLY motors


def with_motor(site: BoardSite, pieces: int) -> LockWkly:
    """The board with a motor on channel 1 in place of a lock."""
    site.line.detach(site.twin)
    board = site.twin = LockWkly(locks=4, motors={1: pieces}, turn_s=1.0, on_drop=site.dropped)
    site.line.attach(board)
    return board


def test_a_motor_gives_its_pieces_in_one_command_and_leaves_them_to_a_count(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        twin = with_motor(site, 10)
        async with site.gateway() as gateway:
            result = await gateway.draw(3)

            assert (result.outcome, result.qty, site.fell, twin.turns) == ("unverified", 3, 3, 3)
            draws = [record for record in await gateway.records() if isinstance(record, Draw)]
            assert [draw.actuation for draw in draws] == ["ok"]

    on_a_board(tmp_path, "lock_wkly", play, motors=[1], confirm="sensor")


def test_a_lost_answer_about_one_piece_loses_no_piece() -> None:
    driver: Any = drivers.create("lock_wkly", {"motors": [5]})
    driver.drive("5", 6)

    running = driver.feed(hexed("lock_wkly", "board_wkly.07"), 1.0)
    (end,) = driver.feed(hexed("lock_wkly", "board_wkly.06"), 9.0)

    assert [event.running for event in running if isinstance(event, MotorState)] == [True]
    assert isinstance(end, Dispensed)
    assert (end.slot, end.qty, end.motor) == ("5", 6, "ok")


def test_a_motor_that_answers_no_more_leaves_its_draw_unverified(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        twin = with_motor(site, 10)
        async with site.gateway() as gateway:
            task = gateway.begin_draw()
            await gateway.clock.sleep(0.5)
            twin.busy = True
            site.line.cut_power(twin)
            result = await task

            assert result.outcome == "unverified"
            assert twin.turns == 1

    on_a_board(tmp_path, "lock_wkly", play, motors=[1])
