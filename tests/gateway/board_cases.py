"""What `test_drivers.py` puts to boards that let goods go: kind, golden frame, settings, question, answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.device_events import (
    CommandTaken,
    DeviceFault,
    Dispensed,
    DoorState,
    Event,
    LockReply,
    Measured,
    MotorState,
    SelectionInfo,
    Want,
)

BoardCase = tuple[str, str, dict[str, Any], Callable[[Any], object], Callable[[Sequence[Event]], bool]]


def ended(slot: str, qty: int, motor: str, drop: str) -> Callable[[Sequence[Event]], bool]:
    """True for exactly this end of a dispense."""
    return lambda events: (
        [(e.slot, e.qty, e.motor, e.drop) for e in told(events, Dispensed)] == [(slot, qty, motor, drop)]
    )


def turning(*, running: bool) -> Callable[[Sequence[Event]], bool]:
    """True for motors that turn, or stand still."""
    return lambda events: [e.running for e in told(events, MotorState)] == [running]


def took(*, taken: bool) -> Callable[[Sequence[Event]], bool]:
    """True for a command that the board confirms or refuses."""
    return lambda events: [e.taken for e in told(events, CommandTaken)] == [taken]


def doors(*expected: tuple[str, bool, bool | None]) -> Callable[[Sequence[Event]], bool]:
    """True for these doors: slot, closed, goods seen."""
    return lambda events: [(e.slot, e.closed, e.item) for e in told(events, DoorState)] == list(expected)


def opened(slot: str, *, right: bool) -> Callable[[Sequence[Event]], bool]:
    """True for the board's word about one latch."""
    return lambda events: [(e.slot, e.opened) for e in told(events, LockReply)] == [(slot, right)]


def selection(slot: str, status: str, stock: int | None, capacity: int | None) -> Callable[[Sequence[Event]], bool]:
    """True for what is told of one selection."""
    return lambda events: (
        [(e.slot, e.status, e.stock, e.capacity) for e in told(events, SelectionInfo)]
        == [(slot, status, stock, capacity)]
    )


def fault(name: str, **data: object) -> Callable[[Sequence[Event]], bool]:
    """True for this event with this data."""
    return lambda events: (
        [(e.event, {key: e.data[key] for key in data}) for e in told(events, DeviceFault)] == [(name, data)]
    )


def climate(*tenths: int) -> Callable[[Sequence[Event]], bool]:
    """True for these values in tenths."""
    return lambda events: [(e.value, e.scale) for e in told(events, Measured)] == [(one, -1) for one in tenths]


def told(events: Sequence[Event], kind: type[Any]) -> list[Any]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def nothing(driver: Any) -> object:
    """The board talks first."""
    return driver


def all_doors(driver: Any) -> object:
    """Every door at once."""
    return driver.request(driver.wants)


def of_zdm(name: str, address: int, width: int = 1) -> Callable[[Any], object]:
    """One message number."""
    return lambda driver: driver.request([Want(name, 10, address, address, width)])


CU48 = {"model": "cu48", "locks": 48}
WHOLE = {"locks": 2, "whole": True}
ALL_48 = [(str(lock), True, None) for lock in range(1, 49)]
TWO_OPEN_48 = [(str(lock), lock not in (1, 48), None) for lock in range(1, 49)]

SHUT_EMPTY = doors(("1", True, False), ("2", True, False))
ONE_OPEN_FULL = doors(("1", False, True), ("2", True, True))

