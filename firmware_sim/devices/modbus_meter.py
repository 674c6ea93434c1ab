"""Meters and air units on Modbus RTU other than the SDM630: one slave, and for each model the map of its data sheet.

The surprise is how little they agree on: the DTSU666 puts volts times ten into a float, the PZEM sends the low word
first, the DDSU666-H has its net energy where the DDSU666 has its import, Acrel leaves the transformers' ratio to the
reader, and some refuse a block that touches a register they do not have while others answer 0.

Source: the makers' protocol documents as far as they are public, see docs/protocols/modbus_meter.md. Written without a
look at the gateway's profiles. PURE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import NamedTuple

from firmware_sim.devices.ieee754 import float32
from firmware_sim.devices.meter_maps import MAPS, Map
from firmware_sim.devices.modbus_slave import ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusSlave, RefusedError, SlaveTwin

MICROJOULES_PER_WH = 3_600_000_000


def _milliseconds(now: float) -> int:
    return round(now * 1000)


class Slave(SlaveTwin):
    """A twin whose registers are words: ``read(function, address, now)`` gives one, or None where there is none."""

    def __init__(
        self,
        read: Callable[[int, int, float], int | None],
        *,
        address: int = 1,
        most: int = 125,
        baud: int = 9600,
        parity: str = "N",
        turn_round_s: float = 0.005,
    ) -> None:
        self._word = read
        self._most = most
        bits = 10 if parity == "N" else 11
        self._slave = ModbusSlave(address, self._registers, baud=baud, bits=bits, turn_round_s=turn_round_s)
        self.requests: list[tuple[int, int, int]] = []

    def _registers(self, function: int, first: int, count: int, now: float) -> bytes:
        self.requests.append((function, first, count))
        if count > self._most:
            raise RefusedError(ILLEGAL_VALUE)
        words = [self._word(function, address, now) for address in range(first, first + count)]
        if None in words:
            raise RefusedError(ILLEGAL_ADDRESS)
        return b"".join((word or 0).to_bytes(2, "big") for word in words)


class RegisterDump(Slave):
    """Any Modbus slave that somebody has read out: (function, address) -> word. What is not in the dump is refused,
    or reads 0 with ``gaps``.
    """

    def __init__(self, words: Mapping[tuple[int, int], int], *, gaps: bool = False, **line: str | float) -> None:
        super().__init__(self._of_the_dump, **line)  # type: ignore[arg-type]
        self.words = dict(words)
        self._gaps = gaps

    def _of_the_dump(self, function: int, address: int, now: float) -> int | None:  # noqa: ARG002 - see ``Slave``
        return self.words.get((function, address), 0 if self._gaps else None)


class ModbusMeter(Slave):
    """One meter or air unit of a model of ``meter_maps``. ``quantities`` is what it measures now (volts_1, co2, ...);
    energy counts by itself from ``watts``, and ``shows`` says what a quantity is.
    """

    def __init__(
        self,
        model: str,
        *,
        now: float = 0.0,
        world_ms: Callable[[float], int] = _milliseconds,
        quantities: Mapping[str, Fraction | int] | None = None,
        **line: str | float,
    ) -> None:
        self.map: Map = MAPS[model]
        super().__init__(self._of_the_map, most=self.map.most, **line)  # type: ignore[arg-type]
        self.quantities: dict[str, Fraction] = {name: Fraction(value) for name, value in USUAL.items()}
        self.quantities |= {name: Fraction(value) for name, value in (quantities or {}).items()}
        self._world_ms = world_ms
        self._since = world_ms(now)
        self._counted = Counted(0, 0)

    def set_load_w(self, watts: int, now: float) -> None:
        """The load from ``now`` on; negative is fed back."""
        self._count(now)
        self.quantities["watts"] = Fraction(watts)

    def shows(self, quantity: str, now: float) -> Fraction:
        """What the meter's display would show: energies in Wh with what was counted since, else as set."""
        self._count(now)
        start = self.quantities.get(quantity, Fraction(0))
        if quantity == "import_wh":
            return start + Fraction(self._counted.imported, MICROJOULES_PER_WH)
        if quantity == "export_wh":
            return start + Fraction(self._counted.exported, MICROJOULES_PER_WH)
        if quantity == "net_wh":
            return self.shows("import_wh", now) - self.shows("export_wh", now)
        return start

    def _count(self, now: float) -> None:
        at = self._world_ms(now)
        lapse, self._since = at - self._since, at
        energy = int(self.quantities["watts"] * 1000) * lapse
        imported, exported = self._counted
        self._counted = Counted(imported + max(energy, 0), exported + max(-energy, 0))

    def _of_the_map(self, function: int, address: int, now: float) -> int | None:
        for spot in self.map.spots:
            if spot.function == function and spot.address <= address < spot.address + spot.words:
                value = self.shows(spot.quantity, now) * spot.times
                place = address - spot.address
                words = _words(spot.kind, value, spot.wraps)
                return words[place if not self.map.low_word_first else len(words) - 1 - place]
        return 0 if self.map.gaps else None


class Counted(NamedTuple):
    """Energy since the start in microjoules."""

    imported: int
    exported: int


def _words(kind: str, value: Fraction, wraps: int) -> list[int]:
    """The value as register words, high word first."""
    if kind == "float32":
        data = float32(value.numerator, value.denominator)
    else:
        whole = int(value // 1)
        whole = whole % wraps if wraps else whole
        size = 4 if kind in ("u32", "i32") else 2
        data = (whole % (1 << (8 * size))).to_bytes(size, "big")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


USUAL: dict[str, Fraction | int] = {
    "volts_1": Fraction(2301, 10), "volts_2": Fraction(2307, 10), "volts_3": Fraction(2296, 10),
    "amps_1": Fraction(4_250, 1000), "amps_2": Fraction(4_500, 1000), "amps_3": Fraction(4_750, 1000),
    "watts": 2760, "watts_1": 900, "watts_2": 920, "watts_3": 940, "va": 2910, "var": 640,
    "power_factor": Fraction(95, 100), "hertz": Fraction(4998, 100),
    "import_wh": 1_234_560, "export_wh": 20_340, "import_varh": 5_000, "export_varh": 6_000,
    "spike_wh": 10_000, "peak_wh": 20_000, "flat_wh": 30_000, "valley_wh": 40_000,
    "import_1_wh": 411_000, "import_2_wh": 412_000, "import_3_wh": 411_560,
    "ct": 1, "pt": 1, "serial": 21_345_678, "status": 0, "alarm": 0,
    "co2": 612, "hcho": 18, "tvoc": 143, "pm25": 35, "pm10": 48, "degc": Fraction(-15, 10), "rh": Fraction(417, 10),
}  # fmt: skip
