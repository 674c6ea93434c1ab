"""A meter as data: the register map of one model, and what a register's bytes are worth. PURE.

A profile is one TOML file; `docs/protocols/add-a-meter.md` shows how to write one. The surprise is that it proves
itself: every `[[example]]` in it (bytes of a manual or a capture, what they mean) is worked out when it is read, and a
profile whose examples do not come out is refused. Floats of the meter become scaled integers by integer
arithmetic; no Python float ever holds a register.
Source: devices.md 1.2 (types and word orders met in the field); IEEE 754-2008 for the floats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

from gateway.block_reads import Limits

Type = Literal["uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "bcd32"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
WIDTHS = {
    "uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "uint64": 4, "int64": 4, "float32": 2, "float64": 4, "bcd32": 2,
}  # fmt: skip
FLOATS = {"float32": (8, 23), "float64": (11, 52)}
NAME = re.compile(r"[a-z][a-z0-9_]*")


class ProfileError(ValueError):
    """A profile cannot be used; the sentence says which one, where, and what to do."""


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the meter keeps its own number: an integer, or `text` of `count` registers."""

    address: int
    table: Literal[3, 4]
    type: Literal["uint16", "uint32", "uint64", "bcd32", "text"]
    count: int = 0

    @property
    def width(self) -> int:
        """Registers."""
        return self.count if self.type == "text" else WIDTHS[self.type]


