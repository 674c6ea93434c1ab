"""Meters and air units on Modbus RTU, one TOML profile a model: `addr fc count data.. CRClo CRChi`.

Before anything is recorded the meter tells its own number (another number is another meter) and values that must be
plausible (a wrong word order shows at once in volts and hertz). Energy is recorded as the register holds it, with its
own integer resolution; where the reader has to multiply by transformer ratios it is marked `secondary` and the
agreement multiplies, so that a wrong ratio can be put right. The surprise is what a late answer does: it is a valid
frame that may fit the next question. So after a lost answer no other question of its shape is asked for a while.
Source: Modbus over serial line V1.02; devices.md 1.1, 1.2, 8.1.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway import block_reads
from gateway.device_events import AirSample, Counters, DeviceFault, Event, Identified, Measured, Request, Scalar, Want
from gateway.drivers import modbus_rtu
from gateway.drivers.air_marks import AirMarks
from gateway.drivers.modbus_profile import Profile, Ratio, Register, decoded, ordered, worth
from gateway.drivers.modbus_repeats import Repeats, reader
from gateway.drivers.modbus_rtu import Answer, Refusal, RtuMaster
from gateway.drivers.modbus_strays import Strays

IDENTITY, CT, PT = "#identity", "#ct", "#pt"
# Powers of ten from a unit of energy to kilo, by its first letter.
KILO = {"k": 0, "M": 3}
# Codes by which a meter says that it has no such register.
UNKNOWN = (1, 2, 3)
# Questions whose answers are remembered.
QUESTIONS = 16
METER_SECONDS, AIR_SECONDS, AIR_WINDOW = 900.0, 10.0, 600


class MeterSettings(BaseModel):
    """Which meter, and what to read from it how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: int = Field(default=1, ge=1, le=254, description="Modbus address of the meter")
    profile: str = Field(default="sdm630", pattern=r"^[a-z0-9_]+$", description="register map: a file of that name")
    every: float = Field(default=0, ge=0, description="seconds between readings, on a fixed grid; 0: 900, air 10")
    registers: dict[str, float] = Field(
        default={}, description="registers to record; seconds between readings, 0 = `every`. Empty: the usual ones"
    )
    energy_in: Literal["kWh", "MWh"] = Field(default="kWh", description="unit the meter is set up to count energy in")
    ct: int = Field(default=0, ge=0, description="ratio of the current transformers; 0: as the meter says, else 1")
    pt: int = Field(default=0, ge=0, description="ratio of the voltage transformers; 0: as the meter says, else 1")
    window: int = Field(default=AIR_WINDOW, ge=10, le=86_400, description="seconds that one record of air sums up")
    frozen: float = Field(default=3600, ge=0, description="air that has not moved for so long is marked; 0: never")
    delay: float = Field(default=0.2, gt=0, le=5, description="longest time the meter takes before it answers, seconds")


