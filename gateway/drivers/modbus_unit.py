"""Air unit on Modbus RTU whose speed is one register or one coil: written, and always read back.

    set      addr 05|06|10 at value crc        levels: the value for off, for level 1, for level 2, ...
    look     addr 01|03|04 at 0001 crc         a value that no level has is told as it is, never rounded to one

The surprise: the answer to a write repeats what was asked, so it is the same whether the fan turns or its thermal
cut-out is open, and byte for byte the echo of an adapter. It counts as "heard"; only a read says what the unit does.
Source: Modbus Application Protocol V1.1b3 (05, 06, 16); fan-coil controllers' register lists, devices.md 5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.device_events import CommandTaken, Counters, DeviceFault, Event, LevelState, Request, Want
from gateway.drivers import modbus_rtu
from gateway.drivers.modbus_rtu import Refusal, RtuMaster


class UnitSettings(BaseModel):
    """Where the unit keeps its speed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: int = Field(default=1, ge=1, le=247, description="Modbus address of the unit")
    at: int = Field(ge=0, le=65535, description="register or coil that sets the speed")
    read_at: int | None = Field(default=None, ge=0, le=65535, description="where the speed is read back; empty: `at`")
    read_table: Literal[1, 3, 4] = Field(default=3, description="1 coils, 3 holding, 4 input registers")
    write: Literal[5, 6, 16] = Field(default=6, description="5 one coil, 6 one register, 16 registers")
    levels: tuple[int, ...] = Field(default=(0, 1, 2, 3), description="register values: off, level 1, level 2, ...")
    watch: float = Field(default=30.0, ge=0, description="look at the speed every so many seconds; 0 = never")
    delay: float = Field(default=0.2, gt=0, le=5, description="longest time the unit takes before it answers, seconds")
    echo: Literal["learn", "yes", "no"] = Field(default="learn", description="does the adapter repeat what we send?")

    @field_validator("levels")
    @classmethod
    def _apart(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if not 2 <= len(levels) <= 10 or len(set(levels)) != len(levels) or not all(0 <= v <= 65535 for v in levels):
            raise ValueError("2 to 10 different values, 0 to 65535: off, level 1, level 2, ...")
        return levels


class ModbusUnit:
    """One unit. `set_level(level)` and `look()` make requests; answers become CommandTaken and LevelState."""

    kind: ClassVar[str] = "modbus_unit"
    bus: ClassVar[str] = "modbus"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1", "19200 8E1")
    Settings: ClassVar[type[BaseModel]] = UnitSettings

    @classmethod
    def candidates(cls) -> tuple[dict[str, Any], ...]:
        """None: nobody can guess its registers. The unit itself is found as a Modbus device, modbus_meter."""
        return ()

    def __init__(self, settings: UnitSettings) -> None:
        if settings.write == modbus_rtu.WRITE_COIL and len(settings.levels) > 2:
            raise ValueError("a coil has two levels: levels = [0, 1]")
        self.settings = settings
        self.counters = Counters()
        self.wants: Sequence[Want] = (Want("level", settings.watch),) if settings.watch else ()
        self.levels = len(settings.levels) - 1
        meaning = ["modbus_unit", settings.at, settings.read_at, settings.read_table, settings.levels]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning)).hexdigest()
        echoes = {"yes": True, "no": False, "learn": None}[settings.echo]
        self._master = RtuMaster(self.counters, echoes=echoes)
        self._writing = False
        self._refused = 0

    @property
    def answered(self) -> bool:
        """See `SerialDriver`."""
        return self._master.answered

    def set_level(self, level: int) -> Request:
        """The command. Raises ValueError for a level the unit does not have."""
        if not 0 <= level <= self.levels:
            raise ValueError(f"level {level}: this unit has the levels 0 to {self.levels}")
        unit, at, value = self.settings.unit, self.settings.at, self.settings.levels[level]
        if self.settings.write == modbus_rtu.WRITE_COIL:
            return self._ask(modbus_rtu.write_coil(unit, at, on=level > 0), writing=True)
        if self.settings.write == modbus_rtu.WRITE_REGISTERS:
            return self._ask(modbus_rtu.write_registers(unit, at, [value]), writing=True)
        return self._ask(modbus_rtu.write_register(unit, at, value), writing=True)

    def look(self) -> Request:
        """Asks for the speed it is set to."""
        at = self.settings.at if self.settings.read_at is None else self.settings.read_at
        return self._ask(modbus_rtu.read(self.settings.unit, self.settings.read_table, at, 1), writing=False)

    def pending(self) -> Request | None:
        """Nothing goes first, except on a line that may echo: a read tells, and a command must not guess."""
        return self.look() if self._master.echoes is None and not self._refused else None

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - the unit has one question
        """See `look`."""
        return self.look()

    def feed(self, data: bytes, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """Bytes from the line."""
        answer = self._master.feed(data)
        if answer is None:
            return []
        if isinstance(answer, Refusal):
            return self._no(answer)
        self._refused = 0
        if self._writing:
            return [CommandTaken(taken=True, raw=answer.raw)]
        value = answer.data[0] & 1 if self.settings.read_table == modbus_rtu.READ_COILS else int.from_bytes(answer.data)
        values = self.settings.levels
        return [LevelState(values.index(value) if value in values else None, value, answer.raw)]

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer; a refusal that was hidden in noise may still be one."""
        refusal = self._master.expired()
        return self._no(refusal) if refusal else []

    def restarted(self) -> None:
        """The adapter may be another one: learn its echo again."""
        self._refused = 0
        if self.settings.echo == "learn":
            self._master.echoes = None

    def _ask(self, request: bytes, *, writing: bool) -> Request:
        self._writing = writing
        return Request(self._master.ask(request), self._master.expect, self.settings.delay)

    def _no(self, refusal: Refusal) -> list[Event]:
        """A command that is refused is told to who gave it; a read that is refused is a fault, told once."""
        if self._writing:
            return [CommandTaken(taken=False, why=refusal.meaning, raw=refusal.raw)]
        first, self._refused = not self._refused, refusal.code
        return [DeviceFault("refused", data={"code": refusal.code}, raw=refusal.raw)] if first else []
