"""A person's order that outlives a restart. PURE.

The surprise is the clock: where it is not trusted, an order stands longer than it was meant to rather than shorter.
Somebody may have switched the unit off to work at it, and a power cut must not start it.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.clock import Clock
from gateway.control import Order
from gateway.run_controls import Steered
from wire.records import DeviceEvent


def restore(one: Steered, said: Sequence[DeviceEvent], clock: Clock) -> None:
    """The order that still stands; never one to cut a customer off. One that ended meanwhile is marked as `lapsed`.

    ``said``: what was told of the unit since the last order was given, in order.
    """
    given: DeviceEvent | None = None
    for record in said:
        if record.event == "control_ordered":
            given = record if record.data.get("level") != -1 else None
        if record.event == "control_order_ended" or (record.event == "control_confirmed" and one.control.cuts_off):
            given = None
    if given is None:
        return
    if not one.control.cuts_off:
        one.order = _standing(given, said, clock)
    one.lapsed = one.order is None


def _standing(given: DeviceEvent, said: Sequence[DeviceEvent], clock: Clock) -> Order | None:
    """Two trusted clocks tell what is left; without them only the time that surely went by is taken off."""
    level, seconds, reason = (given.data.get(name) for name in ("level", "seconds", "reason"))
    if not isinstance(level, int) or not isinstance(seconds, int):
        return None
    if given.ts == "S" and clock.state() == "S":
        left = given.t + seconds * 1000 - clock.wall_ms()
    else:
        passed = {record.b: record.m for record in said}
        left = seconds * 1000 + given.m - sum(passed.values())
    if left <= 0:
        return None
    return Order(level, given.who, clock.mono_ms() + min(left, seconds * 1000), str(reason))
