"""What a DL/T 645-2007 meter can be asked for: data identifier (DI) -> bytes, decimals, unit, sign.

The surprise is the sign: only where a value can be negative is the top bit one. An import register that stands at
900,000 kWh has the same bit set, and it is a digit. Source: DL/T 645-2007 annex A; devices.md 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.drivers.bcd import NoDecimalError, decimal, signed_decimal


class Value(msgspec.Struct, frozen=True):
    """One number in an answer: its name, bytes, and what it counts (digits * 10**scale unit)."""

    name: str
    width: int
    scale: int
    unit: str
    signed: bool = False


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one DI brings: these values in this order, of a block as many as the meter has.

    `skip`: bytes before the first; `rest`: more may follow the last, such as the time of a demand.
    """

    di: int
    values: tuple[Value, ...]
    skip: int = 0
    rest: bool = False


class OwnItem(BaseModel):
    """A data identifier of your own meter that is not in the list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    di: str = Field(pattern=r"^[0-9A-Fa-f]{8}$", description="data identifier as printed, DI3 first: 00010000")
    bytes: int = Field(ge=1, le=8, description="bytes of the value")
    scale: int = Field(ge=-8, le=8, description="the digits count 10**scale of the unit")
    unit: str = Field(min_length=1, max_length=16, description="Wh, V, A, W ...")
    signed: bool = Field(default=False, description="the top bit is the sign")
    skip: int = Field(default=0, ge=0, le=200, description="bytes before it: the other values of a block")
    rest: bool = Field(default=False, description="more follows it, such as the time of a demand")


def _energy(name: str, *, signed: bool = False) -> Value:
    return Value(name, 4, 1, "Wh", signed)


TARIFFS = 63
ENERGIES = {"combined": (0x0000_0000, True), "import": (0x0001_0000, False), "export": (0x0002_0000, False)}
PHASES = ("l1", "l2", "l3")


def _items() -> dict[str, Item]:
    """Name of the register -> item. A name that ends in `_all` is a block."""
    found: dict[str, Item] = {}
    for kind, (base, signed) in ENERGIES.items():
        total = _energy(f"{kind}_wh", signed=signed)
        found[total.name] = Item(base, (total,))
        tariffs = tuple(_energy(f"{kind}_t{n}_wh", signed=signed) for n in range(1, TARIFFS + 1))
        for number, tariff in enumerate(tariffs[:8], 1):
            found[tariff.name] = Item(base | number << 8, (tariff,))
        found[f"{kind}_wh_all"] = Item(base | 0xFF00, (total, *tariffs))
        for back in range(1, 13):
            settled = _energy(f"{kind}_wh_settled_{back}", signed=signed)
            found[settled.name] = Item(base | back, (settled,))
    by_phase = (
        ("voltage", 0x0201_0000, 2, -1, "V", False),
        ("current", 0x0202_0000, 3, -3, "A", True),
    )  # fmt: skip
    for name, base, width, scale, unit, signed in by_phase:
        one = tuple(Value(f"{name}_{phase}", width, scale, unit, signed) for phase in PHASES)
        found |= {value.name: Item(base | number << 8, (value,)) for number, value in enumerate(one, 1)}
        found[f"{name}_all"] = Item(base | 0xFF00, one)
    with_total = (
        ("power", 0x0203_0000, 3, -1, "W"),
        ("reactive_power", 0x0204_0000, 3, -1, "var"),
        ("apparent_power", 0x0205_0000, 3, -1, "VA"),
        ("power_factor", 0x0206_0000, 2, -3, "1"),
    )
    for name, base, width, scale, unit in with_total:
        four = tuple(Value(f"{name}{which}", width, scale, unit, signed=True) for which in ("", "_l1", "_l2", "_l3"))
        found |= {value.name: Item(base | number << 8, (value,)) for number, value in enumerate(four)}
        found[f"{name}_all"] = Item(base | 0xFF00, four)
    single = (
        (0x0280_0002, Value("frequency", 2, -2, "Hz")),
        (0x0280_0007, Value("temperature", 2, -1, "degC", signed=True)),
        (0x0090_0100, Value("credit_wh", 4, 1, "Wh")),
        (0x0090_0101, Value("overdraft_wh", 4, 1, "Wh")),
        (0x0090_0200, Value("credit_money", 4, -2, "CNY")),
        (0x0090_0201, Value("overdraft_money", 4, -2, "CNY")),
    )  # fmt: skip
    return found | {value.name: Item(di, (value,)) for di, value in single}


ITEMS: Mapping[str, Item] = _items()

ADDRESS, METER_NUMBER = 0x0400_0401, 0x0400_0402
DATE, TIME = 0x0400_0101, 0x0400_0102
STATUS_3 = 0x0400_0503
FACTS: Mapping[str, int] = {
    "date": DATE, "time": TIME, "address": ADDRESS, "meter_number": METER_NUMBER,
    **{f"status_word_{n}": 0x0400_0500 | n for n in range(1, 8)},
}  # fmt: skip

Supply = Literal["mains", "auxiliary", "battery"]


class Status3(msgspec.Struct, frozen=True):
    """Running status word 3. `relay_open` is the contact, `command_open` what the meter was told."""

    word: int

    @property
    def relay_open(self) -> bool:
        """Bit 4."""
        return bool(self.word & 0x10)

    @property
    def command_open(self) -> bool:
        """Bit 6."""
        return bool(self.word & 0x40)

    @property
    def alarm(self) -> bool:
        """Bit 7: the meter warns before it trips."""
        return bool(self.word & 0x80)


def own_item(name: str, own: OwnItem) -> Item:
    """A meter's own register as an item."""
    value = Value(name, own.bytes, own.scale, own.unit, own.signed)
    return Item(int(own.di, 16), (value,), own.skip, own.rest)


