"""Register maps of meters and air units as their makers print them: where a quantity stands, how, and in what steps.

A spot is (function, address, quantity, kind, times): the register holds the quantity times ``times``. Quantities are in
V, A, W, VA, var, Hz, Wh, ppm, ug/m3, degC and %RH. The SDM630 has a file of its own.

Source: see docs/protocols/modbus_meter.md; what is from memory is marked [S] there. PURE.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

HOLDING, INPUT = 3, 4
KILO = Fraction(1, 1000)


class Spot(NamedTuple):
    """One value of a map; ``wraps``: the register starts again at 0 here."""

    function: int
    address: int
    quantity: str
    kind: str
    times: Fraction = Fraction(1)
    wraps: int = 0

    @property
    def words(self) -> int:
        """Registers."""
        return 1 if self.kind in ("u16", "i16") else 2


class Map(NamedTuple):
    """A model: its spots, the most registers of a read, what lies between them (0, or a refusal), its word order."""

    spots: tuple[Spot, ...]
    most: int = 125
    gaps: bool = True
    low_word_first: bool = False


def _floats(function: int, times: Fraction, **addresses: int) -> tuple[Spot, ...]:
    return tuple(Spot(function, address, quantity, "float32", times) for quantity, address in addresses.items())


def _words(function: int, kind: str, times: Fraction | int, **addresses: int) -> tuple[Spot, ...]:
    return tuple(Spot(function, address, quantity, kind, Fraction(times)) for quantity, address in addresses.items())


_ONE, _TEN, _HUNDRED, _THOUSAND = Fraction(1), Fraction(10), Fraction(100), Fraction(1000)
# Steps of 0.01 kWh.
_CENTI_KWH = Fraction(1, 10)

_SDM_ONE_PHASE = Map(
    _floats(INPUT, _ONE, volts_1=0x00, amps_1=0x06, watts=0x0C, va=0x12, var=0x18, power_factor=0x1E, hertz=0x46)
    + _floats(INPUT, KILO, import_wh=0x48, export_wh=0x4A, import_varh=0x4C, export_varh=0x4E)
    + _words(HOLDING, "u32", 1, serial=0xFC00),
    most=80,
)
_DTSU666 = Map(
    _words(HOLDING, "u16", 1, ct=0x0006)
    + _words(HOLDING, "u16", 10, pt=0x0007)
    + _floats(HOLDING, _TEN, volts_1=0x2006, volts_2=0x2008, volts_3=0x200A)
    + _floats(HOLDING, _THOUSAND, amps_1=0x200C, amps_2=0x200E, amps_3=0x2010, power_factor=0x202A)
    + _floats(HOLDING, _TEN, watts=0x2012, watts_1=0x2014, watts_2=0x2016, watts_3=0x2018)
    + _floats(HOLDING, _HUNDRED, hertz=0x2044)
    + _floats(HOLDING, KILO, import_wh=0x401E, export_wh=0x4028),
)
_DTSU666_H = Map(
    _floats(HOLDING, _ONE, volts_1=0x2006, volts_2=0x2008, volts_3=0x200A)
    + _floats(HOLDING, _ONE, amps_1=0x200C, amps_2=0x200E, amps_3=0x2010, power_factor=0x202A, hertz=0x2044)
    + _floats(HOLDING, KILO, watts=0x2012, watts_1=0x2014, watts_2=0x2016, watts_3=0x2018)
    + _floats(HOLDING, KILO, import_wh=0x401E, export_wh=0x4028),
)
_ACREL_VALUES = (
    _words(HOLDING, "u16", 10, volts_1=0x61, volts_2=0x62, volts_3=0x63)
    + _words(HOLDING, "u16", 100, amps_1=0x64, amps_2=0x65, amps_3=0x66, hertz=0x77)
    + _words(HOLDING, "i32", 1, watts_1=0x164, watts_2=0x166, watts_3=0x168, watts=0x16A)
)
_ACREL = Map(
    _ACREL_VALUES
    + _words(HOLDING, "u32", _CENTI_KWH, net_wh=0x00, spike_wh=0x02, peak_wh=0x04, flat_wh=0x06, valley_wh=0x08)
    + _words(HOLDING, "u32", _CENTI_KWH, import_wh=0x0A, export_wh=0x14),
    most=60,
)
_SUNGROW = Map(_ACREL_VALUES + _words(HOLDING, "u32", _CENTI_KWH, import_wh=0x0A, export_wh=0x14), most=60)
_DDSY1352 = Map(
    _words(HOLDING, "u32", _CENTI_KWH, import_wh=0x00)
    + _words(HOLDING, "u16", 10, volts_1=0x0B)
    + _words(HOLDING, "u16", 100, amps_1=0x0C)
    + _words(HOLDING, "i16", 1, watts=0x0D)
    + _words(HOLDING, "u16", 1000, power_factor=0x10),
    gaps=False,
)
_DDSU666 = Map(
    _floats(HOLDING, _ONE, volts_1=0x2000, amps_1=0x2002, power_factor=0x200A, hertz=0x200E)
    + _floats(HOLDING, KILO, watts=0x2004, var=0x2006, import_wh=0x4000, export_wh=0x400A),
)
_DDSU666_H = Map(
    _floats(HOLDING, _ONE, volts_1=0x2000, amps_1=0x2002, power_factor=0x2018, hertz=0x2020)
    + _floats(HOLDING, KILO, watts=0x2006, var=0x200C, va=0x2012)
    + _floats(HOLDING, KILO, net_wh=0x4000, import_wh=0x400A, export_wh=0x4014),
)
_PZEM = Map(
    _words(INPUT, "u16", 10, volts_1=0, hertz=7)
    + _words(INPUT, "u32", 1000, amps_1=1)
    + _words(INPUT, "u32", 10, watts=3)
    + (Spot(INPUT, 5, "import_wh", "u32", _ONE, 10_000_000),)
    + _words(INPUT, "u16", 100, power_factor=8)
    + _words(INPUT, "u16", 1, alarm=9),
    most=10,
    gaps=False,
    low_word_first=True,
)
_S8 = Map(
    _words(INPUT, "u16", 1, status=0) + _words(INPUT, "i16", 1, co2=3) + _words(INPUT, "u32", 1, serial=0x1D),
)
_XY_MD02 = Map(_words(INPUT, "i16", 10, degc=1, rh=2), gaps=False)
_RENKE = Map(_words(HOLDING, "i16", 10, rh=0, degc=1), gaps=False)
_RENKE_AIR = Map(
    _words(HOLDING, "i16", 10, rh=0, degc=1) + _words(HOLDING, "i16", 1, co2=2, pm25=4, pm10=9), gaps=False
)
_SEVEN = Map(
    _words(HOLDING, "i16", 1, co2=0, hcho=1, tvoc=2, pm25=3, pm10=4) + _words(HOLDING, "i16", 10, degc=5, rh=6),
    gaps=False,
)

MAPS: dict[str, Map] = {
    "sdm120": _SDM_ONE_PHASE,
    "sdm230": _SDM_ONE_PHASE,
    "dtsu666": _DTSU666,
    "dtsu666_h": _DTSU666_H,
    "dtsu666_sungrow": _SUNGROW,
    "ddsu666": _DDSU666,
    "ddsu666_h": _DDSU666_H,
    "acrel_adl": _ACREL,
    "acrel_ddsy1352": _DDSY1352,
    "pzem004t": _PZEM,
    "senseair_s8": _S8,
    "xy_md02": _XY_MD02,
    "renke_th": _RENKE,
    "renke_air": _RENKE_AIR,
    "seven_in_one": _SEVEN,
}
