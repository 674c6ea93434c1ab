"""Heat, water, gas and power meters on M-Bus, EN 13757: two wires that feed and ask up to 250 meters, 2400 8E1.

    SND_NKE  10 40 A CS 16                -> E5            REQ_UD2  10 5B|7B A CS 16 -> 68 L L 68 08 A CI .. CS 16
    select   68 0B 0B 68 73 FD 52 id man ver med CS 16 -> E5, and then REQ_UD2 to FD

The surprise is FCB, the bit that toggles: asked twice with the same bit, a meter repeats its last telegram, and that is
how a lost one is asked for again and how the next one of several is reached. Of all the values in an answer only those
of now, of all tariffs and not in error are billed: history, maxima and single tariffs look the same otherwise.
Source: EN 13757-2 and -3; devices.md section 4; docs/protocols/mbus.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.device_events import Counters, DeviceFault, Event, Identified, Measured, Request, Scalar, Want
from gateway.drivers import mbus_frames as frames
from gateway.drivers.mbus_records import BadTelegramError, Function, Record, Telegram, parse

REGISTERS = (
    "energy", "volume", "power", "flow", "flow_temperature", "return_temperature", "temperature_difference",
    "external_temperature", "on_time", "operating_time", "mass", "pressure", "voltage", "current", "frequency",
    "reactive_energy", "reactive_power", "apparent_power", "relative_humidity", "heat_cost_units",
)  # fmt: skip
MOST_TELEGRAMS = 16
OWN_UNIT = {"unit", "scale"}
NUMBER = re.compile("[0-9]{8}")
STATUS = {2: "battery_low", 3: "permanent_error", 4: "temporary_error"}


class Pick(BaseModel):
    """A value that is not the plain one of now: a tariff, a sub-unit, last month's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: str = Field(pattern=r"^[a-z0-9_]+$", description="energy, volume, power ...")
    storage: int = Field(default=0, ge=0, description="0 is now; 1 and above are history")
    tariff: int = Field(default=0, ge=0, description="0 is the total; cooling is tariff 1 on some combined meters")
    subunit: int = Field(default=0, ge=0, description="part of the device")
    function: Function = Field(default="instantaneous", description="instantaneous, maximum or minimum")
    modifiers: tuple[int, ...] = Field(default=(), description="bytes behind the unit, as the maker documents them")
    nth: int = Field(default=1, ge=1, description="the first, second .. of several alike")
    unit: str = Field(default="", max_length=16, description="of a maker's own value: Wh, m3 ..")
    scale: int = Field(default=0, ge=-12, le=12, description="of a maker's own value: it counts 10**scale of the unit")


