"""Our gateway as a Sparkplug B edge node: what its birth, data and death say. PURE; `sparkplug_node.py` connects.

    spBv1.0/GROUP/NBIRTH/NODE            bdSeq, Node Control/Rebirth            seq 0
    spBv1.0/GROUP/DBIRTH/NODE/DEVICE     every register with alias and unit     seq 1, 2 .. 255, 0 over all messages
    spBv1.0/GROUP/DDATA/NODE/DEVICE      alias, timestamp, value; is_historical for what waited

The surprise: a register that was never born cannot be told, so a new one makes its device be born again; and what
waited while the broker was away is marked, or a customer's historian would draw a week's readings at one moment.
Source: Eclipse Sparkplug 3.0.0 chapters 4 to 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from gateway.device_events import Publish
from gateway.drivers.sparkplug_payload import BOOLEAN, DOUBLE, INT64, STRING, Metric, Payload, bd_seq, decode, encode
from wire.records import DeviceEvent, Reading, Record, Window

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
GONE, BACK = frozenset({"silent", "offline"}), frozenset({"back", "online"})
# Metrics of one message; a payload stays far below what brokers take.
MOST = 200


class Fact(msgspec.Struct, frozen=True):
    """One value of one device, and when it was so (ms UTC)."""

    device: str
    name: str
    at: int
    value: int | Decimal
    unit: str

    @property
    def datatype(self) -> int:
        """Whole numbers stay whole."""
        return INT64 if isinstance(self.value, int) else DOUBLE


def facts(record: Record) -> list[Fact]:
    """What a record tells a customer: readings as they are, windows by their mean."""
    if isinstance(record, Reading):
        return [Fact(record.src, record.register, record.t, _number(record.value, record.scale), record.unit)]
    if isinstance(record, Window):
        return [Fact(record.src, record.metric, record.to, _number(record.mean, record.scale), record.unit)]
    return []


def _number(value: int, scale: int) -> int | Decimal:
    return value * int(10**scale) if scale >= 0 else Decimal(value).scaleb(scale)


class EdgeNode:
    """What has been born and said on one connection."""

    def __init__(self, group: str, node: str, version: str) -> None:
        self._base = f"{NAMESPACE}/{group}"
        self._node = node
        self._version = version
        self._seq = 0
        self._bd = 0
        self._known: dict[str, dict[str, Fact]] = {}
        self._aliases: dict[tuple[str, str], int] = {}
        self._born: set[str] = set()
        # A device that went away is not born again because somebody asks for the births: its values are old.
        self._away: set[str] = set()
        self.command_topic = f"{self._base}/NCMD/{node}"
        self.death_topic = f"{self._base}/NDEATH/{node}"

    def remember(self, record: Record) -> None:
        """What was told on a connection before: the newest values, and who is not there."""
        for fact in facts(record):
            self.learn(fact)
        if isinstance(record, DeviceEvent) and record.event in GONE | BACK:
            (self._away.add if record.event in GONE else self._away.discard)(record.src)

    def learn(self, fact: Fact) -> None:
        """The newest value of a register, for the births."""
        known = self._known.setdefault(fact.device, {})
        before = known.get(fact.name)
        if before is None or before.at <= fact.at:
            known[fact.name] = fact
        self._away.discard(fact.device)
        self._aliases.setdefault((fact.device, fact.name), len(self._aliases) + 1)

    def death(self, bd: int) -> bytes:
        """The will of the connection whose birth says the same `bd`."""
        return encode(Payload(None, (Metric("bdSeq", datatype=INT64, value=bd),)))

    def births(self, bd: int, now: int) -> list[Publish]:
        """The node's, and those of all devices that are there."""
        self._bd, self._seq = bd, 255
        self._born.clear()
        metrics = (
            Metric("bdSeq", None, now, INT64, value=bd),
            Metric(REBIRTH, None, now, BOOLEAN, value=False),
            Metric("Properties/Software", None, now, STRING, value=f"tallystick {self._version}"),
        )
        told = [self._message("NBIRTH", "", metrics, now)]
        return told + [self._birth(device, now) for device in sorted(self._known.keys() - self._away)]

    def again(self, now: int) -> list[Publish]:
        """The same once more, because a host asked."""
        return self.births(self._bd, now)

    def data(self, records: Sequence[Record], now: int, *, historical: bool) -> Iterator[Publish]:
        """Messages for these records, in their order; births where something new or somebody back is among them."""
        waiting: list[Fact] = []
        for record in records:
            found = facts(record)
            for fact in found:
                if waiting and (waiting[0].device != fact.device or len(waiting) == MOST):
                    yield self._data(waiting, now, historical=historical)
                    waiting = []
                new = (fact.device, fact.name) not in self._aliases
                self.learn(fact)
                if new or fact.device not in self._born:
                    if waiting:
                        yield self._data(waiting, now, historical=historical)
                        waiting = []
                    yield self._birth(fact.device, now)
                waiting.append(fact)
            if isinstance(record, DeviceEvent) and record.src in self._known:
                if waiting:
                    yield self._data(waiting, now, historical=historical)
                    waiting = []
                yield from self._came_or_went(record, now)
        if waiting:
            yield self._data(waiting, now, historical=historical)

    def asks_rebirth(self, payload: bytes) -> bool:
        """Whether a command is the one we obey. Raises BadPayloadError."""
        return any(one.name == REBIRTH and one.value is True for one in decode(payload).metrics)

    def _came_or_went(self, record: DeviceEvent, now: int) -> Iterator[Publish]:
        if record.event in GONE:
            self._away.add(record.src)
            if record.src in self._born:
                self._born.discard(record.src)
                yield self._message("DDEATH", record.src, (), now)
        elif record.event in BACK:
            self._away.discard(record.src)
            if record.src not in self._born:
                yield self._birth(record.src, now)

    def _birth(self, device: str, now: int) -> Publish:
        self._born.add(device)
        metrics = tuple(
            Metric(name, self._aliases[device, name], fact.at, fact.datatype, value=fact.value, unit=fact.unit)
            for name, fact in sorted(self._known[device].items())
        )
        return self._message("DBIRTH", device, metrics, now)

    def _data(self, told: Sequence[Fact], now: int, *, historical: bool) -> Publish:
        metrics = tuple(
            Metric("", self._aliases[fact.device, fact.name], fact.at, fact.datatype, historical, fact.value)
            for fact in told
        )
        return self._message("DDATA", told[0].device, metrics, now)

    def _message(self, verb: str, device: str, metrics: tuple[Metric, ...], now: int) -> Publish:
        self._seq = (self._seq + 1) % 256
        topic = f"{self._base}/{verb}/{self._node}" + (f"/{device}" if device else "")
        return Publish(topic, encode(Payload(now, metrics, self._seq)), 0)


__all__ = ["EdgeNode", "Fact", "bd_seq", "facts"]
