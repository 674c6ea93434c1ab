"""What is special about Kerong and WKLY locks: goods that are seen, doors that tell by themselves, deaf boards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.devices.lock_8a import DoorMoved
from firmware_sim.devices.lock_wkly import LockWkly
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.board_cabinets import cabinet_of
from gateway.device_events import DoorState, LockReply
from gateway.ports import SerialSettings
from gateway.session import SerialSession
from tests.gateway.board_site import BoardSite, on_a_board
from tests.gateway.test_drivers import hexed
from wire.records import DeviceEvent


def test_goods_that_are_still_there_after_the_door_was_shut_are_not_taken(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        site.taking = False
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, result.qty, site.turns) == ("not_taken", 0, 1)
            (draw,) = await gateway.draws()
            assert (draw.before, draw.after, draw.confirmation) == (
                {"closed": 1, "item": 1},
                {"closed": 1, "item": 1},
                "goods still there",
            )

    on_a_board(tmp_path, "lock_kerong", play)


def test_goods_that_no_sensor_saw_before_prove_nothing(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.goods.clear()
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert result.outcome == "unverified"

    on_a_board(tmp_path, "lock_kerong", play)


def test_where_the_policy_is_the_door_the_sensor_is_not_asked(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.goods.clear()
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, result.qty) == ("confirmed", 1)

    on_a_board(tmp_path, "lock_kerong", play, confirm="door")


@pytest.mark.parametrize("kind", ["lock_kerong", "lock_wkly"])
def test_a_board_that_obeys_the_third_time_opens_once(tmp_path: Path, kind: str) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.deaf = 2
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, site.turns) == ("confirmed", 1)

    on_a_board(tmp_path, kind, play)


@pytest.mark.parametrize("kind", ["lock_kerong", "lock_wkly"])
def test_a_board_that_is_busy_until_its_power_is_cut_promises_nothing(tmp_path: Path, kind: str) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.busy = True
        async with site.gateway() as gateway:
            busy = await gateway.draw()
            site.line.cut_power(site.twin)
            site.line.restore_power(site.twin)
            await gateway.clock.sleep(20)
            after = await gateway.draw()

            assert (busy.outcome, busy.reason, after.outcome) == ("refused", "unreachable", "confirmed")

    on_a_board(tmp_path, kind, play)


@pytest.mark.parametrize("kind", ["lock_kerong", "lock_wkly"])
def test_a_latch_that_sticks_charges_nothing(tmp_path: Path, kind: str) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.jam(1)
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, result.qty, site.fell) == ("not_dispensed", 0, 0)

    on_a_board(tmp_path, kind, play)


@pytest.mark.parametrize("kind", ["lock_kerong", "lock_wkly"])
def test_a_latch_that_nobody_can_see_is_not_tried_again(tmp_path: Path, kind: str) -> None:
    async def play(site: BoardSite) -> None:
        site.hand_after = 2.1

        def deafened(moved: DoorMoved) -> None:
            site.door(moved)
            site.faults.plan = LinePlan(lose=1.0)

        site.twin.on_door = deafened
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, site.turns, site.fell) == ("unverified", 1, 1)
            assert "door_forced" not in await gateway.events()

    on_a_board(tmp_path, kind, play)


@pytest.mark.parametrize("kind", ["lock_kerong", "lock_wkly"])
def test_a_door_that_is_forced_is_an_event_and_no_draw(tmp_path: Path, kind: str) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway(settle=8) as gateway:
            site.twin.door_forced(3, site.line.now)
            site.line.stir(site.twin)
            await gateway.clock.sleep(8)

            assert (await gateway.events()).count("door_forced") == 1
            assert await gateway.draws() == []

    on_a_board(tmp_path, kind, play)


def test_a_forced_door_reports_itself_within_a_second(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.twin.door_forced(3, site.line.now)
            site.line.stir(site.twin)
            await gateway.clock.sleep(1)

            assert await gateway.events() == ["door_forced"]

    on_a_board(tmp_path, "lock_wkly", play, watch=0)


def test_a_board_that_never_answers_an_opening_is_believed_by_its_doors(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.mute = True
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, site.turns) == ("confirmed", 1)

    on_a_board(tmp_path, "lock_wkly", play)


def test_a_door_that_was_open_for_a_moment_only_was_open(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.mute = True
        site.hand_after = 0.05
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, site.turns, site.fell) == ("confirmed", 1, 1)

    on_a_board(tmp_path, "lock_wkly", play)


def test_a_door_report_between_question_and_answer_is_heard_and_answers_nothing() -> None:
    driver: Any = drivers.create("lock_wkly", {})
    driver.open("1")

    report = driver.feed(hexed("lock_wkly", "board_wkly.08"), 1.0)
    waiting = not driver.answered
    answer = driver.feed(hexed("lock_wkly", "board_wkly.02"), 1.1)

    assert waiting
    assert [(event.slot, event.closed) for event in report if isinstance(event, DoorState)] == [("3", False)]
    assert [(event.slot, event.opened) for event in answer if isinstance(event, LockReply)] == [("1", True)]


def test_each_door_is_asked_in_turn() -> None:
    driver: Any = drivers.create("lock_wkly", {"locks": 3, "watch": 3})

    asked = [driver.request(driver.wants).data[7] for _ in range(4)]

    assert asked == [2, 3, 1, 2]
    assert driver.wants[0].every == 1


@pytest.mark.parametrize(
    ("states", "told"),
    [("00 03 01 00 01", [("1", True), ("2", False), ("3", True)]), ("00 04 01 FF 01 00", [("1", True), ("3", True)]),
     ("00 02 01 00", []), ("00 01 00 01", []), ("FF 03 01 00 01", []), ("00 03 01 00 02", [])],
)  # fmt: skip
def test_the_whole_board_in_one_answer_where_it_can(states: str, told: list[tuple[str, bool]]) -> None:
    driver: Any = drivers.create("lock_wkly", {"locks": 3, "whole": True})
    request = driver.request(driver.wants)
    data = bytes.fromhex(states)
    reply = b"WKLY" + bytes((8 + len(data), 0, 0x84)) + data

    events = driver.feed(request.data + reply + bytes([xor(reply)]), 1.0)

    assert [(event.slot, event.closed) for event in events] == told


def xor(data: bytes) -> int:
    """The check by hand."""
    check = 0
    for byte in data:
        check ^= byte
    return check


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("lock_wkly", "lock_wkly.n1", "xor"),
        ("lock_wkly", "lock_wkly.n2", "short"),
        ("lock_wkly", "lock_wkly.n4", "layout"),
        ("lock_kerong", "lock_kerong.n1", "sum"),
        ("lock_kerong", "lock_kerong.n2", "sum"),
    ],
)
def test_what_a_lock_driver_refuses_has_a_reason(kind: str, name: str, reason: str) -> None:
    driver: Any = drivers.create(kind, {})
    driver.status("1")
    if name.endswith("n4"):
        driver.open("1")

    driver.feed(hexed(kind, name), 1.0)
    driver.expired(2.0)

    assert driver.counters.refusals[reason] == 1


def test_an_unlocking_of_a_cu16_waits_for_no_answer() -> None:
    driver: Any = drivers.create("lock_kerong", {})

    request = driver.open("5")

    assert (request.data, request.expect, driver.answered) == (hexed("lock_kerong", "lock_kerong_cu16.03"), 0, True)


def test_what_does_not_exist_cannot_be_opened() -> None:
    with pytest.raises(ValueError, match="16 locks"):
        drivers.create("lock_kerong", {"locks": 20})
    with pytest.raises(ValueError, match="no such lock"):
        drivers.create("lock_wkly", {"motors": [2]}).open("2")
    with pytest.raises(ValueError, match="locks 1 to 16"):
        drivers.create("lock_kerong", {}).open("0")


def test_two_boards_on_one_line_hear_their_own_doors(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        other = LockWkly(board=1, locks=4)
        site.line.attach(other)
        async with site.gateway() as gateway:
            await gateway.stop()
            drivers_ = {f"cab-{n}": drivers.create("lock_wkly", {"board": n, "locks": 4}) for n in (0, 1)}
            settings = SerialSettings("line-1", "memory", 9600)
            session = SerialSession(settings, drivers_, gateway.ports, gateway.journal)
            for device, driver in drivers_.items():
                cabinet = cabinet_of(device, driver, session, gateway.clock, gateway.premises)
                session.interpret(device, cabinet)
            gateway.tasks.append(asyncio.create_task(session.run()))
            await gateway.clock.sleep(8)
            other.door_forced(2, site.line.now)
            site.line.stir(other)
            await gateway.clock.sleep(8)

            forced = [record for record in await gateway.records() if isinstance(record, DeviceEvent)]
            assert [(one.src, one.event, one.slot) for one in forced] == [("cab-1", "door_forced", "2")]
            assert [status.answered for status in session.devices()] == [True, True]

    on_a_board(tmp_path, "lock_wkly", play)
