"""What the gateway's parts ask of each other and of the world: typed shapes only, no behaviour.

Everything a test or the simulator wants to own (time, randomness, wires, network) comes in through ``Ports``;
everything else here is a shape that two parts share and neither owns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, Protocol, TypeVar

import httpx
import msgspec

from gateway.clock import Clock
from gateway.device_events import CommandTaken, Event, Request, SwitchState
from gateway.rules import Rules, Share
from wire.ids import RecordKey
from wire.records import Intent, Record

T = TypeVar("T")
P = ParamSpec("P")
Confirm = Literal["door", "sensor", "motor", "none"]


class LinkDown(OSError):
    """The wire or broker is not there now. The session closes the link, waits and opens it again."""


class NothingSent(LinkDown):
    """The wire went away before this command: not one whole frame of it has left, so nothing can have moved."""


class NotStored(Exception):
    """The journal did not take these records: nobody may hear "got it", and nothing may be vended. Tell them again."""


class JournalFull(NotStored):
    """The journal may not grow: vending stops and a person must make room. Nothing that is unsent is ever deleted."""


class RecordRefused(ValueError):
    """Such a record has no canonical leaf and never will: telling it again is useless. Say so in a device event."""


@dataclass(frozen=True)
class SerialSettings:
    """How one serial line is opened. ``echo``: the adapter hears what it sends."""

    name: str
    port: str
    baud: int = 9600
    bytesize: int = 8
    parity: Literal["N", "E", "O"] = "N"
    stopbits: int = 1
    echo: bool = False


@dataclass(frozen=True)
class BrokerSettings:
    """How one MQTT broker is reached. ``window``: QoS 1 messages the broker may have on the way to us at once.

    ``clean``: no session is kept while we are away.
    """

    name: str
    host: str
    port: int = 1883
    client_id: str = "tallystick"
    username: str = ""
    password: str = ""
    tls_ca: str = ""
    keepalive: int = 30
    window: int = 400
    clean: bool = False


class SerialLink(Protocol):
    """One serial line. One caller at a time."""

    async def open(self) -> None:
        """Opens the port; raises LinkDown."""

    async def write(self, data: bytes) -> None:
        """Returns when the bytes are handed to the line; raises LinkDown."""

    async def read(self, seconds: float) -> bytes:
        """What came in, at least one byte, or ``b""`` when ``seconds`` of line time passed; raises LinkDown."""

    async def speed(self, baud: int) -> None:
        """Changes over when all that was written has left; nothing to do where it is so already; raises LinkDown."""

    async def close(self) -> None:
        """Never raises."""


class Message(msgspec.Struct, frozen=True):
    """One PUBLISH as it came from the broker; ``mid`` is what ``ack`` needs."""

    topic: str
    payload: bytes
    mid: int = 0
    retain: bool = False
    qos: int = 1


class Will(msgspec.Struct, frozen=True):
    """What the broker says when our connection ends without goodbye, QoS 1."""

    topic: str
    payload: bytes
    retain: bool = True


class MqttLink(Protocol):
    """One MQTT connection (QoS 1, persistent session). PUBACK is sent by ``ack`` and by nothing else."""

    async def open(self, topics: Sequence[str], will: Will | None = None) -> None:
        """Connects and subscribes; raises LinkDown."""

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Listens to these too; raises LinkDown."""

    async def batch(self) -> list[Message]:
        """Waits for the next message and returns it with all others that have come; raises LinkDown."""

    async def ack(self, messages: Sequence[Message]) -> None:
        """Tells the broker that these are safe. Called after the journal's commit only."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Returns when the broker has acknowledged, with `qos` 0 when it is on its way; raises LinkDown."""

    async def close(self) -> None:
        """Never raises."""


