"""One serial line and the devices on it: asks in turn, keeps the silences, records what was said, reconnects.

The surprise is that recording does not hold the line: events go through a bounded queue to one writer, because the
journal's sync may take longer than a device's whole answer. A command (open this lock) goes before every poll.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gateway import recording
from gateway.block_reads import Limits
from gateway.device_events import Event, Request, SerialDriver
from gateway.ports import DeviceStatus, Journal, LinkDown, NotStored, Ports, RecordRefused, SerialLink, SerialSettings
from gateway.recording import Stamp, happened, stamp
from gateway.schedule import LineSchedule, Turn, silence_seconds, time_out
from wire.records import Record

log = logging.getLogger(__name__)

QUEUE = 2_000
LONGEST_IDLE = 5.0
# Frames of one answer.
LONGEST_ANSWER = 64
LONGEST_PAUSE = 30.0


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
        self.dropped = 0
        self._settings = settings
        self._bits = 1 + settings.bytesize + (settings.parity != "N") + settings.stopbits
        self._drivers = dict(devices)
        self._clock = ports.clock
        self._open = ports.open_serial
        self._journal = journal
        self._interpreters: dict[str, Interpreter] = {}
        limits = {device: getattr(driver, "limits", Limits()) for device, driver in devices.items()}
        self._schedule = LineSchedule({device: driver.wants for device, driver in devices.items()}, limits)
        self._listener = next((device for device, driver in devices.items() if getattr(driver, "listens", False)), "")
        self._answered: dict[str, bool | None] = dict.fromkeys(devices)
        self._jobs: deque[tuple[str, Callable[[], Request], asyncio.Future[list[Event] | None]]] = deque()
        self._wake = asyncio.Event()
        self._queue: deque[Record] = deque()
        self._queued = asyncio.Event()
        self._link: SerialLink | None = None

    def interpret(self, device: str, interpreter: Interpreter) -> None:
        """Lets `interpreter` hear what this device says, besides the records that stand for themselves."""
        self._interpreters[device] = interpreter

    def devices(self) -> list[DeviceStatus]:
        """Each device's state now."""
        return [
            DeviceStatus(device, driver.kind, self.name, self._answered[device], self._detail(device))
            for device, driver in self._drivers.items()
        ]

    async def run(self) -> None:
        """Opens the line, serves it, opens it again when it breaks; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(), name=f"{self.name} records")
            group.create_task(self._keep_open(), name=f"{self.name} line")

    async def exchange(self, device: str, ask: Callable[[], Request]) -> list[Event] | None:
        """Sends one command before all polls; its events, or None when nothing answered. Raises LinkDown."""
        if self._link is None:
            raise LinkDown(f"line {self.name} ({self._settings.port}) is not open: is the adapter plugged in?")
        answer: asyncio.Future[list[Event] | None] = asyncio.get_running_loop().create_future()
        self._jobs.append((device, ask, answer))
        self._wake.set()
        return await answer

    async def _keep_open(self) -> None:
        pause = 1.0
        while True:
            link = self._open(self._settings)
            try:
                await link.open()
                self._link, pause = link, 1.0
                for driver in self._drivers.values():
                    driver.restarted()
                await self._serve(link)
            except LinkDown as error:
                log.warning("line %s: %s; trying again in %.0f s", self.name, error, pause)
            finally:
                self._link = None
                self._fail_jobs()
                await link.close()
            self.progress = self._clock.line()
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _serve(self, link: SerialLink) -> None:
        while True:
            self.progress = self._clock.line()
            if self._jobs:
                await self._command(link, *self._jobs.popleft())
                continue
            turn = self._schedule.turn(self._clock.mono_ms())
            if isinstance(turn, Turn):
                await self._poll(link, turn)
            else:
                await self._idle(link, turn / 1000 / self._clock.scale)
            self._tick()

    async def _command(
        self, link: SerialLink, device: str, ask: Callable[[], Request], answer: asyncio.Future[list[Event] | None]
    ) -> None:
        driver = self._drivers[device]
        try:
            request = driver.pending()
            if request is not None:
                self._hear(device, await self._exchange(link, driver, request) or [])
            events = await self._exchange(link, driver, ask())
        except LinkDown as error:
            if not answer.done():
                answer.set_exception(error)
            raise
        self._hear(device, events or [])
        if not answer.done():
            answer.set_result(events)

    async def _poll(self, link: SerialLink, turn: Turn) -> None:
        """The device's own questions first (who are you), then what is due; a silent one is told to the schedule."""
        driver = self._drivers[turn.device]
        asked = b""
        while (request := driver.pending()) is not None and request.data != asked:
            asked = request.data
            if not await self._asked(link, turn, request):
                return
        mono, wall = self._clock.mono_ms(), self._clock.wall_ms()
        fit = request is None
        if fit and not await self._read_whole(link, turn, driver):
            return
        if self._schedule.answered(turn, mono, wall, fit=fit):
            self._record(happened("back", stamp(self._clock), turn.device))

    async def _read_whole(self, link: SerialLink, turn: Turn, driver: SerialDriver) -> bool:
        """What is due, and the rest of an answer that is longer than a frame."""
        request: Request | None = driver.request(turn.wants)
        for _ in range(LONGEST_ANSWER):
            if request is None:
                return True
            if not await self._asked(link, turn, request):
                return False
            request = driver.pending()
        return True

    async def _asked(self, link: SerialLink, turn: Turn, request: Request) -> bool:
        driver = self._drivers[turn.device]
        patience = 1.0 if turn.patient else 0.5
        events = await self._exchange(link, driver, request, patience)
        self._answered[turn.device] = events is not None
        if events is not None:
            self._hear(turn.device, events)
            return True
        if self._schedule.missed(turn, self._clock.mono_ms(), self._clock.wall_ms()):
            driver.restarted()
            self._record(happened("silent", stamp(self._clock), turn.device))
        return False

    async def _exchange(
        self, link: SerialLink, driver: SerialDriver, request: Request, patience: float = 1.0
    ) -> list[Event] | None:
        """One question and its answer, then 3.5 characters of silence; None when nothing that fits came in time."""
        while await link.read(0):
            driver.counters.noise_bytes += 1
        own = self._settings.baud
        baud, answers = request.baud or own, request.answer_baud or request.baud or own
        await link.speed(baud)
        wait = time_out(min(baud, answers), self._bits, len(request.data), request.expect, request.delay * patience)
        until = self._clock.line() + wait
        events: list[Event] = []
        await link.write(request.data)
        await link.speed(answers)
        if not request.expect:
            await link.read(len(request.data) * self._bits / baud)
        while not driver.answered:
            left = until - self._clock.line()
            data = await link.read(left) if left > 0 else b""
            now = self._clock.line()
            if not data:
                driver.expired(now)
                return None
            events += driver.feed(data, now)
        await link.read(silence_seconds(answers, self._bits))
        return events

    async def _idle(self, link: SerialLink, seconds: float) -> None:
        seconds = min(seconds, LONGEST_IDLE)
        if self._listener:
            data = await link.read(min(seconds, 1.0))
            if data:
                self._answered[self._listener] = True
                self._hear(self._listener, self._drivers[self._listener].feed(data, self._clock.line()))
            return
        self._wake.clear()
        if not self._jobs:
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return

    def _hear(self, device: str, events: Sequence[Event]) -> None:
        at = stamp(self._clock)
        cfg = self._drivers[device].cfg
        interpreter = self._interpreters.get(device)
        for event in events:
            plain = recording.record(event, at, device, cfg)
            if plain is not None:
                self._record(plain)
            if interpreter is not None:
                self._record(*interpreter.hear(event, at, cfg))

    def _tick(self) -> None:
        if self._interpreters:
            at = stamp(self._clock)
            for interpreter in self._interpreters.values():
                self._record(*interpreter.tick(at))

    def _record(self, *records: Record) -> None:
        for record in records:
            if len(self._queue) >= QUEUE:
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(record)
        if records:
            self._queued.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._queued.wait()
                self._queued.clear()
                await self._store()
        except asyncio.CancelledError:
            await self._store()
            raise

    async def _store(self) -> None:
        """Everything queued, in one commit; what the journal cannot take now waits, what it can never take is named."""
        while self._queue:
            records = list(self._queue)
            self._queue.clear()
            try:
                await self._journal.append(records)
            except RecordRefused:
                for record in records:
                    await self._store_alone(record)
            except NotStored as error:
                log.warning("line %s: %s", self.name, error)
                self._queue.extendleft(reversed(records[-QUEUE:]))
                self._queued.set()
                await self._clock.sleep(1.0)
                return

    async def _store_alone(self, record: Record) -> None:
        try:
            await self._journal.append([record])
        except RecordRefused as error:
            log.warning("line %s: a record of %s was refused for ever: %s", self.name, record.src, error)
        except NotStored:
            self._record(record)

    def _fail_jobs(self) -> None:
        while self._jobs:
            _, _, answer = self._jobs.popleft()
            if not answer.done():
                answer.set_exception(LinkDown(f"line {self.name} went away"))

    def _detail(self, device: str) -> str:
        if self._link is None:
            return "the line is not open"
        return "silent, probed rarely" if self._schedule.is_aside(device) else ""
