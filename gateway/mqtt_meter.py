"""One meter or plug behind a broker: what it tells becomes readings, on the clock's grid where it tells too often.

The surprise is the grid: a plug that publishes every second would fill the journal with what nobody bills, and a
reading of the quarter hour is the first one after it. So a register is recorded once in each stretch, by the reading's
own time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import cast

from gateway.clock import Clock
from gateway.device_events import (
    DeviceFault,
    Event,
    Identified,
    Measured,
    Presence,
    Publish,
    SwitchState,
)
from gateway.driver_ports import MqttDriver, MqttSwitch
from gateway.ports import LinkDown
from gateway.recording import Stamp, device_event, happened, reading
from gateway.switches import Broker, BrokerSwitch
from wire.ids import RecordKey
from wire.records import Record

log = logging.getLogger(__name__)


class Meter:
    """What the session sees of it. `switch` is its relay, where its driver has one; `note` hears all it says."""

    def __init__(self, device: str, driver: MqttDriver, broker: Broker, clock: Clock) -> None:
        self.device = device
        self.driver = driver
        self.online: bool | None = None
        self.switch = BrokerSwitch(device, cast("MqttSwitch", driver), broker, clock) if _switches(driver) else None
        self._grid: dict[str, float] = getattr(driver, "grid", {})
        self._slots: dict[str, int] = {}
        self._broker = broker
        self.note: Callable[[str, Event, int], None] | None = None

    def plan(self, event: Event, at: Stamp) -> Record | None:
        """The record an event will be, and what it changes here at once."""
        if self.note is not None:
            self.note(self.device, event, at.m)
        if isinstance(event, Measured):
            return reading(event, at, self.device, self.driver.cfg) if self._is_due(event, at) else None
        if isinstance(event, SwitchState):
            if self.switch is not None:
                self.switch.heard(event)
            return None
        if isinstance(event, Presence):
            was, self.online = self.online, event.online
            changed = not event.retained and was is not None and was is not event.online
            return happened("online" if event.online else "offline", at, self.device) if changed else None
        if isinstance(event, DeviceFault | Identified):
            return device_event(event, at, self.device, self.driver.cfg)
        return None

    def kept(self, event: Event, record: Record, key: RecordKey) -> None:
        """The journal has it; nobody waits for it."""

    def refused(self, event: Event) -> None:
        """The journal will never have it: the next reading of the stretch may be better."""
        if isinstance(event, Measured):
            self._slots.pop(event.register, None)

    async def send(self, wanted: Sequence[Publish]) -> None:
        """Sends. A broker that is away is no error here: it is asked again when it is back."""
        for one in wanted:
            try:
                await self._broker.publish(one.topic, one.payload, qos=one.qos, retain=one.retain)
            except LinkDown as error:
                log.warning("device %s was not told: %s", self.device, error)

    def _is_due(self, event: Measured, at: Stamp) -> bool:
        period = int(self._grid.get(event.register, 0) * 1000)
        if not period:
            return True
        slot = (event.at if event.at is not None else at.t) // period
        if self._slots.get(event.register) == slot:
            return False
        self._slots[event.register] = slot
        return True


def _switches(driver: MqttDriver) -> bool:
    return isinstance(driver, MqttSwitch) and getattr(driver, "switches", True)
