"""Badge readers behind an MQTT broker: a number as plain text, or somewhere in a JSON object.

    hall3/reader/badge   62E3086CED                                        plain
    tele/tasmota/SENSOR  {"Time":"..","RDM6300":{"UID":"E3086CED","Data":"62"}}     key = "RDM6300.UID"

The surprise is the retained message: the last badge would open a session for nobody at every reconnect. It is dropped.
Source: MQTT 3.1.1 section 3.3.1.3; Tasmota RDM6300 and PN532 sensors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import BadgeRead, Counters, Event, Publish
from gateway.drivers.badge_numbers import LONGEST, Debounce, Gives, Reads, normal

BIGGEST = 4096


class BrokerReaderSettings(BaseModel):
    """Where its numbers come, and how the list of badges writes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cabinet: str = Field(
        default="", max_length=64, description="the cabinet whose kiosk it serves; empty: the only one"
    )
    topic: str = Field(min_length=1, max_length=256, pattern=r"^[^+#\x00]+$", description="where the reader publishes")
    key: str = Field(
        default="", max_length=128, description="the number's place in a JSON object (a.b); empty: plain text"
    )
    reads: Reads = Field(default="text", description="what the reader sends")
    gives: Gives = Field(default="as_read", description="how the list of badges writes it")
    again: float = Field(default=2.0, ge=0, le=60, description="seconds a card must be gone to be read anew")


class BadgeMqtt:
    """One reader. A message with a number becomes a BadgeRead."""

    kind: ClassVar[str] = "badge_mqtt"
    link: ClassVar[Literal["serial", "mqtt"]] = "mqtt"
    Settings: ClassVar[type[BaseModel]] = BrokerReaderSettings

    def __init__(self, settings: BrokerReaderSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.outgoing: list[Publish] = []
        self.topics: Sequence[str] = (settings.topic,)
        spelling = f"badge_mqtt {settings.key} {settings.reads} {settings.gives}"
        self.cfg = hashlib.sha256(spelling.encode()).hexdigest()
        self._debounce = Debounce(settings.again)

    def feed(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> list[Event]:
        """One message."""
        if topic != self.settings.topic or retained:
            return []
        read = self._read(payload)
        badge = normal(read, self.settings.reads, self.settings.gives) if read is not None else None
        if badge is None:
            self.counters.refuse("layout")
            return []
        self.counters.frames += 1
        return [BadgeRead(badge)] if self._debounce.is_new(badge, now) else []

    def tick(self, now: float) -> None:
        """Nothing is due."""

    def _read(self, payload: bytes) -> str | None:
        if len(payload) > BIGGEST:
            return None
        if not self.settings.key:
            try:
                return payload.decode("ascii")
            except UnicodeDecodeError:
                return None
        try:
            found: Any = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        for part in self.settings.key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, bool) or (isinstance(found, int) and found.bit_length() > LONGEST * 3):
            return None
        return str(found) if isinstance(found, int | str) else None
