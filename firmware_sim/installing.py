"""What the installer writes: the gateway's configuration for the devices of a scenario, as TOML text. PURE."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from firmware_sim.scenario import Cabinet, Meter, Scenario

# Seconds between two looks at all doors of a board.
WATCH = 5


@dataclass(frozen=True)
class Place:
    """Where things are in one run. ``ports``: line name -> device file. ``clock``: (shown ms, at real ms, times as
    fast) of a run faster than life. ``broker_port`` 0: no broker.
    """

    state: str
    cloud_url: str
    ports: Mapping[str, str]
    web_port: int = 0
    broker_port: int = 0
    clock: tuple[int, int, int] | None = None


def gateway_toml(scenario: Scenario, place: Place) -> str:
    """The whole file."""
    lines = [
        "[gateway]", f"name = {_text(scenario.site.name)}", f"state = {_text(place.state)}",
        "[cloud]", f"url = {_text(place.cloud_url)}", "poll_seconds = 300",
        "[journal]", "demo = true",
        "[web]", f"port = {place.web_port}",
    ]  # fmt: skip
    if place.clock is not None:
        shown, real, scale = place.clock
        lines += ["[clock]", f"scale = {scale}.0", f"origin = {_instant(shown)}", f"since = {_instant(real)}"]
    # Doors are looked at twice a real second at most: the wire is as slow as ever when the clock is fast.
    watch = max(WATCH, place.clock[2] // 2 if place.clock else 0)
    for line in scenario.line:
        lines += [
            "[[lines]]", f"name = {_text(line.name)}", f"port = {_text(place.ports[line.name])}", f"baud = {line.baud}",
            f"parity = {_text(line.parity)}", f"echo = {str(line.trouble.echo).lower()}",
        ]  # fmt: skip
        for device in _on_line(scenario, line.name, watch):
            lines += ["[[lines.devices]]", *device]
    # Messages take as long as ever when the clock is fast: the longest patience there is.
    patience = 600 if place.clock else 15
    cabinets = [cabinet for cabinet in scenario.cabinet if cabinet.driver == "mqtt_cabinet"]
    if cabinets and place.broker_port:
        lines += ["[[brokers]]", 'name = "broker"', 'host = "127.0.0.1"', f"port = {place.broker_port}"]
        for cabinet in cabinets:
            lines += [
                "[[brokers.devices]]",
                f"id = {_text(cabinet.id)}",
                'kind = "mqtt_cabinet"',
                f"cabinet = {_text(cabinet.id)}",
                f"patience = {patience}",
            ]
    return "\n".join(lines) + "\n"


def _on_line(scenario: Scenario, line: str, watch: int) -> Iterator[list[str]]:
    for cabinet in scenario.cabinet:
        if cabinet.line == line and cabinet.driver != "mqtt_cabinet":
            yield _board(cabinet, watch)
    for meter in scenario.meter:
        if meter.line == line:
            yield _meter(meter)
    for sensor in scenario.air:
        if sensor.line == line:
            # A frame comes each second of the wire; when the clock is fast a window must be wide to hold some.
            quick = ["window = 7200", "warm_up = 1"] if watch > WATCH else []
            yield [f"id = {_text(sensor.id)}", f"kind = {_text(sensor.driver)}", *quick]
    for coil in scenario.coil:
        if coil.line == line:
            wired = ['kind = "fan_coil"', f"unit = {coil.address}", "flow = 4", f"every = {coil.every_s}"]
            yield [f"id = {_text(coil.id)}", *wired]


def _board(cabinet: Cabinet, watch: int) -> list[str]:
    head = [f"id = {_text(cabinet.id)}", f"kind = {_text(cabinet.driver)}"]
    if cabinet.driver == "lock_8a":
        return [*_lock_board(cabinet), f"watch = {watch}"]
    if cabinet.driver == "lock_kerong":
        return [*head, f"board = {cabinet.board}", f"locks = {len(cabinet.slot)}", "ir = false", "watch = 30"]
    if cabinet.driver == "weigh_bin":
        return [
            *head,
            f"slot = {_text(cabinet.slot[0].slot)}",
            f"piece_mg = {cabinet.piece_mg}",
            "empty_mg = 250000",
            "every = 5",
        ]
    return [*head, "counts_stock = true"]


def _lock_board(cabinet: Cabinet) -> list[str]:
    return [
        f"id = {_text(cabinet.id)}", 'kind = "lock_8a"', f"board = {cabinet.board}", f"locks = {len(cabinet.slot)}",
        f"open_is = {_text(cabinet.open_is)}",
    ]  # fmt: skip


def _meter(meter: Meter) -> list[str]:
    head = [f"id = {_text(meter.id)}", f"kind = {_text(meter.driver)}", f"every = {meter.every_s}"]
    if meter.driver == "dlt645":
        return [*head, f'address = "{meter.serial:012d}"']
    if meter.driver == "mbus":
        own = 'pick = { import_wh = { quantity = "energy" } }'
        return [*head, f"address = {meter.address}", "registers = { import_wh = 0 }", own]
    return [
        f"id = {_text(meter.id)}", 'kind = "modbus_meter"', f"unit = {meter.address}",
        f"profile = {_text(meter.driver)}", f"every = {meter.every_s}",
    ]  # fmt: skip


def _text(value: str) -> str:
    return json.dumps(value)


def _instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
