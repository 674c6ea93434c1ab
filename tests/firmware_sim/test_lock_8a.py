"""The lock board's twin against the data sheet's frames."""

from __future__ import annotations

import pytest

from firmware_sim.devices.lock_8a import DoorMoved, Lock8A
from firmware_sim.devices.twin import settle
from tests.firmware_sim.golden import Golden, golden

OPEN_1 = bytes.fromhex("8A 01 01 11 9B")
OPENED_1 = bytes.fromhex("8A 01 01 00 8A")
STATUS_1 = bytes.fromhex("80 01 01 33 B3")
STATUS_ALL = bytes.fromhex("80 01 00 33 B2")
REQUESTS = [frame for frame in golden("lock_8a", direction="host>device") if frame.valid]
REFUSED = [frame for frame in golden("lock_8a", direction="host>device") if not frame.valid]


def said(board: Lock8A, request: bytes, now: float = 1.0) -> list[bytes]:
    return [one.data for one in settle(board, now, request, until=now + 20)]


@pytest.mark.parametrize("frame", REQUESTS, ids=str)
def test_every_golden_request_gets_as_many_replies_as_it_names_locks(frame: Golden) -> None:
    board = Lock8A(board=frame.decoded["board"])

    replies = said(board, frame.data)

    assert len(replies) == (24 if frame.decoded["cmd"] == "open_all" else 1)


@pytest.mark.parametrize("frame", REQUESTS, ids=str)
def test_a_request_in_single_bytes_is_the_same_request(frame: Golden) -> None:
    whole, pieces = (Lock8A(board=frame.decoded["board"]) for _ in range(2))
    expected = said(whole, frame.data)

    replies = []
    for place, byte in enumerate(frame.data):
        replies += [one.data for one in pieces.receive(bytes((byte,)), 1 + place / 960)]
    replies += [one.data for one in settle(pieces, 1.1, until=20)]

    assert replies == expected


@pytest.mark.parametrize("frame", REFUSED, ids=str)
def test_a_wrong_check_byte_is_met_with_silence(frame: Golden) -> None:
    assert said(Lock8A(board=1), frame.data) == []


def test_an_opened_door_answers_with_the_published_frame() -> None:
    assert said(Lock8A(), OPEN_1) == [OPENED_1]


def test_a_jammed_lock_answers_with_the_request_itself() -> None:
    board = Lock8A()
    board.jam(1)

    assert said(board, OPEN_1) == [OPEN_1]
    assert not board.is_open(1)


def test_on_the_other_wiring_opened_is_what_failed_was() -> None:
    board = Lock8A(closed_reads=0x00)

    assert said(board, OPEN_1) == [OPEN_1]
    assert board.is_open(1)


def test_the_status_follows_the_hand_that_closes_the_door() -> None:
    board = Lock8A()
    said(board, OPEN_1)
    while_open = said(board, STATUS_1, 2.0)

    board.door_closed(1, 3.0)

    assert while_open == [bytes.fromhex("80 01 01 00 80")]
    assert said(board, STATUS_1, 4.0) == [bytes.fromhex("80 01 01 11 91")]


def test_the_whole_board_is_told_with_the_lowest_lock_in_the_last_byte() -> None:
    board = Lock8A(closed_reads=0x00)
    for lock in (1, 9, 17):
        board.door_forced(lock, 0.5)

    assert said(board, STATUS_ALL) == [bytes.fromhex("80 01 01 01 01 33 B3")]


def test_open_all_goes_lock_by_lock_and_takes_seconds() -> None:
    board = Lock8A()

    told = settle(board, 1.0, bytes.fromhex("8A 01 00 11 9A"), until=30)

    assert [one.data[2] for one in told] == list(range(1, 25))
    assert 9 < told[-1].at - told[0].at < 10


def test_a_board_that_is_opening_doors_does_not_listen() -> None:
    board = Lock8A()
    board.receive(bytes.fromhex("8A 01 00 11 9A"), 1.0)

    assert board.receive(STATUS_1, 1.5) == []


def test_another_boards_request_is_none_of_its_business() -> None:
    assert said(Lock8A(board=2), OPEN_1) == []


def test_noise_before_a_frame_is_skipped() -> None:
    assert said(Lock8A(), b"\x00\xff\x8a" + OPEN_1) == [OPENED_1]


def test_half_a_frame_is_forgotten_after_a_silence() -> None:
    board = Lock8A()
    board.receive(OPEN_1[:4], 1.0)

    assert said(board, OPEN_1[4:], 1.5) == []
    assert said(board, OPEN_1, 2.0) == [OPENED_1]


def test_each_movement_of_a_door_is_told_with_its_cause() -> None:
    moved: list[DoorMoved] = []
    board = Lock8A(on_door=moved.append)

    said(board, OPEN_1)
    board.door_closed(1, 2.0)
    board.door_forced(7, 3.0)

    assert [(one.lock, one.open, one.cause) for one in moved] == [
        (1, True, "command"),
        (1, False, "pushed"),
        (7, True, "forced"),
    ]


def test_power_that_goes_before_the_coil_fires_leaves_the_door_shut() -> None:
    board = Lock8A()
    board.receive(OPEN_1, 1.0)

    board.power_off(1.01)
    board.power_on(1.5)

    assert settle(board, 2.0) == []
    assert not board.is_open(1)
    assert board.pulses[1] == 0