class DiskThread(Protocol):
    """One connection to a journal file, used by functions that run whole, one after the other, in the order they came.

    What a function has committed is on the disk when ``run`` returns. Who stops waiting does not stop the function.
    """

    async def run(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """The result of ``function(connection, ...)``; raises what it raises, sqlite3.Error among it."""

    async def close(self) -> None:
        """Ends the connection. Raises sqlite3.Error when SQLite could not close."""


class OpenDisk(Protocol):
    """How a journal file is opened."""

    async def __call__(self, path: Path, *, read_only: bool) -> DiskThread:
        """Connects; nothing is read yet. Raises sqlite3.Error."""


@dataclass(frozen=True)
class Ports:
    """The world, handed in. ``salt`` yields 32 random hex digits.

    ``transport`` None means the real network, ``disk`` None a thread of its own for each connection to a real file.
    """

    clock: Clock
    salt: Callable[[], str]
    open_serial: Callable[[SerialSettings], SerialLink]
    open_mqtt: Callable[[BrokerSettings], MqttLink]
    transport: httpx.AsyncBaseTransport | None = None
    disk: OpenDisk | None = None


class Attempt(msgspec.Struct, frozen=True):
    """A vend that was intended and whose draw is not recorded. ``commanded``: the device may have heard the command."""

    intent: Intent
    key: RecordKey
    commanded: bool


class Journal(Protocol):
    """What recording and vending see of the journal."""

    async def append(self, records: Sequence[Record]) -> list[RecordKey]:
        """Stores the records (``n`` 0, ``z`` "") and returns their keys after the synced commit, all or none.

        A record whose (src, did) is already held is not stored again and yields its old key.
        Raises NotStored (JournalFull among it) or RecordRefused.
        """

    async def mark_commanded(self, key: RecordKey) -> None:
        """Notes durably that the command of this intent is about to leave; raises NotStored."""

    async def open_attempts(self) -> list[Attempt]:
        """Intents that no draw and no loan names yet, oldest first."""

    async def told(self, device: str, count: int) -> list[str]:
        """The device's own names (``did``) of the last events we hold of it, newest first; raises NotStored."""

    async def said(self, device: str, count: int) -> list[Record]:
        """The last records of a device, oldest of them first; raises NotStored."""


class Slot(msgspec.Struct, frozen=True):
    """One slot of a planogram. ``confirm``: how a dispensed piece is known."""

    slot: str
    item: str
    capacity: int
    min: int = 0
    max: int = 0
    confirm: Confirm = "sensor"


class Planogram(msgspec.Struct, frozen=True):
    """What lies where in one cabinet."""

    cabinet: str
    version: int
    slots: tuple[Slot, ...]

    def find(self, slot: str) -> Slot | None:
        """The slot of this name."""
        return next((one for one in self.slots if one.slot == slot), None)


class Badge(msgspec.Struct, frozen=True):
    """A badge that may draw; ``person`` is a pseudonym."""

    badge: str
    person: str
    groups: tuple[str, ...] = ()


class OpenOrder(msgspec.Struct, frozen=True):
    """What was ordered, or proposed, to refill a slot: the number under which both sides know it."""

    order: str
    item: str = ""
    state: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """What the owner of an unproven draw has decided at the supplier's desk, and on what it stands."""

    outcome: Literal["confirmed", "not_dispensed"]
    evidence: str
    who: str


class Desired(msgspec.Struct, frozen=True, dict=True):
    """What the cloud last told us, signed; kept on disk, so that a shop without network goes on. 0: never.

    `orders`: by cabinet and slot; `verdicts`: by cabinet and record ("ep/n").
    """

    version: int = 0
    planograms: dict[str, Planogram] = {}
    badges: dict[str, Badge] = {}
    rules: int = 0
    book: Rules = Rules()
    credit: dict[str, Share] = {}
    orders: dict[str, dict[str, OpenOrder]] = {}
    verdicts: dict[str, dict[str, Verdict]] = {}

    @cached_property
    def _members(self) -> dict[str, frozenset[str]]:
        """Persons by group, by the rules and by the list of badges."""
        found: dict[str, set[str]] = {}
        said = [(one.person, one.groups) for one in self.book.persons]
        said += [(one.person, one.groups) for one in self.badges.values()]
        for person, groups in said:
            for group in groups:
                found.setdefault(group, set()).add(person)
        return {group: frozenset(people) for group, people in found.items()}

    def members(self, groups: frozenset[str]) -> frozenset[str]:
        """Everybody in any of these groups."""
        return frozenset().union(*(self._members.get(group, frozenset()) for group in groups))

    def has_roles(self, roles: frozenset[str]) -> bool:
        """Whether anybody here is in any of these groups."""
        return not roles.isdisjoint(self._members)

    def order(self, cabinet: str, place: Slot) -> str:
        """The number of the slot's open order; none that is about another item than lies there now."""
        found = self.orders.get(cabinet, {}).get(place.slot)
        return found.order if found is not None and found.item in ("", place.item) else ""


class DesiredSource(Protocol):
    """The cached desired document."""

    @property
    def current(self) -> Desired:
        """The newest document that was verified; the empty one before the first."""

    @property
    def age_seconds(self) -> int | None:
        """Seconds since the cloud last confirmed it; None: never, or the clock does not tell."""


class Line(Protocol):
    """What a cabinet, a switch or an air unit needs of the session of its line."""

    async def exchange(self, device: str, ask: Callable[[], Request]) -> list[Event] | None:
        """One command before all polls; the events of its answer, None when nothing answered. Raises LinkDown, of it
        NothingSent where the command certainly has not left."""


class Switch(Protocol):
    """A relay or valve, wherever it hangs. Whoever holds one has already decided that it may be switched."""

    @property
    def device(self) -> str:
        """The device's id: the ``src`` of its records."""

    async def turn(self, *, on: bool) -> CommandTaken | None:
        """Sends the command; what the device says to it, None when it says nothing in time. Raises LinkDown."""

    async def read_back(self) -> SwitchState | None:
        """Asks how it stands; None when nothing answers in time. Raises LinkDown."""


class Quality(msgspec.Struct, frozen=True):
    """What the wire did to one device since the start. ``asked`` questions, of which ``silence`` were not answered by
    one byte, ``noise`` by bytes that are no answer, ``refused`` by answers whose check or content is wrong;
    ``retried``: asked again after one of these. ``frames`` good ones, ``rejected`` reason -> frames not believed.
    ``quiet_ms``: since its last good word; None: never a word.
    """

    asked: int = 0
    retried: int = 0
    silence: int = 0
    noise: int = 0
    refused: int = 0
    frames: int = 0
    noise_bytes: int = 0
    rejected: dict[str, int] = {}
    quiet_ms: int | None = None


class DeviceStatus(msgspec.Struct, frozen=True):
    """How one device is, as its session sees it. ``answered`` None: not asked yet."""

    device: str
    kind: str
    line: str
    answered: bool | None
    detail: str = ""
    quality: Quality | None = None


class Session(Protocol):
    """One line or broker with its devices."""

    @property
    def name(self) -> str:
        """The line's name in the configuration."""

    @property
    def progress(self) -> float:
        """Line time (``clock.line()``) of the last sign of life of the loop, for the watchdog."""

    async def run(self) -> None:
        """Polls, records and reconnects until cancelled."""

    def devices(self) -> list[DeviceStatus]:
        """Each device's state now."""


class UnknownCabinetError(LookupError):
    """No cabinet of this id is configured here."""
