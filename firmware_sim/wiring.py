"""The devices of a scenario, put on their lines: what the electrician leaves behind. Same for memory and for ptys."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from firmware_sim import scenario as scenarios
from firmware_sim.bench import Line, LineSpec
from firmware_sim.board_hands import BoardHands, board_hands
from firmware_sim.coil_hands import CoilHands, coil_hands
from firmware_sim.devices.dlt645 import Dlt645Meter
from firmware_sim.devices.fan_coil import FanCoil
from firmware_sim.devices.lock_8a import Lock8A
from firmware_sim.devices.lock_kerong import LockKerong
from firmware_sim.devices.mbus import MbusMeter
from firmware_sim.devices.pms5003 import Pms5003
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.faults import LineFaults, LinePlan
from firmware_sim.playing import LockerHands, Meter, Pace
from firmware_sim.scenario import Cabinet, Scenario, SerialLine
from firmware_sim.truth import Truth

# Seconds of line time that a coil takes for one turn; when the shop's clock is fast its motors are quick.
TURN_S, FAST_TURN_S = 3.0, 0.1
CU16_LOCKS = 16


@dataclass
class Wired:
    """Lines by name, and the devices on them by id."""

    lines: dict[str, Line] = field(default_factory=dict)
    lockers: dict[str, LockerHands] = field(default_factory=dict)
    meters: dict[str, Meter] = field(default_factory=dict)
    sensors: dict[str, tuple[Pms5003, Line]] = field(default_factory=dict)
    coils: dict[str, CoilHands] = field(default_factory=dict)
    boards: dict[str, BoardHands] = field(default_factory=dict)
    fan_coils: dict[str, FanCoil] = field(default_factory=dict)


def wire_up(scenario: Scenario, truth: Truth, pace: Pace) -> Wired:
    """Builds and connects everything; call it inside the running loop."""
    wired = Wired()
    for one in scenario.line:
        spec = LineSpec(baud=one.baud, parity=one.parity, half_duplex=one.half_duplex)
        wired.lines[one.name] = Line(spec, faults=LineFaults(_plan(one), f"{scenario.seed}/{one.name}"))
    for cabinet in scenario.cabinet:
        turn_s = TURN_S if pace.scale == 1 else FAST_TURN_S
        if cabinet.driver in ("lock_8a", "lock_kerong"):
            line = wired.lines[cabinet.line]
            board = _lock_board(cabinet)
            line.attach(board)
            wired.lockers[cabinet.id] = LockerHands(cabinet, board, line, truth, pace)
        elif cabinet.driver == "mqtt_cabinet":
            wired.coils[cabinet.id] = coil_hands(cabinet, truth, pace.at, turn_s=turn_s)
        else:
            line = wired.lines[cabinet.line]
            wired.boards[cabinet.id] = board_hands(cabinet, line, truth, pace.at, turn_s=turn_s)
    for meter in scenario.meter:
        line = wired.lines[meter.line]
        twin = _meter(meter, line, pace)
        line.attach(twin)
        wired.meters[meter.id] = Meter(twin, line)
        truth.meter_installed(meter.id, meter.start_wh, pace.at(line.now), step_wh=meter.step_wh)
    for sensor in scenario.air:
        line = wired.lines[sensor.line]
        wired.sensors[sensor.id] = (Pms5003(), line)
        line.attach(wired.sensors[sensor.id][0])
    for coil in scenario.coil:
        line = wired.lines[coil.line]
        collector = FanCoil(address=coil.address, baud=line.spec.baud)
        collector.on_look = partial(_looked, truth, coil.id, pace)
        line.attach(collector)
        wired.fan_coils[coil.id] = collector
        truth.coils.installed(coil.id, coil.every_s)
    return wired


def _looked(truth: Truth, coil: str, pace: Pace) -> None:
    truth.coils.looked(coil, pace.now_ms())


def _lock_board(cabinet: Cabinet) -> Lock8A | LockKerong:
    if cabinet.driver == "lock_kerong":
        return LockKerong(board=cabinet.board, model="cu16" if len(cabinet.slot) <= CU16_LOCKS else "cu48")
    return Lock8A(board=cabinet.board, locks=len(cabinet.slot), closed_reads=0x11 if cabinet.open_is == "00" else 0x00)


def _meter(meter: scenarios.Meter, line: Line, pace: Pace) -> Sdm630 | Dlt645Meter | MbusMeter:
    if meter.driver == "dlt645":
        return Dlt645Meter(f"{meter.serial:012d}", start_wh=meter.start_wh, now=line.now, world_ms=pace.at)
    if meter.driver == "mbus":
        return MbusMeter(address=meter.address, start_wh=meter.start_wh, now=line.now, world_ms=pace.at)
    return Sdm630(
        address=meter.address, serial=meter.serial, start_wh=meter.start_wh, baud=line.spec.baud,
        parity=line.spec.parity, now=line.now, world_ms=pace.at,
    )  # fmt: skip


def _plan(line: SerialLine) -> LinePlan:
    trouble = line.trouble
    return LinePlan(
        noise=trouble.noise, flip=trouble.flip, cut=trouble.cut, lose=trouble.lose, late=trouble.late,
        split=trouble.split, echo=trouble.echo,
    )  # fmt: skip