def numbers(item: Item, data: bytes) -> list[tuple[Value, int]]:
    """The values in an answer's data (33H taken off, DI taken off), exact.

    What a meter does not have is filled with FF and left out of a block. Raises NoDecimalError for damaged digits and
    ValueError for a length that does not fit.
    """
    found: list[tuple[Value, int]] = []
    at = item.skip
    for value in item.values:
        if at == len(data) and found:
            return found
        piece = data[at : at + value.width]
        at += value.width
        if len(piece) < value.width:
            raise ValueError(f"{len(data)} bytes do not hold {value.name}")
        if piece != b"\xff" * value.width:
            found.append((value, signed_decimal(piece) if value.signed else decimal(piece)))
        elif len(item.values) == 1:
            raise NoDecimalError(piece)
    if at != len(data) and not item.rest:
        raise ValueError(f"{len(data)} bytes are more than {item.values[-1].name} ends with")
    return found


def fact(di: int, data: bytes) -> str:
    """Date, time, numbers and status words as text. Raises NoDecimalError or ValueError."""
    if di == DATE:
        if len(data) != 4:
            raise ValueError(f"{len(data)} bytes are no date")
        day, month, year = (decimal(data[at : at + 1]) for at in (1, 2, 3))
        return f"20{year:02d}-{month:02d}-{day:02d}"
    if di == TIME:
        if len(data) != 3:
            raise ValueError(f"{len(data)} bytes are no time")
        second, minute, hour = (decimal(data[at : at + 1]) for at in (0, 1, 2))
        return f"{hour:02d}:{minute:02d}:{second:02d}"
    if di in (ADDRESS, METER_NUMBER):
        decimal(data)
        return data[::-1].hex()
    return data[::-1].hex().upper()


def wraps(value: Value) -> str:
    """The kWh at which a cumulative register starts again at 0: when its digits are used up; "" for anything else."""
    if value.unit != "Wh" or value.signed:
        return ""
    return f"{Decimal(100**value.width).scaleb(value.scale - 3).normalize():f}"
