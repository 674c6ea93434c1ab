"""An edge node with one meter behind it, Sparkplug B: births with aliases, data by alias, a will that is its death.

::

    NBIRTH  bdSeq, Node Control/Rebirth               DBIRTH  energy/import_kwh (alias 1), power/active_w (2),
    NDATA   -                                                 status/relay_closed (3), each with its type and time
    NDEATH  bdSeq, as the broker says it               DDATA   alias, time, value; seq counts over all of them

The surprise is the float: this firmware keeps energy as a double in kWh, as most do, and 0.1 is a binary fraction.

Sans-IO: messages and line times go in, publications come out. Source: Eclipse Sparkplug 3.0.0 chapters 5 and 6. PURE.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from firmware_sim.devices.load_counter import LoadCounter, milliseconds
from firmware_sim.devices.mqtt_cabinet import Publication

_INT64, _FLOAT, _DOUBLE, _BOOLEAN = 4, 9, 10, 11


def varint(number: int) -> bytes:
    """Base 128, low group first."""
    groups = []
    while True:
        number, low = number >> 7, number & 127
        groups.append(low + (128 if number else 0))
        if not number:
            return bytes(groups)


def field(number: int, value: int | bytes) -> bytes:
    """A varint field, or one with a length."""
    if isinstance(value, int):
        return varint(number * 8) + varint(value)
    return varint(number * 8 + 2) + varint(len(value)) + value


class EdgeNodeTwin:
    """One node. ``lose_next`` swallows so many messages, as QoS 0 may; ``offline_s`` of data is told as historical."""

    def __init__(
        self,
        group: str = "Shopfloor",
        node: str = "edge-1",
        device: str = "meter01",
        *,
        start_wh: int = 0,
        every_s: float = 10.0,
        now: float = 0.0,
        world_ms: Callable[[float], int] = milliseconds,
    ) -> None:
        self.cabinet = f"{group}-{node}"
        self._base = f"spBv1.0/{group}"
        self._node = node
        self._device = device
        self._energy = LoadCounter(start_wh=start_wh, now=now, world_ms=world_ms)
        self._world_ms = world_ms
        self._every = every_s
        self._next = now + every_s
        self._online = False
        self._bd = -1
        self._seq = 0
        self._stored: list[bytes] = []
        self.lose_next = 0
        self.relay = True
        self.rebirths = 0

    @property
    def command_topic(self) -> str:
        """What it listens to."""
        return f"{self._base}/NCMD/{self._node}"

    @property
    def will(self) -> Publication:
        """Its death, of the connection that is now."""
        bd = field(1, b"bdSeq") + field(4, _INT64) + field(11, max(self._bd, 0))
        return Publication(f"{self._base}/NDEATH/{self._node}", field(2, bd))

    def connected(self, now: float) -> list[Publication]:
        """Births, and what was measured while nobody listened."""
        self._online = True
        self._bd += 1
        said = self._births(now)
        stored, self._stored = self._stored, []
        return said + [self._message("DDATA", metrics, now) for metrics in stored]

    def disconnected(self, now: float) -> None:  # noqa: ARG002 - the same at any time
        """The broker is gone."""
        self._online = False

    def acked(self, publication: Publication) -> None:
        """Nothing waits for it."""

    def receive(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> list[Publication]:
        """Only one command is known: be born again."""
        if topic != self.command_topic or retained or b"Node Control/Rebirth" not in payload or not self._online:
            return []
        self.rebirths += 1
        return self._births(now)

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._next

    def wake(self, now: float) -> list[Publication]:
        """See ``Twin``: the next values."""
        if now < self._next:
            return []
        self._next += self._every
        if not self._online:
            self._stored.append(self._values(now, historical=True, named=False))
            return []
        message = self._message("DDATA", self._values(now, historical=False, named=False), now)
        if self.lose_next:
            self.lose_next -= 1
            return []
        return [message]

    def set_load_w(self, watts: int, now: float) -> None:
        """The load from now on."""
        self._energy.set_load_w(watts, now)

    def wh(self, now: float) -> int:
        """Its register."""
        return self._energy.wh(now)

    def _births(self, now: float) -> list[Publication]:
        at = self._world_ms(now)
        self._seq = -1
        bd = field(1, b"bdSeq") + field(3, at) + field(4, _INT64) + field(11, self._bd)
        rebirth = field(1, b"Node Control/Rebirth") + field(3, at) + field(4, _BOOLEAN) + field(14, 0)
        node = self._message("NBIRTH", field(2, bd) + field(2, rebirth), now, of_node=True)
        return [node, self._message("DBIRTH", self._values(now, historical=False, named=True), now)]

    def _values(self, now: float, *, historical: bool, named: bool) -> bytes:
        at = self._world_ms(now)
        thousandths = self._energy.wh(now)
        # kWh as a double, through decimal text: the nearest one, as a firmware's own division would give.
        energy = struct.pack("<d", float(f"{thousandths // 1000}.{thousandths % 1000:03d}"))
        power = struct.pack("<f", float(self._energy.load_mw // 1000))
        out = b""
        for alias, name, kind, value in (
            (1, b"energy/import_kwh", _DOUBLE, varint(13 * 8 + 1) + energy),
            (2, b"power/active_w", _FLOAT, varint(12 * 8 + 5) + power),
            (3, b"status/relay_closed", _BOOLEAN, field(14, int(self.relay))),
        ):
            head = (field(1, name) if named else b"") + field(2, alias) + field(3, at)
            out += field(2, head + (field(4, kind) if named else b"") + (field(5, 1) if historical else b"") + value)
        return out

    def _message(self, verb: str, metrics: bytes, now: float, *, of_node: bool = False) -> Publication:
        self._seq = (self._seq + 1) % 256
        topic = f"{self._base}/{verb}/{self._node}" + ("" if of_node else f"/{self._device}")
        return Publication(topic, field(1, self._world_ms(now)) + metrics + field(3, self._seq))
