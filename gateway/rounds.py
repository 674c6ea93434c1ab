"""The polling of one line: who is due is asked, the device's own questions first, as steps (`exchange.py`).

The surprise is that nothing here waits and nothing here records: whoever owns the line carries the steps out, in its
thread, poll after poll, and what was said is handed to `tell` with the moment it was heard. How long each device really
takes is learnt: the line sleeps until its answer can be there, and does not wait for a dead one as for a slow one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple

import msgspec

from gateway.block_reads import Limits
from gateway.clock import Clock
from gateway.device_events import Event, Request
from gateway.exchange import ADAPTER_SECONDS, Answer, Hear, Heard, Pace, Say, exchange
from gateway.recording import Stamp, stamp
from gateway.schedule import LineSchedule, Turn

# Parts of one conversation (more data follows) before anybody else is asked.
PARTS = 64
# Answers after which it is known how long a device takes.
KNOWN = 4


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
    """How long a device took to begin its answers, in seconds: the quickest and the slowest of late."""

    answers: int = 0
    quickest: float = 0.0
    slowest: float = 0.0

    def learn(self, took: float) -> None:
        """One more answer; old extremes fade."""
        self.quickest = min(took, self.quickest * 1.01 + 1e-5) if self.answers else took
        self.slowest = max(took, self.slowest * 0.99)
        self.answers += 1

    @property
    def patience(self) -> float | None:
        """Seconds after which such a device has begun its answer, if it is alive; None: not known yet."""
        return 2 * self.slowest + ADAPTER_SECONDS if self.answers >= KNOWN else None


class Rounds:
    """One line's polling. `called` is true when somebody wants the line: the series ends after the exchange."""

    def __init__(
        self,
        drivers: Mapping[str, Any],
        pace: Pace,
        clock: Clock,
        called: Callable[[], bool],
        tell: Callable[[Told], None],
    ) -> None:
        limits = {device: getattr(driver, "limits", Limits()) for device, driver in drivers.items()}
        self.schedule = LineSchedule({device: driver.wants for device, driver in drivers.items()}, limits)
        self._drivers = drivers
        self._pace = pace
        self._clock = clock
        self._called = called
        self._tell = tell
        self._habits = {device: Habit() for device in drivers}

    def series(self) -> Generator[Say | Hear, Heard, int]:
        """Poll after poll while something is due; the milliseconds until something is, 0 when the line is wanted."""
        while not self._called():
            turn = self.schedule.turn(self._clock.mono_ms())
            if not isinstance(turn, Turn):
                return turn
            yield from self._poll(turn)
            if hasattr(self._drivers[turn.device], "kept"):
                return 0
        return 0

    def command(self, device: str, ask: Callable[[], Request]) -> Generator[Say | Hear, Heard, list[Event] | None]:
        """One command with the parts of its answer, as patiently as the device may need; None: no answer.

        Raises what `ask` raises.
        """
        driver = self._drivers[device]
        first = driver.pending()
        if first is not None:
            yield from self._exchange(device, first, patient=True)
        request: Request | None = ask()
        found: list[Event] = []
        asked = b""
        for _ in range(PARTS):
            if request is None or request.data == asked:
                break
            asked = request.data
            answer = yield from self._exchange(device, request, patient=True)
            if answer.events is None:
                return None
            found += answer.events
            request = driver.pending()
        return found

    def _poll(self, turn: Turn) -> Generator[Say | Hear, Heard, None]:
        """The device's own questions (who are you), what is due, and the parts that follow; a miss ends it."""
        driver = self._drivers[turn.device]
        asked = b""
        while (request := driver.pending()) is not None and request.data != asked:
            asked = request.data
            if not (yield from self._asked(turn, request)):
                return
        mono, wall = self._clock.mono_ms(), self._clock.wall_ms()
        fit = request is None
        request = driver.request(turn.wants) if fit else None
        for _ in range(PARTS):
            if request is None:
                break
            if not (yield from self._asked(turn, request)):
                return
            request = driver.pending()
        if self.schedule.answered(turn, mono, wall, fit=fit):
            self._tell(Told(turn.device, [], stamp(self._clock), answered=True, news="back"))

    def _asked(self, turn: Turn, request: Request) -> Generator[Say | Hear, Heard, bool]:
        again = turn.probe or turn.spared
        answer = yield from self._exchange(turn.device, request, patient=turn.patient, again=again)
        if answer.events is not None:
            return True
        if self.schedule.missed(turn, self._clock.mono_ms(), self._clock.wall_ms()):
            self._drivers[turn.device].restarted()
            self._tell(Told(turn.device, [], stamp(self._clock), answered=False, news="silent", why=answer.why))
        return False

    def _exchange(
        self, device: str, request: Request, *, patient: bool, again: bool = False
    ) -> Generator[Say | Hear, Heard, Answer]:
        habit, pace = self._habits[device], self._pace
        quick = habit.patience
        patience = 0.5 if again and not patient and quick is None else 1.0
        answer = yield from exchange(
            self._drivers[device], request, pace, patience=patience,
            quick=None if patient else quick, turn=habit.quickest if habit.answers >= KNOWN else 0.0,
        )  # fmt: skip
        if answer.events is not None and request.expect:
            habit.learn(answer.turn)
        begins = len(request.data) * pace.char(request.baud) + pace.quiet(request.baud) + pace.char(request.baud)
        cost = pace.longest(request, 0.5) if quick is None else begins + quick
        self.schedule.costs(device, self._ms(cost), self._ms(pace.longest(request, 1.0)))
        said = answer.said if answer.events is None else answer.events
        self._tell(Told(device, said, stamp(self._clock), answered=answer.events is not None, why=answer.why))
        return answer

    def _ms(self, seconds: float) -> int:
        return int(seconds * 1000 * self._clock.scale) + 1
