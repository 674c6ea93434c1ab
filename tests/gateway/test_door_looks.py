"""Whether a badge at a lock board costs a question on the wire, or what the board said a moment ago is enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway import drivers
from gateway.clock import Clock
from gateway.device_events import Event, Request
from gateway.lock_cabinet import LockCabinet
from gateway.recording import stamp

# All doors shut, and the first of them open.
SHUT = {
    "lock_8a": "80 01 FF FF FF 33 4D",
    "lock_kerong": "02 00 35 FF FF FF FF 03 36",
    "lock_wkly": "57 4B 4C 59 0B 00 83 00 01 01 81",
}
OPEN = {
    "lock_8a": "80 01 FF FF FE 33 4C",
    "lock_kerong": "02 00 35 FE FF FF FF 03 35",
    "lock_wkly": "57 4B 4C 59 0B 00 83 00 01 00 80",
}
# An 8A board that is asked for one door tells of that one.
ONE_SHUT = "80 01 01 11 91"
NO_GOODS = "02 00 35 FF FF FE FF 03 35"


class Board:
    """A line with one lock board on it that answers with `frame`; `asked` counts the questions."""

    def __init__(self, kind: str) -> None:
        self.now, self.asked = 100.0, 0
        self.frame = SHUT[kind]
        self.driver = drivers.create(kind, {"open_is": "00"} if kind == "lock_8a" else {})
        self.clock = Clock(
            "b" * 16, wall=lambda: int(self.now * 1000), line=lambda: self.now, synchronised=lambda: True
        )
        self.cabinet = LockCabinet("cab-1", self.driver, self, self.clock)

    async def exchange(self, device: str, ask: Callable[[], Request]) -> list[Event] | None:
        """See `Line`."""
        self.asked += 1
        return self.answer(ask())

    def answer(self, question: Request) -> list[Event]:
        """What the session would make of the board's answer."""
        one = self.driver.kind == "lock_8a" and question.data[2] != 0
        events: list[Event] = self.driver.feed(bytes.fromhex(ONE_SHUT if one else self.frame), self.now)
        for event in events:
            self.cabinet.hear(event, stamp(self.clock), self.driver.cfg)
        return events

    def watch(self) -> None:
        """The watch of the doors."""
        self.answer(self.driver.status("1") if self.driver.kind == "lock_wkly" else self.driver.request(()))

    def look(self) -> None:
        """Somebody badges for slot 1."""
        asyncio.run(self.cabinet.look("1"))


@pytest.mark.parametrize("kind", SHUT)
def test_a_door_that_was_shut_at_the_last_watch_is_not_asked_for_again(kind: str) -> None:
    board = Board(kind)
    board.watch()
    board.now += 60
    board.watch()
    board.now += 5

    board.look()

    assert board.asked == 0


@pytest.mark.parametrize("kind", SHUT)
def test_a_door_of_which_nothing_was_heard_for_longer_than_a_watch_is_asked_for(kind: str) -> None:
    board = Board(kind)
    board.watch()
    board.now += 6.1

    board.look()

    assert board.asked == 1


@pytest.mark.parametrize("kind", SHUT)
def test_an_open_door_is_asked_for_since_somebody_may_just_have_shut_it(kind: str) -> None:
    board = Board(kind)
    board.frame = OPEN[kind]
    board.watch()
    board.frame = SHUT[kind]
    board.now += 1

    board.look()

    assert board.asked == 1


def test_an_empty_place_is_asked_for_since_somebody_may_just_have_filled_it() -> None:
    board = Board("lock_kerong")
    board.frame = NO_GOODS
    board.watch()
    board.frame = SHUT["lock_kerong"]
    board.now += 1

    board.look()

    assert board.asked == 1


@pytest.mark.parametrize("kind", SHUT)
def test_what_was_heard_before_the_line_broke_counts_no_more(kind: str) -> None:
    board = Board(kind)
    board.watch()
    board.driver.restarted()

    board.look()

    assert board.asked == 1
