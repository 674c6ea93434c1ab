"""Numbers and times out of JSON, exact: what was printed is what is kept. PURE.

The surprise is `true`: to Python it is a 1. And a float that a firmware computed prints sixteen digits of which it
meant two: more than six behind the point are rounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DECIMALS = 6
LARGEST = 2**53 - 1
DIGITS = 15
# Digits of other scripts and 1_000 are numbers to Python and to nobody else.
PLAIN = re.compile(r"\s*[-+]?[0-9]*\.?[0-9]*([eE][-+]?[0-9]{1,3})?\s*\Z", re.ASCII)
# Unit as written -> what it is counted in here, and the power of ten between them.
UNITS = {
    "Wh": ("Wh", 0), "kWh": ("Wh", 3), "MWh": ("Wh", 6), "W": ("W", 0), "kW": ("W", 3), "VA": ("VA", 0),
    "var": ("var", 0),
    "V": ("V", 0), "mV": ("V", -3), "A": ("A", 0), "mA": ("A", -3), "Hz": ("Hz", 0), "": ("1", 0), "1": ("1", 0),
    "m³": ("m3", 0), "m3": ("m3", 0), "L": ("m3", -3), "l": ("m3", -3), "°C": ("degC", 0), "%": ("%", 0),
    "GWh": ("Wh", 9), "mWh": ("Wh", -3), "MW": ("W", 6), "mW": ("W", -3), "kVA": ("VA", 3), "kvar": ("var", 3),
    "J": ("J", 0), "kJ": ("J", 3), "MJ": ("J", 6), "GJ": ("J", 9),
    "kvarh": ("varh", 3), "varh": ("varh", 0), "ppm": ("ppm", 0), "µg/m³": ("ug/m3", 0), "ug/m3": ("ug/m3", 0),
}  # fmt: skip
# However kWh, Wh and kW are written. An M is a thousandth to one and a million to another: as it stands above or not.
UNITS_ANYHOW = {"kwh": ("Wh", 3), "wh": ("Wh", 0), "kw": ("W", 3), "w": ("W", 0), "v": ("V", 0), "a": ("A", 0)}
_json: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)


class Number(msgspec.Struct, frozen=True):
    """One value: value * 10**scale unit."""

    value: int
    scale: int
    unit: str


def parse(payload: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The JSON in a payload, its fractions as Decimal; None where it is none."""
    try:
        return _json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation):
        return None


def number(found: object, unit: str) -> Number | None:
    """A JSON number or a plain one in text, in this unit; None for anything else: nan, null, true, a word."""
    if isinstance(found, bool) or not isinstance(found, int | Decimal | str):
        return None
    try:
        exact = Decimal(found if not isinstance(found, str) else found.strip() if PLAIN.match(found) else "NaN")
    except InvalidOperation:
        return None
    # The power of ten first: arithmetic with 1e9999999 does not end in a number but in an error.
    if not exact.is_finite() or exact.adjusted() > DIGITS or abs(exact) > LARGEST:
        return None
    exponent = exact.as_tuple().exponent
    if not isinstance(exponent, int):
        return None
    scale = min(max(exponent, -DECIMALS), 0)
    value = int(exact.scaleb(-scale).to_integral_value()) if -scale <= 28 else 0
    name, power = UNITS.get(unit) or UNITS_ANYHOW.get(unit.lower(), (unit[:16], 0))
    return Number(value, scale + power, name) if abs(value) <= LARGEST else None


def total(numbers: list[Number | None]) -> Number | None:
    """Their sum, exact; None where one is missing or there is none."""
    found = [one for one in numbers if one is not None]
    if not found or len(found) < len(numbers) or len({one.unit for one in found}) > 1:
        return None
    scale = min(one.scale for one in found)
    return Number(sum(one.value * int(10 ** (one.scale - scale)) for one in found), scale, found[0].unit)


def inside(tree: object, path: str) -> object:
    """What stands at `a.b.0.c`; None where nothing does."""
    for name in path.split("."):
        if isinstance(tree, Mapping):
            tree = tree.get(name)
        elif isinstance(tree, list) and name.isdigit() and int(name) < len(tree):
            tree = tree[int(name)]
        else:
            return None
    return tree


def moment(found: object) -> int | None:
    """ISO 8601 with a zone, or seconds or milliseconds since 1970, as ms UTC; None: not believable, or no zone."""
    if isinstance(found, str):
        try:
            at = datetime.fromisoformat(found)
        except ValueError:
            return None
        return (at - EPOCH) // timedelta(milliseconds=1) if at.tzinfo else None
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        return None
    exact = Decimal(found)
    if not exact.is_finite() or not 10**9 <= exact < 10**13:
        return None
    return int(exact * 1000) if exact < 10**11 else int(exact)
