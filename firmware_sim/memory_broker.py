"""An MQTT broker in memory for the fast mode: QoS 1, retained messages, wills, and sessions that outlive connections.

The surprise is what it may do by right: deliver again what was not acknowledged, deliver twice, keep what a cabinet
sent from the gateway until it returns, and (when it is restarted without its disk) forget what it had acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from firmware_sim.cabinet_client import CabinetClient
from firmware_sim.devices.mqtt_cabinet import Publication
from firmware_sim.faults import MqttFaults, MqttPlan

M = TypeVar("M")
_LATENCY_S = 0.002


@dataclass(frozen=True)
class Packet:
    """One PUBLISH on its way to a subscriber; ``mid`` is what the subscriber acknowledges."""

    topic: str
    payload: bytes
    mid: int
    retain: bool


class Will(Protocol):
    """What is said for a client that went without goodbye."""

    @property
    def topic(self) -> str:
        """Where."""

    @property
    def payload(self) -> bytes:
        """What."""

    @property
    def retain(self) -> bool:
        """Whether it stays."""


@dataclass
class _Session:
    """A persistent session: what is subscribed, waiting, and delivered without a PUBACK."""

    topics: set[str] = field(default_factory=set)
    waiting: deque[Packet] = field(default_factory=deque)
    unacked: dict[int, Packet] = field(default_factory=dict)
    stir: Callable[[], None] | None = None
    will: Will | None = None


class MemoryBroker:
    """Made and used inside a running loop. ``counts``: published, delivered, doubled, lost_acks, restarts."""

    def __init__(self, faults: MqttFaults | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.is_up = True
        self._faults = faults or MqttFaults(MqttPlan(), "none")
        self._loop = asyncio.get_running_loop()
        self._sessions: dict[str, _Session] = {}
        self._cabinets: list[CabinetClient] = []
        self._connected: list[CabinetClient] = []
        self._retained: dict[str, bytes] = {}
        self._under_way: deque[Callable[[], None]] = deque()
        self._mid = 0

    # Cabinets

    def attach(self, client: CabinetClient) -> None:
        """A cabinet connects, and connects again whenever the broker is back."""
        self._cabinets.append(client)
        self.connect(client)

    def connect(self, client: CabinetClient) -> None:
        """A cabinet that was gone is back."""
        if self.is_up and client not in self._connected:
            self._connected.append(client)
            client.up(lambda publication: self._take(client, publication))

    def drop(self, client: CabinetClient) -> None:
        """A cabinet is gone without a word: its will is published."""
        if client in self._connected:
            self._connected.remove(client)
            client.down()
            will = client.twin.will
            self.publish(will.topic, will.payload, retain=True)

    # The broker itself

    def stop(self, *, forget: bool = False) -> None:
        """The broker dies; with ``forget`` it had no disk: queues and retained messages are gone."""
        self.is_up = False
        self.counts["restarts"] += 1
        for client in self._connected:
            client.down()
        self._connected.clear()
        for session in self._sessions.values():
            if forget:
                session.waiting.clear()
                session.unacked.clear()
                session.topics.clear()
            if session.stir is not None:
                session.stir()
        if forget:
            self._retained.clear()

    def start(self) -> None:
        """The broker is back; cabinets connect at once, links must be opened again."""
        self.is_up = True
        for client in self._cabinets:
            self.connect(client)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Takes a message for everybody who wants it."""
        self.counts["published"] += 1
        if retain:
            self._retained[topic] = payload
        for session in self._sessions.values():
            if any(_matches(one, topic) for one in session.topics):
                self._enqueue(session, topic, payload)
        for client in self._connected:
            if client.twin.command_topic == topic:
                self._loop.call_later(_LATENCY_S, self._deliver, client, topic, payload)

    def cut(self, client_id: str) -> None:
        """A client's connection breaks without goodbye: its will is said."""
        session = self.session(client_id)
        stir, session.stir = session.stir, None
        will, session.will = session.will, None
        if will is not None:
            self.publish(will.topic, will.payload, retain=will.retain)
        if stir is not None:
            stir()

    def session(self, client_id: str) -> _Session:
        """The session of a client, for links."""
        return self._sessions.setdefault(client_id, _Session())

    def subscribe(self, session: _Session, topics: Sequence[str]) -> None:
        """Adds subscriptions; retained messages that match come first, marked as such."""
        session.topics.update(topics)
        for topic, payload in self._retained.items():
            if any(_matches(one, topic) for one in topics):
                self._enqueue(session, topic, payload, retain=True)

    # Inside

    def _take(self, client: CabinetClient, publication: Publication) -> None:
        def taken() -> None:
            if client not in self._connected:
                return
            self.publish(publication.topic, publication.payload, retain=publication.retain)
            if self._faults.strikes("lose_ack"):
                self.counts["lost_acks"] += 1
            else:
                client.acked(publication)

        # Timers of one moment fire in any order; what one connection sends arrives as it was sent.
        self._under_way.append(taken)
        self._loop.call_later(_LATENCY_S, self._arrive)

    def _arrive(self) -> None:
        self._under_way.popleft()()

    def _deliver(self, client: CabinetClient, topic: str, payload: bytes) -> None:
        for _ in range(self._copies()):
            if client in self._connected:
                client.arrived(topic, payload)

    def _enqueue(self, session: _Session, topic: str, payload: bytes, *, retain: bool = False) -> None:
        for _ in range(1 if retain else self._copies()):
            self._mid += 1
            session.waiting.append(Packet(topic, payload, self._mid, retain))
        if session.stir is not None:
            session.stir()

    def _copies(self) -> int:
        doubled = self._faults.strikes("double")
        self.counts["doubled"] += doubled
        return 1 + doubled


