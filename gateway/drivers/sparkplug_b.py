"""Meters behind a Sparkplug B edge node: we are its host application.

    spBv1.0/GROUP/NBIRTH|NDATA|NDEATH|NCMD/NODE     spBv1.0/GROUP/DBIRTH|DDATA|DDEATH/NODE/DEVICE     protobuf, QoS 0

A birth names every metric and gives it an alias; data then brings aliases only. The surprise is the death: it is the
node's will, so one that comes late belongs to a connection before, and only its bdSeq tells. A gap in `seq` means that
something was lost for good: it is said, and the node is asked for its births again.
Source: Eclipse Sparkplug 3.0.0; devices.md section 7; docs/protocols/sparkplug_b.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import Counters, DeviceFault, Event, Measured, Presence, Publish, Scalar, SwitchState
from gateway.drivers import sparkplug_payload as spb
from gateway.drivers.mqtt_numbers import number, parse
from gateway.drivers.sparkplug_payload import Metric, Payload

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
# Seconds between two askings for a birth.
PATIENCE = 10.0
MOST_ALIASES = 20_000


class SparkplugSettings(BaseModel):
    """Which node and device, and which of its metrics are registers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str = Field(min_length=1, max_length=128, pattern=r"^[^+#/\x00]+$", description="group id of the node")
    node: str = Field(min_length=1, max_length=128, pattern=r"^[^+#/\x00]+$", description="edge node id")
    device: str = Field(
        default="", max_length=128, pattern=r"^[^+#/\x00]*$", description="device id; empty: the node itself"
    )
    registers: dict[str, float] = Field(
        default={"import_wh": 0}, description="registers to record; least seconds between two, 0 = each value"
    )
    metrics: dict[str, str] = Field(
        default={"import_wh": "energy/import_kwh kWh"},
        description='metric of each register, "name unit"; without a unit the property engUnit counts',
    )
    relay: str = Field(default="", max_length=128, description="boolean metric that is a relay's position")
    host: str = Field(
        default="", max_length=64, pattern=r"^[^+#/\x00]*$",
        description="host id: tell nodes that wait for their primary host that we are there; empty: say nothing",
    )  # fmt: skip


class Known(msgspec.Struct, frozen=True):
    """What a birth said about a metric."""

    name: str
    datatype: int
    unit: str


