"""What is special about the 8A/80 lock board: its echo trap, its polarity, its whole-board reply."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import drivers
from gateway.device_events import DoorState, LockReply

ALL_CLOSED = bytes.fromhex("80 01 FF FF FF 33 4D")
OPENED = bytes.fromhex("8A 01 01 00 8A")
SAME = bytes.fromhex("8A 01 01 11 9B")


def board(**settings: Any) -> Any:
    return drivers.create("lock_8a", settings)


def greeted(*, echoes: bool) -> Any:
    """A board whose line was learnt from its first answer."""
    driver = board()
    question = driver.pending()
    driver.feed((question.data if echoes else b"") + ALL_CLOSED, 1.0)
    return driver


def test_the_first_question_learns_the_echo_and_tells_all_doors() -> None:
    driver = board(locks=4)
    question = driver.pending()

    events = driver.feed(question.data + ALL_CLOSED, 1.0)

    assert [(event.slot, event.closed) for event in events] == [("1", True), ("2", True), ("3", True), ("4", True)]
    assert driver.pending() is None


@pytest.mark.parametrize("answer", [True, False])
def test_behind_an_echo_one_copy_is_dropped_and_the_second_is_the_boards_word(*, answer: bool) -> None:
    driver = greeted(echoes=True)
    driver.open("1")

    events = driver.feed(SAME + (OPENED if answer else SAME), 1.0)

    assert [(event.slot, event.opened) for event in events if isinstance(event, LockReply)] == [("1", answer)]


def test_without_an_echo_the_same_bytes_are_a_refusal() -> None:
    driver = greeted(echoes=False)
    driver.open("1")

    (event,) = driver.feed(SAME, 1.0)

    assert event.opened is False


def test_a_lone_copy_proves_nothing_while_the_echo_is_not_known() -> None:
    driver = board()
    driver.open("1")

    events = driver.feed(SAME, 1.0) + driver.expired(2.0)

    assert events == []


def test_a_damaged_echo_before_a_reply_does_not_hide_it() -> None:
    driver = greeted(echoes=True)
    driver.open("1")

    (event,) = driver.feed(bytes.fromhex("8A 01 41 11 9B") + OPENED, 1.0)

    assert event.opened is True


def test_the_other_polarity_turns_every_answer_round() -> None:
    driver = board(echo="no", open_is="11")
    driver.open("1")

    (event,) = driver.feed(SAME, 1.0)

    assert event.opened is True


def test_only_doors_that_moved_are_news() -> None:
    driver = greeted(echoes=False)
    driver.request(driver.wants)

    events = driver.feed(bytes.fromhex("80 01 FF FF FB 33 49"), 2.0)

    assert events == [DoorState("3", closed=False, raw=bytes.fromhex("80 01 FF FF FB 33 49"))]


@pytest.mark.parametrize("slot", ["0", "25", "-1", "x", "", "1-03"])
def test_a_slot_that_the_board_does_not_have_is_refused(slot: str) -> None:
    with pytest.raises(ValueError, match="1 to 24"):
        board().open(slot)


def test_another_boards_answer_is_not_ours() -> None:
    driver = board(echo="no")
    driver.status("1")

    assert driver.feed(bytes.fromhex("80 02 01 00 83"), 1.0) == []


def test_a_polarity_that_is_to_be_learnt_opens_nothing_until_one_door_was_opened_by_hand() -> None:
    driver = board(echo="no", open_is="learn", locks=4)
    driver.pending()
    before = driver.feed(ALL_CLOSED, 1.0)
    with pytest.raises(ValueError, match="by hand"):
        driver.open("1")
    driver.request(())

    (learnt,) = driver.feed(bytes.fromhex("80 01 FF FF FD 33 4F"), 2.0)

    assert before == []
    assert (learnt.event, learnt.slot, learnt.data) == ("polarity_learnt", "2", {"open_is": "00"})
    driver.request(())
    doors = driver.feed(bytes.fromhex("80 01 FF FF FD 33 4F"), 3.0)
    assert [(event.slot, event.closed) for event in doors][:2] == [("1", True), ("2", False)]
    assert driver.open("1").data == SAME
    assert driver.cfg == board(open_is="00").cfg


def test_what_is_refused_is_counted_by_its_reason() -> None:
    driver = board(echo="no")

    for wrong in ("8A 01 01 00 8B", "8A 01 01"):
        driver.open("1")
        driver.feed(bytes.fromhex(wrong), 1.0)
        driver.expired(2.0)

    assert driver.counters.refusals == {"xor": 1, "short": 1}