class MbusSettings(BaseModel):
    """Which meter, and what to read from it how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: int = Field(default=254, ge=0, le=254, description="primary address; 254 asks a meter that is alone")
    secondary: str = Field(
        default="", pattern=r"^([0-9F]{8})?$", description="8 digits of its number, F is a wild card; empty: primary"
    )
    manufacturer: str = Field(default="", pattern=r"^([A-Z]{3})?$", description="secondary: three letters; empty: any")
    version: str = Field(default="", pattern=r"^([0-9A-F]{2})?$", description="secondary: version; empty: any")
    medium: str = Field(default="", pattern=r"^([0-9A-F]{2})?$", description="secondary: medium; empty: any")
    every: float = Field(default=3600, gt=0, description="seconds between readings; battery meters count them")
    registers: dict[str, float] = Field(
        default={"energy": 0}, description="registers to record; seconds between readings, 0 = `every`"
    )
    pick: dict[str, Pick] = Field(default={}, description="registers of your own: which of the meter's values they are")
    delay: float = Field(default=0.5, gt=0, le=5, description="longest the meter thinks before it answers, seconds")

    @model_validator(mode="after")
    def _known(self) -> MbusSettings:
        unknown = sorted(set(self.registers) - set(REGISTERS) - set(self.pick))
        if unknown:
            raise ValueError(f"registers {unknown}: M-Bus has {sorted(REGISTERS)}, others are described in `pick`")
        return self


class Mbus:
    """One meter. Registers become Measured; a telegram that cannot be read becomes a DeviceFault, told once."""

    kind: ClassVar[str] = "mbus"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    shipped: ClassVar[tuple[str, ...]] = ("2400 8E1", "300 8E1", "9600 8E1")
    Settings: ClassVar[type[BaseModel]] = MbusSettings

    def __init__(self, settings: MbusSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.answered = True
        self.most = len(settings.registers)
        # Neighbours of one table: whatever is due together is one question.
        self.wants: Sequence[Want] = tuple(
            Want(name, each or settings.every, 1, place, 1)
            for place, (name, each) in enumerate(settings.registers.items())
        )
        # Without a unit of its own a register means what it always did.
        picks = sorted(settings.pick.items())
        meaning = ["mbus", {name: pick.model_dump(exclude=None if pick.unit else OWN_UNIT) for name, pick in picks}]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).hexdigest()
        self._heard = frames.Listener()
        self._number = ""
        self._faults: set[str] = set()
        self._names: tuple[str, ...] = ()
        self._stage: Literal["", "reset", "select", "read"] = ""
        self._next: Literal["", "read", "more"] = ""
        self._toggled = False
        self._fresh = False
        self._records: list[Record] = []
        self._telegrams = 0
        self._last = b""

    # What every meter answers, whatever its address.
    roll_call: ClassVar[dict[str, Any]] = {"address": 254}

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """A lone meter first; then every primary address; then whoever there is, by number."""
        return [{"address": 254}, *({"address": each} for each in range(251)), {"secondary": "FFFFFFFF"}]

    @classmethod
    def narrower(cls, settings: dict[str, Any]) -> list[dict[str, Any]]:
        """Settings that each select a part of the meters that answered these at once: by the next digit."""
        number = settings.get("secondary", "")
        at = number.find("F")
        if at < 0:
            return []
        return [{**settings, "secondary": f"{number[:at]}{digit}{number[at + 1 :]}"} for digit in "0123456789"]

    def reached(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings that select the meter that has answered, and no other."""
        number = self._number.rpartition("-")[2]
        return {"secondary": number} if settings.get("secondary") and NUMBER.fullmatch(number) else settings

    @property
    def _where(self) -> int:
        return frames.NETWORK if self.settings.secondary else self.settings.address

    def pending(self) -> Request | None:
        """What an answer made necessary: the read after a selection, the next telegram, a fresh start."""
        if self._next:
            return self._read()
        if self._fresh or self.settings.secondary:
            return None
        return self._send("reset", frames.short(frames.NKE, self._where), 1)

    def request(self, wants: Sequence[Want]) -> Request:
        """One answer brings everything."""
        self._names = tuple(want.name for want in wants)
        self._records.clear()
        self._telegrams = 0
        if not self.settings.secondary:
            return self._read()
        self._toggled = True
        settings = self.settings
        wanted = frames.select(settings.secondary, settings.manufacturer, settings.version, settings.medium)
        return self._send("select", wanted, 1)

    def feed(self, data: bytes, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """Bytes in any pieces; what is not the answer to what was asked is noise."""
        events: list[Event] = []
        for byte in data:
            if self.answered:
                self.counters.noise_bytes += 1
                continue
            found = self._heard.take(byte)
            if found is True:
                self._acknowledged()
            elif isinstance(found, frames.Refused):
                self.counters.refuse(found.reason)
            elif isinstance(found, frames.Frame):
                events += self._frame(found)
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer. The same bit is asked with again, so that the telegram is repeated; a broken chain starts anew."""
        self.answered = True
        self.counters.noise_bytes += self._heard.received
        # An acknowledgement that nothing followed was one of several at once.
        self.counters.noise_bytes += self._stage == "read" and bool(self.settings.secondary)
        if self._telegrams or self._stage == "reset":
            self._fresh = False
        self._next = ""
        return []

    def restarted(self) -> None:
        """The meter may be another one, and it may have forgotten the bit."""
        self._fresh = False
        self._next = ""

    def _read(self) -> Request:
        self._next = ""
        bit = frames.REQUEST_TOGGLED if self._toggled else frames.REQUEST
        return self._send("read", frames.short(bit, self._where), frames.HELD)

    def _send(self, stage: Literal["reset", "select", "read"], data: bytes, longest: int) -> Request:
        self._stage = stage
        self._heard.start(data)
        self.answered = False
        return Request(data, longest, self.settings.delay)

    def _acknowledged(self) -> None:
        if self._stage == "reset":
            # After SND_NKE the next bit a meter takes for new is 1.
            self.answered, self._fresh, self._toggled = True, True, True
        elif self._stage == "select":
            self.answered, self._next = True, "read"

    def _frame(self, frame: frames.Frame) -> list[Event]:
        if not frame.control & 0x40 and frame.control & 0x0F == RESPONSE_FUNCTION and self._stage == "read":
            where = self._where
            if where in (frames.NETWORK, frames.ANYBODY) or frame.address == where:
                return self._answer(frame)
        elif frame.control & 0x40:
            self.counters.echoes += 1
            self._heard.received -= len(frame.raw)
        return []

    def _answer(self, frame: frames.Frame) -> list[Event]:
        self.counters.frames += 1
        self.counters.noise_bytes += max(0, self._heard.received - len(frame.raw))
        self.answered = True
        self._toggled = not self._toggled
        try:
            telegram = parse(frame.ci, frame.data)
        except BadTelegramError as error:
            self.counters.refuse(error.why)
            said: dict[str, Scalar] = {"asked": "data", "why": error.why, "hex": frame.raw.hex()[:100]}
            return self._fault("value_refused", said, frame.raw)
        again = frame.raw == self._last and self._telegrams > 0
        self._last = frame.raw
        if not again:
            self._records += telegram.records
        self._telegrams += 1
        events = self._identified(telegram, frame.raw) + self._status(telegram, frame.raw)
        if telegram.more and not again and self._telegrams < MOST_TELEGRAMS:
            self._next = "more"
            return events
        # A meter that has told several starts with the first again after SND_NKE.
        self._fresh = self._fresh and self._telegrams == 1
        self._telegrams = 0
        self._faults.discard("value_refused data")
        return events + self._values(telegram, frame.raw)

    def _identified(self, telegram: Telegram, raw: bytes) -> list[Event]:
        number = "-".join(part for part in (telegram.manufacturer, telegram.number) if part)
        known = self._number
        if not number or number == known:
            return []
        self._number = number
        told: list[Event] = [Identified(number, raw)]
        if known:
            told.append(DeviceFault("replaced", data={"was": known, "is": number}, raw=raw))
        return told

    def _status(self, telegram: Telegram, raw: bytes) -> list[Event]:
        events: list[Event] = []
        for bit, name in STATUS.items():
            if telegram.status >> bit & 1:
                events += self._fault(name, {"asked": "status", "status": telegram.status}, raw)
            else:
                self._faults.discard(f"{name} status")
        return events

    def _values(self, telegram: Telegram, raw: bytes) -> list[Event]:
        doubtful = ("meter_error",) if telegram.status >> 3 & 1 else ()
        events: list[Event] = []
        for name in self._names:
            record = self._find(name)
            if record is None:
                events += self._fault("register_missing", {"asked": name}, raw)
            elif not isinstance(record.value, int):
                self.counters.refuse("no_number")
                events += self._fault("value_refused", {"asked": name, "why": "no number"}, raw)
            else:
                self._faults -= {f"register_missing {name}", f"value_refused {name}"}
                events.append(Measured(name, record.value, record.scale, record.unit, raw, doubtful))
        return events

    def _find(self, name: str) -> Record | None:
        pick = self.settings.pick.get(name)
        if pick is None:
            return next((one for one in self._records if one.quantity == name and one.plain), None)
        fitting = [one for one in self._records if _fits(one, pick)][pick.nth - 1 : pick.nth]
        if not pick.unit:
            return next(iter(fitting), None)
        return next(
            (msgspec.structs.replace(one, scale=one.scale + pick.scale, unit=pick.unit) for one in fitting), None
        )

    def _fault(self, event: str, data: dict[str, Scalar], raw: bytes) -> list[Event]:
        """Told once until it is over."""
        name = f"{event} {data['asked']}"
        if name in self._faults:
            return []
        self._faults.add(name)
        return [DeviceFault(event, data=data, raw=raw)]


RESPONSE_FUNCTION = frames.RESPONSE & 0x0F


def _fits(record: Record, pick: Pick) -> bool:
    mine = (record.quantity, record.storage, record.tariff, record.subunit, record.function, record.modifiers)
    return mine == (pick.quantity, pick.storage, pick.tariff, pick.subunit, pick.function, pick.modifiers)
