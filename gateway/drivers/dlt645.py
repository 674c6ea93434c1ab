"""China's billing meter, DL/T 645-2007: 2400 8E1 as shipped, every data byte on the line with 33H added.

    [FE x 0..4] 68 A0..A5 68 C L DATA(+33H each) CS 16        A0..A5: 12 digits, low byte first; CS: sum from the first
                                                             68 up to CS, mod 256; the FE bytes wake and do not count
The surprise: 68H and 16H occur inside addresses and data, and a meter may pause for half a second within a frame. So a
frame is a stretch from *some* 68 to *this* 16 whose length and sum fit, and nothing shorter or later. A right sum does
not make right digits: each nibble is looked at. A relay that says "taken" (9C) has moved nothing yet: status word 3.
Source: DL/T 645-2007; devices.md 2.1; docs/protocols/dlt645.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

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
from gateway.drivers import dlt645_frames as frames
from gateway.drivers.bcd import NoDecimalError
from gateway.drivers.dlt645_frames import ANYBODY, Frame
from gateway.drivers.dlt645_items import (
    ADDRESS,
    FACTS,
    ITEMS,
    METER_NUMBER,
    STATUS_3,
    Item,
    OwnItem,
    Status3,
    fact,
    numbers,
    own_item,
    wraps,
)

ORDERS = {
    "trip": 0x1A, "permit": 0x1B, "close": 0x1C, "alarm_on": 0x2A, "alarm_off": 0x2B, "keep_on": 0x3A, "keep_off": 0x3B,
}  # fmt: skip
# A long answer is at most 255 frames; ours is at most this many bytes of data.
# Digits of an address.
LENGTH = 12
LONGEST = 4096


class Dlt645Settings(BaseModel):
    """Which meter, what to read from it how often, and what its relay needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(
        default=ANYBODY, pattern=r"^(AA)*[0-9]*$", min_length=12, max_length=12,
        description="12 digits on its face; AA pairs in front are wild cards, all AA asks a lone meter who it is",
    )  # fmt: skip
    every: float = Field(default=900, gt=0, description="seconds between readings, on a fixed grid")
    registers: dict[str, float] = Field(
        default={"import_wh": 0}, description="registers to record; seconds between readings, 0 = `every`"
    )
    own: dict[str, OwnItem] = Field(default={}, description="registers of this make that are not in the list")
    wake: int = Field(default=4, ge=0, le=8, description="FE bytes before each request")
    delay: float = Field(default=1.0, gt=0, le=5, description="longest the meter thinks and pauses, seconds")
    zone: str = Field(default="Asia/Shanghai", description="time zone of the meter's clock")
    set_time: bool = Field(default=False, description="broadcast the time once a day to the meters of this line")
    closing: Literal["permit", "close"] = Field(
        default="permit", description="permit: the customer presses the meter's key; close: the relay closes at once"
    )
    level: int = Field(default=2, ge=0, le=99, description="password level of the relay command")
    password: str = Field(default="000000", pattern=r"^[0-9]{6}$", description="password of that level, 6 digits")
    operator: str = Field(default="00000001", pattern=r"^[0-9]{8}$", description="operator code, 8 digits")
    valid_for: int = Field(default=300, ge=30, le=3600, description="seconds after which a relay command is void")


