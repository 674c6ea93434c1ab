"""One broker and the cabinets and meters behind it: messages in, one commit for all, then their acknowledgements.

The surprise is the order. A result is planned into a record the moment it is read, so that two of them in one batch see
each other; but nobody is told anything (the broker, the person at the kiosk, the shelf) before the journal has it. What
the journal cannot take now keeps the batch waiting and the broker holding the rest: that is the back-pressure.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.device_events import Event, Publish
from gateway.driver_ports import MqttDriver
from gateway.drivers.mqtt_cabinet import MqttCabinet
from gateway.drivers.sparkplug_b import SparkplugB
from gateway.mqtt_desk import Desk
from gateway.mqtt_meter import Meter
from gateway.ports import (
    BrokerSettings,
    DeviceStatus,
    LinkDown,
    Message,
    MqttLink,
    NotStored,
    Ports,
    RecordRefused,
    Will,
)
from gateway.premises import Premises
from gateway.recording import Stamp, happened, stamp
from wire.ids import RecordKey
from wire.records import Intent, Record

log = logging.getLogger(__name__)


class Place(Protocol):
    """What the session needs of one device: `Desk` of a cabinet, `Meter` of what only tells."""

    device: str
    online: bool | None

    @property
    def driver(self) -> MqttDriver:
        """Its protocol."""

    def plan(self, event: Event, at: Stamp) -> Record | None:
        """The record an event will be, and what it changes here at once."""

    def kept(self, event: Event, record: Record, key: RecordKey) -> None:
        """The journal has it."""

    def refused(self, event: Event) -> None:
        """The journal will never have it."""

    async def send(self, wanted: Sequence[Publish]) -> None:
        """Sends; a broker that is away is no error."""


Piece = tuple[Sequence[Message], list[tuple[Place, Event, Record]]]

# Messages of one commit: enough for the sync not to count, few enough for the next ones to be planned meanwhile.
AT_ONCE = 256
LAST_COMMIT = 0.5
LONGEST_PAUSE = 30.0
STRANGERS = 100
TICK = 5.0
# Topics whose way is remembered.
WAYS = 10_000


class MqttSession:
    """Drives the devices of one broker; `devices` maps device ids to drivers.

    `desks` are the `Cabinet`s among them, `meters` the others.
    """

    def __init__(self, settings: BrokerSettings, devices: Mapping[str, MqttDriver], ports: Ports) -> None:
        self.name = settings.name
        self.progress = ports.clock.line()
        self._settings = settings
        self._clock = ports.clock
        self._open = ports.open_mqtt
        self.desks: dict[str, Desk] = {}
        self.meters: dict[str, Meter] = {}
        for device, driver in devices.items():
            if isinstance(driver, MqttCabinet):
                self.desks[device] = Desk(device, driver, self, ports.clock)
            else:
                self.meters[device] = Meter(device, driver, self, ports.clock)
        self._places: dict[str, Place] = {**self.desks, **self.meters}
        self._topics: frozenset[str] = frozenset()
        self._ways: dict[str, tuple[Place, ...]] = {}
        self._strangers: set[str] = set()
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
        """Each device's state now."""
        return [
            DeviceStatus(device, place.driver.kind, self.name, place.online, "" if self._link else self._why)
            for device, place in self._places.items()
        ]

    async def run(self) -> None:
        """Connects, takes what comes, connects again; until cancelled."""
        assert self._premises is not None, "serve() comes before run()"
        await self._pick_up(self._premises)
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._ticks(), name=f"{self.name} ticks")
            await self._keep_open()

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Returns when the broker has it, with `qos` 0 when it is handed over; raises LinkDown."""
        if self._link is None:
            raise LinkDown(f"broker {self.name} is not connected ({self._why})")
        await self._link.publish(topic, payload, qos=qos, retain=retain)

    async def _pick_up(self, premises: Premises) -> None:
        """Attempts that the boot before left open: their results may be the first messages that come. Nothing is heard
        before they are known: a result that finds nobody waiting is a piece of its own, and would be billed twice.
        """
        while True:
            try:
                await self._look_back(premises)
            except NotStored as error:
                log.warning("broker %s waits: what the boot before left open is not known: %s", self.name, error)
                self.progress = self._clock.line()
                await self._clock.sleep(1.0)
            else:
                return

    async def _look_back(self, premises: Premises) -> None:
        attempts = await premises.journal.open_attempts()
        for device, desk in self.desks.items():
            desk.driver.remember(await premises.journal.told(device, 200))
        for attempt in attempts:
            place = self.desks.get(attempt.intent.src)
            if place is not None and attempt.commanded and attempt.key.ep != self._clock.boot:
                place.expect(attempt.intent, attempt.key)

    async def _keep_open(self) -> None:
        pause = 1.0
        link = self._open(self._settings)
        while True:
            host = self._host()
            try:
                topics = self._wanted()
                await link.open(topics, host[1] if host else None)
                self._topics = frozenset(topics)
                if host:
                    await link.publish(host[0].topic, host[0].payload, retain=True)
                log.info("broker connected", extra={"broker": self.name})
                self._link, pause = link, 1.0
                await self._serve(link)
            except LinkDown as error:
                self._why = str(error)
                log.warning("broker %s: %s; trying again in %.0f s", self.name, error, pause)
            except asyncio.CancelledError:
                # Who disconnects in order takes the will back, and must say itself that it goes.
                if gone := self._host():
                    with contextlib.suppress(LinkDown, TimeoutError):
                        async with asyncio.timeout(LAST_COMMIT):
                            await link.publish(gone[1].topic, gone[1].payload, retain=True)
                raise
            finally:
                self._link = None
                for place in self._places.values():
                    place.online = None
                await link.close()
            self.progress = self._clock.line()
            await self._clock.sleep(pause * self._clock.scale)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _serve(self, link: MqttLink) -> None:
        """Plans the next messages while the journal syncs the ones before; at most two pieces are under way."""
        assert self._group is not None
        pieces: asyncio.Queue[Piece | None] = asyncio.Queue(maxsize=1)
        committing = self._group.create_task(self._commit(link, pieces), name=f"{self.name} commits")
        try:
            while True:
                messages = await link.batch()
                for start in range(0, len(messages), AT_ONCE):
                    await pieces.put(self._plan(messages[start : start + AT_ONCE]))
        except LinkDown:
            # What is planned must end: people wait for it. Only its acknowledgement is lost.
            await pieces.put(None)
            await committing
            raise
        finally:
            if not committing.done():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_COMMIT):
                        await pieces.put(None)
                        await asyncio.shield(committing)
                committing.cancel()

    def _plan(self, messages: Sequence[Message]) -> Piece:
        now = self.progress = self._clock.line()
        at = stamp(self._clock)
        planned: list[tuple[Place, Event, Record]] = []
        ways = self._ways
        for message in messages:
            topic = message.topic
            places = ways.get(topic)
            if places is None:
                places = self._way(topic)
            for place in places:
                for event in place.driver.feed(topic, message.payload, now, retained=message.retain):
                    record = place.plan(event, at)
                    if record is not None:
                        planned.append((place, event, record))
        return messages, planned

    def _way(self, topic: str) -> tuple[Place, ...]:
        """Whom a topic concerns; looked up once. What is learnt later (a description) makes the ways new."""
        if len(self._ways) >= WAYS:
            self._ways.clear()
        found = tuple(
            place for place in self._places.values() if any(matches(pattern, topic) for pattern in place.driver.topics)
        )
        self._ways[topic] = found
        if not found:
            self._stranger(topic)
        return found

    def _stranger(self, topic: str) -> None:
        """A device that is not configured here: said once, so that whoever installs it sees why nothing happens."""
        if not self.desks:
            return  # patterns of descriptions bring those of other people's devices too
        if topic not in self._strangers and len(self._strangers) < STRANGERS:
            self._strangers.add(topic)
            log.warning("broker %s: nobody here knows %s; add its cabinet to the configuration", self.name, topic)

    async def _commit(self, link: MqttLink, pieces: asyncio.Queue[Piece | None]) -> None:
        """One piece after the other into the journal; while it syncs one, the people of the one before are told."""
        piece = await pieces.get()
        running = self._stored(piece)
        while piece is not None:
            keys = await running
            waits = not pieces.empty()
            following = pieces.get_nowait() if waits else None
            if waits:
                running = self._stored(following)
            await self._tell(link, piece, keys)
            if not waits:
                following = await pieces.get()
                running = self._stored(following)
            piece = following

    def _stored(self, piece: Piece | None) -> asyncio.Task[list[RecordKey | None]]:
        records = [record for _, _, record in piece[1]] if piece else []
        return asyncio.create_task(self._keep(records), name=f"{self.name} append")

    async def _tell(self, link: MqttLink, piece: Piece, keys: Sequence[RecordKey | None]) -> None:
        messages, planned = piece
        for (place, event, record), key in zip(planned, keys, strict=True):
            if key is None:
                place.refused(event)
            else:
                place.kept(event, record, key)
        try:
            await link.ack(messages)
        except LinkDown as error:
            log.info("broker %s will tell %d messages again: %s", self.name, len(messages), error)
        await self._subscribe_more(link)
        self._send_outgoing()

    async def _keep(self, records: list[Record]) -> list[RecordKey | None]:
        """In one commit. A record that can never be stored is replaced by an event that says so."""
        assert self._premises is not None
        while records:
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
        return []

    async def _ticks(self) -> None:
        while True:
            await self._clock.sleep(TICK)
            now = self._clock.line()
            for place in self._places.values():
                place.driver.tick(now)
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
        for place in self._places.values():
            if place.driver.outgoing:
                wanted, place.driver.outgoing = place.driver.outgoing, []
                self._group.create_task(place.send(wanted), name=f"{place.device} questions")

    def _host(self) -> tuple[Will, Will] | None:
        """As a Sparkplug host: that we are here, and the will that says when we are not. Both with the same time."""
        drivers = [one.driver for one in self.meters.values()]
        hosts = [one for one in drivers if isinstance(one, SparkplugB) and one.host_topic]
        if not hosts:
            return None
        at = self._clock.wall_ms()
        here, gone = (f'{{"online":{word},"timestamp":{at}}}'.encode("ascii") for word in ("true", "false"))
        for host in hosts:
            host.host_state = here
        return Will(hosts[0].host_topic, here), Will(hosts[0].host_topic, gone)

    def _wanted(self) -> list[str]:
        cabinets = [desk.driver for desk in self.desks.values()]
        others = {topic for meter in self.meters.values() for topic in meter.driver.topics}
        return [*subscriptions(cabinets), *sorted(others)]

    async def _subscribe_more(self, link: MqttLink) -> None:
        """A description has named topics that nobody listened to yet."""
        if not self.meters or self._topics.issuperset(wanted := self._wanted()):
            return
        new = [topic for topic in wanted if topic not in self._topics]
        self._topics = self._topics.union(new)
        self._ways.clear()
        try:
            await link.subscribe(new)
        except LinkDown as error:
            log.info("broker %s: %s", self.name, error)


def matches(pattern: str, topic: str) -> bool:
    """MQTT 3.1.1 section 4.7: `+` is one level, `#` the rest."""
    if pattern == topic:
        return True
    wanted, levels = pattern.split("/"), topic.split("/")
    for place, one in enumerate(wanted):
        if one == "#":
            return True
        if place >= len(levels) or one not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)


def subscriptions(cabinets: Sequence[MqttCabinet]) -> list[str]:
    """What to subscribe to: a lone cabinet's own topics, else one pattern for all of a prefix.

    Brokers share out their window of unacknowledged messages by subscription; with one for each cabinet nats-server
    drops what is beyond it and tells it again later, out of order.
    """
    by_prefix: dict[str, list[MqttCabinet]] = {}
    for cabinet in cabinets:
        by_prefix.setdefault(cabinet.settings.prefix, []).append(cabinet)
    topics: list[str] = []
    for prefix, some in by_prefix.items():
        topics += some[0].topics if len(some) == 1 else (f"{prefix}/+/evt", f"{prefix}/+/state")
    return topics
