"""Motor and lock board ZDM8, Modbus RTU, 9600 8N1: springs, magnets, belts and timed motors behind one address.

    start    01 10 20 01 00 02 04 lane type drop lift crc      -> 01 10 20 01 00 02 crc       lane = row * 10 + column
    state    01 03 00 03 00 01 crc                             -> 01 03 02 run fault crc
    others   read 1 hardware (2), 2 software (2), 4 temperature and humidity x10 (2), 5 lock, 8 drop sensor, A inputs

The surprise is the state: success and failure are shown to one reader, once; afterwards the board reads idle, whoever
lost the answer. So the state is read for a dispense and for nothing else, and its answer is on disk before anything is
done with it. The addresses are message numbers and no registers: 1 and 4 answer two words, 2 and 5 are other things.
Keeps one frame, at most 256 bytes. Source: vending.md 1.4 C (laoapps/vending-server); docs/protocols/motor_zdm8.md.
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
    Dispensed,
    DoorState,
    Event,
    Identified,
    Measured,
    MotorState,
    Request,
    Scalar,
    Want,
)
from gateway.drivers.modbus_rtu import (
    READ_HOLDING,
    WRITE_REGISTERS,
    Answer,
    Refusal,
    RtuMaster,
    read,
    write_registers,
)

START = 0x2001
HARDWARE, SOFTWARE, STATE, CLIMATE, LOCK, DROP, INPUTS = 1, 2, 3, 4, 5, 8, 0xA
WIDTHS = {"climate": 2}
ADDRESSES = {"climate": CLIMATE, "lock": LOCK, "drop_sensor": DROP, "inputs": INPUTS}
CURTAIN_INPUT = 1 << 10
IDLE = 0


class ZdmSettings(BaseModel):
    """How the board is wired. The codes of `run` are not public: compare them with your board's table 3.1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: int = Field(default=1, ge=1, le=247, description="Modbus address of the board")
    type: int = Field(default=1, ge=0, le=4, description="1 spring motor, 2 magnet lock, 3 belt, 4 timed, 0 by itself")
    drop: bool = Field(default=True, description="a light curtain sees goods fall, and is switched on for each piece")
    lift: bool = Field(default=False, description="goods are brought down by a lift")
    door: bool = Field(default=False, description="the board watches the cabinet's lock")
    watch: float = Field(default=10.0, ge=0, description="look at lock and light curtain every so many seconds")
    climate: float = Field(default=0.0, ge=0, description="read temperature and humidity every so many seconds; 0 = no")
    inputs: float = Field(default=0.0, ge=0, description="read the input bits every so many seconds; 0 = no")
    running: int = Field(default=1, ge=1, le=255, description="code of run: dispensing")
    success: int = Field(default=2, ge=1, le=255, description="code of run: dispensed")
    failure: int = Field(default=3, ge=1, le=255, description="code of run: not dispensed")
    delay: float = Field(default=0.3, gt=0, le=5, description="longest time the board takes to answer, seconds")
    patience: float = Field(default=20.0, ge=1, le=600, description="longest time a dispense takes, seconds")


