"""What a CJ/T 188 meter answers: fields of decimals, each with its unit before or behind it. PURE.

    unit last    E E E E u  E E E E u  P P P P u  F F F F u  V V V V u  ts ts ts  tr tr tr  h h h  time(7)  status(2)
    unit first   u E E E E  u E E E E  ...                    the same without a word of warning
    water, gas   V V V V u  V V V V u  time(7)  status(2)

The surprise: the wrong choice gives a number that looks like one, 256 times off. So the layout is decided by all unit
places of the answer together, never by one, and where a value reads like a unit by the digits that are left. What a
meter does not have is filled with FF: that is no value, and spoils none of the others.
Source: CJ/T 188-2004 section 7 and table 13 (CJ/T 188-2018 table 20 has the same codes); devices.md 2.3.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.drivers.bcd import NoDecimalError, decimal, signed_decimal

Layout = Literal["auto", "first", "last"]

# Unit byte -> what it measures, 10**scale of two decimals, unit. Every power of ten between Wh and 100 GWh, kJ and
# 100,000 GJ, W and 100 MW; of water only what its meters send, or the two layouts could be taken for each other.
UNITS = {
    0x01: ("energy", -2, "J"),
    **{0x02 + step: ("energy", step - 2, "Wh") for step in range(9)},
    **{0x0B + step: ("energy", step + 1, "J") for step in range(9)},
    **{0x14 + step: ("power", step - 2, "W") for step in range(9)},
    0x29: ("volume", -5, "m3"), 0x2C: ("volume", -2, "m3"), 0x32: ("flow", -5, "m3/h"), 0x35: ("flow", -2, "m3/h"),
}  # fmt: skip
HEAT: tuple[str, ...] = ("energy", "energy", "power", "flow", "volume")
WATER: tuple[str, ...] = ("volume", "volume")
HEAT_LENGTH, WATER_LENGTH = 43, 19
UNSET = b"\xff" * 4


class RefusedFieldError(ValueError):
    """An answer that must not become a reading; `why` in a word: length, layout, bcd."""

    def __init__(self, why: str, data: bytes) -> None:
        super().__init__(f"{why}: {data.hex(' ')}")
        self.why = why


class Number(msgspec.Struct, frozen=True):
    """One value: digits * 10**scale unit."""

    value: int
    scale: int
    unit: str


class Answer(msgspec.Struct, frozen=True):
    """All of one answer; None where the meter has no value. `time`: its own, no zone, "" where it is none. `status` in
    the order of the line.
    """

    layout: str
    fields: tuple[Number | None, ...]
    temperatures: tuple[Number | None, ...]
    hours: Number | None
    time: str
    status: bytes


def read(data: bytes, layout: Layout, flow_decimals: int, *, swapped: bool) -> Answer:
    """The data behind SER. `swapped`: DI came as 90 1F, which is how those with the unit first send it.

    Raises RefusedFieldError.
    """
    kinds = {HEAT_LENGTH: HEAT, WATER_LENGTH: WATER}.get(len(data))
    if kinds is None:
        raise RefusedFieldError("length", data)
    chosen = _layout(data, kinds, layout, swapped=swapped)
    at = 5 * len(kinds)
    try:
        fields = tuple(_field(data[5 * n : 5 * n + 5], chosen, flow_decimals) for n in range(len(kinds)))
        temperatures: tuple[Number | None, ...] = ()
        hours = None
        if kinds is HEAT:
            pieces = [data[n : n + 3] for n in (at, at + 3, at + 6)]
            temperatures = tuple(
                None if piece == UNSET[:3] else Number(signed_decimal(piece), -2, "degC") for piece in pieces[:2]
            )
            hours = None if pieces[2] == UNSET[:3] else Number(decimal(pieces[2]), 0, "h")
            at += 9
    except NoDecimalError as error:
        raise RefusedFieldError("bcd", error.data) from error
    return Answer(chosen, fields, temperatures, hours, _time(data[at : at + 7]), data[at + 7 : at + 9])


def _layout(data: bytes, kinds: tuple[str, ...], layout: Layout, *, swapped: bool) -> str:
    fitting = {name for name, place in (("first", 0), ("last", 4)) if _fits(data, kinds, place)}
    if layout != "auto":
        fitting &= {layout}
    if not fitting:
        raise RefusedFieldError("layout", data)
    fitting = {one for one in fitting if _has_digits(data, kinds, one)} or fitting
    # Water meters send 90 1F with the unit behind all the same.
    return fitting.pop() if len(fitting) == 1 else "first" if swapped and kinds is HEAT else "last"


def _fits(data: bytes, kinds: tuple[str, ...], place: int) -> bool:
    units = [UNITS.get(data[5 * number + place]) for number in range(len(kinds))]
    return all(unit is not None and unit[0] == kind for unit, kind in zip(units, kinds, strict=True))


def _has_digits(data: bytes, kinds: tuple[str, ...], layout: str) -> bool:
    try:
        for number in range(len(kinds)):
            _field(data[5 * number : 5 * number + 5], layout, 4)
    except NoDecimalError:
        return False
    return True


def _field(data: bytes, layout: str, flow_decimals: int) -> Number | None:
    unit, digits = (data[0], data[1:]) if layout == "first" else (data[4], data[:4])
    kind, scale, name = UNITS[unit]
    if digits == UNSET:
        return None
    return Number(decimal(digits), scale + 2 - flow_decimals if kind == "flow" else scale, name)


def _time(data: bytes) -> str:
    """YYYY-MM-DDThh:mm:ss; a clock that was never set sends no decimals, and that spoils no reading."""
    try:
        second, minute, hour, day, month = (decimal(data[at : at + 1]) for at in range(5))
        year = decimal(data[5:7])
    except NoDecimalError:
        return ""
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