class MemoryMqttLink(Generic[M]):
    """A subscriber's connection with manual acknowledgement. ``make(topic, payload, mid, retain)`` builds its messages;
    ``down`` is what every call raises once the connection is gone. ``window``: unacknowledged messages at once.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        client_id: str,
        *,
        make: Callable[[Packet], M],
        mid: Callable[[M], int],
        down: type[OSError] = OSError,
        window: int = 400,
    ) -> None:
        self._broker = broker
        self._session = broker.session(client_id)
        self._make = make
        self._mid = mid
        self._down = down
        self._window = window
        self._open = False
        self._waiter: asyncio.Future[None] | None = None

    async def open(self, topics: Sequence[str], will: Will | None = None) -> None:
        """Connects; what was delivered and not acknowledged before comes again, first."""
        if not self._broker.is_up:
            raise self._down("the broker does not answer")
        # A second connection under one name ends the first, and a killed client's never said goodbye.
        if self._session.stir is not None and self._session.stir != self._stir:
            self._session.stir()
        self._session.waiting.extendleft(reversed(self._session.unacked.values()))
        self._session.unacked.clear()
        self._session.stir = self._stir
        self._session.will = will
        self._open = True
        self._broker.subscribe(self._session, topics)

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Listens to these too."""
        self._check()
        self._broker.subscribe(self._session, topics)

    async def batch(self) -> list[M]:
        """Waits for the next message; returns it with all others that have come."""
        self._check()
        while not self._session.waiting or len(self._session.unacked) >= self._window:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._check()
        packets = []
        while self._session.waiting and len(self._session.unacked) < self._window:
            packet = self._session.waiting.popleft()
            self._session.unacked[packet.mid] = packet
            packets.append(packet)
        self._broker.counts["delivered"] += len(packets)
        return [self._make(packet) for packet in packets]

    async def ack(self, messages: Sequence[M]) -> None:
        """PUBACK."""
        self._check()
        for message in messages:
            self._session.unacked.pop(self._mid(message), None)
        self._stir()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:  # noqa: ARG002
        """Returns when the broker has it."""
        self._check()
        self._broker.publish(topic, payload, retain=retain)

    async def close(self) -> None:
        """Disconnects; the session stays. Never raises."""
        self._open = False
        if self._session.stir == self._stir:
            self._session.stir = None
            self._session.will = None
        self._stir()

    def _check(self) -> None:
        if not (self._open and self._broker.is_up and self._session.stir == self._stir):
            self._open = False
            raise self._down("the connection to the broker is gone")

    def _stir(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _matches(pattern: str, topic: str) -> bool:
    """MQTT 3.1.1 section 4.7: ``+`` is one level, ``#`` the rest."""
    wanted, levels = pattern.split("/"), topic.split("/")
    for place, one in enumerate(wanted):
        if one == "#":
            return True
        if place >= len(levels) or one not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)
