"""Heat, cooling and water meters of CJ/T 188-2004: 2400 8E1 or M-Bus wires, decimals with units.

    [FE x 2..4] 68 T A0..A6 C L DI0 DI1 SER DATA CS 16      CS: sum from 68 up to CS, mod 256; nothing is added to data

The surprise: two layouts are in the field, unit behind the value or before it, and the first field is the energy at
settlement day on one make and the *cooling* on another. The layout is found out (cjt188_fields.py); what the first
field means must be set up, or cooling is billed as heat. A meter answers with its own T, whatever was asked.
Source: CJ/T 188-2004; devices.md 2.3; docs/protocols/cjt188.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import (
    CommandTaken,
    Counters,
    DeviceFault,
    Event,
    Identified,
    Measured,
    Request,
    Scalar,
    SwitchState,
    Want,
)
from gateway.drivers import cjt188_fields as fields

ANYBODY = "AA" * 7
READ, WRITE = 0x01, 0x04
DATA, VALVE = 0x901F, 0xA017
OPEN, CLOSE = 0x55, 0x99
LONGEST = 13 + 255
COOLING_METER = 0x21
REGISTERS = (
    "heating", "cooling", "settled", "power", "flow", "volume", "settled_volume", "supply_temperature",
    "return_temperature", "hours",
)  # fmt: skip


class Cjt188Settings(BaseModel):
    """Which meter, what it means by its fields, what to read how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(
        default=ANYBODY, pattern=r"^[0-9A-F]*$", min_length=14, max_length=14,
        description="14 digits on the meter's face (some makes: A to F too); all AA asks a meter alone on its line",
    )  # fmt: skip
    type: str = Field(default="20", pattern=r"^[0-9A-Fa-f]{2}$", description="T: 20 heat, 21 cooling, 10 water")
    every: float = Field(default=3600, gt=0, description="seconds between readings, on a fixed grid")
    registers: dict[str, float] = Field(
        default={"heating": 0, "cooling": 0}, description="registers to record; seconds between readings, 0 = `every`"
    )
    layout: fields.Layout = Field(default="auto", description="unit before (first) or behind (last) each value")
    first: Literal["settled", "cooling"] = Field(
        default="settled", description="what the first energy is: that of the settlement day, or cooling"
    )
    flow_decimals: Literal[2, 4] = Field(default=4, description="digits of the flow behind the point")
    di: Literal["901F", "1F90"] = Field(default="1F90", description="order in which the data identifier is sent")
    status: Literal["standard", "ignore"] = Field(
        default="standard", description="whether bits 0 to 2 of the first status byte are valve and battery"
    )
    wake: int = Field(default=4, ge=0, le=20, description="FE bytes before each request")
    delay: float = Field(default=1.0, gt=0, le=5, description="longest the meter thinks before it answers, seconds")


