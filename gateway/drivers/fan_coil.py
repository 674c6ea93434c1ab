"""Run-time collector of a fan coil: an input module on Modbus senses three speed lines, the valve and the plant.

    asked    addr 02 first(2) count(2) crc        answer   addr 02 bytes bits(8 a byte, lowest first) crc
    asked    addr 04 at(2) 0001 crc               the supply water's temperature, where a sensor is wired

The surprise is what counts: a running fan is not cooling. Time is effective only while a fan runs AND the two-way
valve is open AND the plant delivers: its flow switch is closed, or its water is below `cold` or above `warm`; then the
seconds are called cool_high or heat_high, because their weights differ. Two speed lines at once, or water that nobody
measured, is no state at all: unknown, never "off".
Source: devices.md 8.5 (time-type systems); Modbus Application Protocol V1.1b3 section 6.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.device_events import Counters, DeviceFault, Event, FanState, Request, Scalar, Want
from gateway.drivers import modbus_rtu
from gateway.drivers.modbus_rtu import Answer, Refusal, RtuMaster

LINES, WATER = "lines", "water"
SPEEDS = ("high", "mid", "low")
# A temperature is as good as the state it is asked with for so many polls.
GAP_POLLS = 2.5


class FanSettings(BaseModel):
    """How the collector is wired. Inputs count from 0 at `first`; -1: not wired."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: int = Field(default=1, ge=1, le=247, description="Modbus address of the input module")
    table: Literal[1, 2] = Field(default=2, description="function that reads the inputs: 2 inputs, 1 coils")
    first: int = Field(default=0, ge=0, le=65_500, description="address of the module's first input")
    high: int = Field(default=0, ge=-1, le=31, description="input of the line of the highest speed")
    mid: int = Field(default=1, ge=-1, le=31, description="input of the middle speed")
    low: int = Field(default=2, ge=-1, le=31, description="input of the lowest speed")
    valve: int = Field(default=3, ge=-1, le=31, description="input of the two-way valve; -1: always open")
    flow: int = Field(default=-1, ge=-1, le=31, description="input of the plant's flow switch")
    inverted: list[int] = Field(default=[], description="inputs that are 1 when their line is off")
    water_at: int = Field(default=-1, ge=-1, le=65_535, description="register of the supply water, tenths of a degree")
    water_table: Literal[3, 4] = Field(default=4, description="function that reads it")
    cold: int = Field(default=120, description="the plant cools while its water is below, tenths of a degree")
    warm: int = Field(default=350, description="the plant heats while its water is above, tenths of a degree")
    every: float = Field(default=2, ge=0.2, le=60, description="seconds between looks")
    window: int = Field(default=300, ge=10, le=86_400, description="seconds that one record sums up, on a fixed grid")
    delay: float = Field(default=0.2, gt=0, le=5, description="longest time the module takes to answer, seconds")

    @model_validator(mode="after")
    def _wired_once(self) -> FanSettings:
        wired = [one for one in (self.high, self.mid, self.low, self.valve, self.flow) if one >= 0]
        if len(set(wired)) != len(wired):
            raise ValueError("two lines cannot be on one input")
        if max(self.high, self.mid, self.low) < 0:
            raise ValueError("at least one speed line must be wired")
        if self.flow < 0 and self.water_at < 0:
            raise ValueError("say how the plant is known to deliver: flow (an input) or water_at (a register)")
        return self


class FanCoil:
    """One collector. Each look becomes a FanState; what it adds up to, a runtime record a window."""

    kind: ClassVar[str] = "fan_coil"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "modbus"
    Settings: ClassVar[type[BaseModel]] = FanSettings

    @classmethod
    def candidates(cls) -> tuple[dict[str, Any], ...]:
        """None: nobody can guess which input is which. The unit itself is found as a Modbus device, modbus_meter."""
        return ()

    def __init__(self, settings: FanSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.runtime = settings.window
        self.gap = GAP_POLLS * settings.every
        wired = max(settings.high, settings.mid, settings.low, settings.valve, settings.flow) + 1
        lines = Want(LINES, settings.every, settings.table, settings.first, wired)
        water = Want(WATER, settings.every, settings.water_table, settings.water_at, 1)
        self.wants: Sequence[Want] = (water, lines) if settings.water_at >= 0 else (lines,)
        meaning = settings.model_dump(exclude={"unit", "every", "window", "delay"})
        self.cfg = hashlib.sha256(msgspec.json.encode(["fan_coil", meaning], order="sorted")).hexdigest()
        self._master = RtuMaster(self.counters)
        self._asked = lines
        self._water: tuple[int, float] | None = None
        self._faults: set[str] = set()

    @property
    def answered(self) -> bool:
        """See `SerialDriver`."""
        return self._master.answered

    def pending(self) -> None:
        """It has no questions of its own."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """The lines, or the water: they are of different tables."""
        self._asked = wants[0]
        one = self._asked
        sent = self._master.ask(modbus_rtu.read(self.settings.unit, one.table, one.address, one.width))
        return Request(sent, self._master.expect, self.settings.delay, usual=modbus_rtu.answer_bytes(sent))

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes from the line."""
        found = self._master.feed(data)
        if isinstance(found, Refusal):
            return self._fault("exception", {"code": found.code, "meaning": found.meaning, "asked": self._asked.name})
        if found is None:
            return []
        self._faults.discard("exception")
        if self._asked.name == WATER:
            tenths = int.from_bytes(found.data, "big", signed=True)
            # Open and shorted sensors read the ends of the scale.
            self._water = (tenths, now) if -500 < tenths < 1500 else None
            return []
        return self._state(found, now)

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer: nobody looked."""
        self._master.expired()
        return []

    def restarted(self) -> None:
        """Nothing is known of what was before."""
        self._water = None

    def _state(self, answer: Answer, now: float) -> list[Event]:
        on = {
            number: bool(answer.data[number // 8] >> number % 8 & 1) is not (number in self.settings.inverted)
            for number in range(self._asked.width)
        }
        running = [speed for speed in SPEEDS if on.get(getattr(self.settings, speed), False)]
        if len(running) > 1:
            told = self._fault("speeds_contradict", {"lines": " ".join(running)})
            return [FanState(None, raw=answer.raw), *told]
        self._faults.discard("speeds_contradict")
        if not running or not on.get(self.settings.valve, True):
            return [FanState("", raw=answer.raw)]
        plant = self._plant(on, now)
        if plant is None:
            return [FanState(None, raw=answer.raw)]
        return [FanState(plant + running[0] if plant != "off" else "", raw=answer.raw)]

    def _plant(self, on: dict[int, bool], now: float) -> str | None:
        """What the plant does with the water: "cool_", "heat_", "" (it delivers, nobody says what), "off", None."""
        settings = self.settings
        if settings.flow >= 0 and not on[settings.flow]:
            return "off"
        if settings.water_at < 0:
            return ""
        if self._water is None or now - self._water[1] > self.gap:
            return None
        if self._water[0] < settings.cold:
            return "cool_"
        return "heat_" if self._water[0] > settings.warm else "off"

    def _fault(self, event: str, data: dict[str, Scalar]) -> list[Event]:
        """Told once until it is over."""
        if event in self._faults:
            return []
        self._faults.add(event)
        return [DeviceFault(event, data=data, raw=self._master.sent)]
