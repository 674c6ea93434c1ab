"""Meters on Modbus RTU, one TOML profile a model: `addr fc count data.. CRClo CRChi`.

The surprise: a late answer of the slave asked before is a perfectly valid frame. So a frame counts only if address,
function and byte count all fit the question, and the byte count alone is never trusted. Floats of the meter are turned
into scaled integers by integer arithmetic; no Python float ever holds a register. Before anything is recorded the meter
tells its own number (another number is another meter) and plausible volts and hertz (a wrong word order shows at once).
Source: Modbus over serial line V1.02; devices.md 1.1 and 1.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.block_reads import Limits
from gateway.device_events import Counters, DeviceFault, Event, Identified, Measured, Request, Scalar, Want

WIDTHS = {"float32": 2, "uint32": 2, "int32": 2, "uint16": 1, "int16": 1}
EXCEPTION = 0x80
EXCEPTIONS = {1: "illegal_function", 2: "illegal_address", 3: "illegal_value", 4: "device_failure", 6: "busy"}
UNKNOWN = (1, 2, 3)


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the meter keeps its own number."""

    address: int
    table: Literal[3, 4]
    type: Literal["uint32", "uint16"]


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value of the map. Floats are kept with `decimals` digits after the point; `value * 10**scale unit`."""

    name: str
    address: int
    type: Literal["float32", "uint32", "int32", "uint16", "int16"]
    unit: str
    scale: int
    decimals: int = 0
    energy: bool = False
    check: tuple[int, int] | None = None


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model's register map, from a TOML file in `profiles/`."""

    model: str
    order: Literal["ABCD", "CDAB"]
    table: Literal[3, 4]
    most: int = 125
    identity: Identity | None = None
    register: tuple[Register, ...]


