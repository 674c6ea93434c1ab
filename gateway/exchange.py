"""One question and its answer on a shared line, as steps that whoever owns the line carries out.

    quiet .. 3.5 characters .. question -> device thinks -> answer | next question not before 3.5 characters of quiet

The surprise is where the silence stands: before a question, counted from the last byte that was heard from anybody. So
what the gateway does with an answer happens while the line must be quiet anyway, and costs nothing. The steps are a
generator because there are two owners: a thread that waits to the tenth of a millisecond (`links/serial.py`), and any
link of read and write on an event loop that may own time.
Source: Modbus over serial line V1.02, 2.5.1.1; devices.md 3.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple, Protocol, TypeVar

from gateway.device_events import Event, Request, SerialDriver
from gateway.ports import SerialLink, SerialSettings

# An adapter may hold what it heard for so long (FTDI's latency timer is 16 ms), and the system may be busy.
ADAPTER_SECONDS = 0.05
# Noise that never ends must not stop a line for ever: after so long the question is asked into it.
LONGEST_NOISE = 0.25
# Awake so long before the last byte is expected.
NAP_MARGIN = 0.0004


class Say(NamedTuple):
    """Wait until the line has been quiet for `quiet` seconds, then send at `baud`.

    Heard back: what was on the line before (noise, a late answer) and when the sending began.
    """

    data: bytes
    quiet: float
    baud: int
    char: float


class Hear(NamedTuple):
    """Bytes, at the latest at line time `until`, at `first` if not one has come by then; nothing needed before `nap`.

    Heard back: what came (b"" at the end of patience) and when.
    """

    until: float
    first: float
    nap: float
    baud: int


class Heard(NamedTuple):
    """The answer to a step."""

    data: bytes
    at: float


class Answer(NamedTuple):
    """What an exchange brought. `events` None: nothing that fits came in time. `said`: events of that silence.

    `asked` and `done` are line times of the first bit sent and of the last byte heard; `turn` the seconds the device
    took for itself, as near as the line can tell. `why`: nothing that fits came because of "silence" (not one byte),
    "noise" (bytes, but no frame of ours: speed, format, a cut, two with one address) or "refused" (a frame whose check
    or content is wrong); "" when it was answered.
    """

    events: list[Event] | None
    said: list[Event]
    asked: float
    done: float
    turn: float
    why: str = ""


T = TypeVar("T")
Steps = Generator[Say | Hear, Heard, T]


class Performer(Protocol):
    """Who carries out the steps."""

    async def perform(self, steps: Steps[T]) -> T:
        """The whole exchange; raises LinkDown."""


class Pace(NamedTuple):
    """What a line's format makes of time: seconds of one character and of the silence between frames, by speed."""

    bits: int
    baud: int

    @classmethod
    def of(cls, settings: SerialSettings) -> Pace:
        """The line's own."""
        return cls(1 + settings.bytesize + (settings.parity != "N") + settings.stopbits, settings.baud)

    def char(self, baud: int = 0) -> float:
        """Wire time of one character: start, data, parity and stop bits."""
        return self.bits / (baud or self.baud)

    def quiet(self, baud: int = 0) -> float:
        """3.5 characters, 1.75 ms above 19200 baud."""
        return silence_seconds(baud or self.baud, self.bits)

    def longest(self, request: Request, patience: float) -> float:
        """Seconds an exchange can take at worst: both frames, the device's thinking, the adapter's latency."""
        sending = len(request.data) * self.char(request.baud)
        answer = request.expect * self.char(request.answer_baud or request.baud)
        return sending + answer + self.quiet(request.baud) + request.delay * patience + ADAPTER_SECONDS


def silence_seconds(baud: int, bits: int) -> float:
    """3.5 characters, 1.75 ms above 19200 baud (Modbus over serial line V1.02, 2.5.1.1)."""
    return 0.00175 if baud > 19200 else 3.5 * bits / baud


def exchange(
    driver: SerialDriver,
    request: Request,
    pace: Pace,
    *,
    patience: float = 1.0,
    quick: float | None = None,
    turn: float = 0.0,
) -> Steps[Answer]:
    """The steps of one exchange. `quick`: a healthy device begins its answer within so many seconds of its turn;
    None: unknown, so wait as long as `request.delay` allows. `turn`: it never began earlier than that.
    """
    baud = request.baud or pace.baud
    answers = request.answer_baud or baud
    char = pace.char(answers)
    before = yield Say(request.data, pace.quiet(baud), baud, pace.char(baud))
    driver.counters.noise_bytes += len(before.data)
    sent = before.at + len(request.data) * pace.char(baud)
    until = before.at + pace.longest(request, patience)
    # The device sees the end of the question only after the silence, and a first byte takes its time to arrive.
    first = until if quick is None else min(until, sent + pace.quiet(baud) + char + quick)
    events: list[Event] = []
    came, done, refused = 0, sent, driver.counters.refused
    margin = max(char, NAP_MARGIN)
    nap = sent + pace.quiet(baud) + turn + request.usual * char - margin if request.usual else 0.0
    while request.expect and not driver.answered:
        heard = yield Hear(until, until if came else first, nap, answers)
        if not heard.data:
            told = events + driver.expired(heard.at)
            why = "refused" if driver.counters.refused > refused else "noise" if came else "silence"
            return Answer(None, told, before.at, heard.at, 0.0, why)
        came += len(heard.data)
        done = heard.at
        nap = done + (request.usual - came) * char - margin
        events += driver.feed(heard.data, heard.at)
    took = done - sent - came * char - pace.quiet(baud)
    return Answer(events, [], before.at, done, max(took, 0.0))


def carried_out(steps: Steps[T], do: Callable[[Say | Hear], Heard]) -> T:
    """Carries out all steps with a function that may block."""
    heard: Heard | None = None
    while True:
        try:
            step = next(steps) if heard is None else steps.send(heard)
        except StopIteration as end:
            result: T = end.value
            return result
        heard = do(step)


class StepByStep:
    """Carries out steps on any link of read and write, on the event loop's own time."""

    def __init__(self, link: SerialLink, now: Callable[[], float]) -> None:
        self._link = link
        self._now = now
        self._quiet_since = now()

    async def perform(self, steps: Steps[T]) -> T:
        """See `Performer`. `first` and `nap` are for wires; here bytes come when they come."""
        heard: Heard | None = None
        while True:
            try:
                step = next(steps) if heard is None else steps.send(heard)
            except StopIteration as end:
                result: T = end.value
                return result
            heard = await (self._say(step) if isinstance(step, Say) else self._hear(step))

    async def _say(self, step: Say) -> Heard:
        junk = b""
        limit = self._now() + LONGEST_NOISE
        while True:
            left = self._quiet_since + step.quiet - self._now()
            more = await self._link.read(max(left, 0.0) if self._now() < limit else 0.0)
            if more:
                junk += more
                self._quiet_since = self._now()
            if not more or self._now() >= limit:
                break
        await self._link.speed(step.baud)
        at = self._now()
        await self._link.write(step.data)
        self._quiet_since = at + len(step.data) * step.char
        return Heard(junk, at)

    async def _hear(self, step: Hear) -> Heard:
        await self._link.speed(step.baud)
        left = step.until - self._now()
        data = await self._link.read(left) if left > 0 else b""
        at = self._now()
        if data:
            self._quiet_since = at
        return Heard(data, at)
