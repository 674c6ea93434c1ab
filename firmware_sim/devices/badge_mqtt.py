"""A badge reader on the network: publishes the number of a card, as plain text or inside JSON as Tasmota does.

The surprise is a retained last number, which some firmwares send: it is heard again at every reconnect.

Source: Tasmota RDM6300 and PN532 sensors; docs/protocols/badge_mqtt.md. PURE.
"""

from __future__ import annotations

import json
from typing import NamedTuple


class Said(NamedTuple):
    """One PUBLISH."""

    topic: str
    payload: bytes
    retain: bool


class BadgeMqtt:
    """One reader; ``path`` of the number inside JSON, empty for plain text."""

    def __init__(self, topic: str, path: str = "", *, retains: bool = False) -> None:
        self._topic = topic
        self._path = path
        self._retains = retains

    def show(self, number: str) -> Said:
        """A card is shown."""
        value: object = number
        for part in reversed(self._path.split(".") if self._path else []):
            value = {part: value}
        text = number if isinstance(value, str) else json.dumps(value)
        return Said(self._topic, text.encode(), self._retains)