class Ratio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the meter keeps the ratio of its current or voltage transformer: `register * 10**scale`."""

    address: int
    table: Literal[3, 4]
    type: Literal["uint16", "uint32"] = "uint16"
    scale: int = 0


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One value of the map, `value * 10**scale unit`; what travels times `10**decimals` is the value.

    `energy`: a cumulative register; it never falls but for `wraps`, the value at which it starts again at 0. `ratio`:
    the meter measures behind transformers and the reader multiplies. `air`: a sample, summed up over windows.
    `check`: asked at every start, and nothing is read while it lies outside. `range`: outside, a value is marked.
    `none`: raw values by which the meter says that it has none.
    """

    name: str
    address: int
    type: Type
    unit: str
    scale: int = 0
    decimals: int = 0
    table: Literal[3, 4] | None = None
    order: Order | None = None
    energy: bool = False
    air: bool = False
    wraps: int = 0
    ratio: Literal["", "ct", "pt", "ct*pt"] = ""
    check: tuple[int, int] | None = None
    range: tuple[int, int] | None = None
    none: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Registers."""
        return WIDTHS[self.type]


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes of a manual or a capture (hex, from register `first`), and what they mean: name -> "230.2 V"."""

    first: int
    data: str
    gives: dict[str, str]
    table: Literal[3, 4] | None = None
    source: str = ""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model's register map. `table`: 3 holding, 4 input registers; `order` of the bytes of a value of 32 bits.

    `most` registers a read; `gap` unwanted ones that may be read through; `holes` (table, first, last) that no read may
    touch. `any` is the address the device answers when it is alone. `bills`: in words, what its kWh are
    worth on a bill.
    """

    model: str
    order: Order
    table: Literal[3, 4]
    register: tuple[Register, ...]
    line: tuple[str, ...] = ("9600 8N1",)
    most: int = 125
    gap: int = 125
    holes: tuple[tuple[int, int, int], ...] = ()
    any: int = 0
    warm_up: int = 0
    bills: str = ""
    identity: Identity | None = None
    ct: Ratio | None = None
    pt: Ratio | None = None
    example: tuple[Example, ...] = ()

    @property
    def limits(self) -> Limits:
        """What one read may touch."""
        return Limits(self.most, self.gap, self.holes)

    def table_of(self, register: Register) -> int:
        """The function that reads it."""
        return register.table or self.table

    def raw(self, register: Register, data: bytes) -> int | None:
        """The register as a scaled integer; None where the bytes are no number (NaN, infinity, no BCD, `none`)."""
        return decoded(register.type, ordered(data, register.order or self.order), register.decimals, register.none)


def read_profile(document: Mapping[str, Any], name: str) -> Profile:
    """The profile in a TOML document. Raises ProfileError."""
    try:
        profile = msgspec.convert(document, Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(f"meter profile {name!r}: {error}") from error
    for place, what in _mistakes(profile):
        raise ProfileError(f"meter profile {name!r}: {place}: {what}")
    return profile


def _mistakes(profile: Profile) -> Iterator[tuple[str, str]]:
    """What msgspec cannot see, in the order in which a person would look."""
    names = [register.name for register in profile.register]
    if not 1 <= profile.most <= 125:
        yield "most", "a read has 1 to 125 registers"
    for register in profile.register:
        place = f"register {register.name!r}"
        if not NAME.fullmatch(register.name) or names.count(register.name) > 1:
            yield place, "each name once, small letters, digits and _"
        if not 0 <= register.address <= 0x10000 - register.width:
            yield place, "addresses are 0 to 65535 as they travel (manuals that count from 40001 are one higher)"
        if register.width > profile.most:
            yield place, f"needs {register.width} registers and a read may have {profile.most}"
        if register.energy and register.unit not in ("Wh", "kWh", "MWh", "varh", "kvarh", "VAh", "kVAh"):
            yield place, "energy is in Wh, kWh, MWh, varh, kvarh, VAh or kVAh"
        if register.decimals and (register.decimals + register.scale) % 3:
            # Kilo to one is meant with 3; anything else would be ten or a hundred times too much, and look right.
            yield place, f"decimals = {register.decimals} makes smaller steps: say scale = {-register.decimals} as well"
        if register.check and register.check[0] > register.check[1]:
            yield place, "check is [lowest, highest], in the register's own steps"
    if profile.identity and not profile.identity.width:
        yield "identity", "a text has a count of registers"
    for number, example in enumerate(profile.example, 1):
        for what in _wrong(profile, example):
            yield f"example {number}", what


def _wrong(profile: Profile, example: Example) -> Iterator[str]:
    try:
        data = bytes.fromhex(example.data)
    except ValueError:
        yield 'data is hexadecimal, e.g. "43 66 33 34"'
        return
    known = {register.name: register for register in profile.register}
    for name, text in example.gives.items():
        register = known.get(name)
        at = 2 * (register.address - example.first) if register else 0
        if register is None or not 0 <= at <= len(data) - 2 * register.width:
            yield f"{name} is not among its registers"
            continue
        value = profile.raw(register, data[at : at + 2 * register.width])
        found = "nothing" if value is None else f"{worth(value, register.scale)} {register.unit}".strip()
        if not _same(found, text):
            yield f"{name} comes out as {found}, and it should be {text}"


def _same(found: str, wanted: str) -> bool:
    (one, _, unit), (other, _, other_unit) = found.partition(" "), wanted.partition(" ")
    try:
        return unit == other_unit and Decimal(one) == Decimal(other)
    except InvalidOperation:
        return found == wanted


def worth(value: int, scale: int) -> str:
    """`value * 10**scale` in plain digits."""
    return f"{Decimal(value).scaleb(scale):f}"


def ordered(data: bytes, order: Order) -> bytes:
    """The bytes of a value, highest first. CDAB, DCBA: the low register travels first; BADC, DCBA: the low byte."""
    if order == "ABCD":
        return data
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    return b"".join(word[::-1] if order in ("BADC", "DCBA") else word for word in words)


def decoded(kind: str, data: bytes, decimals: int = 0, none: tuple[int, ...] = ()) -> int | None:
    """Bytes (highest first) as an integer times 10**decimals; None where they are no number."""
    if kind in FLOATS:
        return scaled(int.from_bytes(data, "big"), decimals, *FLOATS[kind])
    if kind == "bcd32":
        digits = data.hex()
        return int(digits) * power_of_ten(decimals) if digits.isdecimal() else None
    value = int.from_bytes(data, "big", signed=kind.startswith("int"))
    return None if value in none else value * power_of_ten(decimals)


def scaled(bits: int, decimals: int, exponent_bits: int = 8, fraction_bits: int = 23) -> int | None:
    """The IEEE 754 float of these bits times 10**decimals, to the nearest integer, ties to even; None: not finite."""
    highest = (1 << exponent_bits) - 1
    exponent = bits >> fraction_bits & highest
    if exponent == highest:
        return None
    number = bits & (1 << fraction_bits) - 1
    if exponent:
        number |= 1 << fraction_bits
    number *= _TENS[decimals] if decimals < len(_TENS) else power_of_ten(decimals)
    drop = (highest >> 1) + fraction_bits - (exponent or 1)
    if drop <= 0:
        number <<= -drop
    else:
        # Just below half of the last place is added, and the rest of it where that place is odd.
        number = number + (1 << drop - 1) - 1 + (number >> drop & 1) >> drop
    return -number if bits >> exponent_bits + fraction_bits else number


def power_of_ten(decimals: int) -> int:
    """10**decimals, typed: the exponent is never negative here."""
    return int(10**decimals)


_TENS = tuple(power_of_ten(decimals) for decimals in range(19))
