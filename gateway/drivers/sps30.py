"""Sensirion SPS30 dust sensor on SHDLC: 115200 8N1, asked; it measures only after it was told to start.

    asked    7E adr cmd len data.. chk 7E           cmd 00 start (01 03: floats), 01 stop, 03 read, D0 03 serial number
    answer   7E adr cmd state len data.. chk 7E     chk: inverse of the sum; state 43H: not in this state (not started)

Inside, 7E 7D 11 13 travel as 7D and the byte with bit 5 turned: that is taken back before length and sum are looked at.
The surprises: an empty answer to a read is no fault but "no new value yet"; and the echo of a start command has the
shape of an answer with state 02, so whatever equals the question is dropped. A sensor that was left measuring in whole
numbers refuses our start and goes on with them: it is stopped first. Bit 7 of the state is no refusal: fan or laser
fail, and the answer still holds values; they are marked, and D2 00 says what fails (firmware 2.2 and later).
Source: Sensirion SPS30 data sheet section 5; devices.md section 6; status bits as in patricab/nrf9160-aqi sps30_I2C.h.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import AirSample, Counters, DeviceFault, Event, Identified, Request, Scalar, Want
from gateway.drivers.air_marks import AirMarks
from gateway.drivers.modbus_profile import scaled

FLAG, ESCAPE = 0x7E, 0x7D
ESCAPED = {0x5E: 0x7E, 0x5D: 0x7D, 0x31: 0x11, 0x33: 0x13}
START, STOP, READ, INFO, STATUS = 0x00, 0x01, 0x03, 0xD0, 0xD2
NOT_IN_THIS_STATE = 0x43
FAILING = 0x80
# Bits of the status register: on but not turning, current out of range, speed out of range.
PARTS = {4: "fan", 5: "laser", 21: "speed"}
# 255 bytes of data, each stuffed, and what surrounds them.
LONGEST = 2 * (255 + 5)
# Bytes of ten floats, and of the ten whole numbers that somebody else may have started it with.
VALUES, WHOLE_VALUES = 40, 20
# Places of the ten floats.
DUST = {"pm1": 0, "pm25": 1, "pm4": 2, "pm10": 3}
SIZE = 9
RANGE = (0, 10_000)


class SensirionSettings(BaseModel):
    """How often it is asked, and how its samples become records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: float = Field(default=2, ge=1, le=600, description="seconds between samples")
    window: int = Field(default=600, ge=10, le=86_400, description="seconds that one record sums up, on a fixed grid")
    warm_up: float = Field(default=30, ge=0, le=600, description="seconds after the start in which values are marked")
    frozen: float = Field(default=3600, ge=0, description="air that has not moved for so long is marked; 0: never")


