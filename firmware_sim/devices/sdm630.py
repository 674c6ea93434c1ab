"""Eastron SDM630, three-phase meter on Modbus RTU: every value is a float32, so the register itself is already rounded.

The meter counts energy as whole microjoules (milliwatts times milliseconds) and shows whole watt-hours as kWh. A
float32 gives every watt-hour back below 16,384 kWh and no further: above, the register steps by 2 Wh, then 4 Wh.
That is the format, not the load.

Input registers (FC 4), high word first, two registers a value, even addresses only, at most 80 registers a read:
00/02/04 volts, 06/08/0A amperes, 0C/0E/10 watts, 12.. VA, 18.. var, 1E.. power factor, 34 total W, 38 total VA, 46 Hz,
48 import kWh, 4A export kWh, 156 import + export kWh, 15A/15C/15E import kWh by phase, 160/162/164 export by phase.
Holding registers (FC 3): 12 parity code, 14 address, 1C baud code (floats), FC00 serial number (uint32).

Source: Eastron SDM630-Modbus protocol document V1.5; docs/protocols/modbus_meter.md. PURE.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt

from firmware_sim.devices.ieee754 import float32
from firmware_sim.devices.modbus_slave import (
    HOLDING,
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    ModbusSlave,
    RefusedError,
    SlaveTwin,
)

MICROJOULES_PER_WH = 3_600_000_000
_MOST_REGISTERS = 80
_LAST_INPUT = 0x0180
_BAUD_CODES = {2400: 0, 4800: 1, 9600: 2, 19200: 3, 38400: 4}
_PARITY_CODES = {"N": 0, "E": 1, "O": 2}


def _milliseconds(now: float) -> int:
    return round(now * 1000)


class Sdm630(SlaveTwin):
    """One meter. Its protocol runs on line time, its energy on ``world_ms(now)``, which maps line time to milliseconds
    of the world it measures: in a demo whose day takes a minute the wire is as slow as ever and the load is not.

    ``start_wh``: what the import register shows when the meter is put in. Voltages in millivolt, frequency in
    millihertz, ``power_factor`` in thousandths; powers in watt, positive is import.
    """

    def __init__(
        self,
        *,
        address: int = 1,
        serial: int = 21_345_678,
        start_wh: int = 0,
        baud: int = 9600,
        parity: str = "N",
        turn_round_s: float = 0.005,
        now: float = 0.0,
        world_ms: Callable[[float], int] = _milliseconds,
    ) -> None:
        self.serial = serial
        self._baud = baud
        self._parity = parity
        self._world_ms = world_ms
        self._since = world_ms(now)
        self._start_wh = start_wh
        self._load_mw = [0, 0, 0]
        self._imported = [0, 0, 0]
        self._exported = [0, 0, 0]
        self._volts_mv = [230_000, 230_000, 230_000]
        self._hertz_mhz = 50_000
        self._factor = 1000
        bits = 10 if parity == "N" else 11
        self._slave = ModbusSlave(address, self._registers, baud=baud, bits=bits, turn_round_s=turn_round_s)

    # What the line sees

    def power_off(self, now: float) -> None:
        """See ``Twin``. A meter that is dark counts nothing; its registers stay."""
        self.set_load_w(0, now)
        super().power_off(now)

    # What is connected to it

    def set_load_w(self, watts: int | tuple[int, int, int], now: float) -> None:
        """The load from ``now`` on: watts by phase, or one figure that is shared by the three."""
        self._count(now)
        if isinstance(watts, tuple):
            self._load_mw = [each * 1000 for each in watts]
        else:
            third, rest = divmod(watts * 1000, 3)
            self._load_mw = [third + rest, third, third]

    def set_supply(self, *, volts_mv: int = 230_000, hertz_mhz: int = 50_000, power_factor: int = 1000) -> None:
        """Voltage on all phases, frequency, and the load's power factor in thousandths."""
        self._volts_mv = [volts_mv] * 3
        self._hertz_mhz = hertz_mhz
        self._factor = power_factor

    def import_wh(self, now: float) -> int:
        """The import register in whole Wh, as the display shows it."""
        self._count(now)
        return self._start_wh + sum(self._imported) // MICROJOULES_PER_WH

    def export_wh(self, now: float) -> int:
        """The export register in whole Wh."""
        self._count(now)
        return sum(self._exported) // MICROJOULES_PER_WH

    # Inside

    def _count(self, now: float) -> None:
        at = self._world_ms(now)
        lapse, self._since = at - self._since, at
        if lapse < 0:
            raise ValueError("a meter does not run backwards in time")
        for phase, load in enumerate(self._load_mw):
            (self._imported if load > 0 else self._exported)[phase] += abs(load) * lapse

    def _registers(self, function: int, first: int, count: int, now: float) -> bytes:
        if count > _MOST_REGISTERS:
            raise RefusedError(ILLEGAL_VALUE)
        if first % 2 or count % 2:
            raise RefusedError(ILLEGAL_ADDRESS)
        if function == HOLDING:
            return self._settings(first, count)
        if first + count > _LAST_INPUT:
            raise RefusedError(ILLEGAL_ADDRESS)
        values = self._measurements(now)
        return b"".join(_encoded(values.get(address, Fraction(0))) for address in range(first, first + count, 2))

    def _settings(self, first: int, count: int) -> bytes:
        known = {
            0x0012: float32(_PARITY_CODES[self._parity]),
            0x0014: float32(self._slave.address),
            0x001C: float32(_BAUD_CODES.get(self._baud, 2)),
            0xFC00: self.serial.to_bytes(4, "big"),
        }
        wanted = range(first, first + count, 2)
        if not all(address in known for address in wanted):
            raise RefusedError(ILLEGAL_ADDRESS)
        return b"".join(known[address] for address in wanted)

    def _measurements(self, now: float) -> dict[int, Fraction]:
        imported, exported = self.import_wh(now), self.export_wh(now)
        values: dict[int, Fraction] = {
            0x34: Fraction(sum(self._load_mw), 1000),
            0x46: Fraction(self._hertz_mhz, 1000),
            0x48: Fraction(imported, 1000),
            0x4A: Fraction(exported, 1000),
            0x156: Fraction(imported + exported, 1000),
        }
        apparent_total = reactive_total = current_total = Fraction(0)
        for phase, (load, volts) in enumerate(zip(self._load_mw, self._volts_mv, strict=True)):
            apparent = Fraction(abs(load) * 1000, self._factor)
            reactive = isqrt(int(apparent * apparent) - load * load)
            at = 2 * phase
            values[0x00 + at] = Fraction(volts, 1000)
            values[0x06 + at] = apparent / volts
            values[0x0C + at] = Fraction(load, 1000)
            values[0x12 + at] = apparent / 1000
            values[0x18 + at] = Fraction(reactive, 1000)
            values[0x1E + at] = Fraction(self._factor, 1000)
            values[0x15A + at] = Fraction(self._imported[phase] // MICROJOULES_PER_WH, 1000)
            values[0x160 + at] = Fraction(self._exported[phase] // MICROJOULES_PER_WH, 1000)
            apparent_total += apparent / 1000
            reactive_total += Fraction(reactive, 1000)
            current_total += apparent / volts
        values |= {0x2A: sum(values[0x00 + 2 * phase] for phase in range(3)) / Fraction(3), 0x2E: current_total / 3}
        values |= {0x30: current_total, 0x38: apparent_total, 0x3C: reactive_total, 0x3E: Fraction(self._factor, 1000)}
        return values


def _encoded(value: Fraction) -> bytes:
    return float32(value.numerator, value.denominator)
