"""An air unit's controller on Modbus: a register sets the speed wanted, another one says what the fan does.

The surprise: writing always succeeds. With its thermal cut-out open the controller takes the new speed, repeats the
command as it must, and the fan stands still; only the input register tells.

Registers: holding 0 = speed wanted (0 off, 1, 2, 3), input 0 = speed the fan runs at. Functions 03, 04, 06, 16.
Source: Modbus Application Protocol V1.1b3 sections 6.3, 6.4, 6.6, 6.12; docs/protocols/modbus_unit.md. PURE.
"""

from __future__ import annotations

from firmware_sim.devices.modbus_slave import (
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    INPUT,
    ModbusSlave,
    RefusedError,
    SlaveTwin,
)

SPEEDS = 3


class ModbusUnit(SlaveTwin):
    """One air unit. ``cut_out``: its thermal cut-out is open, so the fan stands whatever is wanted."""

    def __init__(self, *, address: int = 1, baud: int = 9600, parity: str = "N", turn_round_s: float = 0.005) -> None:
        bits = 10 if parity == "N" else 11
        self.wanted = 0
        self.cut_out = False
        self.commands: list[int] = []
        self._slave = ModbusSlave(
            address, self._registers, baud=baud, bits=bits, turn_round_s=turn_round_s, write=self._written
        )

    @property
    def speed(self) -> int:
        """What the fan does: 0 stands, 1 to 3."""
        return 0 if self.cut_out else self.wanted

    def power_off(self, now: float) -> None:
        """See ``Twin``. The fan stands; the controller forgets what was wanted."""
        self.wanted = 0
        super().power_off(now)

    def _registers(self, function: int, first: int, count: int, now: float) -> bytes:  # noqa: ARG002 - not of time
        if first + count > 1:
            raise RefusedError(ILLEGAL_ADDRESS)
        return (self.speed if function == INPUT else self.wanted).to_bytes(2, "big")

    def _written(self, first: int, values: list[int], now: float) -> None:  # noqa: ARG002 - not of time
        if first or len(values) != 1:
            raise RefusedError(ILLEGAL_ADDRESS)
        if values[0] > SPEEDS:
            raise RefusedError(ILLEGAL_VALUE)
        self.wanted = values[0]
        self.commands.append(values[0])
