"""What `test_drivers.py` puts to meters that answer in telegrams: kind, golden frame, settings, question, answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.device_events import Event, Measured, Want

TelegramCase = tuple[str, str, dict[str, Any], Callable[[Any], object], Callable[[Sequence[Event]], bool]]


def due(name: str, address: int = 0) -> Callable[[Any], object]:
    """The question whose answer brings this register."""
    return lambda driver: driver.request([Want(name, 900, 1, address, 1)])


def reads(register: str, value: int, scale: int) -> Callable[[Sequence[Event]], bool]:
    """True for this register with this value, and no other."""
    return lambda events: (
        [(e.register, e.value, e.scale) for e in events if isinstance(e, Measured)] == [(register, value, scale)]
    )


P1_SHORT = reads("import_t1_wh", 4426, 0)
TELEGRAMS: list[TelegramCase] = [
    ("cjt188", "cj-heat-2", {}, due("volume", 5), reads("volume", 19, -2)),
    ("dlt645", "dl-energy-3", {"address": "151230011061"}, due("import_wh"), reads("import_wh", 678, 1)),
    ("iec62056", "iec-p1-short", {"mode": "push", "registers": {"import_t1_wh": 0}}, lambda d: d, P1_SHORT),
    ("mbus", "mbus-short", {"address": 5}, due("energy"), reads("energy", 2_850_427, 3)),
]
