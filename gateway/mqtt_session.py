"""One broker and the cabinets behind it: messages in, one commit for all that came, then their acknowledgements.

The surprise is the order. A result is planned into a record the moment it is read, so that two of them in one batch see
each other; but nobody is told anything (the broker, the person at the kiosk, the shelf) before the journal has it. What
the journal cannot take now keeps the batch waiting and the broker holding the rest: that is the back-pressure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from gateway.device_events import Event
from gateway.drivers.mqtt_cabinet import MqttCabinet
from gateway.mqtt_desk import Desk
from gateway.ports import BrokerSettings, DeviceStatus, LinkDown, Message, MqttLink, NotStored, Ports, RecordRefused
from gateway.premises import Premises
from gateway.recording import happened, stamp
from wire.ids import RecordKey
from wire.records import Intent, Record

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
TICK = 5.0


class MqttSession:
    """Drives the cabinets of one broker; `devices` maps device ids to drivers. `desks` are their `Cabinet`s."""

    def __init__(self, settings: BrokerSettings, devices: Mapping[str, MqttCabinet], ports: Ports) -> None:
        self.name = settings.name
        self.progress = ports.clock.line()
        self._settings = settings
        self._clock = ports.clock
        self._open = ports.open_mqtt
        self.desks = {device: Desk(device, driver, self, ports.clock) for device, driver in devices.items()}
        self._routes = {topic: desk for desk in self.desks.values() for topic in desk.driver.topics}
        self._premises: Premises | None = None
        self._link: MqttLink | None = None
        self._why = "not connected yet"
        self._group: asyncio.TaskGroup | None = None

    def serve(self, premises: Premises) -> None:
        """Hands over what the use cases share; before `run`."""
        self._premises = premises
        for desk in self.desks.values():
            desk.premises = premises

    def devices(self) -> list[DeviceStatus]:
        """Each cabinet's state now."""
        return [
            DeviceStatus(device, desk.driver.kind, self.name, desk.online, "" if self._link else self._why)
            for device, desk in self.desks.items()
        ]

    async def run(self) -> None:
        """Connects, takes what comes, connects again; until cancelled."""
        assert self._premises is not None, "serve() comes before run()"
        await self._pick_up(self._premises)
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._ticks(), name=f"{self.name} ticks")
            await self._keep_open()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Returns when the broker has it; raises LinkDown."""
        if self._link is None:
            raise LinkDown(f"broker {self.name} is not connected ({self._why})")
        await self._link.publish(topic, payload)

    async def _pick_up(self, premises: Premises) -> None:
        """Attempts that the boot before left open: their results may be the first messages that come."""
        try:
            attempts = await premises.journal.open_attempts()
            for device, desk in self.desks.items():
                desk.driver.remember(await premises.journal.told(device, 200))
        except NotStored as error:
            log.warning("broker %s: what the boot before left open is not known: %s", self.name, error)
            return
        for attempt in attempts:
            place = self.desks.get(attempt.intent.src)
            if place is not None and attempt.commanded and attempt.key.ep != self._clock.boot:
                place.expect(attempt.intent, attempt.key)

    async def _keep_open(self) -> None:
        pause = 1.0
        topics = [topic for desk in self.desks.values() for topic in desk.driver.topics]
        link = self._open(self._settings)
        while True:
            try:
                await link.open(topics)
                log.info("broker connected", extra={"broker": self.name})
                self._link, pause = link, 1.0
                while True:
                    await self._take(link, await link.batch())
            except LinkDown as error:
                self._why = str(error)
                log.warning("broker %s: %s; trying again in %.0f s", self.name, error, pause)
            finally:
                self._link = None
                for desk in self.desks.values():
                    desk.online = None
                await link.close()
            self.progress = self._clock.line()
            await self._clock.sleep(pause * self._clock.scale)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _take(self, link: MqttLink, messages: Sequence[Message]) -> None:
        assert self._premises is not None
        now = self.progress = self._clock.line()
        at = stamp(self._clock)
        planned: list[tuple[Desk, Event, Record]] = []
        for message in messages:
            desk = self._routes.get(message.topic)
            if desk is None:
                continue
            for event in desk.driver.feed(message.topic, message.payload, now, retained=message.retain):
                record = desk.plan(event, at)
                if record is not None:
                    planned.append((desk, event, record))
        keys = await self._keep([record for _, _, record in planned]) if planned else []
        for (desk, event, record), key in zip(planned, keys, strict=True):
            if key is None:
                desk.refused(event)
            else:
                desk.kept(event, record, key)
        await link.ack(messages)
        self._send_outgoing()

    async def _keep(self, records: list[Record]) -> list[RecordKey | None]:
        """In one commit. A record that can never be stored is replaced by an event that says so."""
        assert self._premises is not None
        while True:
            try:
                return list(await self._premises.keep(*records))
            except RecordRefused as error:
                if len(records) > 1:
                    return [key for record in records for key in await self._keep([record])]
                log.warning("broker %s: a record of %s was refused: %s", self.name, records[0].src, error)
                data = {"kind": type(records[0]).__name__.lower(), "why": str(error)[:100]}
                said = happened("malformed", stamp(self._clock), records[0].src, data=data)
                await self._premises.keep_for_sure(said)
                return [None]
            except NotStored as error:
                log.warning("broker %s waits for the journal: %s", self.name, error)
                self.progress = self._clock.line()
                await self._clock.sleep(1.0)

    async def _ticks(self) -> None:
        while True:
            await self._clock.sleep(TICK)
            now = self._clock.line()
            for desk in self.desks.values():
                desk.driver.tick(now)
            if self._link is not None:
                self.progress = now
            self._send_outgoing()

    def start(self, desk: Desk, intent: Intent, key: RecordKey) -> None:
        """Serves a person at a cabinet, beside the messages that go on coming."""
        if self._group is not None:
            self._group.create_task(desk.serve(intent, key), name=f"{desk.device} draw")

    def _send_outgoing(self) -> None:
        if self._link is None or self._group is None:
            return
        for desk in self.desks.values():
            if desk.driver.outgoing:
                wanted, desk.driver.outgoing = desk.driver.outgoing, []
                self._group.create_task(desk.send(wanted), name=f"{desk.device} questions")
