"""How the gateway is, in one value: what the status page, ``/status``, the metrics and ``sync status`` show."""

from __future__ import annotations

import msgspec

from gateway.health import Alarm
from gateway.journal.store import Stats
from gateway.ports import DeviceStatus
from gateway.uplink import UplinkStatus

NO_UPLINK = UplinkStatus(0, 0, 0, 0, 0, "", "", 0)


class ListStatus(msgspec.Struct, frozen=True):
    """The cached desired document. ``age_seconds`` None: nobody can tell."""

    version: int
    age_seconds: int | None
    badges: int
    cabinets: int
    trouble: str


class Status(msgspec.Struct, frozen=True):
    """``pending``: records that the cloud has not cosigned; ``pending_seconds``: how long the oldest of them waits."""

    gateway: str
    name: str
    version: str
    boot: str
    up_seconds: int
    clock: str
    wall_ms: int
    enrolled: bool
    journal: Stats
    pending: int
    pending_seconds: int | None
    uplink: UplinkStatus
    desired: ListStatus
    devices: list[DeviceStatus]
    alarms: list[Alarm]

    @property
    def well(self) -> bool:
        """Whether nothing critical is wrong."""
        return all(alarm.severity != "critical" for alarm in self.alarms)