class SparkplugB:
    """One device of one node. Its metrics become Measured with the node's own times."""

    kind: ClassVar[str] = "sparkplug_b"
    link: ClassVar[Literal["serial", "mqtt"]] = "mqtt"
    Settings: ClassVar[type[BaseModel]] = SparkplugSettings

    def __init__(self, settings: SparkplugSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.outgoing: list[Publish] = []
        self.grid = dict(settings.registers)
        self._registers = {
            words.rpartition(" ")[0] or words: (register, words.rpartition(" ")[2] if " " in words else "")
            for register, words in settings.metrics.items()
            if register in settings.registers
        }
        meaning = ["sparkplug_b", dict(sorted(settings.metrics.items()))]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning)).hexdigest()
        base = f"{NAMESPACE}/{settings.group}"
        self._command = f"{base}/NCMD/{settings.node}"
        node = tuple(f"{base}/{verb}/{settings.node}" for verb in ("NBIRTH", "NDATA", "NDEATH"))
        self.topics: Sequence[str] = (
            *node,
            *(f"{base}/{verb}/{settings.node}/+" for verb in ("DBIRTH", "DDATA", "DDEATH")),
        )
        if self.host_topic:
            self.topics = (self.host_topic, *self.topics)
        # What was said of us when we came; whoever says otherwise is told again.
        self.host_state = b""
        self.switches = bool(settings.relay)
        self._bd: int | None = None
        self._seq: int | None = None
        self._aliases: dict[int, Known] = {}
        self._names: dict[str, Known] = {}
        self._asked: float | None = None
        self._faults: set[str] = set()

    @property
    def host_topic(self) -> str:
        """Where we say that we are there; "" for not at all."""
        return f"{NAMESPACE}/STATE/{self.settings.host}" if self.settings.host else ""

    def feed(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> list[Event]:
        """One message. Whatever it is, it gives events or nothing; it never raises."""
        parts = topic.split("/")
        if topic == self.host_topic:
            self._stands(payload)
        elif retained:
            self.counters.refuse("retained")
        if len(parts) < 4 or parts[0] != NAMESPACE or retained:
            return []
        verb, device = parts[2], parts[4] if len(parts) > 4 else ""
        try:
            message = spb.decode(payload)
        except spb.BadPayloadError as error:
            self.counters.refuse(error.why)
            return self._fault("malformed", {"why": error.why, "size": len(payload)}, payload)
        self.counters.frames += 1
        if verb == "NDEATH":
            return self._died(message)
        events: list[Event] = []
        if verb == "NBIRTH":
            self._born(message)
        elif self._seq is None:
            self._ask(now)
            return []
        elif (gap := self._follows(message, now)) is None:
            return []
        else:
            events += gap
        return events + self._message(verb, device, message, payload, now)

    def tick(self, now: float) -> None:
        """Nobody is born here yet, perhaps because we were away: ask."""
        if self._seq is None:
            self._ask(now)

    def switch(self, *, on: bool, at: int) -> list[Publish]:
        """Writes the relay's metric."""
        settings = self.settings
        metric = Metric(settings.relay, None, at, spb.BOOLEAN, value=on)
        where = f"DCMD/{settings.node}/{settings.device}" if settings.device else f"NCMD/{settings.node}"
        return [Publish(f"{NAMESPACE}/{settings.group}/{where}", spb.encode(Payload(at, (metric,))), 0)]

    def look(self) -> list[Publish]:
        """A birth tells every value there is."""
        return [self._rebirth()]

    def _stands(self, payload: bytes) -> None:
        """A will of a connection before may be said after we came: nodes that wait for us would wait for ever."""
        said = parse(payload)
        if self.host_state and isinstance(said, dict) and said.get("online") is False:
            self.outgoing.append(Publish(self.host_topic, self.host_state, retain=True))

    def _message(self, verb: str, device: str, message: Payload, raw: bytes, now: float) -> list[Event]:
        mine = device == self.settings.device
        birth = verb in ("NBIRTH", "DBIRTH")
        events: list[Event] = []
        if verb == "DDEATH":
            return [Presence(online=False)] if mine else []
        if birth:
            self._learn(message, mine=mine)
        if not mine:
            return events
        events.append(Presence(online=True))
        unknown = False
        for metric in self._spread(message.metrics):
            known = self._known(metric)
            if known is None:
                unknown = True
                continue
            events += self._metric(metric, known, message, raw)
        if unknown:
            self._ask(now)
        return events

    def _metric(self, metric: Metric, known: Known, message: Payload, raw: bytes) -> list[Event]:
        value = spb.typed(metric, known.datatype)
        if known.name == self.settings.relay and isinstance(value, bool):
            return [SwitchState(value, raw=raw)]
        wanted = self._registers.get(known.name)
        if wanted is None or isinstance(value, bool | bytes) or value is None:
            return []
        register, unit = wanted
        read = number(value if isinstance(value, int | Decimal) else str(value), unit or metric.unit or known.unit)
        if read is None:
            self.counters.refuse("no_number")
            return self._fault("value_refused", {"asked": register, "why": "no number"}, raw)
        at = metric.timestamp if metric.timestamp is not None else message.timestamp
        marks: tuple[str, ...] = ("historical",) if metric.historical else ()
        did = f"{at}/{register}/{read.value}e{read.scale}" if at is not None else ""
        if at is None:
            marks += ("received",)
        return [Measured(register, read.value, read.scale, read.unit, raw, marks, at, did)]

    def _spread(self, metrics: Sequence[Metric]) -> Iterator[Metric]:
        """A template's members, by their names below its own and with its time; what is only defined is nothing yet."""
        for metric in metrics:
            if metric.definition:
                continue
            yield metric
            above = self._known(metric) if metric.members else None
            yield from self._spread([
                msgspec.structs.replace(
                    one, name=f"{above.name}/{one.name}" if one.name and above else "",
                    timestamp=metric.timestamp if one.timestamp is None else one.timestamp,
                    historical=one.historical or metric.historical,
                )
                for one in metric.members
            ])  # fmt: skip

    def _known(self, metric: Metric) -> Known | None:
        if metric.name:
            known = self._names.get(metric.name)
            return Known(metric.name, metric.datatype or (known.datatype if known else 0), known.unit if known else "")
        return self._aliases.get(metric.alias) if metric.alias is not None else None

    def _born(self, message: Payload) -> None:
        self._bd = spb.bd_seq(message.metrics)
        self._seq = message.seq or 0
        self._aliases.clear()
        self._names.clear()
        self._asked = None
        self._faults.discard("lost")

    def _learn(self, message: Payload, *, mine: bool) -> None:
        """Aliases are unique over the node; names are those of our device."""
        for metric in self._spread(message.metrics):
            known = Known(metric.name, metric.datatype, metric.unit)
            if metric.alias is not None and mine and len(self._aliases) < MOST_ALIASES:
                self._aliases[metric.alias] = known
            if mine:
                self._names[metric.name] = known

    def _follows(self, message: Payload, now: float) -> list[Event] | None:
        """Events of a gap; None for a message told twice."""
        assert self._seq is not None
        expected = (self._seq + 1) % 256
        if message.seq is None or message.seq == expected:
            self._seq = expected if message.seq is not None else self._seq
            return []
        if message.seq == self._seq:
            return None
        data: dict[str, Scalar] = {"expected": expected, "got": message.seq, "state": "asked_again"}
        self._seq = message.seq % 256
        self._ask(now)
        return [DeviceFault("lost", data=data)]

    def _died(self, message: Payload) -> list[Event]:
        """A death of another birth is an old connection's will."""
        if self._bd is not None and spb.bd_seq(message.metrics) != self._bd:
            self.counters.refuse("old_death")
            return []
        self._seq = None
        self._asked = None
        return [Presence(online=False)]

    def _ask(self, now: float) -> None:
        if self._asked is None or now - self._asked > PATIENCE:
            self._asked = now
            self.outgoing.append(self._rebirth())

    def _rebirth(self) -> Publish:
        metric = Metric(REBIRTH, datatype=spb.BOOLEAN, value=True)
        return Publish(self._command, spb.encode(Payload(None, (metric,))), 0)

    def _fault(self, event: str, data: dict[str, Scalar], raw: bytes) -> list[Event]:
        """Told once until the next birth."""
        name = f"{event} {data.get('asked', '')}"
        if name in self._faults:
            return []
        self._faults.add(name)
        return [DeviceFault(event, data=data, raw=raw)]
