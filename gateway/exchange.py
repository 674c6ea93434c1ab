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

from gateway.device_events import Event, Request
from gateway.driver_ports import SerialDriver
from gateway.ports import NothingSent, SerialLink, SerialSettings

# An adapter may hold what it heard for so long (FTDI's latency timer is 16 ms), and the system may be busy.
ADAPTER_SECONDS = 0.05
# Noise that never ends must not stop a line for ever: after so long the question is asked into it.
LONGEST_NOISE = 0.25


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
    """The answer to a step. `late`: it was not whole yet when it was looked for first."""

    data: bytes
    at: float
    late: bool = False


class Ask(NamedTuple):
    """A question whose usual answer is known: `whole` bytes that begin with `begins`.

    Seconds from the sending of its first bit: `nap`, until when nothing is needed; `first` and `until` as in `Hear`.
    """

    say: Say
    whole: int
    begins: bytes
    nap: float
    first: float
    until: float


class InTurn(NamedTuple):
    """Ask after ask, as long as each brings its usual answer and nobody wants the line.

    `told` is filled with what was heard before each question and as its answer, the last of which may be another one
    than was awaited, or none. Heard back: the last. The surprise is why: after each sleep everything that is touched
    has to be brought back to the processor, so what can be worked out for many answers at once is.
    """

    asks: tuple[Ask, ...]
    called: Callable[[], bool]
    told: list[tuple[Heard, Heard]]


class Answer(NamedTuple):
    """What an exchange brought. `events` None: nothing that fits came in time. `said`: events of that silence.

    `asked` and `done` are line times of the first bit sent and of the last byte heard; `turn` the seconds the device
    took for itself, as near as the line can tell. `why`: nothing that fits came because of "silence" (not one byte),
    "noise" (bytes, but no frame of ours: speed, format, a cut, two with one address) or "refused" (a frame whose check
    or content is wrong); "" when it was answered. `prompt`: it was there when it was looked for first, so it may have
    been earlier than `done`. `begins`: the first bytes, where exactly the usual ones came.
    """

    events: list[Event] | None
    said: list[Event]
    asked: float
    done: float
    turn: float
    why: str = ""
    prompt: bool = False
    begins: bytes = b""


T = TypeVar("T")
Step = Say | Hear | InTurn
Steps = Generator[Step, Heard, T]
# So much of an answer tells it from an answer to another question: address, function, length.
BEGINS = 3


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


class Patience(NamedTuple):
    """How long a question waits: `most`, as a share of what its device may take; `quick`, the seconds within which a
    healthy device begins its answer (None: not known); `turn`, the seconds before which it never did.
    """

    most: float = 1.0
    quick: float | None = None
    turn: float = 0.0


def ask(request: Request, pace: Pace, patience: Patience, begins: bytes = b"") -> Ask:
    """The question as it goes to the line, with its times."""
    baud = request.baud or pace.baud
    char = pace.char(request.answer_baud or baud)
    silence = pace.quiet(baud)
    # The device sees the end of the question only after the silence, and a first byte takes its time to arrive.
    sent = len(request.data) * pace.char(baud) + silence
    until = pace.longest(request, patience.most)
    first = until if patience.quick is None else min(until, sent + char + patience.quick)
    nap = sent + patience.turn + request.usual * char if request.usual else 0.0
    return Ask(Say(request.data, silence, baud, pace.char(baud)), request.usual, begins, nap, first, until)


def exchange(
    driver: SerialDriver, request: Request, pace: Pace, patience: Patience, begun: tuple[Heard, Heard] | None = None
) -> Steps[Answer]:
    """The steps of one exchange; `begun`: it was asked already, and this was heard."""
    asked = ask(request, pace, patience)
    before = (yield from _said(asked.say)) if begun is None else begun[0]
    driver.counters.noise_bytes += len(before.data)
    answers = request.answer_baud or asked.say.baud
    char = pace.char(answers)
    start = before.at
    events: list[Event] = []
    came, looks, done, refused = 0, 0, start + len(request.data) * asked.say.char, driver.counters.refused
    begins, nap = b"", start + asked.nap
    heard = None if begun is None else begun[1]
    while request.expect and not driver.answered:
        if heard is None:
            heard = yield Hear(start + asked.until, start + (asked.until if came else asked.first), nap, answers)
        if not heard.data:
            told = events + driver.expired(heard.at)
            why = "refused" if driver.counters.refused > refused else "noise" if came else "silence"
            return Answer(None, told, start, heard.at, 0.0, why)
        looks += 1 + heard.late
        came += len(heard.data)
        done = heard.at
        begins = begins or heard.data[:BEGINS]
        nap = done + (request.usual - came) * char
        events += driver.feed(heard.data, heard.at)
        heard = None
    took = done - start - len(request.data) * asked.say.char - came * char - asked.say.quiet
    usual = begins if came == request.usual else b""
    return Answer(events, [], start, done, max(took, 0.0), prompt=looks == 1, begins=usual)


def _said(say: Say) -> Steps[Heard]:
    """What was heard before; raises NothingSent where the line broke before the question had been handed to it."""
    try:
        return (yield say)
    except OSError as error:
        raise NothingSent(str(error)) from error


def carried_out(steps: Steps[T], do: Callable[[Step], Heard]) -> T:
    """Carries out all steps with a function that may block."""
    heard: Heard | None = None
    while True:
        try:
            step = next(steps) if heard is None else steps.send(heard)
        except StopIteration as end:
            result: T = end.value
            return result
        try:
            heard = do(step)
        except OSError as error:
            steps.throw(error)  # it knows what a broken line means at this step
            raise


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
            try:
                heard = await self._done(step)
            except OSError as error:
                steps.throw(error)
                raise

    async def _done(self, step: Step) -> Heard:
        if isinstance(step, Say):
            return await self._say(step)
        if isinstance(step, Hear):
            return await self._hear(step)
        # One after another: whoever owns time here does not sleep.
        ask = step.asks[0]
        before = await self._say(ask.say)
        heard = await self._hear(Hear(before.at + ask.until, before.at + ask.first, 0.0, ask.say.baud))
        step.told.append((before, heard))
        return heard

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
