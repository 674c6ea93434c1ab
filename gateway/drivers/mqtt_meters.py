"""Meters and plugs that publish to a broker: Tasmota, Shelly Gen2+, Zigbee2MQTT, ESPHome, Home Assistant discovery.

The surprise is what is *not* a reading: a retained message (it is as old as it is), what Zigbee2MQTT remembers at its
start, a number whose unit nobody has said, "nan". And most of them do not say when: then the time is ours, and the
reading is marked `received`. These are no legal meters; a tariff on them needs a contract that says so.
Source: devices.md section 7; docs/protocols/mqtt_meters.md.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import Counters, DeviceFault, Event, Measured, Presence, Publish, SwitchState
from gateway.drivers.mqtt_dialects import Dialect, Heard, Shelly, Tasmota
from gateway.drivers.mqtt_discovery import EspHome, HomeAssistant
from gateway.drivers.mqtt_zigbee import Zigbee2Mqtt

LIMIT = 65_536
# Seconds in which the same words on the same topic are the same message told twice.
TWICE = 1.0
REMEMBERED = 64


class MqttMeterSettings(BaseModel):
    """Which device, how it talks, and what to take from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dialect: Literal["tasmota", "shelly", "zigbee2mqtt", "esphome", "home_assistant"] = Field(
        description="firmware of the device, or home_assistant for whatever describes itself"
    )
    name: str = Field(
        min_length=1, max_length=128, pattern=r"^[^+#\x00]+$",
        description="Tasmota topic, Shelly id, Zigbee friendly name, ESPHome prefix, Home Assistant device identifier",
    )  # fmt: skip
    registers: dict[str, float] = Field(
        default={"import_wh": 0, "export_wh": 0},
        description="registers to record; least seconds between two readings, on the clock's grid, 0 = each message",
    )
    channel: int = Field(default=0, ge=0, le=15, description="Shelly: number of the switch or meter")
    base: str = Field(default="", pattern=r"^[^+#\x00]*$", description="topics before the name; empty: as shipped")
    full_topic: str = Field(default="%prefix%/%topic%/", description="Tasmota: its FullTopic")
    fields: dict[str, str] = Field(
        default={}, description='registers of your own: "path.in.json unit"; ESPHome: "object unit" or "object"; '
        "Home Assistant: unique_id",
    )  # fmt: skip
    relay: str = Field(default="POWER", pattern=r"^[A-Za-z0-9_-]*$", description="the relay; ESPHome: its object")


class MqttMeters:
    """One device. Numbers become Measured, its will a Presence; `topics` may grow as descriptions come."""

    kind: ClassVar[str] = "mqtt_meters"
    link: ClassVar[Literal["serial", "mqtt"]] = "mqtt"
    Settings: ClassVar[type[BaseModel]] = MqttMeterSettings

    def __init__(self, settings: MqttMeterSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.outgoing: list[Publish] = []
        self.grid = dict(settings.registers)
        meaning = ["mqtt_meters", settings.dialect, settings.channel, dict(sorted(settings.fields.items()))]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning)).hexdigest()
        self._dialect: Dialect = _dialect(settings)
        self._last: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._faults: set[str] = set()

    @property
    def topics(self) -> tuple[str, ...]:
        """What to hear; patterns among them."""
        return self._dialect.topics

    def feed(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> list[Event]:
        """One message. Whatever it is, it gives events or nothing; it never raises."""
        if len(payload) > LIMIT:
            self.counters.refuse("size")
            return []
        again = self._told_twice(topic, payload, now)
        said = self._dialect.hear(topic, payload, now, retained=retained)
        if said is None:
            return []
        self.counters.frames += 1
        events: list[Event] = []
        if said.online is not None:
            events.append(Presence(said.online, retained))
        if said.on is not None:
            events.append(SwitchState(said.on, raw=payload))
        if not retained and not again:
            events += self._faulty(said, payload) + self._measured(said, topic, payload)
        return events

    def tick(self, now: float) -> None:
        """Nothing is asked of it from time to time."""

    def switch(self, *, on: bool, at: int) -> Sequence[Publish]:  # noqa: ARG002 - obeyed at once or never
        """Turns its relay."""
        return self._dialect.turn(on=on)

    def look(self) -> Sequence[Publish]:
        """Asks how its relay stands."""
        return self._dialect.look()

    def _measured(self, said: Heard, topic: str, payload: bytes) -> list[Event]:
        marks = () if said.at is not None else ("received",)
        # A message with a time of its own is the same one however often and late it is told.
        clock = str(said.at) if said.at is not None else said.name
        print_ = hashlib.sha256(topic.encode() + b"\0" + payload).hexdigest()[:16] if clock else ""
        return [
            Measured(
                register, one.value, one.scale, one.unit, payload, marks, said.at,
                f"{clock}/{register}/{print_}" if clock else "",
            )
            for register, one in said.values.items()
            if register in self.settings.registers
        ]  # fmt: skip

    def _faulty(self, said: Heard, payload: bytes) -> list[Event]:
        events: list[Event] = []
        for name, data in said.faults.items():
            told = f"{name} {data.get('register', '')}"
            if told not in self._faults or name == "register_reset":
                self._faults.add(told)
                events.append(DeviceFault(name, data=data, raw=payload))
        return events

    def _told_twice(self, topic: str, payload: bytes, now: float) -> bool:
        known = self._last.pop(topic, None)
        self._last[topic] = (payload, now)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)
        return known is not None and known[0] == payload and now - known[1] < TWICE


def _dialect(settings: MqttMeterSettings) -> Dialect:
    fields = {name: _pair(words) for name, words in settings.fields.items()}
    match settings.dialect:
        case "tasmota":
            return Tasmota(settings.name, settings.full_topic, fields, settings.relay)
        case "shelly":
            return Shelly(f"{settings.base}/{settings.name}" if settings.base else settings.name, settings.channel)
        case "zigbee2mqtt":
            return Zigbee2Mqtt(settings.name, settings.base or "zigbee2mqtt", fields)
        case "esphome":
            sensors = fields or {"import_wh": ("total_energy", "")}
            relay = settings.relay if settings.relay != "POWER" else ""
            return EspHome(settings.name, settings.base or "homeassistant", sensors, relay)
        case "home_assistant":
            return HomeAssistant(settings.name, settings.base or "homeassistant", settings.fields)


def _pair(words: str) -> tuple[str, str]:
    path, _, unit = words.strip().partition(" ")
    return path, unit.strip()