class Dlt645:
    """One meter. Registers become Measured; damaged digits and refusals become a DeviceFault, told once."""

    kind: ClassVar[str] = "dlt645"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    holds: ClassVar[int] = LONGEST + 1_024
    shipped: ClassVar[tuple[str, ...]] = ("2400 8E1", "9600 8E1", "1200 8E1", "4800 8E1")
    Settings: ClassVar[type[BaseModel]] = Dlt645Settings
    most: ClassVar[int] = 1

    def __init__(self, settings: Dlt645Settings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.answered = True
        own = {name: own_item(name, one) for name, one in settings.own.items()}
        self._known: dict[str, Item] = {**ITEMS, **own}
        unknown = sorted(set(settings.registers) - set(self._known))
        if unknown:
            raise ValueError(f"registers {unknown}: DL/T 645 has {sorted(self._known)}")
        # A table of its own for each: a frame asks for one identifier, so neighbours are never joined.
        self.wants: Sequence[Want] = tuple(
            Want(name, each or settings.every, number, 0, 1)
            for number, (name, each) in enumerate(settings.registers.items(), 1)
        )
        meaning = ["dlt645", {name: msgspec.to_builtins(item) for name, item in self._known.items()}]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).hexdigest()
        self._address = settings.address
        self._number = self._speaker = ""
        self._faults: set[str] = set()
        self._heard = frames.Listener()
        self._asked: frames.Question | None = None
        self._whole = bytearray()
        self._next = 0
        self._to_check = self._checks()

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """Whoever is alone on its line says who it is."""
        return [{"address": ANYBODY}]

    @classmethod
    def narrower(cls, settings: dict[str, Any]) -> list[dict[str, Any]]:
        """Settings that each reach a part of the meters that answered these at once: by the next two digits, from the
        end; those before may be any.
        """
        known = settings["address"].lstrip("A")
        if len(known) >= LENGTH:
            return []
        return [{**settings, "address": f"{pair:02}{known}".rjust(LENGTH, "A")} for pair in range(100)]

    def reached(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings that reach the meter that has answered, and no other."""
        return {**settings, "address": self._speaker or settings["address"]}

    def pending(self) -> Request | None:
        """The rest of a long answer; else who are you."""
        if self._next and self._asked is not None:
            return self._send(frames.more(self._address, self._asked.di, self._next), self._asked)
        if not self._to_check:
            return None
        if self._to_check[0] == ANYBODY:
            return self._send(frames.read_address(), frames.Question(frames.READ_ADDRESS, 0, ANYBODY), 18)
        return self._read(METER_NUMBER, "identity")

    def request(self, wants: Sequence[Want]) -> Request:
        """One identifier a frame; the first of what is due."""
        name = wants[0].name
        return self._read(self._known[name].di, name)

    def ask(self, what: str) -> Request:
        """Date, time, address, meter_number, status_word_1..7: told as a DeviceFault named `told`."""
        return self._read(FACTS[what], what)

    def look(self) -> Request:
        """How the relay stands: status word 3."""
        return self._read(STATUS_3, "relay")

    def switch(self, *, on: bool, at: int) -> Request:
        """Trip, or permit or close as it is set up; void `valid_for` seconds after `at` (ms UTC)."""
        return self.order(self.settings.closing if on else "trip", at)

    def order(self, what: str, at: int) -> Request:
        """One of ORDERS. Raises KeyError for another word."""
        settings = self.settings
        until = self._local(at) + timedelta(seconds=settings.valid_for)
        data = frames.order(settings.level, settings.password, settings.operator, ORDERS[what], until)
        self._next = 0
        return self._send(frames.frame(self._address, frames.ORDER, data), frames.Question(frames.ORDER, 0, what), 13)

    def broadcast_time(self, at: int) -> Request:
        """Sets the clock of every meter on the line; nobody answers. A meter takes it once a day, within 5 minutes."""
        self.answered = True
        return Request(frames.woken(self.settings.wake, frames.time_broadcast(self._local(at))), 0, 0)

    def feed(self, data: bytes, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """Bytes in any pieces; what is not the answer to what was asked is noise."""
        events: list[Event] = []
        for byte in data:
            if self.answered:
                self.counters.noise_bytes += 1
                continue
            found = self._heard.take(byte)
            if found is not None:
                events += self._frame(found)
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer: whatever came was noise, and half a long answer is none."""
        self.answered = True
        self._next = 0
        self.counters.noise_bytes += self._heard.received
        return []

    def restarted(self) -> None:
        """The meter may be another one now."""
        self._address = self.settings.address
        self._next = 0
        self._to_check = self._checks()

    def _checks(self) -> list[str]:
        return [ANYBODY, "number"] if self.settings.address == ANYBODY else ["number"]

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at // 1000, ZoneInfo(self.settings.zone))

    def _read(self, di: int, what: str) -> Request:
        self._next = 0
        self._whole.clear()
        return self._send(frames.read(self._address, di), frames.Question(frames.READ, di, what))

    def _send(self, body: bytes, question: frames.Question, longest: int = 12 + 200) -> Request:
        self._asked = question
        self._heard.start()
        self.answered = False
        return Request(frames.woken(self.settings.wake, body), longest + 4, self.settings.delay)

    def _frame(self, heard: Frame | frames.Refused) -> list[Event]:
        """A whole frame: ours or somebody else's."""
        if isinstance(heard, frames.Refused):
            self.counters.refuse(heard.reason)
            return []
        assert self._asked is not None
        if not heard.reply:
            self.counters.echoes += 1
            self._heard.received -= len(heard.raw)
            return []
        if not frames.fits(heard, self._asked, self._address, self._next):
            return []
        self.counters.frames += 1
        self._speaker = frames.printed(heard.address)
        self.counters.noise_bytes += max(0, self._heard.received - len(heard.raw))
        self.answered = True
        if heard.refused:
            return self._denied(heard, self._asked)
        return self._answer(heard, self._asked)

    def _denied(self, heard: Frame, asked: frames.Question) -> list[Event]:
        self.counters.exceptions += 1
        self._next = 0
        word = heard.data[0] if heard.data else 0
        meaning = frames.error_words(word)
        if asked.function == frames.ORDER:
            return [CommandTaken(taken=False, why=meaning, raw=heard.raw)]
        if asked.what == "identity":
            return self._identified(frames.printed(heard.address), heard.raw)
        return self._fault("exception", {"code": word, "meaning": meaning, "asked": asked.what}, heard.raw)

    def _answer(self, heard: Frame, asked: frames.Question) -> list[Event]:
        if asked.function == frames.ORDER:
            return [CommandTaken(taken=True, raw=heard.raw)]
        if asked.function == frames.READ_ADDRESS:
            self._address = frames.printed(heard.data if len(heard.data) == 6 else heard.address)
            self._to_check = self._to_check[1:]
            return []
        data = heard.data[4:]
        if self._next:
            data = data[:-1]
        self._whole += data
        if heard.more and len(self._whole) < LONGEST and self._next < 255:
            self._next += 1
            return []
        self._next = 0
        self._faults.discard(f"exception {asked.what}")
        try:
            return self._told(asked, bytes(self._whole), heard)
        except NoDecimalError as error:
            return self._damaged(asked, "bcd", error.data, heard.raw)
        except ValueError:
            return self._damaged(asked, "length", bytes(self._whole), heard.raw)

    def _told(self, asked: frames.Question, data: bytes, heard: Frame) -> list[Event]:
        if asked.what == "identity":
            number = fact(METER_NUMBER, data) if len(data) == 6 else ""
            # Nobody gave it one: its address tells it from others.
            return self._identified((number.strip("0") and number) or frames.printed(heard.address), heard.raw)
        if asked.di == STATUS_3 and asked.what == "relay":
            if len(data) != 2:
                raise ValueError("a status word has two bytes")
            status = Status3(int.from_bytes(data, "little"))
            permitted = status.relay_open and not status.command_open
            return [SwitchState(on=not status.relay_open, permitted=permitted, raw=heard.raw)]
        if asked.what in FACTS:
            return [DeviceFault("told", data={"what": asked.what, "value": fact(asked.di, data)}, raw=heard.raw)]
        item = self._known[asked.what]
        told = numbers(item, data)
        self._faults.discard(f"value_refused {asked.what}")
        return [Measured(value.name, number, value.scale, value.unit, heard.raw) for value, number in told]

    def _identified(self, number: str, raw: bytes) -> list[Event]:
        self._to_check = []
        known, self._number = self._number, number
        if known == number:
            return []
        told: list[Event] = [Identified(number, raw, self._facts())]
        if known:
            told.append(DeviceFault("replaced", data={"was": known, "is": number}, raw=raw))
        return told

    def _facts(self) -> dict[str, Any]:
        """What its registers of energy are worth on a bill: where they wrap."""
        # Of a block the total and four tariffs: a record of an event has its limit.
        values = [value for want in self.wants for value in self._known[want.name].values[:5]]
        registers = {one.name: {"unit": one.unit, "modulus": wraps(one)} for one in values if wraps(one)}
        return {"registers": registers} if registers else {}

    def _damaged(self, asked: frames.Question, why: str, data: bytes, raw: bytes) -> list[Event]:
        self.counters.refuse(why)
        if asked.what == "identity":
            return self._identified(frames.printed(raw[1:7]), raw)
        return self._fault("value_refused", {"asked": asked.what, "why": why, "hex": data.hex()[:100]}, raw)

    def _fault(self, event: str, data: dict[str, Scalar], raw: bytes) -> list[Event]:
        """Told once until it is over."""
        name = f"{event} {data['asked']}"
        if name in self._faults:
            return []
        self._faults.add(name)
        return [DeviceFault(event, data=data, raw=raw)]


__all__ = ["ADDRESS", "ITEMS", "Dlt645", "Dlt645Settings"]
