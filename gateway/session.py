"""One serial line and the devices on it: asks in turn, hears those who talk unasked, records what was said, reconnects.

The surprise is that neither recording nor the event loop holds the line: poll follows poll in the line's own thread
(`rounds.py`), records go through a queue (`record_queue.py`). With one exception: a device that waits for "got it"
hears it only when the journal holds what it said. A command (open this lock) goes before every poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from gateway import recording
from gateway.device_events import Event, Request
from gateway.driver_ports import SerialDriver
from gateway.exchange import Pace, Performer, StepByStep
from gateway.line_quality import LineQuality
from gateway.ports import DeviceStatus, Journal, LinkDown, NothingSent, NotStored, Ports, SerialLink, SerialSettings
from gateway.record_queue import RecordQueue
from gateway.recording import Stamp, happened, stamp
from gateway.rounds import Rounds, Told
from wire.records import Record

log = logging.getLogger(__name__)

LONGEST_IDLE = 5.0
LONGEST_PAUSE = 30.0
# How long a line is listened to at a stretch: a device that is answered has its own time-outs.
LISTEN, LISTEN_TALKING = 1.0, 0.1
# Seconds after which a device that talks several times in one is away.
QUIET = 5.0
# Names of events that a board's last words are looked for among; others are named at it too (verdicts, visits).
TOLD = 200
# What a busy line says is looked at so often: a wake-up of the event loop a poll would cost more than the poll.
NEWS = 0.2


WHY = {
    "silence": "not one byte came: power, cable, A and B, address",
    "noise": "bytes came that are no answer: speed, parity, two devices with one address",
    "refused": "answers came whose check or content is wrong: cable, termination, speed",
}


class Interpreter(Protocol):
    """Turns what one device says into records: where one event is not one fact (doors, windows of samples)."""

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        """Records that this event completes."""

    def tick(self, at: Stamp) -> Sequence[Record]:
        """Records that time completes; called every few seconds."""


class SerialSession:
    """Drives the drivers of one line; `devices` maps device ids to drivers. `exchange` is for commands."""

    def __init__(
        self, settings: SerialSettings, devices: Mapping[str, SerialDriver], ports: Ports, journal: Journal
    ) -> None:
        self.name = settings.name
        self.progress = ports.clock.line()
        self._settings = settings
        self._drivers: dict[str, Any] = dict(devices)
        self._clock = ports.clock
        self._open = ports.open_serial
        self._journal = journal
        self._records = RecordQueue(self.name, journal, ports.clock)
        self._interpreters: dict[str, Interpreter] = {}
        self._told: deque[tuple[Told, list[Record] | None]] = deque()
        self._news_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners = [device for device, driver in devices.items() if getattr(driver, "listens", False)]
        self._answered: dict[str, bool | None] = dict.fromkeys(devices)
        self._why: dict[str, str] = {}
        self._quality = LineQuality(self._drivers, ports.clock.mono_ms)
        self._jobs: deque[tuple[str, Callable[[], Request], asyncio.Future[list[Event] | None]]] = deque()
        self._rounds = Rounds(self._drivers, Pace.of(settings), ports.clock, lambda: bool(self._jobs), self._tell)
        self._wake = asyncio.Event()
        self._link: SerialLink | None = None
        self._performer: Performer | None = None

    @property
    def dropped(self) -> int:
        """Records that were lost because the journal took nothing for long."""
        return self._records.dropped

    def interpret(self, device: str, interpreter: Interpreter) -> None:
        """Lets `interpreter` hear what this device says, besides the records that stand for themselves."""
        self._interpreters[device] = interpreter

    def devices(self) -> list[DeviceStatus]:
        """Each device's state now."""
        return [
            DeviceStatus(
                device, driver.kind, self.name, self._answers(device), self._detail(device), self._quality.of(device)
            )
            for device, driver in self._drivers.items()
        ]

    async def run(self) -> None:
        """Opens the line, serves it, opens it again when it breaks; until cancelled."""
        self._loop = asyncio.get_running_loop()
        await self._remember()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._records.run(), name=f"{self.name} records")
            group.create_task(self._keep_open(), name=f"{self.name} line")

    async def _remember(self) -> None:
        """Before the line is opened: a board that repeats its last message may do so across our restart, and its first
        words may be the end of an attempt that the boot before has left open. Heard before that is known, they would
        count as a piece of their own.
        """
        while True:
            try:
                await self._pick_up()
            except NotStored as error:
                log.warning("line %s waits: what its boards said last is not known: %s", self.name, error)
                self.progress = self._clock.line()
                await self._clock.sleep(1.0)
            else:
                return

    async def _pick_up(self) -> None:
        resuming = {one: each for one, each in self._interpreters.items() if hasattr(each, "resume")}
        attempts = await self._journal.open_attempts() if resuming else ()
        for device, driver in self._drivers.items():
            if hasattr(driver, "remember"):
                driver.remember(await self._journal.told(device, TOLD), self._clock.boot)
        for attempt in attempts:
            cabinet: Any = resuming.get(attempt.intent.src)
            if cabinet is not None and attempt.commanded and attempt.key.ep != self._clock.boot:
                cabinet.resume(attempt.intent, attempt.key)

    async def exchange(self, device: str, ask: Callable[[], Request]) -> list[Event] | None:
        """Sends one command before all polls; its events, or None when nothing answered. Raises LinkDown."""
        if self._link is None:
            raise NothingSent(f"line {self.name} ({self._settings.port}) is not open: is the adapter plugged in?")
        answer: asyncio.Future[list[Event] | None] = asyncio.get_running_loop().create_future()
        self._jobs.append((device, ask, answer))
        self._wake.set()
        if hasattr(self._link, "nudge"):
            self._link.nudge()
        return await answer

    async def _keep_open(self) -> None:
        pause = 1.0
        while True:
            link = self._open(self._settings)
            try:
                await link.open()
                self._link, pause = link, 1.0
                performer: Any = link if hasattr(link, "perform") else StepByStep(link, self._clock.line)
                self._performer = performer
                self._forget()
                await self._serve(link)
            except LinkDown as error:
                log.warning("line %s: %s; trying again in %.0f s", self.name, error, pause)
                self._forget()
            finally:
                self._link = None
                self._fail_jobs()
                await link.close()
            self.progress = self._clock.line()
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _forget(self) -> None:
        """Whatever was learnt of the devices was learnt on a line that is no more."""
        for driver in self._drivers.values():
            driver.restarted()

    async def _serve(self, link: SerialLink) -> None:
        assert self._performer is not None
        while True:
            self.progress = self._clock.line()
            if self._listeners:
                # What stands on the line belongs to what was asked before, or to nothing that was asked.
                await self._listen(link, 0)
            if self._jobs:
                await self._command(*self._jobs.popleft())
                continue
            try:
                wait = await self._performer.perform(self._rounds.series())
            finally:
                await self._hear_told()
            if wait and not self._jobs:
                await self._idle(link, wait / 1000 / self._clock.scale)
            self._tick()

    async def _command(
        self, device: str, ask: Callable[[], Request], answer: asyncio.Future[list[Event] | None]
    ) -> None:
        assert self._performer is not None
        try:
            events = await self._performer.perform(self._rounds.command(device, ask))
        except LinkDown as error:
            if not answer.done():
                answer.set_exception(error)
            raise
        except ValueError as error:
            # A command that cannot be worded (no such slot) is its caller's matter and must not stop the line.
            if not answer.done():
                answer.set_exception(error)
            return
        finally:
            await self._hear_told()
        if not answer.done():
            answer.set_result(events)

    def _tell(self, said: Sequence[Told]) -> None:
        """Called where the steps are carried out: in the line's thread, or on a loop that owns time."""
        for told in said:
            self._told.append((told, self._worded(told)))
        now = self._clock.line()
        if self._loop is not None and now - self._news_at > NEWS:
            self._news_at = self.progress = now
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hear_news)

    def _worded(self, told: Told) -> list[Record] | None:
        """The records of what stands for itself: worked out at once, while it is at hand; None for anything else."""
        device, driver = told.device, self._drivers[told.device]
        if told.news or device in self._interpreters or hasattr(driver, "kept"):
            return None
        return recording.records(told.events, told.at, device, driver.cfg)

    def _hear_news(self) -> None:
        """What was said meanwhile, in the middle of a series; who waits for "got it" ends its series by itself."""
        while self._told and not hasattr(self._drivers[self._told[0][0].device], "kept"):
            self._put(*self._told.popleft())
        self._tick()

    async def _hear_told(self) -> None:
        """Everything that was said. A device that waits for "got it" is told when it is on disk, event by event."""
        while self._told:
            told, records = self._told.popleft()
            kept = getattr(self._drivers[told.device], "kept", None)
            if kept is None:
                self._put(told, records)
                await self._speak(told.device)
                continue
            for event, found in self._heard(told):
                if event is None:
                    self._records.put(*found)
                elif await self._keep(event, found, self._interpreters.get(told.device)):
                    kept(event)
            await self._speak(told.device)

    def _put(self, told: Told, records: list[Record] | None) -> None:
        """Queues what was said, and goes on."""
        if records is None:
            records = [record for _, found in self._heard(told) for record in found]
        else:
            self._note(told)
        self._records.put(*records)

    async def _keep(self, event: Event, records: list[Record], interpreter: Interpreter | None) -> bool:
        """Who turned the event into records hears their keys; goods that left are offered until the journal takes them,
        and nothing more is let go on this line meanwhile.
        """
        stored = getattr(interpreter, "stored", None)
        keys = await self._records.keep(records) if records else []
        task = asyncio.current_task()
        while keys is None and stored is not None:
            if task is not None and task.cancelling():
                # Stopping does not wait for a journal: the attempt is still open there, and the next boot ends it.
                return False
            self.progress = self._clock.line()
            await self._clock.sleep(1.0)
            keys = await self._records.keep(records)
        if keys is not None and stored is not None:
            stored(event, records, keys)
        return keys is not None

    def _heard(self, told: Told) -> Iterator[tuple[Event | None, list[Record]]]:
        """Each event with its records, then what the exchange itself is worth."""
        device, cfg = told.device, self._drivers[told.device].cfg
        self._note(told)
        interpreter = self._interpreters.get(device)
        for event in told.events:
            plain = recording.record(event, told.at, device, cfg)
            records: list[Record] = [plain] if plain is not None else []
            if interpreter is not None:
                records += interpreter.hear(event, told.at, cfg)
            yield event, records
        if told.news:
            yield None, [happened(told.news, told.at, device, data={"why": told.why} if told.why else None)]

    def _note(self, told: Told) -> None:
        self._answered[told.device], self._why[told.device] = told.answered, told.why
        self._quality.note(told)

    async def _speak(self, device: str) -> None:
        """What a device must be told now is written at once."""
        driver = self._drivers[device]
        if self._link is not None and hasattr(driver, "outgoing") and (reply := driver.outgoing()):
            await self._link.write(reply)

    async def _idle(self, link: SerialLink, seconds: float) -> None:
        seconds = min(seconds, LONGEST_IDLE)
        if self._listeners:
            await self._listen(link, seconds)
            return
        self._wake.clear()
        if not self._jobs:
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _listen(self, link: SerialLink, seconds: float) -> None:
        """What devices say unasked; what they must be told is written at once. Boards that share a line know their own
        frames: who understood nothing has not answered.
        """
        first = self._drivers[self._listeners[0]]
        takes_commands = hasattr(first, "outgoing") or hasattr(first, "drives")
        data = await link.read(min(seconds, LISTEN_TALKING if takes_commands else LISTEN))
        now = self._clock.line()
        for device in self._listeners:
            driver = self._drivers[device]
            alone, before = len(self._listeners) == 1, driver.counters.frames
            if data:
                events = driver.feed(data, now)
                answered = alone or driver.counters.frames > before or self._answered[device] is True
                self._told.append((Told(device, events, stamp(self._clock), answered=answered), None))
            elif hasattr(driver, "idle"):
                events = driver.idle(now)
                answered = self._answered[device] is True
                self._told.append((Told(device, events, stamp(self._clock), answered=answered), None))
        await self._hear_told()

    def _tick(self) -> None:
        if self._interpreters:
            at = stamp(self._clock)
            for interpreter in self._interpreters.values():
                self._records.put(*interpreter.tick(at))

    def _fail_jobs(self) -> None:
        while self._jobs:
            _, _, answer = self._jobs.popleft()
            if not answer.done():
                answer.set_exception(NothingSent(f"line {self.name} went away"))

    def _answers(self, device: str) -> bool | None:
        """Whether it is there. One that talks by itself is as long as it does."""
        driver = self._drivers[device]
        if not hasattr(driver, "heard_at"):
            return self._answered[device]
        return None if driver.heard_at is None else self._clock.line() - driver.heard_at < QUIET

    def _detail(self, device: str) -> str:
        if self._link is None:
            return "the line is not open"
        why = WHY.get(self._why.get(device, ""), "")
        return f"{why}, probed rarely" if why and self._rounds.schedule.is_aside(device) else why