BOARDS: list[BoardCase] = [
    ("coil_vmc", "vmc_fafb.08", {}, nothing, ended("60", 1, "ok", "seen")),
    ("coil_vmc", "vmc_fafb.08", {"drop_sensor": False}, nothing, ended("60", 1, "ok", "off")),
    ("coil_vmc", "vmc_fafb.09", {}, nothing, ended("60", 0, "jam", "none")),
    ("coil_vmc", "vmc_fafb.10", {}, nothing, fault("money", mode=1, amount=100000)),
    ("coil_vmc", "vmc_fafb.11", {}, nothing, fault("money", mode=1, amount=200000)),
    ("coil_vmc", "vmc_fafb.12", {}, nothing, fault("machine_status", cmd="52")),
    ("coil_vmc", "vmc_fafb.13", {}, nothing, selection("60", "normal", 7, 12)),
    ("coil_vmc", "coil_vmc.c04", {}, nothing, turning(running=True)),
    ("coil_vmc", "coil_vmc.f1", {}, nothing, turning(running=True)),
    ("coil_vmc", "coil_vmc.f2", {}, nothing, ended("1", 0, "jam", "none")),
    ("coil_vmc", "coil_vmc.f3", {}, nothing, selection("1", "status_03", 4, 4)),
    ("coil_vmc", "coil_vmc.c05", {}, nothing, ended("9", 0, "none", "none")),
    ("coil_vmc", "coil_vmc.c06", {}, nothing, ended("9", 1, "ok", "seen")),
    ("coil_vmc", "coil_vmc.c07", {}, nothing, ended("9", 0, "unknown", "off")),
    ("coil_vmc", "coil_vmc.c08", {}, nothing, selection("9", "out_of_stock", None, None)),
    ("coil_vmc", "coil_vmc.c13", {}, nothing, fault("fully_loaded")),
    ("coil_vmc", "coil_vmc.c14", {}, nothing, fault("selection_set", stock=9)),
    ("coil_tcn", "vmc_tcn.04", {}, lambda d: d.drive("24"), ended("24", 1, "ok", "seen")),
    ("coil_tcn", "vmc_tcn.05", {}, lambda d: d.drive("24"), ended("24", 1, "ok", "off")),
    ("coil_tcn", "vmc_tcn.06", {}, lambda d: d.drive("24"), ended("24", 0, "jam", "off")),
    ("coil_tcn", "vmc_tcn.07", {}, lambda d: d.drive("24"), ended("24", 1, "ok", "extra")),
    ("coil_tcn", "vmc_tcn.08", {}, lambda d: d.drive("24"), ended("24", 0, "ok", "none")),
    ("coil_tcn", "coil_tcn.c3", {}, lambda d: d.drive("24"), ended("24", 0, "none", "off")),
    ("coil_tcn", "coil_tcn.c4", {}, lambda d: d.drive("24"), ended("24", 0, "jam", "none")),
    ("coil_tcn", "coil_tcn.c5", {}, lambda d: d.drive("24"), ended("24", 1, "jam", "seen")),
    ("lock_kerong", "lock_kerong_cu16.06", {"locks": 2}, lambda d: d.pending(), SHUT_EMPTY),
    ("lock_kerong", "lock_kerong_cu16.07", {"locks": 2}, lambda d: d.pending(), ONE_OPEN_FULL),
    ("lock_kerong", "lock_kerong.c2", {"board": 1, "locks": 1}, lambda d: d.status("1"), doors(("1", True, False))),
    ("lock_kerong", "lock_kerong.c3", CU48, lambda d: d.pending(), doors(*ALL_48)),
    ("lock_kerong", "lock_kerong.c4", CU48, lambda d: d.pending(), doors(*TWO_OPEN_48)),
    ("lock_kerong", "lock_kerong.c5", CU48, lambda d: d.open("1"), opened("1", right=True)),
    ("lock_wkly", "board_wkly.02", {}, lambda d: d.open("1"), opened("1", right=True)),
    ("lock_wkly", "lock_wkly.c4", {}, lambda d: d.open("1"), opened("1", right=False)),
    ("lock_wkly", "lock_wkly.c9", {"board": 1}, lambda d: d.open("4"), opened("4", right=True)),
    ("lock_wkly", "lock_wkly.c2", {}, lambda d: d.status("1"), doors(("1", True, None))),
    ("lock_wkly", "lock_wkly.c3", {}, lambda d: d.status("1"), doors(("1", False, None))),
    ("lock_wkly", "lock_wkly.c10", WHOLE, all_doors, doors(("1", False, None), ("2", False, None))),
    ("lock_wkly", "lock_wkly.c11", {**WHOLE, "board": 1}, all_doors, doors(("1", False, None), ("2", False, None))),
    ("lock_wkly", "lock_wkly.c12", WHOLE, all_doors, doors(("1", False, None), ("2", True, None))),
    ("lock_wkly", "board_wkly.08", {}, nothing, doors(("3", False, None))),
    ("lock_wkly", "board_wkly.03", {}, lambda d: d.flash("1"), took(taken=True)),
    ("lock_wkly", "lock_wkly.c5", {}, nothing, doors(("3", True, None))),
    ("lock_wkly", "board_wkly.06", {"motors": [5]}, lambda d: d.drive("5", 6), ended("5", 6, "ok", "off")),
    ("motor_zdm8", "board_zdm8.08", {}, of_zdm("climate", 4, 2), climate(210, 550)),
    ("motor_zdm8", "board_zdm8.10", {}, of_zdm("lock", 5), doors(("door", True, None))),
    ("motor_zdm8", "board_zdm8.12", {}, lambda d: d.drive("0"), took(taken=True)),
    ("motor_zdm8", "board_zdm8.15", {}, of_zdm("inputs", 10), fault("inputs", bits=1024, curtain=True)),
    ("motor_zdm8", "motor_zdm8.c2", {}, lambda d: d.state(), turning(running=True)),
    ("motor_zdm8", "motor_zdm8.c3", {}, lambda d: d.drive("7") and d.state(), ended("7", 1, "ok", "seen")),
    ("motor_zdm8", "motor_zdm8.c4", {}, lambda d: d.drive("7") and d.state(), ended("7", 0, "jam", "none")),
    ("motor_zdm8", "motor_zdm8.c5", {}, lambda d: d.state(), turning(running=False)),
    ("motor_zdm8", "motor_zdm8.c6", {}, lambda d: d.drive("7") and d.state(), ended("7", 0, "ok", "none")),
    ("motor_zdm8", "motor_zdm8.c7", {}, lambda d: d.drive("0"), took(taken=False)),
]  # fmt: skip
