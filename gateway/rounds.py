"""The polling of one line: who is due is asked, the device's own questions first, as steps (`exchange.py`).

The surprise is that nothing here waits and nothing here records: whoever owns the line carries the steps out, in its
thread, poll after poll, and what was said is handed to `tell`, each with the moment it was heard. How long each device
really takes is learnt: the line sleeps until its answer can be there, and does not wait for a dead one as for a slow
one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.block_reads import Limits
from gateway.clock import Clock
from gateway.device_events import Event, Request
from gateway.exchange import ADAPTER_SECONDS, Answer, Ask, Heard, InTurn, Pace, Patience, Steps, ask, exchange
from gateway.ports import LinkDown, NothingSent
from gateway.recording import Stamp, stamp
from gateway.schedule import LineSchedule, Places, Turn

# Parts of one conversation (more data follows) before anybody else is asked.
PARTS = 64
# Answers after which it is known how long a device takes.
KNOWN = 4
# Seconds by which the next look is sooner after an answer that was waiting (twice as many after so many in a row), and
# later after one that was a moment late: so one look in five comes too early, whatever the device's habits, and costs
# little; of a long exchange one in ten, since a look costs the same there and a late one is the smaller share. A
# device that is slow now and then only creeps. One that was slow when it was first met, or is quicker of late, is found
# out by looking at once: at its first answers, and at the first of every series of some length.
SOONER, ROW, LATER, MOMENT, CREEP = 10e-6, 16, 40e-6, 300e-6, 2e-6
SEEN, SERIES = 5, 4
LATER_SHARE = 1 / 1000
# Questions that are asked before their answers are worked out: so many, and for so long; of slow ones a few, since the
# way from one to the other costs the processor as much as some answers do.
AHEAD, AHEAD_SECONDS = 64, 0.4
A_FEW, A_FEW_SECONDS = 20, 2.0


class Told(NamedTuple):
    """What one exchange brought. `answered` False: nothing that fits came, and `why`, as in `exchange.Answer`.

    `news`: "silent", "back" or nothing.
    """

    device: str
    events: list[Event]
    at: Stamp
    answered: bool
    news: str = ""
    why: str = ""


class Habit(msgspec.Struct):
    """How long a device took to begin its answers, in seconds: the quickest and the slowest of late.

    An answer that was there at the first look may have come sooner, so the next look is a little earlier; one that was
    not there tells exactly when it came. ``seen``: what the last ones took that were looked for at once.
    """

    answers: int = 0
    quickest: float = 0.0
    slowest: float = 0.0
    sooner: float = MOMENT
    row: int = 0
    seen: tuple[float, ...] = ()

    def see(self, took: float) -> None:
        """One more answer that was looked for at once, so that it is known when it came."""
        self.seen = (*self.seen[1 - SEEN :], took)
        middle = sorted(self.seen)[(len(self.seen) - 1) // 2]
        if self.answers < KNOWN or (len(self.seen) > SEEN // 2 and middle + MOMENT < self.quickest):
            self.quickest, self.sooner, self.row = middle, SOONER, 0
        self.slowest = max(took, self.slowest * 0.99)
        self.answers += 1

    def learn(self, took: float, *, prompt: bool = False, of: int = 1, whole: float = 0.0) -> None:
        """One more answer, ``of`` so many that were all looked for at the same time; old extremes fade. ``whole``: the
        seconds of its exchange.

        Together they move the next look as one does: each by a whole step would overshoot by as many.
        """
        if self.answers < KNOWN:
            self.see(took)
            return
        if prompt:
            self.quickest = max(self.quickest - self.sooner / of, 0.0)
            self.row += 1
            if self.row % ROW == 0:
                self.sooner = min(2 * self.sooner, MOMENT)
        else:
            step = max(LATER, whole * LATER_SHARE) if took < self.quickest + MOMENT else CREEP
            self.quickest += step / of
            self.sooner, self.row = SOONER, 0
        self.slowest = max(took, self.slowest * 0.99)
        self.answers += 1

    @property
    def patience(self) -> float | None:
        """Seconds after which such a device has begun its answer, if it is alive; None: not known yet."""
        return 2 * self.slowest + ADAPTER_SECONDS if self.answers >= KNOWN else None


class Usual(NamedTuple):
    """What a turn asks as ever, and the question as it goes to the line; ``at_once``: with a look that is too early."""

    request: Request
    ask: Ask
    at_once: Ask


class Ahead(NamedTuple):
    """A turn that is asked with others, and the schedule before it was supposed to be answered."""

    turn: Turn
    usual: Usual
    before: list[int]


class Rounds:
    """One line's polling. `called` is true when somebody wants the line: the series ends after the exchange."""

    def __init__(
        self,
        drivers: Mapping[str, Any],
        pace: Pace,
        clock: Clock,
        called: Callable[[], bool],
        tell: Callable[[Sequence[Told]], None],
    ) -> None:
        limits = {device: getattr(driver, "limits", Limits()) for device, driver in drivers.items()}
        self.schedule = LineSchedule({device: driver.wants for device, driver in drivers.items()}, limits)
        self._drivers = drivers
        self._pace = pace
        self._clock = clock
        self._called = called
        self._tell = tell
        self._habits = {device: Habit() for device in drivers}
        self._usual: dict[tuple[str, Places], Usual] = {}

    def series(self) -> Steps[int]:
        """Poll after poll while something is due; the milliseconds until something is, 0 when the line is wanted."""
        while not self._called():
            mono = self._clock.mono_ms()
            turn = self.schedule.turn(mono)
            if not isinstance(turn, Turn):
                return turn
            ahead = self._ahead(turn, mono)
            if ahead:
                yield from self._in_turn(ahead)
                continue
            yield from self._poll(turn)
            if hasattr(self._drivers[turn.device], "kept"):
                return 0
        return 0

    def _ahead(self, first: Turn, mono: int) -> list[Ahead]:
        """The turns that come next as long as all are answered as usual; none where a turn is anything but usual."""
        ahead: list[Ahead] = []
        turn: Turn | int = first
        wall, spent = self._clock.wall_ms(), 0.0
        # Who is hardly known yet is learnt from after every few answers.
        most = min(AHEAD, max(KNOWN, self._habits[first.device].answers))
        while isinstance(turn, Turn) and self.schedule.healthy(turn):
            if len(ahead) >= most or spent >= (AHEAD_SECONDS if len(ahead) >= A_FEW else A_FEW_SECONDS):
                break
            known = self._usual.get((turn.device, turn.places))
            if known is None or self._drivers[turn.device].pending() is not None:
                break
            later = self._ms(spent) if ahead else 0
            ahead.append(Ahead(turn, known, self.schedule.suppose(turn, mono + later, wall + later)))
            spent += known.ask.nap + known.ask.say.quiet
            turn = self.schedule.turn(mono + self._ms(spent))
        for one in reversed(ahead):
            self.schedule.recall(one.turn, one.before)
        return ahead

    def _in_turn(self, ahead: Sequence[Ahead]) -> Steps[None]:
        first = ahead[0].usual.at_once if len(ahead) >= SERIES else ahead[0].usual.ask
        step = InTurn((first, *(one.usual.ask for one in ahead[1:])), self._called, [])
        try:
            yield step
        except OSError:
            # What came before the line broke was said all the same.
            clock = self._clock.line(), stamp(self._clock)
            heard = [
                self._again(one, asked, begun, clock, len(step.told))
                for one, asked, begun in zip(ahead, step.asks, step.told, strict=False)
            ]
            self._tell([told for told in heard if told is not None])
            raise
        line, now = self._clock.line(), stamp(self._clock)
        turns: dict[tuple[str, Places], None] = {}
        said: list[Told] = []
        for one, asked, begun in zip(ahead, step.asks, step.told, strict=False):
            told = self._again(one, asked, begun, (line, now), len(step.told))
            if told is not None:
                said.append(told)
                turns[one.turn.device, one.turn.places] = None
                continue
            self._tell(said)
            said = []
            yield from self._poll(one.turn, (asked, begun))
        self._tell(said)
        for key in turns:
            self._settle(key)

    def _again(
        self, one: Ahead, asked: Ask, begun: tuple[Heard, Heard], clock: tuple[float, Stamp], of: int
    ) -> Told | None:
        """What the usual answer to a usual question says, one ``of`` so many; None where it is anything else.

        ``clock``: line time and stamp of one moment.
        """
        line, now = clock
        turn, request, (before, heard) = one.turn, one.usual.request, begun
        if before.data or len(heard.data) != asked.whole:
            return None
        events = self._drivers[turn.device].again(turn.wants, request.data, heard.data, heard.at)
        if events is None:
            return None
        say = asked.say
        took = heard.at - before.at - (len(say.data) + asked.whole) * say.char - say.quiet
        if asked is one.usual.at_once:
            self._habits[turn.device].see(max(took, 0.0))
        else:
            self._habits[turn.device].learn(max(took, 0.0), prompt=not heard.late, of=of, whole=asked.nap)
        ago = int((line - before.at) * 1000 * self._clock.scale)
        self.schedule.answered(turn, now.m - ago, now.t - ago)
        ago = int((line - heard.at) * 1000 * self._clock.scale)
        return Told(turn.device, events, Stamp(now.t - ago, now.ts, now.b, now.m - ago), answered=True)

    def _settle(self, key: tuple[str, Places]) -> None:
        """The next question knows what was learnt from these answers."""
        known = self._usual.get(key)
        if known is not None:
            self._usual[key] = self._asked_as_ever(key[0], known.request, known.ask.begins)
            self._costs(key[0], known.request)

    def command(self, device: str, worded: Callable[[], Request]) -> Steps[list[Event] | None]:
        """One command with the parts of its answer, as patiently as the device may need; None: no answer.

        Raises what `worded` raises.
        """
        driver = self._drivers[device]
        first = driver.pending()
        if first is not None:
            yield from self._exchange(device, first, patient=True)
        request: Request | None = worded()
        found: list[Event] = []
        asked = b""
        for _ in range(PARTS):
            if request is None or request.data == asked:
                break
            before, asked = asked, request.data
            try:
                answer = yield from self._exchange(device, request, patient=True)
            except NothingSent as error:
                if before:
                    # Nothing of this part; the command itself has left.
                    raise LinkDown(str(error)) from error
                raise
            if answer.events is None:
                return None
            found += answer.events
            request = driver.pending()
        return found

    def _poll(self, turn: Turn, begun: tuple[Ask, tuple[Heard, Heard]] | None = None) -> Steps[None]:
        """The device's own questions (who are you), what is due, and the parts that follow; a miss ends it.

        `begun`: what is due was asked already, and this was heard.
        """
        driver = self._drivers[turn.device]
        request = None
        if begun is None:
            asked = b""
            while (request := driver.pending()) is not None and request.data != asked:
                asked = request.data
                if (yield from self._asked(turn, request)) is None:
                    return
        ago = self._since(begun[1][0].at) if begun else 0
        mono, wall = self._clock.mono_ms() - ago, self._clock.wall_ms() - ago
        fit = request is None
        request = driver.request(turn.wants) if fit else None
        if begun and request and request.data != begun[0].say.data:
            # An answer was lost meanwhile, and the driver words its questions in another way for a while. What came to
            # the old words may be that answer, and the one to them may still be under way.
            if hasattr(driver, "gave_up"):
                driver.gave_up(begun[0].say.data, begun[1][1].at)
            self._remember(turn, None)
            return
        usual, heard = None, begun[1] if begun else None
        for part in range(PARTS):
            if request is None:
                break
            answer = yield from self._asked(turn, request, heard)
            if answer is None:
                return
            usual = None if part else self._as_ever(turn, request, answer)
            heard, request = None, driver.pending()
        self._remember(turn, usual)
        if self.schedule.answered(turn, mono, wall, fit=fit):
            self._tell([Told(turn.device, [], stamp(self._clock), answered=True, news="back")])

    def _as_ever(self, turn: Turn, request: Request, answer: Answer) -> Usual | None:
        """The question whose answer came as usual, of a driver that may be asked it again before anybody looks."""
        if not answer.begins or not hasattr(self._drivers[turn.device], "again"):
            return None
        return self._asked_as_ever(turn.device, request, answer.begins)

    def _asked_as_ever(self, device: str, request: Request, begins: bytes) -> Usual:
        patience, pace = self._patience(device), self._pace
        at_once = ask(request, pace, patience._replace(turn=0.0), begins)
        return Usual(request, ask(request, pace, patience, begins), at_once)

    def _remember(self, turn: Turn, usual: Usual | None) -> None:
        """What a turn asks next time: only a question that alone asks for all of it, and never one of its start-up."""
        if usual is None:
            self._usual.pop((turn.device, turn.places), None)
        else:
            self._usual[turn.device, turn.places] = usual

    def _asked(self, turn: Turn, request: Request, begun: tuple[Heard, Heard] | None = None) -> Steps[Answer | None]:
        again = turn.probe or turn.spared
        answer = yield from self._exchange(turn.device, request, patient=turn.patient, again=again, begun=begun)
        if answer.events is not None:
            return answer
        self._remember(turn, None)
        if self.schedule.missed(turn, self._clock.mono_ms(), self._clock.wall_ms()):
            self._drivers[turn.device].restarted()
            self._tell([Told(turn.device, [], stamp(self._clock), answered=False, news="silent", why=answer.why)])
        return None

    def _patience(self, device: str, *, patient: bool = False, again: bool = False) -> Patience:
        habit = self._habits[device]
        quick = habit.patience
        most = 0.5 if again and not patient and quick is None else 1.0
        return Patience(most, None if patient else quick, habit.quickest if habit.answers >= KNOWN else 0.0)

    def _exchange(
        self,
        device: str,
        request: Request,
        *,
        patient: bool,
        again: bool = False,
        begun: tuple[Heard, Heard] | None = None,
    ) -> Steps[Answer]:
        habit, pace = self._habits[device], self._pace
        patience = self._patience(device, patient=patient, again=again)
        answer = yield from exchange(self._drivers[device], request, pace, patience, begun)
        if answer.events is not None and request.expect:
            habit.learn(answer.turn, prompt=answer.prompt)
        self._costs(device, request)
        said = answer.said if answer.events is None else answer.events
        at = stamp(self._clock, ago=self._since(answer.done) if begun else 0)
        self._tell([Told(device, said, at, answered=answer.events is not None, why=answer.why)])
        return answer

    def _costs(self, device: str, request: Request) -> None:
        """The schedule knows what this question costs when nobody answers."""
        pace, quick = self._pace, self._habits[device].patience
        begins = len(request.data) * pace.char(request.baud) + pace.quiet(request.baud) + pace.char(request.baud)
        cost = pace.longest(request, 0.5) if quick is None else begins + quick
        self.schedule.costs(device, self._ms(cost), self._ms(pace.longest(request, 1.0)))

    def _since(self, at: float) -> int:
        return int((self._clock.line() - at) * 1000 * self._clock.scale)

    def _ms(self, seconds: float) -> int:
        return int(seconds * 1000 * self._clock.scale) + 1
