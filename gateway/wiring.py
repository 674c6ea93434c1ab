"""From the configuration to sessions, drivers and cabinets: which object hears which wire."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import msgspec

from gateway import drivers
from gateway.badge_ear import BadgeEar
from gateway.board_cabinets import cabinet_of, is_board
from gateway.config import Broker, Config, Device, EdgeNode, Line
from gateway.door import Door
from gateway.meter_clocks import MeterClocks
from gateway.noticeboard import Noticeboard
from gateway.ports import Ports, Session, Switch
from gateway.premises import Cabinet, Premises
from gateway.run_controls import Unit
from gateway.runtimes import Runtimes
from gateway.session import Interpreter, SerialSession
from gateway.switches import LineSwitch
from gateway.units import LineUnit, SwitchUnit
from gateway.windows import Windows


class Site(msgspec.Struct):
    """All lines and brokers, the cabinets, switches and air units reached by them, and the board of what they say."""

    sessions: list[Session] = []
    cabinets: dict[str, Cabinet] = {}
    switches: dict[str, Switch] = {}
    units: dict[str, Unit] = {}
    board: Noticeboard = msgspec.field(default_factory=Noticeboard)
    readers: list[BadgeEar] = []


def cabinet_ids(config: Config) -> list[str]:
    """The devices that can let goods go, before anything is built."""
    kinds = drivers.discover()
    return [
        device.id
        for _, device in config.devices()
        if is_board(kinds[device.kind])
        or hasattr(kinds[device.kind], "dispense")
        or getattr(kinds[device.kind], "gives", False)
    ]


def wire_up(config: Config, ports: Ports, premises: Premises) -> Site:
    """Builds every session; opens nothing."""
    site = Site()
    heard = {source.device for control in config.controls for source in control.sources}
    for line in config.lines:
        _line(site, line, ports, premises, heard, config.gateway.profiles)
    for broker in config.brokers:
        _broker(site, broker, ports, premises, heard, config.gateway.state)
    for _, device in config.devices():
        place = device.settings.get("door")
        if isinstance(place, str) and place and hasattr(site.cabinets.get(device.id), "door"):
            _behind(site, device.id, str(place))
    return site


def _behind(site: Site, device: str, place: str) -> None:
    """The lock in front of a bin or a tag reader."""
    owner, _, slot = place.partition("/")
    cabinet: Any = site.cabinets[device]
    if owner not in site.cabinets or owner == device:
        raise ValueError(f"{device}: door = {place!r}: no lock board is called {owner!r}")
    cabinet.door = Door(site.cabinets[owner], slot)


def _line(
    site: Site, line: Line, ports: Ports, premises: Premises, heard: Collection[str], profiles: Path | None
) -> None:
    built = drivers_of(line, profiles)
    talker = next((device for device, driver in built.items() if getattr(driver, "talks", False)), "")
    if talker:
        # Imported where it is used, as below: most sites have none of these.
        from gateway.talkers import conversation  # noqa: PLC0415

        talk, site.cabinets[talker] = conversation(line.link, talker, built[talker], ports, premises)
        site.sessions.append(talk)
        return
    session = SerialSession(line.link, built, ports, premises.journal)
    told = {device: one for device, one in built.items() if getattr(getattr(one, "settings", None), "set_time", False)}
    if told:
        site.sessions.append(MeterClocks(line.name, told, session, ports.clock, premises.journal))
    for device, driver in built.items():
        inner: Interpreter | None = None
        if is_board(driver):
            inner = site.cabinets[device] = cabinet_of(device, driver, session, ports.clock, premises)
        elif driver.kind == "weigh_bin":
            from gateway.weigh_cabinet import WeighCabinet  # noqa: PLC0415

            inner = site.cabinets[device] = WeighCabinet(device, driver, premises)
        elif driver.kind.startswith("badge_"):
            inner = _reader(site, device, driver)
        elif window := getattr(driver, "window", 0):
            inner = Windows(device, window)
        elif runtime := getattr(driver, "runtime", 0):
            inner = Runtimes(device, runtime, driver.gap)
        if device in heard:
            inner = site.board.beside(device, inner)
        if inner is not None:
            session.interpret(device, inner)
        if hasattr(driver, "switch"):
            site.switches[device] = LineSwitch(device, driver, session, ports.clock)
            site.units[device] = SwitchUnit(site.switches[device])
        if hasattr(driver, "set_level"):
            site.units[device] = LineUnit(device, driver, session)
    site.sessions.append(session)


def _reader(site: Site, device: str, driver: Any) -> BadgeEar:  # noqa: ANN401 - driver classes differ in shape
    site.readers.append(BadgeEar(device, driver.settings.cabinet))
    return site.readers[-1]


def drivers_of(line: Line, profiles: Path | None) -> dict[str, Any]:
    """The drivers of a line's devices, by id."""
    return {device.id: drivers.create(device.kind, _on_line(line, device), profiles) for device in line.devices}


def _on_line(line: Line, device: Device) -> dict[str, Any]:
    """A device's settings; what its line is known to do needs no learning."""
    kind = drivers.discover().get(device.kind)
    learns = line.echo and kind is not None and "echo" in kind.Settings.model_fields
    return {"echo": "yes", **device.settings} if learns else device.settings


def _broker(site: Site, broker: Broker, ports: Ports, premises: Premises, heard: Collection[str], state: Path) -> None:
    # Imported where it is used: a site without a broker does without it.
    from gateway.mqtt_session import MqttSession  # noqa: PLC0415

    if broker.sparkplug is not None:
        site.sessions.append(_edge_node(broker, broker.sparkplug, state, ports, premises))
    if not broker.devices:
        return
    built = {device.id: drivers.create(device.kind, device.settings) for device in broker.devices}
    session = MqttSession(broker.link, built, ports)
    session.serve(premises)
    site.cabinets.update(session.desks)
    for device, meter in session.meters.items():
        if meter.switch is not None:
            site.switches[device] = meter.switch
            site.units[device] = SwitchUnit(meter.switch)
        if device in heard:
            meter.note = site.board.note
        if meter.driver.kind.startswith("badge_"):
            meter.note = _reader(site, device, meter.driver).note
    site.sessions.append(session)


def _edge_node(broker: Broker, node: EdgeNode, state: Path, ports: Ports, premises: Premises) -> Session:
    from gateway.journal.store import Journal  # noqa: PLC0415 - as above
    from gateway.sparkplug_node import SparkplugNode  # noqa: PLC0415

    # The specification wants a connection of its own that forgets: its will is the node's death.
    settings = dataclasses.replace(broker.link, client_id=f"{broker.client_id}-node", clean=True)
    return SparkplugNode(settings, node.group, node.node, state, ports, cast("Journal", premises.journal))
