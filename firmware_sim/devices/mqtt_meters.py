"""Plugs and meters that publish to a broker, each as its firmware does: Tasmota, Shelly Gen2+, Zigbee2MQTT, ESPHome.

::

    tasmota      tele/NAME/SENSOR {"Time":..,"ENERGY":{"Total":kWh,..}}      cmnd/NAME/POWER -> stat/NAME/POWER
    shelly       ID/status/switch:0 {"aenergy":{"total":Wh,..},"apower":..}  ID/command/switch:0
    zigbee2mqtt  zigbee2mqtt/NAME {"energy":kWh,..,"last_seen":..}           zigbee2mqtt/NAME/set
    esphome      NAME/sensor/total_energy/state 1.234                        NAME/switch/relay/command
                 homeassistant/sensor/NAME/total_energy/config (retained)

The surprise is Zigbee2MQTT: when it starts it tells what it remembers, with the old last_seen, as if it were new.

Sans-IO like the MQTT cabinet: who owns a broker calls ``connected``, ``receive``, ``wake``.
Source: tasmota.github.io/docs/MQTT, shelly-api-docs Gen2 Mqtt and Switch, zigbee2mqtt.io, esphome.io. PURE.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from firmware_sim.devices.load_counter import LoadCounter, milliseconds
from firmware_sim.devices.mqtt_cabinet import Publication


class MqttPlug:
    """One device. ``every_s``: how often it tells; ``world_ms`` is its clock."""

    def __init__(
        self,
        dialect: str,
        name: str,
        *,
        start_wh: int = 0,
        every_s: float = 10.0,
        now: float = 0.0,
        world_ms: Callable[[float], int] = milliseconds,
    ) -> None:
        self.cabinet = f"{dialect}-{name}".replace("/", "-")
        self._dialect = dialect
        self._name = name
        self._energy = LoadCounter(start_wh=start_wh, now=now, world_ms=world_ms)
        self._world_ms = world_ms
        self._every = every_s
        self._next: float | None = now + every_s
        self._online = False
        self._watts = 0
        self._remembered: Publication | None = None
        self.on = True

    @property
    def command_topic(self) -> str:
        """What it listens to."""
        return {
            "tasmota": f"cmnd/{self._name}/POWER",
            "shelly": f"{self._name}/command/switch:0",
            "zigbee2mqtt": f"zigbee2mqtt/{self._name}/set",
            "esphome": f"{self._name}/switch/relay/command",
        }[self._dialect]

    @property
    def will(self) -> Publication:
        """What the broker says when it is gone."""
        return self._presence(online=False)

    def connected(self, now: float) -> list[Publication]:
        """It says that it is there, what it is (ESPHome), and what it remembers (Zigbee2MQTT)."""
        self._online = True
        self._next = now + self._every
        said = [self._presence(online=True)]
        if self._dialect == "esphome":
            config = {
                "stat_t": f"{self._name}/sensor/total_energy/state", "unit_of_meas": "kWh", "dev_cla": "energy",
                "stat_cla": "total_increasing", "uniq_id": f"{self._name}-energy", "dev": {"ids": self._name},
                "avty_t": f"{self._name}/status",
            }  # fmt: skip
            said.append(self._json(f"homeassistant/sensor/{self._name}/total_energy/config", config, retain=True))
        if self._remembered is not None and self._dialect == "zigbee2mqtt":
            said.append(self._remembered)
        return said

    def disconnected(self, now: float) -> None:  # noqa: ARG002 - the same at any time
        """The broker is gone."""
        self._online = False

    def acked(self, publication: Publication) -> None:
        """It does not care."""

    def receive(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> list[Publication]:
        """A command for its relay."""
        if topic != self.command_topic or retained:
            return []
        words = payload.decode("ascii", "replace").strip().lower()
        if self._dialect == "zigbee2mqtt":
            words = str(json.loads(payload or b"{}").get("state", "")).lower()
        if words in ("on", "off"):
            self.on = words == "on"
            self.set_load_w(self._watts, now)
        return self._state(now)

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._next

    def wake(self, now: float) -> list[Publication]:
        """See ``Twin``: the next regular telling."""
        if self._next is None or now < self._next:
            return []
        self._next += self._every
        return self._telling(now) if self._online else []

    def set_load_w(self, watts: int, now: float) -> None:
        """What is plugged in takes so much while the relay is closed."""
        self._watts = watts
        self._energy.set_load_w(watts if self.on else 0, now)

    def wh(self, now: float) -> int:
        """Its register."""
        return self._energy.wh(now)

    def _presence(self, *, online: bool) -> Publication:
        topic, words = {
            "tasmota": (f"tele/{self._name}/LWT", ("Offline", "Online")),
            "shelly": (f"{self._name}/online", ("false", "true")),
            "zigbee2mqtt": (f"zigbee2mqtt/{self._name}/availability", ('{"state":"offline"}', '{"state":"online"}')),
            "esphome": (f"{self._name}/status", ("offline", "online")),
        }[self._dialect]
        return Publication(topic, words[online].encode("ascii"), retain=True)

    def _telling(self, now: float) -> list[Publication]:
        wh, watts = self._energy.wh(now), self._energy.load_mw // 1000
        kwh = f"{wh // 1000}.{wh % 1000:03d}"
        at = datetime.fromtimestamp(self._world_ms(now) // 1000, UTC)
        if self._dialect == "tasmota":
            # As text: a firmware prints three digits, whatever a float would make of them.
            text = (
                f'{{"Time":"{at:%Y-%m-%dT%H:%M:%S}","ENERGY":{{"TotalStartTime":"2026-01-01T00:00:00","Total":{kwh},'
                f'"Yesterday":0.000,"Today":{kwh},"Period":0,"Power":{watts},"Factor":1.00,"Voltage":230,'
                f'"Current":{watts // 230}.{watts % 230 * 1000 // 230:03d}}}}}'
            )
            return [Publication(f"tele/{self._name}/SENSOR", text.encode("ascii"))]
        if self._dialect == "shelly":
            energy = {"total": wh, "by_minute": [0, 0, 0], "minute_ts": self._world_ms(now) // 1000}
            status = {"id": 0, "output": self.on, "apower": watts, "voltage": 230, "aenergy": energy}
            return [self._json(f"{self._name}/status/switch:0", status)]
        if self._dialect == "zigbee2mqtt":
            seen = f"{at:%Y-%m-%dT%H:%M:%S}+00:00"
            text = f'{{"energy":{kwh},"power":{watts},"state":"{self._word}","last_seen":"{seen}","linkquality":90}}'
            self._remembered = Publication(f"zigbee2mqtt/{self._name}", text.encode("ascii"))
            return [self._remembered]
        return [Publication(f"{self._name}/sensor/total_energy/state", kwh.encode("ascii"))]

    def _state(self, now: float) -> list[Publication]:
        if self._dialect == "tasmota":
            return [Publication(f"stat/{self._name}/POWER", self._word.encode("ascii"))]
        if self._dialect == "esphome":
            return [Publication(f"{self._name}/switch/relay/state", self._word.encode("ascii"), retain=True)]
        return self._telling(now)

    @property
    def _word(self) -> str:
        return "ON" if self.on else "OFF"

    def _json(self, topic: str, content: object, *, retain: bool = False) -> Publication:
        return Publication(topic, json.dumps(content, separators=(",", ":")).encode("utf-8"), retain=retain)
