"""A run-time collector: eight opto-isolated inputs across a fan coil's lines, and a thermistor on its supply pipe.

::

    inputs (FC 2)   0 high  1 mid  2 low  3 valve  4 flow switch  5-7 free      bits lowest first
    register (FC 4) 0 supply water in tenths of a degree, 7FFF with the sensor off

Source: Modbus Application Protocol V1.1b3 section 6.2; docs/protocols/fan_coil.md. PURE.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.devices.modbus_slave import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ModbusSlave, RefusedError, SlaveTwin

SPEEDS = {"high": 0, "mid": 1, "low": 2}
_VALVE, _FLOW, _INPUTS = 3, 4, 8
_SENSOR_OFF = 0x7FFF


class FanCoil(SlaveTwin):
    """One collector. ``speed`` is "", "high", "mid" or "low"; ``water`` tenths of a degree, None: no sensor."""

    def __init__(self, *, address: int = 1, baud: int = 9600, turn_round_s: float = 0.005) -> None:
        self.speed = ""
        self.valve = False
        self.flow = False
        self.water: int | None = 70
        self.stuck: set[int] = set()
        # Whoever keeps the account hears when the inputs were asked for.
        self.on_look: Callable[[], None] = lambda: None
        self._slave = ModbusSlave(address, self._registers, baud=baud, turn_round_s=turn_round_s, inputs=self._inputs)

    def run(self, speed: str, *, valve: bool = True, flow: bool = True) -> None:
        """What the room's controller and the plant do from now on."""
        self.speed, self.valve, self.flow = speed, valve, flow

    def _inputs(self, first: int, count: int) -> list[bool]:
        if first + count > _INPUTS:
            raise RefusedError(ILLEGAL_ADDRESS)
        self.on_look()
        on = {SPEEDS.get(self.speed, -1), _VALVE if self.valve else -1, _FLOW if self.flow else -1, *self.stuck}
        return [number in on for number in range(first, first + count)]

    def _registers(self, function: int, first: int, count: int, now: float) -> bytes:  # noqa: ARG002 - see the slave
        if function != 4:
            raise RefusedError(ILLEGAL_FUNCTION)
        if first != 0 or count != 1:
            raise RefusedError(ILLEGAL_ADDRESS)
        return (_SENSOR_OFF if self.water is None else self.water & 0xFFFF).to_bytes(2, "big")
