"""One serial line and the devices on it: asks in turn, hears those who talk unasked, records what was said, reconnects.

The surprise is that recording does not hold the line (`record_queue.py`), with one exception: a device that waits for
"got it" hears it only when the journal holds what it said. A command (open this lock) goes before every poll.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from gateway import recording
from gateway.block_reads import Limits
from gateway.device_events import Event, Request, SerialDriver
from gateway.exchange import Answer, Pace, Performer, StepByStep, exchange
from gateway.ports import DeviceStatus, Journal, LinkDown, Ports, SerialLink, SerialSettings
from gateway.record_queue import RecordQueue
from gateway.recording import Stamp, happened, stamp
from gateway.schedule import LineSchedule, Turn
from wire.records import Record

log = logging.getLogger(__name__)

LONGEST_IDLE = 5.0
LONGEST_PAUSE = 30.0
# How long a line is listened to at a stretch: a device that is answered has its own time-outs.
LISTEN, LISTEN_TALKING = 1.0, 0.1
# Parts of one conversation (more data follows) before anybody else is asked.
PARTS = 64


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
        self._pace = Pace.of(settings)
        self._drivers: dict[str, Any] = dict(devices)
        self._clock = ports.clock
        self._open = ports.open_serial
        self._records = RecordQueue(self.name, journal, ports.clock)
        self._interpreters: dict[str, Interpreter] = {}
        limits = {device: getattr(driver, "limits", Limits()) for device, driver in devices.items()}
        self._schedule = LineSchedule({device: driver.wants for device, driver in devices.items()}, limits)
        self._listener = next((device for device, driver in devices.items() if getattr(driver, "listens", False)), "")
        self._answered: dict[str, bool | None] = dict.fromkeys(devices)
        self._jobs: deque[tuple[str, Callable[[], Request], asyncio.Future[list[Event] | None]]] = deque()
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
            DeviceStatus(device, driver.kind, self.name, self._answered[device], self._detail(device))
            for device, driver in self._drivers.items()
        ]

    async def run(self) -> None:
        """Opens the line, serves it, opens it again when it breaks; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._records.run(), name=f"{self.name} records")
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
                performer: Any = link if hasattr(link, "perform") else StepByStep(link, self._clock.line)
                self._performer = performer
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
                await self._command(*self._jobs.popleft())
                continue
            turn = self._schedule.turn(self._clock.mono_ms())
            if isinstance(turn, Turn):
                await self._poll(turn)
            else:
                await self._idle(link, turn / 1000 / self._clock.scale)
            self._tick()

    async def _command(
        self, device: str, ask: Callable[[], Request], answer: asyncio.Future[list[Event] | None]
    ) -> None:
        driver = self._drivers[device]
        asked = b""
        try:
            request = driver.pending()
            if request is not None:
                await self._exchange(device, request)
            events = await self._exchange(device, ask())
            while events is not None and (request := driver.pending()) is not None and request.data != asked:
                asked = request.data
                more = await self._exchange(device, request)
                events = None if more is None else events + more
        except LinkDown as error:
            if not answer.done():
                answer.set_exception(error)
            raise
        except ValueError as error:
            # A command that cannot be worded (no such slot) is its caller's matter and must not stop the line.
            if not answer.done():
                answer.set_exception(error)
            return
        if not answer.done():
            answer.set_result(events)

    async def _poll(self, turn: Turn) -> None:
        """The device's own questions first (who are you), then what is due; a silent one is told to the schedule."""
        driver = self._drivers[turn.device]
        asked = b""
        while (request := driver.pending()) is not None and request.data != asked:
            asked = request.data
            if not await self._asked(turn, request):
                return
        mono, wall = self._clock.mono_ms(), self._clock.wall_ms()
        fit = request is None
        if fit and not await self._read_whole(turn):
            return
        if self._schedule.answered(turn, mono, wall, fit=fit):
            self._records.put(happened("back", stamp(self._clock), turn.device))

    async def _read_whole(self, turn: Turn) -> bool:
        """What is due, and the rest of an answer that is longer than a frame."""
        driver = self._drivers[turn.device]
        request: Request | None = driver.request(turn.wants)
        for _ in range(PARTS):
            if request is None:
                return True
            if not await self._asked(turn, request):
                return False
            request = driver.pending()
        return True

    async def _asked(self, turn: Turn, request: Request) -> bool:
        if await self._exchange(turn.device, request, 1.0 if turn.patient else 0.5) is not None:
            return True
        if self._schedule.missed(turn, self._clock.mono_ms(), self._clock.wall_ms()):
            self._drivers[turn.device].restarted()
            self._records.put(happened("silent", stamp(self._clock), turn.device))
        return False

    async def _exchange(self, device: str, request: Request, patience: float = 1.0) -> list[Event] | None:
        """One question and its answer, told to who interprets it; None when nothing that fits came in time."""
        assert self._performer is not None
        steps = exchange(self._drivers[device], request, self._pace, patience=patience)
        answer: Answer = await self._performer.perform(steps)
        self._answered[device] = answer.events is not None
        await self._hear(device, answer.said if answer.events is None else answer.events)
        return answer.events

    async def _idle(self, link: SerialLink, seconds: float) -> None:
        seconds = min(seconds, LONGEST_IDLE)
        if self._listener:
            await self._listen(link, self._listener, seconds)
            return
        self._wake.clear()
        if not self._jobs:
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _listen(self, link: SerialLink, device: str, seconds: float) -> None:
        """What a device says unasked; what it must be told is written at once."""
        driver = self._drivers[device]
        data = await link.read(min(seconds, LISTEN_TALKING if hasattr(driver, "outgoing") else LISTEN))
        now = self._clock.line()
        if data:
            self._answered[device] = True
            await self._hear(device, driver.feed(data, now))
        elif hasattr(driver, "idle"):
            await self._hear(device, driver.idle(now))

    async def _hear(self, device: str, events: Iterable[Event]) -> None:
        """Records of what was said. A device that waits for "got it" is told when they are on disk, event by event."""
        at = stamp(self._clock)
        driver = self._drivers[device]
        interpreter = self._interpreters.get(device)
        kept = getattr(driver, "kept", None)
        for event in events:
            plain = recording.record(event, at, device, driver.cfg)
            records: list[Record] = [plain] if plain is not None else []
            if interpreter is not None:
                records += interpreter.hear(event, at, driver.cfg)
            if kept is None:
                self._records.put(*records)
            elif not records or await self._records.keep(records):
                kept(event)
        if self._link is not None and hasattr(driver, "outgoing") and (reply := driver.outgoing()):
            await self._link.write(reply)

    def _tick(self) -> None:
        if self._interpreters:
            at = stamp(self._clock)
            for interpreter in self._interpreters.values():
                self._records.put(*interpreter.tick(at))

    def _fail_jobs(self) -> None:
        while self._jobs:
            _, _, answer = self._jobs.popleft()
            if not answer.done():
                answer.set_exception(LinkDown(f"line {self.name} went away"))

    def _detail(self, device: str) -> str:
        if self._link is None:
            return "the line is not open"
        return "silent, probed rarely" if self._schedule.is_aside(device) else ""
