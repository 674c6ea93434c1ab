"""What firmwares behind a broker say: Tasmota, Shelly Gen2+. PURE: one message in, its facts out.

The surprise is how they differ in what a total is: Tasmota prints kWh with a clock that has no zone, Shelly Wh and its
by_minute in mWh. Source: tasmota.github.io, shelly-api-docs; devices.md section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from gateway.device_events import Publish, Scalar
from gateway.drivers.mqtt_numbers import Number, inside, moment, number, parse, total


class Heard(msgspec.Struct):
    """The facts of one message. `at`: its own time, ms UTC; `name`: what tells it from others; `on`: the switch."""

    values: dict[str, Number] = {}
    at: int | None = None
    name: str = ""
    online: bool | None = None
    on: bool | None = None
    faults: dict[str, dict[str, Scalar]] = {}


class Dialect(Protocol):
    """One way of speaking. `topics` are what it must hear; patterns are allowed."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to; it may grow."""

    def hear(self, topic: str, payload: bytes, now: float, *, retained: bool) -> Heard | None:
        """One message; None where it says nothing of interest. Never raises."""

    def turn(self, *, on: bool) -> list[Publish]:
        """What switches it."""

    def look(self) -> list[Publish]:
        """What makes it tell how it stands."""


def by_phase(values: dict[str, Number], name: str, found: object, unit: str, *, summed: bool = False) -> None:
    """A number, or one a phase: then `name_l1` .. and, where that makes sense, their sum."""
    if not isinstance(found, list):
        one = number(found, unit)
        if one is not None:
            values[name] = one
        return
    phases = [number(each, unit) for each in found[:4]]
    for place, phase in enumerate(phases, 1):
        if phase is not None:
            values[f"{name}_l{place}"] = phase
    together = total(phases) if summed else None
    if together is not None:
        values[name] = together


class Tasmota:
    """`tele/NAME/SENSOR`, `stat/NAME/STATUS8`; `fields`: register -> (path, unit) for what is not under ENERGY."""

    def __init__(self, name: str, full_topic: str, fields: Mapping[str, tuple[str, str]], relay: str) -> None:
        def at(prefix: str, leaf: str) -> str:
            return full_topic.replace("%prefix%", prefix).replace("%topic%", name).rstrip("/") + f"/{leaf}"

        self._relay = relay
        self._fields = fields
        self._data = (at("tele", "SENSOR"), at("stat", "STATUS8"), at("stat", "STATUS10"))
        self._states = (at("stat", "RESULT"), at("tele", "STATE"), at("stat", "STATUS11"))
        self._plain = at("stat", relay)
        self._will = at("tele", "LWT")
        self._command = at("cmnd", relay)
        self._started = ""

    @property
    def topics(self) -> tuple[str, ...]:
        """See `Dialect`."""
        return (*self._data, *self._states, self._plain, self._will)

    def hear(self, topic: str, payload: bytes, now: float, *, retained: bool) -> Heard | None:  # noqa: ARG002
        """See `Dialect`."""
        if topic == self._will:
            return Heard(online={b"Online": True, b"Offline": False}.get(payload))
        if topic == self._plain:
            return Heard(on={b"ON": True, b"OFF": False}.get(payload))
        tree = parse(payload)
        if not isinstance(tree, dict):
            return None
        if topic in self._states:
            state = inside(tree, f"StatusSTS.{self._relay}") or tree.get(self._relay)
            return Heard(on={"ON": True, "OFF": False}.get(str(state)))
        tree = tree.get("StatusSNS", tree)
        return self._read(tree) if topic in self._data and isinstance(tree, dict) else None

    def turn(self, *, on: bool) -> list[Publish]:
        """See `Dialect`."""
        return [Publish(self._command, b"ON" if on else b"OFF")]

    def look(self) -> list[Publish]:
        """See `Dialect`."""
        return [Publish(self._command, b"")]

    def _read(self, tree: dict[str, Any]) -> Heard:
        said = Heard(values={})
        energy = tree.get("ENERGY")
        if isinstance(energy, dict):
            by_phase(said.values, "import_wh", energy.get("Total"), "kWh", summed=True)
            by_phase(said.values, "export_wh", energy.get("ExportActive"), "kWh", summed=True)
            by_phase(said.values, "power", energy.get("Power"), "W", summed=True)
            by_phase(said.values, "apparent_power", energy.get("ApparentPower"), "VA", summed=True)
            by_phase(said.values, "reactive_power", energy.get("ReactivePower"), "var", summed=True)
            by_phase(said.values, "voltage", energy.get("Voltage"), "V")
            by_phase(said.values, "current", energy.get("Current"), "A")
            by_phase(said.values, "power_factor", energy.get("Factor"), "1")
            by_phase(said.values, "frequency", energy.get("Frequency"), "Hz")
            self._since(energy, said)
        for name, (path, unit) in self._fields.items():
            found = number(inside(tree, path), unit)
            if found is not None:
                said.values[name] = found
        # As shipped its clock has no zone and tells messages apart, but not when they were; SetOption52 adds one.
        said.name = str(tree.get("Time", ""))[:40]
        said.at = moment(said.name)
        return said

    def _since(self, energy: dict[str, Any], said: Heard) -> None:
        """A total that counts from another day was reset by a command."""
        started = str(energy.get("TotalStartTime", ""))[:40]
        if started and self._started not in ("", started):
            said.faults = {"register_reset": {"register": "import_wh", "was": self._started, "is": started}}
        self._started = started or self._started


