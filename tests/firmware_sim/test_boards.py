"""The twins of coil, motor and lock boards against golden frames, which neither they nor the drivers have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from firmware_sim.devices.coil_motors import Dropped
from firmware_sim.devices.coil_tcn import CoilTcn
from firmware_sim.devices.coil_vmc import CoilVmc, packet
from firmware_sim.devices.lock_kerong import LockKerong
from firmware_sim.devices.lock_wkly import LockWkly
from firmware_sim.devices.motor_zdm8 import MotorZdm8
from firmware_sim.devices.twin import settle
from tests.firmware_sim.golden import Golden, golden


def frame(kind: str, name: str) -> bytes:
    """One golden frame."""
    return next(one.data for one in golden(kind) if one.id == name)


def said(twin: Any, request: bytes, now: float = 1.0) -> list[bytes]:
    """All it says to this."""
    return [one.data for one in settle(twin, now, request, until=now + 10)]


MAKE: dict[str, Callable[[Golden], Any]] = {
    "coil_tcn": lambda one: CoilTcn({one.decoded.get("slot", 1): 3}),
    "lock_wkly": lambda one: LockWkly(board=one.decoded.get("board", 0), motors={5: 3}),
    "lock_kerong": lambda one: LockKerong(model="cu48" if "cu48" in one.id else "cu16"),
    "motor_zdm8": lambda one: MotorZdm8({0: 3}),
}
# The unlocking of a CU16 has no answer.
SILENT = {"lock_kerong_cu16.03", "lock_kerong_cu16.04", "lock_kerong.c1"}
ASKED = [
    pytest.param(kind, one, id=one.id)
    for kind in MAKE
    for one in golden(kind, direction="host>device")
    if one.valid and one.id not in SILENT
]
WRONG = [
    pytest.param(kind, one, id=one.id)
    for kind in MAKE
    for one in golden(kind, direction="host>device")
    if not one.valid
]


@pytest.mark.parametrize(("kind", "one"), ASKED)
def test_every_golden_request_is_answered_whole_and_in_single_bytes(kind: str, one: Golden) -> None:
    whole, pieces = MAKE[kind](one), MAKE[kind](one)
    answers = said(whole, one.data)

    heard = [said.data for at, byte in enumerate(one.data) for said in pieces.receive(bytes((byte,)), 1 + at / 960)]
    heard += [said.data for said in settle(pieces, 1.0 + len(one.data) / 960, until=12)]

    assert answers
    assert heard == answers


@pytest.mark.parametrize(("kind", "one"), WRONG)
def test_a_wrong_check_is_met_with_silence(kind: str, one: Golden) -> None:
    assert said(MAKE[kind](one), one.data) == []


def test_the_published_answers_are_what_the_twins_say() -> None:
    wkly = LockWkly()
    kerong = LockKerong(goods=(1, 2))
    kerong.door_forced(1, 0.5)
    board = MotorZdm8({0: 3})

    assert said(wkly, frame("lock_wkly", "board_wkly.01"))[0] == frame("lock_wkly", "board_wkly.02")
    assert said(LockKerong(), frame("lock_kerong", "lock_kerong_cu16.01")) == [
        frame("lock_kerong", "lock_kerong_cu16.06")
    ]
    assert said(kerong, frame("lock_kerong", "lock_kerong_cu16.01")) == [frame("lock_kerong", "lock_kerong_cu16.07")]
    assert said(board, frame("motor_zdm8", "board_zdm8.01")) == [frame("motor_zdm8", "board_zdm8.02")]
    assert said(board, frame("motor_zdm8", "board_zdm8.09")) == [frame("motor_zdm8", "board_zdm8.10")]
    assert said(board, frame("motor_zdm8", "board_zdm8.14")) == [frame("motor_zdm8", "board_zdm8.15")]
    assert said(board, frame("motor_zdm8", "motor_zdm8.c1")) == [frame("motor_zdm8", "board_zdm8.12")]
    assert said(CoilTcn({24: 1}), frame("coil_tcn", "vmc_tcn.02")) == [frame("coil_tcn", "vmc_tcn.04")]
    assert said(CoilTcn({24: 1}, sensor=False), frame("coil_tcn", "vmc_tcn.02")) == [frame("coil_tcn", "vmc_tcn.05")]
    assert said(CoilTcn({24: 0}), frame("coil_tcn", "vmc_tcn.02")) == [frame("coil_tcn", "vmc_tcn.08")]


def test_the_same_bytes_turn_a_tcn_coil_again() -> None:
    fell: list[Dropped] = []
    board = CoilTcn({24: 3}, on_drop=fell.append)

    said(board, frame("coil_tcn", "vmc_tcn.02"), 1.0)
    said(board, frame("coil_tcn", "vmc_tcn.02"), 10.0)

    assert (board.turns, len(fell)) == (2, 2)


def test_a_zdm8_shows_an_end_once() -> None:
    board = MotorZdm8({0: 3})
    said(board, frame("motor_zdm8", "motor_zdm8.c1"))
    ask = frame("motor_zdm8", "board_zdm8.05")

    first, second = said(board, ask, 20.0), said(board, ask, 30.0)

    assert first == [frame("motor_zdm8", "motor_zdm8.c3")]
    assert second == [frame("motor_zdm8", "motor_zdm8.c5")]
    assert board.shown == 1


def test_a_machine_asks_five_times_a_second_and_takes_a_command_within_its_window() -> None:
    machine = CoilVmc({60: 3})
    polls = settle(machine, 0.0, until=3.0)
    asked = settle(machine, 3.1, until=3.3)

    answer = machine.receive(frame("coil_vmc", "coil_vmc.c03"), asked[-1].at + 0.05)
    ended = [one.data for one in settle(machine, asked[-1].at + 0.06, until=9)]

    assert polls[-1].data == packet(0x41) == frame("coil_vmc", "vmc_fafb.01")
    assert [one.data for one in answer] == [frame("coil_vmc", "coil_vmc.c02")]
    assert {data[5] for data in ended if data[2] == 0x04} == {1, 2}
    assert machine.turns == 1


def test_a_machine_confirms_a_number_it_knows_and_does_nothing() -> None:
    machine = CoilVmc({60: 3})
    settle(machine, 0.0, until=3.0)
    command = frame("coil_vmc", "coil_vmc.c03")

    for now in (4.0, 12.0):
        at = next_poll(machine, now)
        assert machine.receive(command, at + 0.05)[-1].data == packet(0x42)

    assert machine.turns == 1


def next_poll(machine: CoilVmc, now: float) -> float:
    """When it asks with nothing to tell; what it has to tell before is confirmed."""
    for step in range(50):
        for one in settle(machine, now + step / 5, until=now + step / 5 + 0.15):
            if one.data == packet(0x41):
                return one.at
            machine.receive(packet(0x42), one.at + 0.02)
    raise AssertionError("it never asked")


def test_a_machine_does_not_hear_what_comes_after_its_window() -> None:
    machine = CoilVmc({60: 3})
    settle(machine, 0.0, until=3.0)
    asked = settle(machine, 3.1, until=3.25)

    assert machine.receive(frame("coil_vmc", "coil_vmc.c03"), asked[-1].at + 0.15) == []
    assert machine.turns == 0


def test_a_wkly_door_reports_itself() -> None:
    board = LockWkly()

    board.door_forced(3, 1.0)

    assert [one.data for one in settle(board, 1.0)] == [frame("lock_wkly", "board_wkly.08")]


def test_a_wkly_motor_answers_once_for_each_piece() -> None:
    board = LockWkly(motors={5: 10})

    answers = said(board, b"WKLY\x0a\x00\x90\x05\x02\x94")

    assert [data[7:9] for data in answers] == [b"\x00\x01", b"\x00\x00"]
    assert board.turns == 2
