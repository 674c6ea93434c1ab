"""An MQTT cabinet's twin and the loop it lives on: its timers, its hands, and whichever broker it is connected to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from firmware_sim.devices.mqtt_cabinet import MqttCabinet, Publication


class CabinetClient:
    """Runs one twin inside the running loop. A broker calls ``up``, ``down``, ``arrived`` and ``acked``.

    Whoever plays the shop hands in what a hand caused: ``client.did(client.twin.badge(...))``.
    """

    def __init__(self, twin: MqttCabinet) -> None:
        self.twin = twin
        self._loop = asyncio.get_running_loop()
        self._send: Callable[[Publication], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now(self) -> float:
        """Line time in seconds."""
        return self._loop.time()

    def did(self, publications: list[Publication]) -> None:
        """Sends what the twin wants sent, and looks when it wants to be woken."""
        for one in publications:
            if self._send is not None:
                self._send(one)
        self._arm()

    def up(self, send: Callable[[Publication], None]) -> None:
        """The broker is there; ``send`` publishes at QoS 1."""
        self._send = send
        self.did(self.twin.connected(self.now))

    def down(self) -> None:
        """The broker is gone."""
        self._send = None
        self.twin.disconnected(self.now)

    def arrived(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """A message for the cabinet."""
        self.did(self.twin.receive(topic, payload, self.now, retained=retained))

    def acked(self, publication: Publication) -> None:
        """The broker has it."""
        self.twin.acked(publication)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.twin.due()
        if due is not None:
            self._timer = self._loop.call_at(due, self._wake, due)

    def _wake(self, due: float) -> None:
        self._timer = None
        self.did(self.twin.wake(max(due, self.now)))
