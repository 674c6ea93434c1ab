"""A serial line with one device that has it to itself: a conversation, its timers, and a desk that writes down.

The surprise is that the line never waits for the journal: what the device says is handed to the desk in order, the desk
answers when the journal has it, and meanwhile a machine's one-second timers go on being met.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from gateway.device_events import Event
from gateway.driver_ports import Talker
from gateway.ports import DeviceStatus, LinkDown, Ports, SerialLink, SerialSettings

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
# How long a word of ours may wait while nothing comes from the line.
SLICE = 0.2
# Events that wait for the journal; beyond these the line is not read: a device that is not answered says it again.
WAITING = 200


class Desk(Protocol):
    """Who makes records of what a device says."""

    @property
    def device(self) -> str:
        """Its device id."""

    async def restore(self) -> None:
        """Reads back from the journal what must be known before the first event."""

    async def hear(self, event: Event) -> None:
        """Writes down what it means; returns when the journal has it."""

    async def tick(self) -> None:
        """Called now and then, in turn with `hear`."""

    def online(self) -> tuple[bool | None, str]:
        """Whether the device answers, and what a person should know about it."""


class ConversationSession:
    """Drives one talker; `say` lets its desk speak."""

    def __init__(self, settings: SerialSettings, driver: Talker, desk: Desk, ports: Ports) -> None:
        self.name = settings.name
        self.progress = ports.clock.line()
        self.desk = desk
        self._settings = settings
        self._driver = driver
        self._clock = ports.clock
        self._open = ports.open_serial
        self._events: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self._link: SerialLink | None = None

    @property
    def is_open(self) -> bool:
        """True while the line is there."""
        return self._link is not None

    def devices(self) -> list[DeviceStatus]:
        """The device's state now."""
        answers, detail = self.desk.online()
        if self._link is None:
            answers, detail = None, "the line is not open"
        return [DeviceStatus(self.desk.device, self._driver.kind, self.name, answers, detail)]

    async def run(self) -> None:
        """Opens the line, serves it, opens it again when it breaks; until cancelled."""
        await self.desk.restore()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(), name=f"{self.name} records")
            group.create_task(self._keep_open(), name=f"{self.name} line")

    def say(self, speak: Callable[[], object]) -> None:
        """Lets the driver word something for the line; raises LinkDown when there is none."""
        if self._link is None:
            raise LinkDown(f"line {self.name} ({self._settings.port}) is not open: is the adapter plugged in?")
        speak()

    async def _keep_open(self) -> None:
        pause = 1.0
        while True:
            link = self._open(self._settings)
            try:
                await link.open()
                self._driver.restarted()
                self._link, pause = link, 1.0
                await self._serve(link)
            except LinkDown as error:
                log.warning("line %s: %s; trying again in %.0f s", self.name, error, pause)
            finally:
                self._link = None
                await link.close()
            self.progress = self._clock.line()
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _serve(self, link: SerialLink) -> None:
        while True:
            # What has come is heard before a timer may say that it did not: this loop may have been late itself.
            await self._listen(link, 0)
            now = self.progress = self._clock.line()
            for event in self._driver.tick(now):
                await self._events.put(event)
            if words := self._driver.outgoing():
                await link.write(words)
            wait = min(max(self._driver.due(now) - now, 0.0), SLICE)
            if wait > 0:
                await self._listen(link, wait)

    async def _listen(self, link: SerialLink, seconds: float) -> None:
        if data := await link.read(seconds):
            for event in self._driver.feed(data, self._clock.line()):
                await self._events.put(event)

    async def _write(self) -> None:
        while True:
            try:
                async with asyncio.timeout(1.0):
                    event = await self._events.get()
            except TimeoutError:
                await self.desk.tick()
            else:
                await self.desk.hear(event)
                await self.desk.tick()
