"""What Zigbee2MQTT says of a plug or meter. PURE: one message in, its facts out.

The surprise: it says at its start what it remembers, as if it were new. And a field has the name that its converter
gave it: a phase is `power_phase_b` to one and `power_b` to another.
Source: zigbee2mqtt.io, zigbee-herdsman-converters (names and units of its devices); devices.md section 7.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.device_events import Publish
from gateway.drivers.mqtt_dialects import Heard
from gateway.drivers.mqtt_numbers import inside, moment, number, parse

# Seconds after Zigbee2MQTT's start in which it may repeat what it remembers.
CACHED = 30.0


class Zigbee2Mqtt:
    """`zigbee2mqtt/FRIENDLY_NAME`; what it remembers at its start is not new."""

    FIELDS = (
        ("import_wh", "energy", "kWh"), ("power", "power", "W"), ("apparent_power", "power_apparent", "VA"),
        ("export_wh", "produced_energy", "kWh"), ("export_wh", "energy_produced", "kWh"),
        ("reactive_power", "power_reactive", "var"),
        ("voltage", "voltage", "V"), ("current", "current", "A"), ("power_factor", "power_factor", "1"),
        ("frequency", "ac_frequency", "Hz"), ("temperature", "temperature", "°C"), ("humidity", "humidity", "%"),
        *(
            (f"{register}_l{place}", f"{field}{mark}{phase}", unit)
            for register, field, unit in (
                ("power", "power", "W"), ("voltage", "voltage", "V"), ("current", "current", "A"),
                ("power_factor", "power_factor", "1"), ("import_wh", "energy", "kWh"),
                ("export_wh", "produced_energy", "kWh"), ("export_wh", "energy_produced", "kWh"),
            )
            for place, phase in enumerate("abc", 1)
            for mark in ("_phase_", "_")
        ),
        ("co2", "co2", "ppm"), ("pm25", "pm25", "ug/m3"),
    )  # fmt: skip

    def __init__(self, name: str, base: str, fields: Mapping[str, tuple[str, str]]) -> None:
        self._own = f"{base}/{name}"
        self._bridge = f"{base}/bridge/state"
        self._fields = (*self.FIELDS, *((register, path, unit) for register, (path, unit) in fields.items()))
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
        for name, path, unit in self._fields:
            found = number(inside(tree, path), unit)
            if found is not None:
                said.values[name] = found
        return said

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