class MotorZdm8:
    """One board. `drive(slot)` starts a lane, `state()` asks once how it went; slots are lanes, 0 to 99."""

    kind: ClassVar[str] = "motor_zdm8"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "modbus"
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1",)
    Settings: ClassVar[type[BaseModel]] = ZdmSettings

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """Settings to try when a line is searched: as shipped, and the addresses next to it."""
        return ({"unit": unit} for unit in range(1, 9))

    def __init__(self, settings: ZdmSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.cfg = hashlib.sha256(
            msgspec.json.encode(["motor_zdm8", settings.running, settings.success, settings.failure, settings.drop])
        ).hexdigest()
        self.patience = settings.patience
        # A table each: neighbours in number are no neighbours in the board.
        every = {"climate": settings.climate, "lock": settings.watch * settings.door}
        every["drop_sensor"] = settings.watch * settings.drop
        every["inputs"] = settings.inputs
        self.wants: Sequence[Want] = tuple(
            Want(name, seconds, ADDRESSES[name], ADDRESSES[name], WIDTHS.get(name, 1))
            for name, seconds in every.items()
            if seconds
        )
        self._line = RtuMaster(self.counters)
        self._lane = ""
        self._versions: dict[int, str] = {}
        self._inputs: int | None = None
        self._curtain: bool | None = None
        self._door: bool | None = None

    @property
    def answered(self) -> bool:
        """See SerialDriver."""
        return self._line.answered

    def drives(self, slot: str) -> bool:
        """Whether this can be a lane."""
        return slot.isascii() and slot.isdigit() and 0 <= int(slot) <= 99

    def drive(self, slot: str, quantity: int = 1) -> Request:
        """Start a lane, once: asked twice it turns twice."""
        if not self.drives(slot) or quantity != 1:
            raise ValueError(f"slot {slot!r}: lanes are 0 to 99 (row * 10 + column), one piece at a time")
        one = self.settings
        self._lane = str(int(slot))
        return self._ask(write_registers(one.unit, START, [int(slot) << 8 | one.type, one.drop << 8 | one.lift]))

    def state(self) -> Request:
        """How it went. A result is shown to this question and to no other."""
        return self._ask(read(self.settings.unit, READ_HOLDING, STATE, 1))

    def pending(self) -> Request | None:
        """Hardware and software version, once after each start."""
        missing = next((address for address in (HARDWARE, SOFTWARE) if address not in self._versions), None)
        return None if missing is None else self._ask(read(self.settings.unit, READ_HOLDING, missing, 2))

    def request(self, wants: Sequence[Want]) -> Request:
        """One message number."""
        return self._ask(read(self.settings.unit, READ_HOLDING, wants[0].address, wants[0].width))

    def feed(self, data: bytes, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """Bytes from the line."""
        found = self._line.feed(data)
        return self._said(found) if found is not None else []

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer that fits."""
        if not self.answered and self._line.heard:
            self.counters.refuse("crc")
        found = self._line.expired()
        return self._said(found) if found is not None else []

    def kept(self, event: Event) -> None:
        """Nothing is answered; but what comes is on disk before anything is done with it."""

    def restarted(self) -> None:
        """It may be another board: ask its versions, and tell lock and light curtain again."""
        self._versions.clear()
        self._curtain = self._door = self._inputs = None

    def _ask(self, data: bytes) -> Request:
        self._line.ask(data)
        return Request(data, self._line.expect, self.settings.delay)

    def _said(self, found: Answer | Refusal) -> list[Event]:
        function, address = self._line.sent[1], int.from_bytes(self._line.sent[2:4], "big")
        if function == WRITE_REGISTERS:
            taken = isinstance(found, Answer)
            return [CommandTaken(taken, "" if isinstance(found, Answer) else found.meaning, found.raw)]
        if address in (HARDWARE, SOFTWARE):
            return self._version(address, found)
        if isinstance(found, Refusal):
            return []
        tell = {STATE: self._result, CLIMATE: _climate, LOCK: self._lock, DROP: self._sensor, INPUTS: self._bits}
        return tell[address](found) if address in tell else []

    def _version(self, address: int, found: Answer | Refusal) -> list[Event]:
        """BCD: hardware is year and month, rows and columns; software is a date. A board that refuses has none."""
        self._versions[address] = found.data.hex() if isinstance(found, Answer) else "none"
        if len(self._versions) < 2:
            return []
        number = f"hardware {self._versions[HARDWARE]} software {self._versions[SOFTWARE]}"
        return [Identified(number, found.raw)]

    def _bits(self, found: Answer) -> list[Event]:
        bits, before = int.from_bytes(found.data, "big"), self._inputs
        self._inputs = bits
        told: dict[str, Scalar] = {"bits": bits, "curtain": bool(bits & CURTAIN_INPUT)}
        return [DeviceFault("inputs", data=told, raw=found.raw)] if bits != before else []

    def _result(self, found: Answer) -> list[Event]:
        one, raw = self.settings, found.raw
        run, fault = found.data[0], found.data[1]
        if run == IDLE:
            return [MotorState(running=False, raw=raw)]
        if run == one.running:
            return [MotorState(running=True, raw=raw)]
        reason = f"fault {fault:02X}" if fault else ""
        if run == one.success:
            return [Dispensed("", "", self._lane, 1, "ok", "seen" if one.drop else "off", reason=reason, raw=raw)]
        if run == one.failure:
            # Without a fault of the motor it is the light curtain that saw nothing.
            motor = "ok" if one.drop and not fault else "jam"
            return [Dispensed("", "", self._lane, 0, motor, "none" if one.drop else "off", reason=reason, raw=raw)]
        return [DeviceFault("status_unknown", self._lane, {"run": run, "fault": fault}, raw)]

    def _lock(self, found: Answer) -> list[Event]:
        """The example `01 00` is printed as closed: the high byte is the lock, 01 closed."""
        closed, before = found.data[0] == 1, self._door
        self._door = closed
        return [DoorState("door", closed, found.raw)] if closed is not before else []

    def _sensor(self, found: Answer) -> list[Event]:
        fine, before = found.data[1] == 1, self._curtain
        self._curtain = fine
        if fine is before or (fine and before is None):
            return []
        return [DeviceFault("drop_sensor_back" if fine else "drop_sensor_blocked", raw=found.raw)]


def _climate(found: Answer) -> list[Event]:
    words = [int.from_bytes(found.data[at : at + 2], "big", signed=at == 0) for at in (0, 2)]
    return [
        Measured("temperature", words[0], -1, "Cel", found.raw),
        Measured("humidity", words[1], -1, "%", found.raw),
    ]