class Shelly:
    """`ID/status/COMPONENT` and `ID/events/rpc`, of one channel."""

    ENERGY = ("switch", "pm1", "em", "em1", "emdata", "em1data", "cover", "light", "rgb", "rgbw", "cct")

    # Of a meter for three phases: register, key, unit.
    WHOLE = (
        ("power", "total_act_power", "W"), ("apparent_power", "total_aprt_power", "VA"), ("frequency", "a_freq", "Hz"),
        ("import_wh", "total_act", "Wh"), ("export_wh", "total_act_ret", "Wh"),
    )  # fmt: skip
    PHASE = (
        ("power", "act_power", "W"), ("voltage", "voltage", "V"), ("current", "current", "A"),
        ("apparent_power", "aprt_power", "VA"), ("power_factor", "pf", "1"),
        ("import_wh", "total_act_energy", "Wh"), ("export_wh", "total_act_ret_energy", "Wh"),
    )  # fmt: skip

    def __init__(self, name: str, channel: int) -> None:
        self._id = name
        self._channel = channel
        self._status: dict[str, dict[str, Any]] = {}

    @property
    def topics(self) -> tuple[str, ...]:
        """See `Dialect`."""
        mine = tuple(f"{self._id}/status/{kind}:{self._channel}" for kind in self.ENERGY)
        return (*mine, f"{self._id}/events/rpc", f"{self._id}/online")

    def hear(self, topic: str, payload: bytes, now: float, *, retained: bool) -> Heard | None:  # noqa: ARG002
        """See `Dialect`."""
        if topic == f"{self._id}/online":
            return Heard(online={b"true": True, b"false": False}.get(payload))
        tree = parse(payload)
        if topic not in self.topics or not isinstance(tree, dict):
            return None
        if not topic.endswith("/events/rpc"):
            return self._told({topic.rpartition("/")[2]: tree}, None)
        params = tree.get("params")
        if tree.get("method") not in ("NotifyStatus", "NotifyFullStatus") or not isinstance(params, dict):
            return None
        return self._told(params, moment(params.get("ts")))

    def turn(self, *, on: bool) -> list[Publish]:
        """See `Dialect`."""
        return [Publish(f"{self._id}/command/switch:{self._channel}", b"on" if on else b"off")]

    def look(self) -> list[Publish]:
        """See `Dialect`."""
        return [Publish(f"{self._id}/command", b"status_update")]

    def _told(self, components: dict[str, Any], at: int | None) -> Heard:
        said = Heard(values={}, at=at)
        for key, told in components.items():
            kind, _, channel = key.partition(":")
            if kind not in self.ENERGY or channel != str(self._channel) or not isinstance(told, dict):
                continue
            whole = self._status.setdefault(key, {})
            whole.update(told)
            self._component(kind, told, whole, said)
            energy = told.get("aenergy")
            if said.at is None and isinstance(energy, dict):
                said.at = moment(energy.get("minute_ts"))
        return said

    def _component(self, kind: str, told: dict[str, Any], whole: dict[str, Any], said: Heard) -> None:
        """Registers whose keys have come; sums over phases take what did not change from before."""
        plain = {
            "import_wh": (inside(told, "aenergy.total"), "Wh"), "export_wh": (inside(told, "ret_aenergy.total"), "Wh"),
            "power": (told.get("apower", told.get("act_power")), "W"), "voltage": (told.get("voltage"), "V"),
            "current": (told.get("current"), "A"), "power_factor": (told.get("pf"), "1"),
            "frequency": (told.get("freq"), "Hz"), "apparent_power": (told.get("aprt_power"), "VA"),
        }  # fmt: skip
        if kind == "em1data":
            totals = (("import_wh", "total_act_energy"), ("export_wh", "total_act_ret_energy"))
            plain = {name: (told.get(key), "Wh") for name, key in totals}
        elif kind in ("em", "emdata"):
            plain = {name: (told.get(key), unit) for name, key, unit in self.WHOLE}
            for phase, place in (("a", "l1"), ("b", "l2"), ("c", "l3")):
                plain |= {f"{name}_{place}": (told.get(f"{phase}_{key}"), unit) for name, key, unit in self.PHASE}
        changed = any(f"{phase}_act_power" in told for phase in "abc")
        if kind == "em" and changed and "total_act_power" not in told:
            together = total([number(whole.get(f"{phase}_act_power"), "W") for phase in "abc"])
            if together is not None:
                said.values["power"] = together
        for name, (found, unit) in plain.items():
            read = number(found, unit)
            if read is not None:
                said.values[name] = read
        if kind == "switch" and isinstance(told.get("output"), bool):
            said.on = told["output"]
