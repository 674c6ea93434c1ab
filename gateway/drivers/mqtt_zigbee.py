"""What Zigbee2MQTT says of a plug or meter. PURE: one message in, its facts out.

The surprise: it says at its start what it remembers, as if it were new. And a field has the name that its converter
gave it: a phase is `power_phase_b` to one, `power_b` to another and `power_l2` to a third. Where there is a phase b and
no phase a, the plain name is phase a, not the sum.
Source: zigbee2mqtt.io, zigbee-herdsman-converters (names and units of its devices); devices.md section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from gateway.device_events import Publish
from gateway.drivers.mqtt_dialects import Heard
from gateway.drivers.mqtt_numbers import inside, moment, number, parse, total

# Seconds after Zigbee2MQTT's start in which it may repeat what it remembers.
CACHED = 30.0


class Zigbee2Mqtt:
    """`zigbee2mqtt/FRIENDLY_NAME`; what it remembers at its start is not new."""

    FIELDS = (
        ("import_wh", "energy", "kWh"), ("power", "power", "W"), ("apparent_power", "power_apparent", "VA"),
        ("export_wh", "produced_energy", "kWh"), ("export_wh", "energy_produced", "kWh"),
        ("reactive_power", "power_reactive", "var"),
        *(
            (register, field, unit)
            for register, unit, fields in (
                ("power", "W", ("total_power", "total_active_power")),
                ("apparent_power", "VA", ("total_power_apparent", "total_apparent_power")),
                ("reactive_power", "var", ("total_power_reactive", "total_reactive_power")),
            )
            for field in fields
        ),
        ("voltage", "voltage", "V"), ("current", "current", "A"), ("power_factor", "power_factor", "1"),
        ("frequency", "ac_frequency", "Hz"), ("temperature", "temperature", "°C"), ("humidity", "humidity", "%"),
        *(
            (f"{register}_l{place}", f"{field}{mark}", unit)
            for register, field, unit in (
                ("power", "power", "W"), ("voltage", "voltage", "V"), ("current", "current", "A"),
                ("power_factor", "power_factor", "1"), ("import_wh", "energy", "kWh"),
                ("export_wh", "produced_energy", "kWh"), ("export_wh", "energy_produced", "kWh"),
            )
            for place, phase in enumerate("abc", 1)
            for mark in (f"_phase_{phase}", f"_{phase}", f"_l{place}")
        ),
        ("co2", "co2", "ppm"), ("pm25", "pm25", "ug/m3"),
    )  # fmt: skip
    # What a converter of three phases says plainly of the first one, and whether the three have a sum.
    FIRST: ClassVar[Mapping[str, bool]] = {
        "power": True, "power_apparent": True, "power_reactive": True, "voltage": False, "current": False,
        "power_factor": False,
    }  # fmt: skip

    def __init__(self, name: str, base: str, fields: Mapping[str, tuple[str, str]]) -> None:
        self._own = f"{base}/{name}"
        self._bridge = f"{base}/bridge/state"
        self._fields = tuple((register, path, unit) for register, (path, unit) in fields.items())
        self._first: set[str] = set()
        self._seen: int | None = None
        self._started: float | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """See `Dialect`."""
        return (self._own, f"{self._own}/availability", self._bridge)

    def hear(self, topic: str, payload: bytes, now: float, *, retained: bool) -> Heard | None:
        """See `Dialect`."""
        tree = parse(payload)
        state = tree.get("state") if isinstance(tree, dict) else payload.decode("utf-8", "replace")
        if topic == self._bridge:
            if state == "online" and not retained:
                self._started = now
            return Heard(online=False) if state == "offline" else None
        if topic == f"{self._own}/availability":
            return Heard(online={"online": True, "offline": False}.get(str(state)))
        if topic != self._own or not isinstance(tree, dict):
            return None
        at = moment(tree.get("last_seen"))
        said = Heard(values={}, at=at, on={"ON": True, "OFF": False}.get(str(state)))
        if not self._is_new(at, now) or retained:
            return said
        said.online = True
        for fields, told in ((self.FIELDS, self._by_phase(tree)), (self._fields, tree)):
            for name, path, unit in fields:
                found = number(inside(told, path), unit)
                if found is not None:
                    said.values[name] = found
        return said

    def _by_phase(self, tree: dict[str, Any]) -> dict[str, Any]:
        """The message with the plain name of a first phase put right, and with the sum of three where all were said."""
        self._first |= {name for name in self.FIRST if f"{name}_phase_b" in tree and f"{name}_phase_a" not in tree}
        told = dict(tree)
        for name in self._first & told.keys():
            told[f"{name}_phase_a"] = told.pop(name)
            phases = [number(told.get(f"{name}_phase_{phase}"), "1") for phase in "abc"]
            together = total(phases) if self.FIRST[name] else None
            if together is not None:
                told[name] = Decimal(together.value).scaleb(together.scale)
        return told

    def turn(self, *, on: bool) -> list[Publish]:
        """See `Dialect`."""
        return [Publish(f"{self._own}/set", b'{"state":"ON"}' if on else b'{"state":"OFF"}')]

    def look(self) -> list[Publish]:
        """See `Dialect`."""
        return [Publish(f"{self._own}/get", b'{"state":""}')]

    def _is_new(self, at: int | None, now: float) -> bool:
        if at is not None:
            newer = self._seen is None or at > self._seen
            self._seen = max(at, self._seen or at)
            return newer
        return self._started is None or now - self._started > CACHED
