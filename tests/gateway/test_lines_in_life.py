"""Every device that is asked or listened to, behind a device file of its own, while the line does its worst.

Real pseudo-terminals, pyserial, a thread a line, real time; the faults are seeded. What must hold is the same for all:
nothing untrue, nothing twice, and whoever is not heard for long is said to be silent. Boards that let goods go are in
`test_boards_pty.py`, conversations (audit, tags, MDB) and bins in files of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware_sim.bench import Line, LineSpec, PtyPort
from firmware_sim.devices.cjt188 import Cjt188Meter
from firmware_sim.devices.dlt645 import Dlt645Meter
from firmware_sim.devices.fan_coil import FanCoil
from firmware_sim.devices.lock_8a import Lock8A
from firmware_sim.devices.mbus import MbusMeter
from firmware_sim.devices.mhz19b import MhZ19B
from firmware_sim.devices.pms5003 import Air, Pms5003
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.devices.sps30 import Sps30
from firmware_sim.faults import LineFaults, LinePlan
from gateway import drivers
from gateway.clock import system_clock
from gateway.device_events import AirSample, DoorState, Event, FanState, Measured
from gateway.links.serial import SerialPort
from gateway.ports import Ports, SerialSettings
from gateway.recording import Stamp
from gateway.session import SerialSession
from tests.gateway.site import no_broker
from wire.ids import RecordKey
from wire.records import DeviceEvent, Record

SECONDS = 9.0
SLOW = LineSpec(baud=19200)
FAST = LineSpec(baud=19200, parity="E")
PLAN = LinePlan(noise=0.1, flip=0.04, cut=0.04, lose=0.04, late=0.03, late_s=0.3, split=0.3, split_s=0.02)
Truth = Callable[[Event], bool]


def shows(register: str, value: int, scale: int) -> Truth:
    """True for this register at this value."""
    return lambda event: (
        isinstance(event, Measured) and (event.register, event.value, event.scale) == (register, value, scale)
    )


def air(**values: int) -> Truth:
    """True for a sample with these values."""
    return lambda event: isinstance(event, AirSample) and values.items() <= dict(event.values).items()


@dataclass(frozen=True)
class Device:
    """Settings, twin (given the line's time), format, and what is true of it."""

    settings: dict[str, Any]
    twin: Callable[[float], Any]
    truth: Truth
    spec: LineSpec = SLOW


def spinning() -> FanCoil:
    """A fan coil that runs at its highest speed."""
    twin = FanCoil(baud=19200)
    twin.run("high")
    return twin


DEVICES: dict[str, Device] = {
    "cjt188": Device(
        {"every": 1, "registers": {"heating": 0}},
        lambda now: Cjt188Meter(start_heat_wh=5000, turn_round_s=0.02, now=now), shows("heating", 500, 1), FAST,
    ),
    "dlt645": Device(
        {"address": "151230011061", "every": 1, "registers": {"import_wh": 0}},
        lambda now: Dlt645Meter(start_wh=123_450, turn_round_s=0.02, now=now), shows("import_wh", 12_345, 1), FAST,
    ),
    "mbus": Device(
        {"secondary": "06855817", "every": 1, "registers": {"energy": 0}},
        lambda now: MbusMeter(start_wh=1_000_000, turn_round_s=0.02, now=now), shows("energy", 10_000, 2), FAST,
    ),
    "modbus_meter": Device(
        {"unit": 2, "every": 1, "registers": {"import_wh": 0}},
        lambda now: Sdm630(address=2, start_wh=4_711, baud=19200, now=now), shows("import_wh", 4_711, 0),
    ),
    "lock_8a": Device(
        {"watch": 0.5}, lambda _: Lock8A(locks=4), lambda event: isinstance(event, DoorState), LineSpec()
    ),
    "pms5003": Device({"warm_up": 0}, lambda _: Pms5003(air=Air(10, 20, 30)), lambda e: isinstance(e, AirSample)),
    "sds011": Device({"warm_up": 0}, lambda now: Sds011(now=now), air(pm25=61, pm10=93)),
    "sps30": Device({"warm_up": 0}, lambda now: Sps30(now=now), lambda e: isinstance(e, AirSample), LineSpec(115200)),
    "mhz19b": Device({"warm_up": 0}, lambda now: MhZ19B(now=now), lambda e: isinstance(e, AirSample)),
}  # fmt: skip
DEVICES["fan_coil"] = Device(
    {"flow": 4, "every": 1}, lambda _: spinning(), lambda event: isinstance(event, FanState) and event.speed == "high"
)
ELSEWHERE = {
    "badge_ascii", "badge_r200", "coil_tcn", "coil_vmc", "evadts", "iec62056", "lock_kerong", "lock_wkly",
    "mdb_adapter", "modbus_unit", "motor_zdm8", "uhf_r200", "weigh_bin",
}  # fmt: skip


@dataclass
class Heard:
    """An interpreter that makes nothing of what it hears, and a journal that keeps it."""

    events: list[tuple[Event, Stamp]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        self.events.append((event, at))
        return ()

    def tick(self, at: Stamp) -> Sequence[Record]:
        return ()

    async def append(self, records: Sequence[Record]) -> list[RecordKey]:
        self.records += records
        return []


async def live(folder: Path, kind: str, device: Device) -> Heard:
    """The device on its line for some seconds."""
    line = Line(device.spec, faults=LineFaults(PLAN, f"life/{kind}"))
    port = PtyPort(line, folder / kind)
    await port.open()
    line.attach(device.twin(line.now))
    clock = system_clock("c" * 16)
    heard = Heard()
    journal: Any = heard
    settings = SerialSettings(kind, str(folder / kind), device.spec.baud, 8, device.spec.parity)
    driver = drivers.create(kind, device.settings)
    session = SerialSession(settings, {kind: driver}, Ports(clock, lambda: "", SerialPort, no_broker), journal)
    session.interpret(kind, heard)
    running = asyncio.create_task(session.run())
    await clock.sleep(SECONDS)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    port.close()
    return heard


def test_every_kind_is_played_on_a_device_file() -> None:
    serial = {kind for kind, driver in drivers.discover().items() if driver.link == "serial"}

    assert set(DEVICES) | ELSEWHERE == serial


def test_on_bad_lines_nothing_is_untrue_nothing_comes_twice_and_who_is_lost_is_said(tmp_path: Path) -> None:
    async def main() -> dict[str, Heard]:
        heard = await asyncio.gather(*(live(tmp_path, kind, device) for kind, device in DEVICES.items()))
        return dict(zip(DEVICES, heard, strict=True))

    found = asyncio.run(main())

    for kind, heard in found.items():
        told = [
            (event, at) for event, at in heard.events if isinstance(event, Measured | AirSample | DoorState | FanState)
        ]
        news = [one.event for one in heard.records if isinstance(one, DeviceEvent)]
        assert told or "silent" in news, f"{kind} was lost, and nobody said so"
        assert [event for event, _ in told if not DEVICES[kind].truth(event)] == [], kind
        # One answer to one question: no two of a register in one second of the grid, but at a start and a return.
        seconds = [(event.register, at.t // 1000) for event, at in told if isinstance(event, Measured)]
        assert len(seconds) - len(set(seconds)) <= 1 + news.count("back"), f"{kind} was read twice for one instant"
        doors = [event.slot for event, _ in told if isinstance(event, DoorState)]
        assert len(doors) == len(set(doors)), f"{kind} told a door twice"