class Cjt188:
    """One meter; everything comes in one answer. What cannot be believed becomes a DeviceFault, told once."""

    kind: ClassVar[str] = "cjt188"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    shipped: ClassVar[tuple[str, ...]] = ("2400 8E1", "9600 8E1", "1200 8E1")
    Settings: ClassVar[type[BaseModel]] = Cjt188Settings
    most: ClassVar[int] = len(REGISTERS)

    def __init__(self, settings: Cjt188Settings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.answered = True
        unknown = sorted(set(settings.registers) - set(REGISTERS))
        if unknown:
            raise ValueError(f"registers {unknown}: CJ/T 188 has {sorted(REGISTERS)}")
        # Neighbours of one table, so that whatever is due together is one question.
        self.wants: Sequence[Want] = tuple(
            Want(name, each or settings.every, 1, REGISTERS.index(name), 1) for name, each in settings.registers.items()
        )
        meaning = ["cjt188", settings.layout, settings.first, settings.flow_decimals]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning)).hexdigest()
        self._address = settings.address
        self._number = ""
        self._faults: set[str] = set()
        self._tail = bytearray()
        self._received = 0
        self._asked: tuple[int, int, tuple[str, ...]] = (READ, DATA, ())
        self._ser = 0

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """Whoever is alone on its line; both orders of the identifier."""
        return [{"address": ANYBODY, "di": di} for di in ("1F90", "901F")]

    def reached(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings that reach the meter that has answered, and no other."""
        return {**settings, "address": self._number or settings["address"]}

    def pending(self) -> None:
        """Every answer says who it is from."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """One read brings everything."""
        return self._send(READ, DATA, b"", tuple(want.name for want in wants))

    def look(self) -> Request:
        """How the valve stands: the status of a read."""
        return self._send(READ, DATA, b"", ("valve",))

    def switch(self, *, on: bool, at: int) -> Request:  # noqa: ARG002 - a valve command is void at once
        """Opens or closes the valve."""
        return self._send(WRITE, VALVE, bytes((OPEN if on else CLOSE,)), ())

    def feed(self, data: bytes, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """Bytes in any pieces; what is not the answer to what was asked is noise."""
        events: list[Event] = []
        for byte in data:
            if self.answered:
                self.counters.noise_bytes += 1
                continue
            self._tail.append(byte)
            self._received += 1
            del self._tail[:-LONGEST]
            if byte == 0x16:
                events += self._look()
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer: whatever came was noise."""
        self.answered = True
        self.counters.noise_bytes += self._received
        return []

    def restarted(self) -> None:
        """The meter may be another one now."""
        self._address = self.settings.address

    def _send(self, control: int, di: int, data: bytes, names: tuple[str, ...]) -> Request:
        self._asked = (control, di, names)
        self._tail.clear()
        self._received = 0
        self.answered = False
        both = di.to_bytes(2, "big")
        body = bytes((0x68, int(self.settings.type, 16))) + bytes.fromhex(self._address)[::-1]
        body += bytes((control, 3 + len(data))) + (both if self.settings.di == "901F" else both[::-1])
        body += bytes((self._ser,)) + data
        self._ser = (self._ser + 1) % 256
        framed = body + bytes((sum(body) & 0xFF, 0x16))
        return Request(b"\xfe" * self.settings.wake + framed, 13 + 3 + 43 + 8, self.settings.delay)

    def _look(self) -> list[Event]:
        """The stretch from some 68 to this 16 whose length and sum fit."""
        spoilt = False
        for at in range(len(self._tail) - 12):
            if self._tail[at] != 0x68 or self._tail[at + 10] + 13 != len(self._tail) - at:
                continue
            raw = bytes(self._tail[at:])
            if sum(raw[:-2]) & 0xFF == raw[-2]:
                self._tail.clear()
                return self._frame(raw)
            spoilt = spoilt or bool(raw[9] & 0x80)
        if spoilt:
            self.counters.refuse("checksum")
        return []

    def _frame(self, raw: bytes) -> list[Event]:
        control, data = raw[9], raw[11:-2]
        asked, di, names = self._asked
        if not control & 0x80:
            self.counters.echoes += 1
            self._received -= len(raw)
            return []
        theirs = raw[2:9][::-1].hex().upper()
        pairs = zip(bytes.fromhex(self._address), raw[2:9][::-1], strict=True)
        if control & 0x3F != asked or not all(mine in (0xAA, his) for mine, his in pairs):
            return []
        refused = bool(control & 0x40)
        if not refused and int.from_bytes(data[:2], "big") not in (di, di >> 8 | (di & 0xFF) << 8):
            return []
        self.counters.frames += 1
        self.counters.noise_bytes += max(0, self._received - len(raw))
        self.answered = True
        if refused:
            return self._denied(data, raw)
        self._address = theirs
        events = self._identified(theirs, raw)
        if asked == WRITE:
            return [*events, CommandTaken(taken=True, raw=raw)]
        return events + self._read(data, names, raw)

    def _denied(self, data: bytes, raw: bytes) -> list[Event]:
        self.counters.exceptions += 1
        words = data.hex(" ")
        if self._asked[0] == WRITE:
            return [CommandTaken(taken=False, why=f"refused ({words})", raw=raw)]
        return self._fault("exception", {"asked": "data", "hex": words}, raw)

    def _identified(self, number: str, raw: bytes) -> list[Event]:
        known, self._number = self._number, number
        if known == number:
            return []
        told: list[Event] = [Identified(number, raw)]
        if known:
            told.append(DeviceFault("replaced", data={"was": known, "is": number}, raw=raw))
        return told

    def _read(self, data: bytes, names: tuple[str, ...], raw: bytes) -> list[Event]:
        settings = self.settings
        swapped = data[:1] == bytes((DATA >> 8,))
        try:
            answer = fields.read(data[3:], settings.layout, settings.flow_decimals, swapped=swapped)
        except fields.RefusedFieldError as error:
            self.counters.refuse(error.why)
            return self._fault("value_refused", {"asked": "data", "why": error.why, "hex": data.hex()[:100]}, raw)
        self._faults -= {"value_refused data", "exception data"}
        values = self._named(answer, cooling=raw[1] == COOLING_METER)
        events: list[Event] = []
        for name in names:
            if name not in values:
                # Both energies are asked for as shipped, and most meters have one.
                if name != "valve" and "registers" in self.settings.model_fields_set:
                    events += self._fault("register_missing", {"asked": name}, raw)
                continue
            value = values[name]
            if value is None:
                events += self._fault("value_refused", {"asked": name, "why": "unset"}, raw)
            else:
                self._faults.discard(f"value_refused {name}")
                events.append(Measured(name, value.value, value.scale, value.unit, raw))
        return events + self._status(answer.status, raw, asked="valve" in names)

    def _named(self, answer: fields.Answer, *, cooling: bool) -> dict[str, fields.Number | None]:
        if len(answer.fields) == 2:
            return {"volume": answer.fields[0], "settled_volume": answer.fields[1]}
        both = self.settings.first == "cooling"
        names = ("cooling", "heating") if both else ("settled", "cooling" if cooling else "heating")
        named = dict(zip((*names, "power", "flow", "volume"), answer.fields, strict=True))
        named |= dict(zip(("supply_temperature", "return_temperature"), answer.temperatures, strict=True))
        return named | {"hours": answer.hours}

    def _status(self, status: bytes, raw: bytes, *, asked: bool) -> list[Event]:
        if self.settings.status == "ignore":
            return [SwitchState(None, raw=raw)] if asked else []
        valve = {0: True, 1: False}.get(status[0] & 3)
        events: list[Event] = [SwitchState(valve, raw=raw)] if asked else []
        for name, wrong in (("battery_low", bool(status[0] & 4)), ("valve_fault", status[0] & 3 == 3)):
            if wrong:
                events += self._fault(name, {"asked": "data", "status": status.hex()}, raw)
            else:
                self._faults.discard(f"{name} data")
        return events

    def _fault(self, event: str, data: dict[str, Scalar], raw: bytes) -> list[Event]:
        """Told once until it is over."""
        name = f"{event} {data['asked']}"
        if name in self._faults:
            return []
        self._faults.add(name)
        return [DeviceFault(event, data=data, raw=raw)]
