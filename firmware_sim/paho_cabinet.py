"""A cabinet's twin at a real broker: paho carries its messages, the twin's memory decides what is said again.

The surprise: paho keeps unacknowledged messages too and sends them again by itself, so after a broken connection the
broker may get an event twice. That is what real cabinets do; who counts twice has a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.cabinet_client import CabinetClient
from firmware_sim.devices.mqtt_cabinet import Publication


class PahoCabinet:
    """Connects a cabinet to ``host``:``port`` for as long as it has power; paho's thread reconnects by itself."""

    def __init__(self, client: CabinetClient, host: str, port: int, *, keepalive: int = 10) -> None:
        self.client = client
        self._address = (host, port, keepalive)
        self._loop = asyncio.get_running_loop()
        self._mqtt: paho.Client | None = None
        self._sent: dict[int, Publication] = {}

    def connect(self) -> None:
        """Power is there: connects, and goes on trying."""
        twin = self.client.twin
        mqtt = paho.Client(CallbackAPIVersion.VERSION2, client_id=twin.cabinet, clean_session=True)
        mqtt.will_set(twin.will.topic, twin.will.payload, qos=1, retain=True)
        mqtt.reconnect_delay_set(1, 5)
        mqtt.on_connect = self._on_connect
        mqtt.on_disconnect = lambda *_: self._soon(mqtt, self.client.down)
        mqtt.on_message = lambda _client, _data, message: self._soon(
            mqtt, self.client.arrived, message.topic, message.payload, retained=message.retain
        )
        mqtt.on_publish = lambda _client, _data, mid, *_: self._soon(mqtt, self._acked, mid)
        self._mqtt = mqtt
        mqtt.connect_async(*self._address)
        mqtt.loop_start()

    async def drop(self) -> None:
        """The power is gone: the connection dies without goodbye and the broker tells the will. Ends paho's thread."""
        mqtt, self._mqtt = self._mqtt, None
        if mqtt is None:
            return
        self.client.down()
        socket = mqtt.socket()
        if socket is not None:
            socket.close()
        await asyncio.to_thread(mqtt.loop_stop)

    async def close(self) -> None:
        """Says goodbye and ends paho's thread."""
        mqtt, self._mqtt = self._mqtt, None
        if mqtt is not None:
            mqtt.disconnect()
            await asyncio.to_thread(mqtt.loop_stop)

    # Called by paho's thread

    def _on_connect(self, mqtt: paho.Client, _data: object, _flags: object, reason: Any, *_: object) -> None:  # noqa: ANN401
        if not reason.is_failure:
            mqtt.subscribe(self.client.twin.command_topic, qos=1)
            self._soon(mqtt, self.client.up, self._publish)

    def _soon(self, mqtt: paho.Client, call: Callable[..., None], *args: object, **named: object) -> None:
        def now() -> None:
            # What an old connection still had to say is of no interest to the new one.
            if mqtt is self._mqtt:
                call(*args, **named)

        self._loop.call_soon_threadsafe(now)

    # Called by the loop

    def _publish(self, publication: Publication) -> None:
        if self._mqtt is not None:
            info = self._mqtt.publish(publication.topic, publication.payload, qos=1, retain=publication.retain)
            self._sent[info.mid] = publication

    def _acked(self, mid: int) -> None:
        publication = self._sent.pop(mid, None)
        if publication is not None:
            self.client.acked(publication)