class Sps30:
    """One sensor. Each new value becomes an AirSample of pm1, pm25, pm4 and pm10, and one of the typical size."""

    kind: ClassVar[str] = "sps30"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    shipped: ClassVar[tuple[str, ...]] = ("115200 8N1",)
    Settings: ClassVar[type[BaseModel]] = SensirionSettings

    def __init__(self, settings: SensirionSettings) -> None:
        self.settings = settings
        self.window = settings.window
        self.counters = Counters()
        self.answered = True
        self.wants: Sequence[Want] = (Want("air", settings.every),)
        self.cfg = hashlib.sha256(b"sps30 float 0.1 ug/m3").hexdigest()
        self._marks = AirMarks(settings.warm_up, settings.frozen)
        self._steps = [INFO, START]
        self._sent = b""
        self._body = bytearray()
        self._open = False
        self._number = ""
        self._good: float | None = None
        self._faults: set[int] = set()

    def pending(self) -> Request | None:
        """Who are you; then: start."""
        if not self._steps:
            return None
        if self._steps[0] == STOP:
            return self._ask(STOP, b"", 0)
        if self._steps[0] == STATUS:
            return self._ask(STATUS, b"\0", 5)
        return self._ask(INFO, b"\x03", 32) if self._steps[0] == INFO else self._ask(START, b"\x01\x03", 0)

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - it has one question
        """The newest values."""
        return self._ask(READ, b"", VALUES)

    def feed(self, data: bytes, now: float) -> list[Event]:
        """A frame lies between two flags; what lies there and is none is noise."""
        events: list[Event] = []
        for byte in data:
            if self.answered:
                self.counters.noise_bytes += 1
                continue
            if byte != FLAG:
                self._body.append(byte)
                if len(self._body) > LONGEST:
                    self.counters.refuse("long")
                    self._drop()
                continue
            body = bytes(self._body)
            self._body.clear()
            if body:
                events += self._frame(body, now)
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer."""
        if not self.answered and self._body:
            self.counters.refuse("short")
        unknown = not self.answered and self._sent[1] == STATUS
        self.answered = True
        self._drop()
        return self._failing(0, b"", b"") if unknown else []

    def restarted(self) -> None:
        """The sensor may be another one, and may have lost its power: it measures nothing until it is told to."""
        self._steps = [INFO, START]
        self._good = None
        self._drop()

    def _ask(self, command: int, data: bytes, expect: int) -> Request:
        body = bytes((0, command, len(data))) + data
        self._sent = body + bytes((~sum(body) & 0xFF,))
        self._drop()
        self.answered = False
        return Request(bytes((FLAG,)) + stuffed(self._sent) + bytes((FLAG,)), 2 * (expect + 6) + 2, 0.05)

    def _drop(self) -> None:
        self.counters.noise_bytes += len(self._body)
        self._body.clear()

    def _frame(self, body: bytes, now: float) -> list[Event]:
        plain = unstuffed(body)
        if plain == self._sent:
            self.counters.echoes += 1
            return []
        why = wrong(plain)
        if why:
            self.counters.refuse(why)
            return []
        assert plain is not None
        if plain[1] != self._sent[1]:
            self.counters.refuse("other_answer")
            return []
        self.counters.frames += 1
        self.answered = True
        return self._heard(plain[1], plain[2], plain[4:-1], body, now)

    def _heard(self, command: int, state: int, data: bytes, raw: bytes, now: float) -> list[Event]:
        if command == INFO:
            self._steps = [step for step in self._steps if step != INFO]
            return self._identified(data, raw) if state & 0x7F == 0 else []
        if command == STOP:
            self._steps = [START]
            return []
        if command == STATUS:
            return self._failing(state, data, raw)
        if command == START:
            # Refused because it runs already is as good as started.
            self._steps = [] if state & 0x7F in (0, NOT_IN_THIS_STATE) else self._steps
            if state & 0x7F == 0:
                self._marks.woke(now)
            return self._fault(state, raw) if self._steps else []
        if state & 0x7F:
            self._steps = [START] if state & 0x7F == NOT_IN_THIS_STATE else self._steps
            return self._fault(state, raw)
        self._faults &= {state & FAILING}
        if state & FAILING and FAILING not in self._faults:
            self._faults.add(FAILING)
            self._steps = [STATUS, *self._steps]
        if len(data) == WHOLE_VALUES:
            # A start is refused while it measures: it keeps to its whole numbers until it is stopped.
            self._steps = [STOP, START]
        return self._sample(data, raw, now) if data else []

    def _identified(self, data: bytes, raw: bytes) -> list[Event]:
        number = "".join(chr(byte) for byte in data if 0x20 < byte < 0x7F)
        known, self._number = self._number, number
        if known == number or not number:
            return []
        told: list[Event] = [Identified(number, raw)]
        return [*told, DeviceFault("replaced", data={"was": known, "is": number}, raw=raw)] if known else told

    def _sample(self, data: bytes, raw: bytes, now: float) -> list[Event]:
        bits = [int.from_bytes(data[at : at + 4], "big") for at in range(0, VALUES, 4)]
        tenths = {metric: scaled(bits[place], 1) for metric, place in DUST.items()}
        size = scaled(bits[SIZE], 2)
        values = {metric: value for metric, value in tenths.items() if value is not None}
        if len(data) != VALUES or size is None or values != tenths:
            self.counters.refuse("values")
            return []
        self._marks.stirred("floats", data, now)
        marks = self._marks.judge_all(values, now, RANGE) + (("fault",) if self._faults else ())
        follows = self._good is not None and now - self._good <= 2.5 * self.settings.every
        self._good = now
        return [
            AirSample(values, -1, "ug/m3", follows, raw, marks),
            AirSample({"particle_size": size}, -2, "um", follows, raw, marks),
            *self._marks.news(),
        ]

    def _failing(self, state: int, data: bytes, raw: bytes) -> list[Event]:
        """What its status register says; all that is known of an older one is that something fails."""
        self._steps = [step for step in self._steps if step != STATUS]
        bits = int.from_bytes(data[:4], "big") if state & 0x7F == 0 and len(data) == 5 else 0
        parts: dict[str, Scalar] = {name: True for at, name in PARTS.items() if bits >> at & 1}
        return [DeviceFault("fault", data={"state": FAILING, **parts}, raw=raw)]

    def _fault(self, state: int, raw: bytes) -> list[Event]:
        """Told once until an answer is right again."""
        code = state & 0x7F
        if code in self._faults or code == NOT_IN_THIS_STATE:
            return []
        self._faults.add(code)
        return [DeviceFault("fault", data={"state": code}, raw=raw)]


def stuffed(plain: bytes) -> bytes:
    """As it travels between the flags."""
    back = {byte: code for code, byte in ESCAPED.items()}
    return b"".join(bytes((ESCAPE, back[byte])) if byte in back else bytes((byte,)) for byte in plain)


def unstuffed(body: bytes) -> bytes | None:
    """As it was meant; None for an escape that does not exist."""
    plain = bytearray()
    escaped = False
    for byte in body:
        if escaped:
            if byte not in ESCAPED:
                return None
            plain.append(ESCAPED[byte])
            escaped = False
        elif byte == ESCAPE:
            escaped = True
        else:
            plain.append(byte)
    return None if escaped else bytes(plain)


def wrong(plain: bytes | None) -> str:
    """Why this is no answer: "stuffing", "short", "length", "sum"; empty when it is one."""
    if plain is None:
        return "stuffing"
    if len(plain) < 5:
        return "short"
    if len(plain) != plain[3] + 5:
        return "length"
    return "sum" if ~sum(plain[:-1]) & 0xFF != plain[-1] else ""
