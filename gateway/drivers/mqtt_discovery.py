"""ESPHome's plain numbers, and whatever describes itself by Home Assistant's discovery messages. PURE.

    homeassistant/COMPONENT/[NODE/]OBJECT/config     retained JSON: state_topic, value_template, unit, device_class ..
    homeassistant/device/OBJECT/config               the same for all parts (cmps) of one device

The surprise: the number comes on one topic and its unit on another, so until the description has come a number is not
a reading. Descriptions are retained and so old by nature; values are not. Templates are read as far as they only pick a
field: we run nobody's code. Source: home-assistant.io MQTT discovery; esphome.io MQTT client; devices.md section 7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.device_events import Publish, Scalar
from gateway.drivers.mqtt_dialects import Heard
from gateway.drivers.mqtt_numbers import inside, moment, number, parse

LONG = {
    "stat_t": "state_topic", "val_tpl": "value_template", "unit_of_meas": "unit_of_measurement",
    "dev_cla": "device_class", "stat_cla": "state_class", "uniq_id": "unique_id", "avty_t": "availability_topic",
    "avty": "availability", "pl_avail": "payload_available", "pl_not_avail": "payload_not_available",
    "avty_tpl": "availability_template", "avty_mode": "availability_mode",
    "dev": "device", "ids": "identifiers", "cns": "connections", "cmps": "components", "p": "platform", "t": "topic",
    "cmd_t": "command_topic",
    "pl_on": "payload_on", "pl_off": "payload_off", "json_attr_t": "json_attributes_topic", "o": "origin",
}  # fmt: skip
# value, value_json.a.b, value_json['a']['b'], with filters behind that change no digit that counts. What stands behind
# a filter counts: `| float / 1000` computes.
PICKS = re.compile(
    r"\{\{-?\s*value(_json)?((?:\.\w+|\[\s*['\"][^'\"]+['\"]\s*\]|\[\d+\])*)"
    r"(?:\s*\|\s*(?:float|int|round|default|is_defined)\b(?:\([^(){}|]*\))?)*\s*-?\}\}"
)
# The same as a call: float(value_json.a, 0).
CALLED = re.compile(r"^(\{\{-?\s*)(?:float|int)\(\s*(value[^(),|{}]*?)\s*(?:,[^(),|{}]*)?\)")
STEP = re.compile(r"\.(\w+)|\[\s*['\"]([^'\"]+)['\"]\s*\]|\[(\d+)\]")
CLASSES = {
    "energy": "import_wh", "power": "power", "voltage": "voltage", "current": "current", "frequency": "frequency",
    "power_factor": "power_factor", "temperature": "temperature", "humidity": "humidity", "carbon_dioxide": "co2",
    "pm25": "pm25", "pm10": "pm10", "water": "volume", "gas": "volume",
}  # fmt: skip
ENERGIES = frozenset({"import_wh", "export_wh"})
MOST, MOST_DOORS = 200, 4
WORDS = (("payload_available", "online"), ("payload_not_available", "offline"))


class Door(msgspec.Struct, frozen=True):
    """A topic that says whether an entity can be reached, by these words; `path`: where in the JSON they stand.

    `mode`: what several topics together mean: all, any, or the latest that spoke.
    """

    topic: str
    path: str
    on: str
    off: str
    mode: str


class Described(msgspec.Struct, frozen=True):
    """One entity. `path`: where in the JSON its value stands; "" for a plain one; None: a template nobody here runs."""

    unique_id: str
    state_topic: str
    path: str | None
    unit: str
    device_class: str
    state_class: str
    device: tuple[str, ...]
    doors: tuple[Door, ...] = ()


def described(payload: bytes) -> list[Described]:
    """The entities of one discovery message; none where it is empty (removed) or nothing one could read."""
    tree = parse(payload)
    if not isinstance(tree, dict):
        return []
    whole = _long(tree)
    parts = whole.get("components")
    if not isinstance(parts, dict):
        return [one for one in [_entity(whole, {})] if one is not None]
    found = [_entity(_long(part), whole) for part in parts.values() if isinstance(part, dict)]
    return [one for one in found if one is not None]


def path_of(template: object) -> str | None:
    """The field a template picks; "" for none at all; None where it computes."""
    if template in (None, ""):
        return ""
    found = PICKS.fullmatch(CALLED.sub(r"\1\2", str(template).strip()))
    if found is None:
        return None
    steps = [next(part for part in step if part) for step in STEP.findall(found[2])]
    return ".".join(steps) if found[1] else "" if not steps else None


def _long(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Abbreviations spelt out."""
    return {LONG.get(key, key): value for key, value in tree.items()}


