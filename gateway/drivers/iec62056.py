"""European meters by optical head or P1 socket, IEC 62056-21: text between brackets, asked for or pushed.

    C     300 baud 7E1  /?!CRLF  ->  /XXXZident CRLF    06 30 Z 30 CRLF  ->  at the speed of Z: STX .. ! CRLF ETX BCC
    push  115200 8N1    every second or ten:  /XXX5ident CRLF CRLF .. !CCCC CRLF        CCCC: CRC-16/ARC in hexadecimal

The surprise: the speed changes in the middle of the talk, between our answer to the identification and the data, and
the identification of one make looks to a parser like the echo of our own question. Values are taken as printed, digit
by digit. Source: IEC 62056-21:2002; DSMR P1 5.0.2; devices.md section 5; docs/protocols/iec62056.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import Counters, DeviceFault, Event, Identified, Measured, Request, Scalar, Want
from gateway.drivers import iec62056_text as texts
from gateway.drivers.crc16_arc import crc16_arc

SPEEDS = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
# Mode B: the meter changes over without being asked.
UNASKED = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}
LONGEST = 8192
# Slashes that are tried as the beginning of a telegram: noise full of them must not cost seconds.
BEGINNINGS = 8
IDENT = re.compile(rb"/([A-Za-z]{3})(.)([^\r\n]{0,30})\r\n$")
P1_END = re.compile(rb"!([0-9A-F]{4})$")
REGISTERS = {
    "import_wh": "1.8.0", "import_t1_wh": "1.8.1", "import_t2_wh": "1.8.2", "import_t3_wh": "1.8.3",
    "import_t4_wh": "1.8.4", "export_wh": "2.8.0", "export_t1_wh": "2.8.1", "export_t2_wh": "2.8.2",
    "net_wh": "16.8.0", "power_import": "1.7.0", "power_export": "2.7.0", "power": "16.7.0", "voltage_l1": "32.7.0",
    "voltage_l2": "52.7.0", "voltage_l3": "72.7.0", "current_l1": "31.7.0", "current_l2": "51.7.0",
    "current_l3": "71.7.0", "frequency": "14.7.0", "reactive_import": "3.8.0", "reactive_export": "4.8.0",
    "gas_volume": "24.2.1", "heating": "6.8", "volume": "6.26", "hours": "6.31", "heat_power": "6.4", "flow": "6.27",
    "flow_temperature": "6.29", "return_temperature": "6.28",
}  # fmt: skip
# A meter without a total: its tariffs together are it.
SUMS = {"1.8.0": ("1.8.1", "1.8.2", "1.8.3", "1.8.4"), "2.8.0": ("2.8.1", "2.8.2", "2.8.3", "2.8.4")}
# A meter without a balance: both directions together are it.
DIFFERENCES = {"16.7.0": ("1.7.0", "2.7.0")}
NUMBERS = ("96.1.1", "96.1.0", "96.1.255", "C.1.0", "C.1", "0.0.0", "0.0", "0.0.1")
CLOCK = "1.0.0"


class Iec62056Settings(BaseModel):
    """How the meter talks, and what to take from it how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["C", "A", "push"] = Field(
        default="C",
        description="C: asked, speed changes; A: asked, data at once; push: P1, talks unasked",
    )
    address: str = Field(
        default="", pattern=r"^[0-9A-Za-z ]{0,32}$", description="device address behind /?; empty: any"
    )
    every: float = Field(default=900, gt=0, description="seconds between readings, on a fixed grid")
    registers: dict[str, float] = Field(
        default={"import_wh": 0}, description="registers to record; seconds between readings, 0 = `every`"
    )
    obis: dict[str, str] = Field(
        default={},
        description="registers of your own: name and code, 1-0:1.8.0 or 6.8; a unit behind, if none is printed",
    )
    start_baud: int = Field(default=0, ge=0, le=115_200, description="speed of the question; 0: that of the line")
    fastest: int = Field(default=9600, ge=300, le=19_200, description="a faster offer of the meter is declined")
    crc: Literal["required", "absent"] = Field(default="required", description="absent: old P1 meters that send none")
    software_parity: bool = Field(default=False, description="7E1 through a line opened as 8N1: parity is made here")
    delay: float = Field(default=1.6, gt=0, le=10, description="longest the meter thinks before it answers, seconds")


