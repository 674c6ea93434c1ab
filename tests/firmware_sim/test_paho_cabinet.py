"""The cabinet's twin at a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.cabinet_client import CabinetClient
from firmware_sim.devices.mqtt_cabinet import MqttCabinet
from firmware_sim.paho_cabinet import PahoCabinet
from firmware_sim.processes import broker, free_port


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    number = free_port()
    program = broker(tmp_path, number)
    program.start()
    try:
        asyncio.run(program.listening(number))
        yield number
    finally:
        program.stop()


class Listener:
    """Somebody who subscribes to everything and can wait for something."""

    def __init__(self, port: int) -> None:
        self.heard: list[dict[str, Any]] = []
        self.new = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.mqtt = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self.mqtt.on_message = self._on_message
        self.mqtt.connect("127.0.0.1", port)
        self.mqtt.subscribe("vend/v1/#", qos=1)
        self.mqtt.loop_start()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._loop.call_soon_threadsafe(self._hear, json.loads(message.payload))

    def _hear(self, message: dict[str, Any]) -> None:
        self.heard.append(message)
        self.new.set()

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                for message in self.heard:
                    if wanted(message):
                        return message
                self.new.clear()
                await self.new.wait()


def test_a_draw_over_a_real_broker_and_the_will_when_the_power_goes(port: int) -> None:
    async def main() -> None:
        cabinet = PahoCabinet(CabinetClient(MqttCabinet("cab-7", {"1-03": 5}, turn_s=0.05)), "127.0.0.1", port)
        listener = Listener(port)
        cabinet.connect()
        await listener.until(lambda one: one.get("online") is True)
        client = cabinet.client
        client.did(client.twin.badge("04A1B2C3", "1-03", client.now))
        request = await listener.until(lambda one: one.get("type") == "vend.request")
        order = {"v": 1, "cmd": "dispense", "cmd_id": "d-1", "slot": "1-03", "qty": 1, "req": request["mid"]}
        listener.mqtt.publish("vend/v1/cab-7/cmd", json.dumps({**order, "expires": "2100-01-01T00:00:00Z"}), qos=1)

        result = await listener.until(lambda one: one.get("type") == "dispense.result")
        await cabinet.drop()
        await listener.until(lambda one: one.get("online") is False)

        assert (result["qty"], result["drop"]) == (1, "seen")
        with contextlib.suppress(OSError):
            listener.mqtt.disconnect()
        await asyncio.to_thread(listener.mqtt.loop_stop)

    asyncio.run(main())
