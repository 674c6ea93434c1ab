"""From the configuration to sessions, drivers and cabinets: which object hears which wire."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway import drivers
from gateway.config import Config, Line
from gateway.lock_cabinet import LockCabinet
from gateway.ports import Journal, Ports, Session
from gateway.premises import Cabinet
from gateway.session import SerialSession
from gateway.windows import Windows


class Site(msgspec.Struct):
    """All lines and brokers, and the cabinets reached by them."""

    sessions: list[Session] = []
    cabinets: dict[str, Cabinet] = {}


def wire_up(config: Config, ports: Ports, journal: Journal) -> Site:
    """Builds every session; opens nothing."""
    site = Site()
    for line in config.lines:
        _line(site, line, ports, journal)
    return site


def _line(site: Site, line: Line, ports: Ports, journal: Journal) -> None:
    built: dict[str, Any] = {device.id: drivers.create(device.kind, device.settings) for device in line.devices}
    session = SerialSession(line.link, built, ports, journal)
    for device, driver in built.items():
        if hasattr(driver, "open"):
            cabinet = LockCabinet(device, driver, session, ports.clock)
            session.interpret(device, cabinet)
            site.cabinets[device] = cabinet
        elif getattr(driver, "window", 0):
            session.interpret(device, Windows(device, driver.window))
    site.sessions.append(session)
