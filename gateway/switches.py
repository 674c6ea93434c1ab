"""The relays and valves of this site, each as one `Switch`: on a serial line or behind a broker.

The surprise: a device that says "taken" has promised nothing (a meter waits for a key to be pressed, a valve for its
motor), so turning and reading back are two calls, and whoever turns reads back until it is so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from gateway.clock import Clock
from gateway.device_events import CommandTaken, Publish, SwitchState
from gateway.driver_ports import MqttSwitch, SerialSwitch
from gateway.ports import Line

# Seconds until a device behind a broker has told how its switch stands.
ANSWER = 5.0


class Broker(Protocol):
    """What a switch needs of the session of its broker."""

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Returns when the broker has it, with `qos` 0 when it is handed over; raises LinkDown."""


class LineSwitch:
    """The `Switch` of a device on a serial line."""

    def __init__(self, device: str, driver: SerialSwitch, line: Line, clock: Clock) -> None:
        self.device = device
        self._driver = driver
        self._line = line
        self._clock = clock

    async def turn(self, *, on: bool) -> CommandTaken | None:
        """See `Switch`."""
        told = await self._line.exchange(self.device, lambda: self._driver.switch(on=on, at=self._clock.wall_ms()))
        return next((event for event in told or () if isinstance(event, CommandTaken)), None)

    async def read_back(self) -> SwitchState | None:
        """See `Switch`."""
        told = await self._line.exchange(self.device, self._driver.look)
        return next((event for event in told or () if isinstance(event, SwitchState)), None)


class BrokerSwitch:
    """The `Switch` of a device behind a broker; its session tells it every SwitchState that comes by `heard`."""

    def __init__(self, device: str, driver: MqttSwitch, broker: Broker, clock: Clock) -> None:
        self.device = device
        self._driver = driver
        self._broker = broker
        self._clock = clock
        self._said: asyncio.Future[SwitchState] | None = None

    def heard(self, state: SwitchState) -> None:
        """The device has told how it stands, asked or unasked."""
        if self._said is not None and not self._said.done():
            self._said.set_result(state)

    async def turn(self, *, on: bool) -> CommandTaken | None:
        """See `Switch`. The broker has taken it; what the device makes of it is read back."""
        await self._send(self._driver.switch(on=on, at=self._clock.wall_ms()))
        return CommandTaken(taken=True)

    async def read_back(self) -> SwitchState | None:
        """See `Switch`."""
        self._said = said = asyncio.get_running_loop().create_future()
        await self._send(self._driver.look())
        await asyncio.wait([said], timeout=ANSWER / self._clock.scale)
        return said.result() if said.done() else None

    async def _send(self, wanted: Sequence[Publish]) -> None:
        for one in wanted:
            await self._broker.publish(one.topic, one.payload, qos=one.qos)
