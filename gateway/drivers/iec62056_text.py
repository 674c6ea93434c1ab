"""Telegrams of IEC 62056-21 and P1 as text: data sets, numbers, checks. PURE.

    1-0:1.8.1*255(000156.167*kWh)        A-B:C.D.E*F (value*unit), groups in brackets may follow each other
    BCC: XOR of all after STX (or SOH) up to and with ETX          P1: CRC-16/ARC of all from "/" up to and with "!"

The surprise: `*01` behind a code is last month's value, and a decimal is what the meter printed: 000156.167 has three
digits behind the point whatever follows. Source: IEC 62056-21:2002 6.5 and annex; DSMR P1 companion standard 5.0.2.
"""

from __future__ import annotations

import re
from functools import reduce

import msgspec

DATA_SET = re.compile(r"([^()/!\x00-\x20]*)\(([^()]*)\)")
NUMBER = re.compile(r"([+-]?)(\d{1,18})(?:\.(\d{0,9}))?(?:\*(.{1,16}))?")
CODE = re.compile(r"(?:(\d{1,3}-\d{1,3}):)?([0-9A-Z]{1,3}\.\d{1,3}(?:\.\d{1,3})?)(?:[*&](\d{1,3}))?")
MOMENT = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SW]?)")
# Unit as printed -> what it is counted in here, and the power of ten between them.
UNITS = {
    "Wh": ("Wh", 0), "kWh": ("Wh", 3), "MWh": ("Wh", 6), "GWh": ("Wh", 9), "W": ("W", 0), "kW": ("W", 3),
    "MW": ("W", 6),
    "varh": ("varh", 0), "kvarh": ("varh", 3), "var": ("var", 0), "kvar": ("var", 3), "VA": ("VA", 0), "kVA": ("VA", 3),
    "VAh": ("VAh", 0), "kVAh": ("VAh", 3), "J": ("J", 0), "MJ": ("J", 6), "GJ": ("J", 9), "V": ("V", 0), "A": ("A", 0),
    "Hz": ("Hz", 0), "m3": ("m3", 0), "m³": ("m3", 0), "m3/h": ("m3/h", 0), "l/h": ("m3/h", -3), "l": ("m3", -3),
    "h": ("h", 0), "s": ("s", 0), "C": ("degC", 0), "°C": ("degC", 0), "K": ("K", 0),
}  # fmt: skip
# Some meters print kVArh, kwh or KWH. An m alone may be a thousandth or a million.
UNITS_ANYHOW = {unit.lower(): known for unit, known in UNITS.items() if unit[0] not in "MCK°"} | {"MWH": UNITS["MWh"]}


# Units that old P1 telegrams put in brackets of their own: (..)(0-1:24.2.1)(m3)(00001.001).
ALONE = ("m3", "GJ", "MJ", "kWh", "Wh")


class DataSet(msgspec.Struct, frozen=True):
    """One line: `code` as printed, its `values` in brackets."""

    code: str
    values: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, str, str]:
        """Channel A-B ("" where not printed), C.D.E without a trailing .0 of its own, history F ("" for now)."""
        found = CODE.fullmatch(self.code)
        if found is None:
            return "", self.code, ""
        history = found[3] or ""
        return found[1] or "", found[2], "" if history == "255" else history


class Amount(msgspec.Struct, frozen=True):
    """A number as printed: value * 10**scale unit, with every digit."""

    value: int
    scale: int
    unit: str


def data_sets(text: str) -> list[DataSet]:
    """All data sets, in order; brackets without a code belong to the one before."""
    found: list[DataSet] = []
    for code, value in DATA_SET.findall(text):
        if code:
            found.append(DataSet(code, (value,)))
        elif found:
            found[-1] = DataSet(found[-1].code, (*found[-1].values, value))
    return found


def told(values: tuple[str, ...]) -> str:
    """Which of several brackets is the value: a demand stands before its moment, 1.6.1(00.345*kW)(0501291200), a meter
    behind P1 after it, 0-1:24.2.1(230101120000W)(00012.345*m3). The one with a unit is it, else the one with a point.
    """
    if len(values) > 1 and values[-2] in ALONE and "*" not in values[-1]:
        return f"{values[-1]}*{values[-2]}"
    for mark in ("*", "."):
        found = [one for one in values if mark in one and NUMBER.fullmatch(one)]
        if found:
            return found[-1]
    return values[-1]


def amount(value: str) -> Amount | None:
    """A printed number with its unit; None where it is none."""
    found = NUMBER.fullmatch(value)
    if found is None:
        return None
    sign, whole, behind, unit = found[1], found[2], found[3] or "", found[4] or ""
    name, power = UNITS.get(unit) or UNITS_ANYHOW.get(unit) or UNITS_ANYHOW.get(unit.lower(), (unit, 0))
    number = int(whole + behind)
    return Amount(-number if sign == "-" else number, power - len(behind), name)


def moment(value: str) -> str:
    """YYMMDDhhmmss with S (summer) or W (winter time) as ISO 8601, Central European; "" where it is none."""
    found = MOMENT.fullmatch(value)
    if found is None:
        return ""
    year, month, day, hour, minute, second, season = found.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31 and int(hour) < 24 and int(minute) < 60 and int(second) < 60):
        return ""
    zone = {"S": "+02:00", "W": "+01:00", "": ""}[season]
    return f"20{year}-{month}-{day}T{hour}:{minute}:{second}{zone}"


def seconds_of(value: str) -> int | None:
    """The same moment as seconds of some calendar: for a grid of minutes, not for differences over months."""
    found = MOMENT.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    return ((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second


def plain_number(value: str) -> str:
    """A meter's number; P1 prints it as the hexadecimal codes of its letters."""
    if len(value) >= 8 and len(value) % 2 == 0 and re.fullmatch("(3[0-9]|4[0-9A-Fa-f]|5[0-9Aa]|2[0dD])+", value):
        return bytes.fromhex(value).decode("ascii").strip()
    return value.strip()


def bcc(data: bytes) -> int:
    """XOR of all bytes."""
    return reduce(lambda one, other: one ^ other, data, 0)


class Command(msgspec.Struct, frozen=True):
    """A message of the programming mode: `name` P0, P1, W1, R1, B0 ..; `data` between STX and ETX."""

    name: str
    data: str


def command(name: str, data: str = "") -> bytes:
    """SOH name STX data ETX BCC; without data (B0) neither STX."""
    body = name.encode("ascii") + (b"\x02" + data.encode("ascii") if data else b"") + b"\x03"
    return b"\x01" + body + bytes((bcc(body),))


def read_command(message: bytes) -> Command:
    """The same backwards. Raises ValueError: `bcc` or `frame`."""
    if len(message) < 5 or message[0] != 1 or message[-2] != 3:
        raise ValueError("frame")
    if bcc(message[1:-1]) != message[-1]:
        raise ValueError("bcc")
    name, _, data = message[1:-2].partition(b"\x02")
    return Command(name.decode("ascii", "replace"), data.decode("ascii", "replace"))