class ModbusMeter:
    """One meter. Readings become Measured, air AirSample; a value that cannot be true a DeviceFault, told once."""

    kind: ClassVar[str] = "modbus_meter"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "modbus"
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1", "2400 8N1", "19200 8E1", "4800 8N1")
    Settings: ClassVar[type[BaseModel]] = MeterSettings

    def __init__(self, settings: MeterSettings, profile: Profile) -> None:
        self.settings = settings
        self.profile = profile
        self.counters = Counters()
        self.limits = profile.limits
        self._known = {register.name: self._as_set_up(register) for register in profile.register}
        chosen = settings.registers or dict.fromkeys(_usual(profile), 0.0)
        unknown = sorted(set(chosen) - set(self._known))
        if unknown:
            raise ValueError(f"registers {unknown}: profile {profile.model} has {sorted(self._known)}")
        self.wants = tuple(self._want(self._known[name], each or self._grid(name)) for name, each in chosen.items())
        self.window = settings.window if any(self._known[name].air for name in chosen) else 0
        meaning = [msgspec.to_builtins(profile), settings.energy_in, settings.ct, settings.pt]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).hexdigest()
        self._master = RtuMaster(self.counters)
        self._marks = AirMarks(profile.warm_up, settings.frozen)
        self._told: tuple[str, dict[str, Any]] = "", {}
        self._ratios: dict[str, tuple[int, int]] = {}
        self._faults: set[str] = set()
        self._asked: tuple[Want, ...] = ()
        self._first = 0
        self._now = 0.0
        self._lost = Strays()
        self._parts: deque[tuple[Want, ...]] = deque()
        self._narrow = False
        self._planned: tuple[Sequence[Want], tuple[tuple[Want, ...], ...]] = ((), ())
        self._air_at: dict[str, float] = {}
        self._repeats: dict[bytes, Repeats] = {}
        self._steps: deque[tuple[Want, ...]] = self._start_up()

    @property
    def answered(self) -> bool:
        """See `SerialDriver`."""
        return self._master.answered

    def pending(self) -> Request | None:
        """Who are you, how are your transformers, are your values plausible; then the rest of a block in pieces."""
        if self._steps:
            return self._read(self._steps[0])
        return self._read(self._parts.popleft()) if self._parts else None

    def request(self, wants: Sequence[Want]) -> Request:
        """One read from the first to the last of these; its pieces, where the meter refuses to be read through gaps."""
        if wants is not self._planned[0] or not isinstance(wants, tuple):
            limits = msgspec.structs.replace(self.limits, gap=0) if self._narrow else self.limits
            self._planned = wants, block_reads.blocks(wants, limits)
        self._parts = deque(self._planned[1])
        return self._read(self._parts.popleft())

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes from the line."""
        self._now = now
        found = self._master.feed(data)
        if isinstance(found, Answer):
            self._faults.discard("exception")
            return self._values(found)
        return self._refused(found) if found else []

    def again(self, wants: Sequence[Want], sent: bytes, answer: bytes, now: float) -> list[Event] | None:
        """See `SerialDriver`."""
        if self._steps or self._parts or self._lost or self._narrow or not self._master.answered:
            return None
        repeats = self._repeats.get(sent)
        if repeats is None or repeats.wants is not wants:
            repeats = self._repeated(wants, sent)
        frame = None if repeats is None else self._master.again(sent, answer)
        if repeats is None or frame is None:
            return None
        self._now = now
        self._faults.discard("exception")
        return repeats.events(frame, self._value, anew=bool(self._faults)) + self._marks.news()

    def _repeated(self, wants: Sequence[Want], sent: bytes) -> Repeats | None:
        """What is known of this question's answers; None where it does not ask for all of these."""
        first, count = sent[2] << 8 | sent[3], sent[4] << 8 | sent[5]
        if any(want.table != sent[1] or not 0 <= want.address - first <= count - want.width for want in wants):
            return None
        if len(self._repeats) >= QUESTIONS:
            self._repeats.clear()
        self._repeats[sent] = Repeats(wants, first, self._alike)
        return self._repeats[sent]

    def _alike(self, want: Want) -> tuple[Callable[[int], int | None] | None, int, str, tuple[str, ...]]:
        """How `_value` words a register whose value alone changes: as long as the ratios are what they are."""
        register = self._known[want.name]
        factor, power = self._factor(register) if register.ratio else (1, 0)
        if register.air or register.range or register.wraps or (register.energy and register.ratio):
            return None, 0, "", ()
        return reader(register, register.order or self.profile.order, factor), register.scale + power, register.unit, ()

    def expired(self, now: float) -> list[Event]:
        """No answer, or one that shows only now that nothing more comes."""
        self._now = now
        if self._master.answered:
            return []
        refusal = self._master.expired()
        if refusal is not None:
            return self._refused(refusal)
        self.gave_up(self._master.sent, now)
        self._parts.clear()
        return []

    def gave_up(self, sent: bytes, now: float) -> None:
        """A question of ours whose answer nobody waits for any more."""
        self._lost.gave_up(sent, now)

    def restarted(self) -> None:
        """The meter may be another one now, and its power may have been away: ask everything again."""
        self._steps = self._start_up()
        self._parts.clear()
        self._marks.woke()

    def _start_up(self) -> deque[tuple[Want, ...]]:
        profile, steps = self.profile, deque[tuple[Want, ...]]()
        ratios = ((CT, profile.ct, self.settings.ct), (PT, profile.pt, self.settings.pt))
        steps.extend((_ratio_want(name, place),) for name, place, given in ratios if place and not given)
        if profile.identity:
            own = profile.identity
            steps.append((Want(IDENTITY, 0, own.table, own.address, own.width),))
        checks = [self._want(register, 0) for register in profile.register if register.check]
        steps.extend(block_reads.blocks(checks, self.limits))
        return steps

    def _grid(self, name: str) -> float:
        return self.settings.every or (AIR_SECONDS if self._known[name].air else METER_SECONDS)

    def _want(self, register: Register, every: float) -> Want:
        return Want(register.name, every, self.profile.table_of(register), register.address, register.width)

    def _read(self, wants: Sequence[Want]) -> Request:
        self._asked = tuple(wants)
        self._first = min(want.address for want in wants)
        count = max(want.address + want.width for want in wants) - self._first
        table = wants[0].table
        longest = min(self.limits.most, 0x10000 - self._first)
        count = self._lost.count(table, self._first, count, longest, self._now)
        sent = self._master.ask(modbus_rtu.read(self.settings.unit, table, self._first, count))
        usual = modbus_rtu.answer_bytes(sent)
        echo = len(sent) if self._master.echoes else 0
        return Request(sent, self._master.expect, self.settings.delay, usual=usual + echo)

    def _refused(self, refusal: Refusal) -> list[Event]:
        asked = self._asked
        if refusal.code in UNKNOWN and len(asked) > 1:
            self._take_apart(asked)
            return []
        name = asked[0].name
        if refusal.code in UNKNOWN and name in (IDENTITY, CT, PT):
            self._steps.popleft()  # a model without a number of its own can still be read
        said: dict[str, Scalar] = {"code": refusal.code, "meaning": refusal.meaning, "asked": name.removeprefix("#")}
        return self._fault("exception", said, refusal.raw)

    def _take_apart(self, asked: tuple[Want, ...]) -> None:
        """A block was refused: first without what lies between the wanted, then each one alone."""
        singles = block_reads.blocks(asked, msgspec.structs.replace(self.limits, gap=0))
        if len(singles) == 1:
            singles = tuple((want,) for want in asked)
        if self._steps:
            self._steps.popleft()
            self._steps.extendleft(reversed(singles))
        else:
            self._narrow, self._planned = True, ((), ())
            self._parts.extendleft(reversed(singles))

    def _values(self, answer: Answer) -> list[Event]:
        events: list[Event] = []
        starting = bool(self._steps) and self._asked == self._steps[0]
        fit = True
        for want in self._asked:
            at = 2 * (want.address - self._first)
            data = answer.data[at : at + 2 * want.width]
            if want.name == IDENTITY:
                events += self._identified(data, answer.raw)
            elif want.name in (CT, PT):
                events += self._ratio(want.name, data, answer.raw)
            elif starting:
                found = self._checked(self._known[want.name], data, answer.raw)
                fit = fit and found is None
                events += found or []
            else:
                events += self._value(want, data, answer.raw)
        if starting and fit:
            self._steps.popleft()
            if not self._steps and not self.profile.identity:
                events += self._introduced("", answer.raw)
        return events + self._marks.news()

    def _identified(self, data: bytes, frame: bytes) -> list[Event]:
        identity = self.profile.identity
        assert identity is not None
        if identity.type == "text":
            number = "".join(chr(byte) for byte in data if 0x20 < byte < 0x7F)
        else:
            value = decoded(identity.type, ordered(data, self.profile.order))
            number = "" if value is None else str(value)
        return self._introduced(number, frame)

    def _introduced(self, number: str, frame: bytes) -> list[Event]:
        """Its number and what its registers are worth, where either is news."""
        (known, facts), self._told = self._told, (number, self._facts())
        if (known, facts) == self._told:
            return []
        told: list[Event] = [Identified(number, frame, self._told[1])]
        if known not in ("", number):
            told.append(DeviceFault("replaced", data={"was": known, "is": number}, raw=frame))
        return told

    def _facts(self) -> dict[str, Any]:
        """What the recorded registers of energy are worth: kWh at which they wrap, the ratios they wait for."""
        known = {name.removeprefix("#"): self._one_ratio(name) for name in (CT, PT)}
        facts: dict[str, Any] = {name: worth(*found) for name, found in known.items() if found}
        registers = {want.name: self._known[want.name] for want in self.wants if self._known[want.name].energy}
        facts["model"] = self.profile.model
        facts["registers"] = {name: self._worth_of(register) for name, register in registers.items()}
        return facts

    def _worth_of(self, register: Register) -> dict[str, str]:
        found = {"unit": register.unit}
        if register.wraps:
            found["modulus"] = worth(register.wraps, register.scale + KILO.get(register.unit[0], -3))
        if register.ratio:
            found["ratio"] = register.ratio
            if self._is_known(register):
                found["factor"] = worth(*self._factor(register))
        return found

    def _is_known(self, register: Register) -> bool:
        """Whether every ratio it waits for is."""
        return all(self._one_ratio(f"#{name}") for name in register.ratio.split("*"))

    def _one_ratio(self, name: str) -> tuple[int, int] | None:
        """A ratio as a number and a power of ten: set, or the meter's own; None: nobody says."""
        given = self.settings.ct if name == CT else self.settings.pt
        return (given, 0) if given else self._ratios.get(name)

    def unsaid(self) -> list[str]:
        """Ratios ("ct", "pt") that recorded registers wait for, and that neither settings nor the meter can give."""
        needed = {name for want in self.wants for name in self._known[want.name].ratio.split("*") if name}
        own = {"ct": self.profile.ct or self.settings.ct, "pt": self.profile.pt or self.settings.pt}
        return sorted(name for name in needed if not own[name])

    def _ratio(self, name: str, data: bytes, frame: bytes) -> list[Event]:
        place = self.profile.ct if name == CT else self.profile.pt
        assert place is not None
        found = int.from_bytes(ordered(data, self.profile.order), "big"), place.scale
        known = self._ratios.get(name)
        self._ratios[name] = found
        if known == found:
            return []
        self._repeats.clear()
        return [DeviceFault("ratio", data={"of": name.removeprefix("#"), "is": worth(*found)}, raw=frame)]

    def _factor(self, register: Register) -> tuple[int, int]:
        """What the reader multiplies with, as a number and a power of ten."""
        factor, scale = 1, 0
        for name in register.ratio.split("*"):
            one, power = self._one_ratio(f"#{name}") or (1, 0)
            factor, scale = factor * (one or 1), scale + (power if one else 0)
        return factor, scale

    def _checked(self, register: Register, data: bytes, frame: bytes) -> list[Event] | None:
        """None when the value is plausible."""
        assert register.check is not None
        low, high = register.check
        value = self.profile.raw(register, data)
        if value is not None and low <= value <= high:
            self._faults.discard(f"implausible {register.name}")
            return None
        self.counters.refused += 1
        told: dict[str, Scalar] = {"register": register.name, "hex": data.hex(), "low": low, "high": high}
        return self._fault("implausible", told, frame)

    def _value(self, want: Want, data: bytes, frame: bytes) -> list[Event]:
        register = self._known[want.name]
        value = self.profile.raw(register, data)
        beyond = bool(register.wraps) and value is not None and value >= register.wraps
        if value is None or beyond or (register.energy and value < 0):
            self.counters.refused += 1
            return self._fault("value_refused", {"register": register.name, "hex": data.hex()}, frame)
        if self._faults:
            self._faults.discard(f"value_refused {register.name}")
        factor, power = self._factor(register) if register.ratio else (1, 0)
        if register.energy:
            q: tuple[str, ...] = ()
            if register.ratio and not self._is_known(register):
                q = ("secondary", "ratio_unknown")
            elif factor * 10 ** max(power, 0) != 10 ** max(-power, 0):
                q = ("secondary",)
            return [Measured(register.name, value, register.scale, register.unit, frame, q)]
        value, scale = value * factor, register.scale + power
        if not register.air:
            q = ("out_of_range",) if register.range and not _within(value, register.range) else ()
            return [Measured(register.name, value, scale, register.unit, frame, q)]
        before = self._air_at.get(register.name)
        self._air_at[register.name] = self._now
        follows = before is not None and self._now - before <= 2.5 * want.every
        marks = self._marks.judge(register.name, value, self._now, register.range)
        return [AirSample({register.name: value}, scale, register.unit, follows, frame, marks)]

    def _fault(self, event: str, data: dict[str, Scalar], frame: bytes) -> list[Event]:
        """Told once until it is over: a meter that is wrong is wrong at every reading."""
        name = f"{event} {data['register']}" if "register" in data else event
        if name in self._faults:
            return []
        self._faults.add(name)
        return [DeviceFault(event, data=data, raw=frame)]

    def _as_set_up(self, register: Register) -> Register:
        if register.energy and self.settings.energy_in == "MWh":
            return msgspec.structs.replace(register, decimals=register.decimals + 3)
        return register


def _usual(profile: Profile) -> list[str]:
    """What a person who names no registers means: imported energy, or the air, or everything."""
    names = [register.name for register in profile.register]
    air = [register.name for register in profile.register if register.air]
    return ["import_wh"] if "import_wh" in names else air or names


def _ratio_want(name: str, place: Ratio) -> Want:
    return Want(name, 0, place.table, place.address, 2 if place.type == "uint32" else 1)


def _within(value: int, limits: tuple[int, int]) -> bool:
    return limits[0] <= value <= limits[1]