def _topic(told: object, base: object) -> str:
    """A topic with `~` put in; "" for what is none."""
    if not isinstance(told, str):
        return ""
    if not isinstance(base, str):
        return told
    return base + told[1:] if told.startswith("~") else told[:-1] + base if told.endswith("~") else told


def _entity(part: dict[str, Any], whole: dict[str, Any]) -> Described | None:
    base = part.get("~", whole.get("~"))
    topic = _topic(part.get("state_topic", whole.get("state_topic")), base)
    if not topic:
        return None
    device = _long(found) if isinstance(found := part.get("device", whole.get("device")), dict) else {}
    names, lines = (device.get(key, []) for key in ("identifiers", "connections"))
    ids = [*(names if isinstance(names, list) else [names]), *(lines if isinstance(lines, list) else [])]
    return Described(
        str(part.get("unique_id", ""))[:128], topic, path_of(part.get("value_template")),
        str(part.get("unit_of_measurement", ""))[:16], str(part.get("device_class", "")),
        str(part.get("state_class", "")),
        # A connection is a pair, such as "mac" and its digits.
        tuple(str(one[1] if isinstance(one, list) and len(one) > 1 else one) for one in ids), _doors(part, whole, base),
    )  # fmt: skip


def _doors(part: dict[str, Any], whole: dict[str, Any], base: object) -> tuple[Door, ...]:
    """One topic, or a list of them: Zigbee2MQTT names its bridge and then the device."""
    shared = {**whole, **part}
    one, listed = shared.get("availability_topic"), shared.get("availability")
    if isinstance(one, str):
        listed = [{"topic": one, "value_template": shared.get("availability_template")}]
    told = listed if isinstance(listed, list) else [listed]
    mode = str(shared.get("availability_mode", "latest"))
    found = []
    for said in [_long(each) for each in told[:MOST_DOORS] if isinstance(each, dict)]:
        topic, path = _topic(said.get("topic"), base), path_of(said.get("value_template"))
        on, off = (said.get(name, shared.get(name, default)) for name, default in WORDS)
        if topic and path is not None:
            found.append(Door(topic, path, str(on), str(off), mode))
    return tuple(found)


class HomeAssistant:
    """The entities of one device (identifier or unique_id); `wanted`: register -> unique_id if a class is vague."""

    def __init__(self, name: str, prefix: str, wanted: Mapping[str, str]) -> None:
        self._name = name
        self._prefix = prefix
        self._wanted = {unique: register for register, unique in wanted.items()}
        # What each description said, so that one that comes again replaces its own words and nobody else's.
        self._configs: dict[str, list[tuple[str, Described]]] = {}
        self._by_topic: dict[str, list[tuple[str, Described]]] = {}
        self._doors: dict[str, Door] = {}
        self._there: dict[str, bool] = {}

    @property
    def topics(self) -> tuple[str, ...]:
        """See `Dialect`: the descriptions, and what they lead to."""
        found = (f"{self._prefix}/+/+/config", f"{self._prefix}/+/+/+/config")
        return (*found, *self._by_topic, *self._doors)

    def hear(self, topic: str, payload: bytes, now: float, *, retained: bool) -> Heard | None:  # noqa: ARG002
        """See `Dialect`."""
        if topic.startswith(f"{self._prefix}/") and topic.endswith("/config"):
            return self._describe(topic, payload)
        if topic in self._doors:
            return self._reached(self._doors[topic], payload)
        said = Heard(values={})
        tree = parse(payload)
        for register, entity in self._by_topic.get(topic, ()):
            found = inside(tree, entity.path) if entity.path else payload.decode("utf-8", "replace")
            read = number(found, entity.unit)
            if read is not None:
                said.values[register] = read
        if isinstance(tree, dict):
            said.at = moment(tree.get("last_seen"))
        return said

    def turn(self, *, on: bool) -> list[Publish]:  # noqa: ARG002 - a description of a meter names no switch
        """See `Dialect`: nothing to switch."""
        return []

    def look(self) -> list[Publish]:
        """See `Dialect`: nothing to ask."""
        return []

    def _describe(self, topic: str, payload: bytes) -> Heard | None:
        faults: dict[str, dict[str, Scalar]] = {}
        mine: list[tuple[str, Described]] = []
        for entity in described(payload):
            register = self._register(entity)
            if not register:
                continue
            if entity.path is None:
                faults["template_unknown"] = {"register": register, "entity": entity.unique_id[:64]}
            elif register in ENERGIES and not entity.unit:
                faults["unit_unknown"] = {"register": register, "topic": entity.state_topic[:100]}
            elif sum(map(len, self._configs.values())) - len(self._configs.get(topic, ())) + len(mine) < MOST:
                mine.append((register, entity))
        if mine or topic in self._configs:
            self._configs[topic] = mine
            faults |= self._arrange()
        return Heard(faults=faults) if faults else None

    def _reached(self, door: Door, payload: bytes) -> Heard:
        """By the description's mode: who is behind a bridge is there when both are."""
        tree = parse(payload)
        words = payload.decode("utf-8", "replace")
        path = door.path or ("state" if isinstance(tree, dict) else "")
        state = {door.on: True, door.off: False}.get(str(inside(tree, path)) if path else words)
        if state is None:
            return Heard()
        self._there[door.topic] = state
        if door.mode in ("all", "any"):
            state = (all if door.mode == "all" else any)(self._there.values())
        return Heard(online=state)

    def _arrange(self) -> dict[str, dict[str, Scalar]]:
        """Who is heard where. Of two that could be one register (today's kWh and all kWh) neither is it: say which."""
        claims: dict[str, dict[tuple[str, str | None], Described]] = {}
        for register, entity in (one for told in self._configs.values() for one in told):
            claims.setdefault(register, {})[entity.state_topic, entity.path] = entity
        self._by_topic.clear()
        self._doors.clear()
        for register, entities in claims.items():
            for entity in entities.values():
                self._by_topic.setdefault(entity.state_topic, []).extend([(register, entity)] * (len(entities) == 1))
                self._doors |= {door.topic: door for door in entity.doors}
        self._there = {topic: there for topic, there in self._there.items() if topic in self._doors}
        vague = {register: found for register, found in claims.items() if len(found) > 1}
        if not vague:
            return {}
        names = sorted(entity.unique_id for found in vague.values() for entity in found.values())
        return {"register_vague": {"register": " ".join(sorted(vague)), "entities": " ".join(names)[:200]}}

    def _register(self, entity: Described) -> str:
        if entity.unique_id in self._wanted:
            return self._wanted[entity.unique_id]
        if self._name not in (*entity.device, entity.unique_id):
            return ""
        if entity.device_class == "energy" and entity.state_class not in ("total", "total_increasing"):
            return ""
        register = CLASSES.get(entity.device_class, "")
        # Whoever is named for a register is it alone.
        return register if register not in self._wanted.values() else ""