class Iec62056:
    """One meter. Registers become Measured; a telegram whose check fails is counted, and told when it lasts."""

    kind: ClassVar[str] = "iec62056"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    shipped: ClassVar[tuple[str, ...]] = ("300 7E1", "115200 8N1", "9600 7E1")
    Settings: ClassVar[type[BaseModel]] = Iec62056Settings
    holds: ClassVar[int] = LONGEST

    def __init__(self, settings: Iec62056Settings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.answered = True
        self.listens = settings.mode == "push"
        own = {name: words.partition(" ") for name, words in settings.obis.items()}
        self._codes = {**REGISTERS, **{name: code for name, (code, _, _) in own.items()}}
        self._units = {name: unit.strip() for name, (_, _, unit) in own.items()}
        unknown = sorted(set(settings.registers) - set(self._codes))
        if unknown:
            raise ValueError(f"registers {unknown}: there are {sorted(REGISTERS)}, others get a code in `obis`")
        self.most = len(settings.registers)
        wants = tuple(
            Want(name, each or settings.every, 1, place, 1)
            for place, (name, each) in enumerate(settings.registers.items())
        )
        self.wants: Sequence[Want] = () if self.listens else wants
        self._periods = {want.name: want.every for want in wants}
        self._slots: dict[str, int] = {}
        meaning = [
            "iec62056",
            {name: settings.obis.get(name, self._codes[name]) for name in sorted(settings.registers)},
        ]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).hexdigest()
        self._tail = bytearray()
        self._received = 0
        self._sent = b""
        self._stage: Literal["", "ident", "data"] = ""
        self._offer = ""
        self._ident = ""
        self._number = ""
        self._faults: set[str] = set()
        self._names: tuple[str, ...] = ()

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """Asked, and listened to."""
        return [{"mode": "C"}, {"mode": "push"}]

    def pending(self) -> Request | None:
        """Our answer to the identification: which speed; the data follows at that."""
        if not self._offer:
            return None
        offer, self._offer = self._offer, ""
        start = self.settings.start_baud
        if offer in UNASKED:
            return self._send(b"", "data", LONGEST, UNASKED[offer], UNASKED[offer])
        accepted = offer if SPEEDS[offer] <= self.settings.fastest else "0"
        return self._send(b"\x060" + accepted.encode() + b"0\r\n", "data", LONGEST // 4, start, SPEEDS[accepted])

    def request(self, wants: Sequence[Want]) -> Request:
        """Wakes the meter; one telegram brings everything."""
        self._names = tuple(want.name for want in wants)
        self._offer = ""
        longest = LONGEST // 4 if self.settings.mode == "A" else 40
        start = self.settings.start_baud
        return self._send(f"/?{self.settings.address}!\r\n".encode("ascii"), "ident", longest, start, start)

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes in any pieces."""
        events: list[Event] = []
        for received in data:
            if self.answered and not self.listens:
                self.counters.noise_bytes += 1
                continue
            byte = received & 0x7F if self.settings.software_parity else received
            self._tail.append(byte)
            self._received += 1
            if self.listens:
                events += self._push(byte, now)
            elif self._stage == "ident":
                events += self._identification(byte)
            else:
                events += self._readout(now)
            if len(self._tail) > LONGEST:
                self.counters.refuse("too_long")
                self.counters.noise_bytes += len(self._tail)
                self._tail.clear()
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer: whatever came was noise."""
        self.answered = True
        self._offer = ""
        self.counters.noise_bytes += self._received
        return []

    def restarted(self) -> None:
        """The line was opened anew."""
        self._offer = ""
        self._tail.clear()
        self._slots.clear()

    def _send(self, data: bytes, stage: Literal["ident", "data"], longest: int, baud: int, answers: int) -> Request:
        self._stage = stage
        self._tail.clear()
        self._received = 0
        self._sent = data
        self.answered = False
        if self.settings.software_parity:
            data = bytes(byte | (byte.bit_count() & 1) << 7 for byte in data)
        return Request(data, longest, self.settings.delay, baud=baud, answer_baud=answers)

    def _identification(self, byte: int) -> list[Event]:
        if byte != 0x0A:
            return []
        found = IDENT.search(bytes(self._tail[-40:]))
        if found is None:
            self.counters.echoes += self._tail.endswith(self._sent)
            return []
        self._ident = found[0].decode("latin-1").strip()
        offer = found[2].decode("latin-1")
        self.counters.frames += 1
        if self.settings.mode == "C" and (offer in SPEEDS or offer in UNASKED):
            self._offer = offer
            self.answered = True
            return []
        # Mode A: the data follows at once, at the same speed.
        self._stage = "data"
        self._tail.clear()
        return []

    def _readout(self, now: float) -> list[Event]:
        """STX .. ETX BCC; noise may hold an STX, so any of them may be the one."""
        tail = self._tail
        if len(tail) < 3 or tail[-2] != 0x03:
            return []
        start, spoilt = _begin(tail)
        if start >= 0:
            raw = bytes(tail[start:])
            self.answered = True
            self.counters.frames += 1
            self._faults.discard("value_refused data")
            return self._telegram(raw[1:-2].decode("latin-1"), raw, self._names, now)
        return self._refused("bcc", bytes(tail)) if spoilt else []

    def _push(self, byte: int, now: float) -> list[Event]:
        tail = self._tail
        if self.settings.crc == "absent" and byte == 0x0A and tail.endswith((b"!\r\n", b"!\n")):
            raw = bytes(tail[max(tail.rfind(b"/"), 0) :])
            tail.clear()
            return self._pushed(raw, now) if raw.startswith(b"/") else []
        # A check that is sent is looked at, whatever was said of this meter.
        found = P1_END.search(bytes(tail[-5:]))
        if found is None:
            return []
        whole = bytes(tail)
        tail.clear()
        at = whole.find(b"/")
        for _ in range(BEGINNINGS):
            if at < 0:
                break
            if crc16_arc(whole[at:-4]) == int(found[1], 16):
                return self._pushed(whole[at:], now)
            at = whole.find(b"/", at + 1)
        if b"/" not in whole:
            self.counters.noise_bytes += len(whole)
            return []
        return self._refused("crc", whole)

    def _pushed(self, raw: bytes, now: float) -> list[Event]:
        self.counters.frames += 1
        self._faults.discard("value_refused data")
        text = raw.decode("latin-1")
        ident, _, body = text.partition("\n")
        self._ident = ident.rstrip("\r")
        return self._telegram(body, raw, tuple(self._periods), now)

    def _telegram(self, text: str, raw: bytes, names: tuple[str, ...], now: float) -> list[Event]:
        found = texts.data_sets(text)
        present = {one.parts[1]: one for one in reversed(found) if not one.parts[2]}
        exact = {f"{one.parts[0]}:{one.parts[1]}": one for one in reversed(found) if not one.parts[2]}
        clock = present.get(CLOCK)
        seconds = texts.seconds_of(clock.values[0]) if clock else None
        events = self._identified(present, raw)
        for name in names:
            if self.listens and not self._due(name, now if seconds is None else seconds):
                continue
            events += self._value(name, {**present, **exact}, raw)
        return events

    def _due(self, name: str, at: float) -> bool:
        """A meter that talks every second is recorded once in each stretch of the grid."""
        slot = int(at // self._periods[name])
        if self._slots.get(name) == slot:
            return False
        self._slots[name] = slot
        return True

    def _value(self, name: str, present: dict[str, texts.DataSet], raw: bytes) -> list[Event]:
        code = self._codes[name]
        # E is 0, left out, or 255 for "not used" (EasyMeter's 1.7.255): the same register.
        short = code.removesuffix(".0")
        one = present.get(code) or present.get(f"{code}.0") or present.get(short) or present.get(f"{short}.255")
        if one is None:
            return self._sum(name, code, present, raw)
        told = texts.told(one.values)
        unit = self._units.get(name, "")
        read = texts.amount(f"{told}*{unit}" if unit and "*" not in told else told)
        if read is None or (not read.unit and name.endswith("_wh")):
            why = "no number" if read is None else "no unit"
            self.counters.refuse(why.replace(" ", "_"))
            return self._fault("value_refused", {"asked": name, "why": why, "text": told[:50]}, raw)
        self._faults -= {f"register_missing {name}", f"value_refused {name}"}
        return [Measured(name, read.value, read.scale, read.unit, raw)]

    def _sum(self, name: str, code: str, present: dict[str, texts.DataSet], raw: bytes) -> list[Event]:
        """What the meter does not print: a total is its tariffs, a balance its directions, where all print in the same
        digits.
        """
        codes: tuple[str, ...] = SUMS.get(code) or DIFFERENCES.get(code) or ()
        parts = [texts.amount(texts.told(present[one].values)) for one in codes if one in present]
        read = [part for part in parts if part is not None]
        if not read or len(read) < len(parts) or len({(part.scale, part.unit) for part in read}) > 1:
            return self._fault("register_missing", {"asked": name, "code": code}, raw)
        if code in DIFFERENCES:
            balance = read[0].value - sum(part.value for part in read[1:])
            here = codes[0] in present
            return [Measured(name, balance if here else -balance, read[0].scale, read[0].unit, raw)]
        total = sum(part.value for part in read)
        return [Measured(name, total, read[0].scale, read[0].unit, raw, ("sum_of_tariffs",))]

    def _identified(self, present: dict[str, texts.DataSet], raw: bytes) -> list[Event]:
        told = next((present[code].values[0] for code in NUMBERS if code in present and present[code].values[0]), "")
        # Outside P1 no check covers the identification, so it is no number to tell meters apart by.
        words = texts.plain_number(told) or (self._ident if self.listens else "")
        number = "".join(char for char in words if char.isprintable())[:64]
        known = self._number
        if number in ("", known):
            return []
        self._number = number
        events: list[Event] = [Identified(number, raw)]
        if known:
            events.append(DeviceFault("replaced", data={"was": known, "is": number}, raw=raw))
        return events

    def _refused(self, why: str, raw: bytes) -> list[Event]:
        """A single bad telegram is counted; that they are bad all the time somebody has to know."""
        self.counters.refuse(why)
        if "bad" in self._faults:
            return self._fault("value_refused", {"asked": "data", "why": why, "size": len(raw)}, raw)
        self._faults.add("bad")
        return []

    def _fault(self, event: str, data: dict[str, Scalar], raw: bytes) -> list[Event]:
        """Told once until it is over."""
        name = f"{event} {data['asked']}"
        if name in self._faults:
            return []
        self._faults.add(name)
        return [DeviceFault(event, data=data, raw=raw)]


def _begin(tail: bytearray) -> tuple[int, bool]:
    """Where the frame begins whose check is the last byte, -1 for nowhere; and whether any could have begun."""
    check, start, spoilt = 0, -1, False
    for at in range(len(tail) - 2, -1, -1):
        if tail[at] == 0x02 and at < len(tail) - 2:
            spoilt = True
            if check == tail[-1]:
                start = at
        check ^= tail[at]
    return start, spoilt
