"""The devices of a scenario, put on their lines: what the electrician leaves behind. Same for memory and for ptys."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware_sim.bench import Line, LineSpec
from firmware_sim.coil_hands import CoilHands, coil_hands
from firmware_sim.devices.lock_8a import Lock8A
from firmware_sim.devices.pms5003 import Pms5003
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.faults import LineFaults, LinePlan
from firmware_sim.playing import LockerHands, Meter, Pace
from firmware_sim.scenario import Scenario, SerialLine
from firmware_sim.truth import Truth

# Seconds of line time that a coil takes for one turn; when the shop's clock is fast its motors are quick.
TURN_S, FAST_TURN_S = 3.0, 0.1


@dataclass
class Wired:
    """Lines by name, and the devices on them by id."""

    lines: dict[str, Line] = field(default_factory=dict)
    lockers: dict[str, LockerHands] = field(default_factory=dict)
    meters: dict[str, Meter] = field(default_factory=dict)
    sensors: dict[str, tuple[Pms5003, Line]] = field(default_factory=dict)
    coils: dict[str, CoilHands] = field(default_factory=dict)


def wire_up(scenario: Scenario, truth: Truth, pace: Pace) -> Wired:
    """Builds and connects everything; call it inside the running loop."""
    wired = Wired()
    for one in scenario.line:
        spec = LineSpec(baud=one.baud, parity=one.parity, half_duplex=one.half_duplex)
        wired.lines[one.name] = Line(spec, faults=LineFaults(_plan(one), f"{scenario.seed}/{one.name}"))
    for cabinet in scenario.cabinet:
        if cabinet.driver == "lock_8a":
            line = wired.lines[cabinet.line]
            board = Lock8A(
                board=cabinet.board, locks=len(cabinet.slot), closed_reads=0x11 if cabinet.open_is == "00" else 0x00
            )
            line.attach(board)
            wired.lockers[cabinet.id] = LockerHands(cabinet, board, line, truth, pace)
        else:
            wired.coils[cabinet.id] = coil_hands(
                cabinet, truth, pace.at, turn_s=TURN_S if pace.scale == 1 else FAST_TURN_S
            )
    for meter in scenario.meter:
        line = wired.lines[meter.line]
        twin = Sdm630(
            address=meter.address, serial=meter.serial, start_wh=meter.start_wh, baud=line.spec.baud,
            parity=line.spec.parity, now=line.now, world_ms=pace.at,
        )  # fmt: skip
        line.attach(twin)
        wired.meters[meter.id] = Meter(twin, line)
        truth.meter_installed(meter.id, meter.start_wh, pace.at(line.now))
    for sensor in scenario.air:
        line = wired.lines[sensor.line]
        wired.sensors[sensor.id] = (Pms5003(), line)
        line.attach(wired.sensors[sensor.id][0])
    return wired


def _plan(line: SerialLine) -> LinePlan:
    trouble = line.trouble
    return LinePlan(
        noise=trouble.noise, flip=trouble.flip, cut=trouble.cut, lose=trouble.lose, late=trouble.late,
        split=trouble.split, echo=trouble.echo,
    )  # fmt: skip