class EspHome:
    """`PREFIX/sensor/OBJECT/state`; `sensors`: register -> (object, unit); an empty unit is learnt by discovery."""

    def __init__(self, name: str, prefix: str, sensors: Mapping[str, tuple[str, str]], relay: str) -> None:
        self._name = name
        self._prefix = prefix
        self._by_topic = {
            f"{name}/sensor/{thing}/state": (register, unit) for register, (thing, unit) in sensors.items()
        }
        self._learns = any(not unit for _, unit in self._by_topic.values())
        self._relay = relay

    @property
    def topics(self) -> tuple[str, ...]:
        """See `Dialect`."""
        configs = (f"{self._prefix}/sensor/+/+/config", f"{self._prefix}/sensor/+/config") if self._learns else ()
        switch = (f"{self._name}/switch/{self._relay}/state",) if self._relay else ()
        return (*self._by_topic, f"{self._name}/status", *switch, *configs)

    def hear(self, topic: str, payload: bytes, now: float, *, retained: bool) -> Heard | None:  # noqa: ARG002
        """See `Dialect`."""
        if topic == f"{self._name}/status":
            return Heard(online={b"online": True, b"offline": False}.get(payload))
        if self._relay and topic == f"{self._name}/switch/{self._relay}/state":
            return Heard(on={b"ON": True, b"OFF": False}.get(payload))
        if topic in self._by_topic:
            register, unit = self._by_topic[topic]
            if not unit:
                return Heard(faults={"unit_unknown": {"register": register, "topic": topic[:100]}})
            read = number(payload.decode("utf-8", "replace"), unit)
            return Heard(values={register: read}) if read is not None else None
        if topic.startswith(f"{self._prefix}/"):
            for entity in described(payload):
                if entity.state_topic in self._by_topic and entity.unit:
                    register, _ = self._by_topic[entity.state_topic]
                    self._by_topic[entity.state_topic] = (register, entity.unit)
        return None

    def turn(self, *, on: bool) -> list[Publish]:
        """See `Dialect`."""
        return [Publish(f"{self._name}/switch/{self._relay}/command", b"ON" if on else b"OFF")] if self._relay else []

    def look(self) -> list[Publish]:
        """See `Dialect`: it tells its state when it changes, and that state is retained."""
        return []