class MeterSettings(BaseModel):
    """Which meter, and what to read from it how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: int = Field(default=1, ge=1, le=247, description="Modbus address of the meter")
    profile: str = Field(default="sdm630", pattern=r"^[a-z0-9_]+$", description="register map in drivers/profiles")
    every: float = Field(default=900, gt=0, description="seconds between readings, on a fixed grid")
    registers: dict[str, float] = Field(
        default={"import_wh": 0}, description="registers to record; seconds between readings, 0 = `every`"
    )
    energy_in: Literal["kWh", "MWh"] = Field(default="kWh", description="unit the meter is set up to count energy in")
    delay: float = Field(default=0.2, gt=0, le=5, description="longest time the meter takes before it answers, seconds")


class ModbusMeter:
    """One meter. Readings become Measured; a value that cannot be true becomes a DeviceFault, told once."""

    kind: ClassVar[str] = "modbus_meter"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "modbus"
    Settings: ClassVar[type[BaseModel]] = MeterSettings

    def __init__(self, settings: MeterSettings, profile: Profile) -> None:
        self.settings = settings
        self.profile = profile
        self.counters = Counters()
        self.answered = True
        known = {register.name: register for register in profile.register}
        unknown = sorted(set(settings.registers) - set(known))
        if unknown:
            raise ValueError(f"registers {unknown}: profile {profile.model} has {sorted(known)}")
        self.wants = tuple(self._want(known[name], each or settings.every) for name, each in settings.registers.items())
        self.limits = Limits(profile.most)
        meaning = [msgspec.to_builtins(profile), settings.energy_in]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).hexdigest()
        self._known = known
        self._number = ""
        self._faults: set[str] = set()
        self._asked: tuple[Want, ...] = ()
        self._first = self._count = 0
        self._sent = b""
        self._tail = bytearray()
        self._received = 0
        self._to_check = self._checks()

    def pending(self) -> Request | None:
        """Who are you; then the plausibility registers; then nothing."""
        return self.request(self._to_check[:1]) if self._to_check else None

    def request(self, wants: Sequence[Want]) -> Request:
        """One read from the first to the last of these neighbours."""
        self._asked = tuple(wants)
        first = min(want.address for want in wants)
        count = max(want.address + want.width for want in wants) - first
        table = wants[0].table
        body = bytes((self.settings.unit, table)) + first.to_bytes(2, "big") + count.to_bytes(2, "big")
        self._sent = body + crc(body)
        self._first, self._count = first, count
        self._tail.clear()
        self._received = 0
        self.answered = False
        return Request(self._sent, 5 + 2 * count, self.settings.delay, usual=5 + 2 * count)

    def feed(self, data: bytes, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """A frame is known by its end, so noise before it and the pieces it comes in do not matter."""
        events: list[Event] = []
        for byte in data:
            if self.answered:
                self.counters.noise_bytes += 1
                continue
            self._tail.append(byte)
            self._received += 1
            del self._tail[: -max(5 + 2 * self._count, len(self._sent))]
            events += self._look()
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer: whatever came was noise."""
        self.answered = True
        self.counters.noise_bytes += self._received
        return []

    def restarted(self) -> None:
        """The meter may be another one now: ask for its number and look at its volts again."""
        self._to_check = self._checks()

    def _checks(self) -> tuple[Want, ...]:
        identity = self.profile.identity
        width = WIDTHS[identity.type] if identity else 0
        own = (Want("identity", 0, identity.table, identity.address, width),) if identity else ()
        return own + tuple(self._want(register, 0) for register in self.profile.register if register.check)

    def _want(self, register: Register, every: float) -> Want:
        return Want(register.name, every, self.profile.table, register.address, WIDTHS[register.type])

    def _look(self) -> list[Event]:
        tail = self._tail
        if tail.endswith(self._sent):
            self.counters.echoes += 1
            self._received -= len(self._sent)
            tail.clear()
            return []
        unit, table, length = self._sent[0], self._sent[1], 5 + 2 * self._count
        if len(tail) >= 5 and tail[-5] == unit and tail[-4] == table | EXCEPTION and crc(tail[-5:-2]) == tail[-2:]:
            self._finish(5)
            self.counters.exceptions += 1
            code: int = tail[-3]
            if self._asked[0].name == "identity" and code in UNKNOWN:
                self._to_check = self._to_check[1:]  # a model without a number of its own can still be read
            meaning = EXCEPTIONS.get(code, "unknown")
            said: dict[str, Scalar] = {"code": code, "meaning": meaning, "asked": self._asked[0].name}
            return self._fault("exception", said, bytes(tail[-5:]))
        if len(tail) < length or tail[-length] != unit or tail[1 - length] != table or tail[2 - length] != length - 5:
            return []
        frame = bytes(tail[-length:])
        if crc(frame[:-2]) != frame[-2:]:
            return []
        self._finish(length)
        self._faults.discard("exception")
        return self._values(frame)

    def _finish(self, length: int) -> None:
        self.counters.frames += 1
        self.counters.noise_bytes += self._received - length
        self.answered = True

    def _values(self, frame: bytes) -> list[Event]:
        events: list[Event] = []
        for want in self._asked:
            at = 3 + 2 * (want.address - self._first)
            data = frame[at : at + 2 * want.width]
            events += self._identified(data, frame) if want.name == "identity" else self._value(want, data, frame)
        return events

    def _identified(self, data: bytes, frame: bytes) -> list[Event]:
        number = str(int.from_bytes(self._ordered(data), "big"))
        self._to_check = self._to_check[1:]
        known, self._number = self._number, number
        if known == number:
            return []
        told: list[Event] = [Identified(number, frame)]
        if known:
            told.append(DeviceFault("replaced", data={"was": known, "is": number}, raw=frame))
        return told

    def _value(self, want: Want, data: bytes, frame: bytes) -> list[Event]:
        register = self._known[want.name]
        value = self._decode(register, self._ordered(data))
        if not want.every and register.check:
            low, high = register.check
            if value is None or not low <= value <= high:
                self.counters.refused += 1
                return self._fault("implausible", {"register": register.name, "hex": data.hex(), "low": low}, frame)
            self._to_check = self._to_check[1:]
            self._faults.discard(f"implausible {register.name}")
            return []
        if value is None or (register.energy and value < 0):
            self.counters.refused += 1
            return self._fault("value_refused", {"register": register.name, "hex": data.hex()}, frame)
        self._faults.discard(f"value_refused {register.name}")
        return [Measured(register.name, value, register.scale, register.unit, frame)]

    def _fault(self, event: str, data: dict[str, Scalar], frame: bytes) -> list[Event]:
        """Told once until it is over: a meter that is wrong is wrong at every reading."""
        name = f"{event} {data['register']}" if "register" in data else event
        if name in self._faults:
            return []
        self._faults.add(name)
        return [DeviceFault(event, data=data, raw=frame)]

    def _ordered(self, data: bytes) -> bytes:
        return data[2:] + data[:2] if len(data) == 4 and self.profile.order == "CDAB" else data

    def _decode(self, register: Register, data: bytes) -> int | None:
        decimals = register.decimals + (3 if register.energy and self.settings.energy_in == "MWh" else 0)
        if register.type == "float32":
            return scaled(int.from_bytes(data, "big"), decimals)
        value = int.from_bytes(data, "big", signed=register.type.startswith("int"))
        return value * power_of_ten(decimals)


def scaled(bits: int, decimals: int) -> int | None:
    """The float32 with these bits times 10**decimals, to the nearest integer, ties to even; None for NaN, infinity."""
    exponent = bits >> 23 & 0xFF
    if exponent == 0xFF:
        return None
    fraction = bits & 0x7FFFFF
    mantissa = fraction | 0x800000 if exponent else fraction
    shift = max(exponent, 1) - 150
    number = mantissa * power_of_ten(decimals)
    if shift >= 0:
        whole = number << shift
    else:
        whole, rest = number >> -shift, number & ((1 << -shift) - 1)
        half = 1 << (-shift - 1)
        whole += rest > half or (rest == half and whole & 1)
    return -whole if bits >> 31 else whole


def power_of_ten(decimals: int) -> int:
    """10**decimals, typed: the exponent is never negative here."""
    return int(10**decimals)


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_CRC = _table()


def crc(data: bytes | bytearray) -> bytes:
    """CRC-16/MODBUS (A001 reflected, start FFFF), low byte first as it travels."""
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")
