"""Questions asked in turn, whose answers are worked out afterwards: nothing is lost, doubled or dated wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from gateway.clock import Clock
from gateway.device_events import Counters, Measured, Request
from gateway.drivers.modbus_meter import MeterSettings, ModbusMeter
from gateway.drivers.modbus_profile import Profile, Register
from gateway.drivers.modbus_rtu import crc
from gateway.exchange import Ask, Hear, Heard, InTurn, Pace, Say, Step, carried_out
from gateway.ports import LinkDown, NothingSent
from gateway.rounds import KNOWN, MOMENT, Habit, Rounds, Told

PROFILE = Profile(
    model="bench", order="ABCD", table=4, register=(Register(name="v", address=0, type="uint16", unit="V"),)
)
POLL = 0.03


class Wire:
    """A meter whose register 0 counts its questions, on a clock that moves by one poll each; `spoil` may change an
    answer.
    """

    def __init__(
        self,
        polls: int,
        spoil: Callable[[int, bytes], bytes] = lambda _, answer: answer,
        profile: Profile = PROFILE,
        wanted: Sequence[str] = ("v",),
    ) -> None:
        self.now = 0.0
        self.asked = 0
        self.trains: list[int] = []
        self.told: list[Told] = []
        self._polls, self._spoil = polls, spoil
        clock = Clock("b" * 16, wall=lambda: int(self.now * 1000), line=lambda: self.now, synchronised=lambda: True)
        meter = ModbusMeter(MeterSettings(registers=dict.fromkeys(wanted, 0.001)), profile)
        self.rounds = Rounds({"m": meter}, Pace(10, 9600), clock, self.called, self.told.extend)

    def called(self) -> bool:
        """Somebody wants the line after so many polls."""
        return self.asked >= self._polls

    def run(self) -> None:
        """Polls until the line is wanted."""
        while not self.called():
            waited = carried_out(self.rounds.series(), self._do)
            self.now += waited / 1000

    def values(self) -> list[int]:
        """What was measured, in order."""
        return [event.value for told in self.told for event in told.events]  # type: ignore[union-attr]

    def readings(self, register: str) -> list[int]:
        """What was measured of this register, in order, whatever else was told."""
        events = (event for told in self.told for event in told.events)
        return [event.value for event in events if isinstance(event, Measured) and event.register == register]

    def _do(self, step: Step) -> Heard:
        if isinstance(step, Say):
            self._sent, self._question = Heard(b"", self.now), step.data
            return self._sent
        if isinstance(step, Hear):
            answer = self._answer(self._question) if self._sent.at == self.now else b""
            self.now = max(self.now, step.until) if not answer else self.now
            return Heard(answer, self.now)
        self.trains.append(0)
        for ask in self._train(step):
            start = Heard(b"", self.now)
            heard = Heard(self._answer(ask.say.data), self.now)
            step.told.append((start, heard))
            self.trains[-1] += 1
            if len(heard.data) != ask.whole or not heard.data.startswith(ask.begins):
                break
        return step.told[-1][1]

    def _train(self, step: InTurn) -> Iterator[Ask]:
        for ask in step.asks:
            if step.told and step.called():
                return
            yield ask

    def _answer(self, question: bytes) -> bytes:
        self.asked += 1
        first, count = int.from_bytes(question[2:4], "big"), int.from_bytes(question[4:6], "big")
        values = (self.asked if address == 0 else 50 for address in range(first, first + count))
        body = bytes((1, 4, 2 * count)) + b"".join(value.to_bytes(2, "big") for value in values)
        self.now += POLL
        return self._spoil(self.asked, body + crc(body))


def test_usual_questions_go_out_together_and_each_answer_counts_once() -> None:
    wire = Wire(polls=40)

    wire.run()

    assert wire.values() == list(range(1, 41))
    assert max(wire.trains) > 5


def test_each_answer_has_the_time_at_which_it_came() -> None:
    wire = Wire(polls=40)

    wire.run()

    times = [told.at.m for told in wire.told]
    assert all(abs(at - (number + 1) * POLL * 1000) <= 1 for number, at in enumerate(times))


def test_a_damaged_answer_in_the_middle_is_no_reading_and_the_others_are() -> None:
    wire = Wire(polls=40, spoil=lambda number, answer: answer[:-1] + b"\0" if number == 20 else answer)

    wire.run()

    assert wire.values() == [number for number in range(1, 41) if number != 20]
    assert [told.why for told in wire.told if not told.answered] == ["refused"]


def test_an_answer_cut_short_ends_the_train_and_is_a_miss() -> None:
    wire = Wire(polls=40, spoil=lambda number, answer: answer[:4] if number == 20 else answer)

    wire.run()

    assert wire.values() == [number for number in range(1, 41) if number != 20]
    assert len(wire.trains) >= 2


def test_an_answer_of_another_shape_is_read_by_the_driver_as_ever() -> None:
    refused = bytes((1, 0x84, 2))
    wire = Wire(polls=40, spoil=lambda number, answer: refused + crc(refused) if number == 20 else answer)

    wire.run()

    faults = [event for told in wire.told for event in told.events if not hasattr(event, "value")]
    assert [fault.data["meaning"] for fault in faults] == ["illegal_address"]  # type: ignore[union-attr]


def test_whoever_wants_the_line_waits_for_one_answer_at_most() -> None:
    wire = Wire(polls=17)

    wire.run()

    assert wire.asked == 17


def test_the_first_look_comes_when_the_answer_is_there() -> None:
    habit, looks, turn = Habit(), [], 0.005
    for _ in range(400):
        looks.append(habit.quickest)
        habit.learn(max(turn, habit.quickest), prompt=habit.quickest >= turn)

    late = [look for look in looks[200:] if look < turn]

    assert len(late) <= 45
    assert all(abs(look - turn) <= MOMENT for look in looks[200:])


def test_a_device_that_was_slow_when_it_was_met_is_not_waited_for_that_long() -> None:
    habit = Habit()
    for took in (0.020, 0.015, 0.004, 0.003):
        habit.learn(took)
    met = habit.quickest
    for _ in range(3):
        habit.see(0.001)
        for _ in range(16):
            habit.learn(habit.quickest, prompt=True, of=16)

    assert met == 0.004
    assert habit.quickest <= 0.001


def test_one_quick_answer_among_slow_ones_moves_no_look() -> None:
    habit = Habit()
    for _ in range(8):
        habit.see(0.005)

    habit.see(0.001)

    assert habit.quickest == 0.005


def test_a_device_that_is_slow_now_and_then_is_still_looked_for_early() -> None:
    habit = Habit()
    for number in range(400):
        turn = 0.004 if number % 4 == 0 else 0.001
        look = habit.quickest if habit.answers >= KNOWN else 0.0
        habit.learn(max(turn, look), prompt=look >= turn)

    assert habit.quickest < 0.0015


def test_a_question_of_the_start_is_never_taken_for_what_is_asked_as_ever() -> None:
    hertz = Register(name="hertz", address=9, type="uint16", unit="Hz", check=(45, 65))
    profile = Profile(model="bench", order="ABCD", table=4, register=(*PROFILE.register, hertz))
    wire = Wire(polls=40, spoil=lambda number, answer: b"\xff" + answer if number == 2 else answer, profile=profile)

    wire.run()

    assert wire.readings("v") == list(range(2, 41))


def test_who_needs_two_questions_is_asked_both_each_time() -> None:
    far = Register(name="far", address=2000, type="uint16", unit="V")
    profile = Profile(model="bench", order="ABCD", table=4, register=(*PROFILE.register, far))
    wire = Wire(polls=40, profile=profile, wanted=("v", "far"))

    wire.run()

    assert wire.readings("v") == list(range(1, 41, 2))
    assert wire.readings("far") == [50] * 20


class Board:
    """A device whose command has an answer of two parts."""

    wants: tuple[()] = ()

    def __init__(self) -> None:
        self.counters = Counters()
        self.answered = True
        self._parts = [Request(b"more", 4, 0.1)]

    def pending(self) -> Request | None:
        """What follows the command; nothing before it."""
        return self._parts.pop() if self._parts and not self.answered else None

    def command(self) -> Request:
        """The command."""
        self.answered = False
        return Request(b"open", 0, 0.1)


@pytest.mark.parametrize(("broken", "known"), [(b"open", True), (b"more", False)])
def test_only_a_command_that_has_not_left_itself_is_said_to_have_moved_nothing(broken: bytes, known: bool) -> None:
    board = Board()
    clock = Clock("b" * 16, wall=lambda: 0, line=lambda: 0.0, synchronised=lambda: True)
    rounds = Rounds({"b": board}, Pace(10, 9600), clock, lambda: False, lambda _: None)

    def do(step: Step) -> Heard:
        if isinstance(step, Say) and step.data == broken:
            raise OSError("the adapter is gone")
        return Heard(b"", 0.0)

    with pytest.raises(LinkDown) as raised:
        carried_out(rounds.command("b", board.command), do)

    assert isinstance(raised.value, NothingSent) is known


def test_what_was_heard_before_the_line_broke_was_said() -> None:
    def broken(number: int, answer: bytes) -> bytes:
        if number == 30:
            raise LinkDown("unplugged")
        return answer

    wire = Wire(polls=40, spoil=broken)

    with pytest.raises(LinkDown):
        wire.run()

    assert wire.values() == list(range(1, 30))
