"""TCN spring-coil board, 9600 8N1: one question turns a coil, one answer tells how it went. Nothing is numbered.

    turn   00 FF slot ~slot AA 55            reply  00 status fault drop sum
                                             status 5D the motor came home, 5C it did not
                                             drop   AA seen, CC seen after an extra turn, 33 not seen, 00 sensor off
                                             fault  1x 2x transistor, 3x short, 4x no motor, 5x time-out

The surprise is what must not be done: the same bytes again turn the coil again. So a question without an answer is
never repeated and says that nobody knows; an answer that comes late is still told, with the slot it must belong to,
because until then nothing else may be asked. Keeps at most 6 bytes.
Source: vending.md 1.4 B; docs/protocols/coil_tcn.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import Counters, Dispensed, Event, Request, Want
from gateway.drivers.check_bytes import sum8

REPLY, REQUEST = 5, 6
HOME, NOT_HOME = 0x5D, 0x5C
DROPS = {0xAA: "seen", 0xCC: "extra", 0x33: "none", 0x00: "off"}
NO_MOTOR, NO_SLOT = 0x4, 0x86
FAULTS = {0x1: "transistor", 0x2: "transistor", 0x3: "short circuit", 0x4: "no motor", 0x5: "time-out"}


class TcnSettings(BaseModel):
    """How the board is built."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slots: int = Field(default=80, ge=1, le=200, description="highest slot number of the board; slots are 1, 2, ...")
    delay: float = Field(default=15.0, gt=0, le=60, description="longest time a coil takes to turn and answer, seconds")


class CoilTcn:
    """One board. `drive(slot)` turns a coil once; its answer is a Dispensed, and silence is one that knows nothing."""

    kind: ClassVar[str] = "coil_tcn"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "tcn"
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1",)
    listens: ClassVar[bool] = True
    wants: Sequence[Want] = ()
    Settings: ClassVar[type[BaseModel]] = TcnSettings

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """A search would turn a coil: nothing is tried."""
        return ()

    def __init__(self, settings: TcnSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.answered = True
        self.cfg = hashlib.sha256(msgspec.json.encode(["coil_tcn"])).hexdigest()
        self.patience = settings.delay
        self._sent = b""
        self._late = ""
        self._tail = bytearray()
        self._received = 0

    def drives(self, slot: str) -> bool:
        """Whether this board has such a coil."""
        return slot.isascii() and slot.isdigit() and 1 <= int(slot) <= self.settings.slots

    def drive(self, slot: str, quantity: int = 1) -> Request:
        """Turn the coil once. Never ask twice for one piece."""
        if not self.drives(slot) or quantity != 1:
            raise ValueError(f"slot {slot!r}: this board has slots 1 to {self.settings.slots}, one piece at a time")
        number = int(slot)
        self._sent = bytes((0x00, 0xFF, number, 0xFF - number, 0xAA, 0x55))
        self._tail.clear()
        self._received = 0
        self._late = ""
        self.answered = False
        return Request(self._sent, REPLY + REQUEST, self.settings.delay)

    def late(self, slot: str) -> None:
        """The boot before has asked for this coil and heard no answer: one that comes now is its."""
        self._late = slot

    def pending(self) -> None:
        """There is no question that moves nothing."""

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - never called: it wants nothing
        """Nothing can be asked on a grid."""
        raise ValueError("a TCN board can be asked for nothing but a turn")

    def feed(self, data: bytes, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """A reply is known by its end, so the pieces do not matter."""
        events: list[Event] = []
        for byte in data:
            if self.answered and not self._late:
                self.counters.noise_bytes += 1
                continue
            self._tail.append(byte)
            self._received += 1
            del self._tail[:-REQUEST]
            events += self._look()
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """Nobody knows whether the coil turned. An answer may still come; it can only be this one's."""
        if self.answered:
            return []
        if self._received:
            self.counters.refuse("short" if self._received < REPLY else "sum")
            self.counters.noise_bytes += self._received
        self._tail.clear()
        self._received = 0
        self.answered = True
        self._late = str(self._sent[2])
        return [Dispensed("", "", self._late, 0, "unknown", "off", reason="no answer")]

    def kept(self, event: Event) -> None:
        """Nothing is confirmed; but a piece that left is on disk before anything is done with it."""

    def restarted(self) -> None:
        """The line was opened anew: half a reply is none."""
        self._tail.clear()

    def _look(self) -> list[Event]:
        if self._sent and self._tail == self._sent:
            self.counters.echoes += 1
            self._received -= REQUEST
            self._tail.clear()
            return []
        frame = bytes(self._tail[-REPLY:])
        if len(frame) < REPLY or frame[0] != 0 or frame[1] not in (HOME, NOT_HOME) or sum8(frame[:-1]) != frame[-1]:
            return []
        if frame[3] not in DROPS:
            self.counters.refuse("drop_code")
            return []
        slot = self._late or str(self._sent[2])
        self.counters.frames += 1
        self.counters.noise_bytes += self._received - REPLY
        self._late, self.answered = "", True
        self._tail.clear()
        self._received = 0
        return [_result(slot, frame)]


def _result(slot: str, frame: bytes) -> Dispensed:
    _, status, fault, code, _ = frame
    drop = DROPS[code]
    gone = fault >> 4 == NO_MOTOR or fault == NO_SLOT
    motor = "ok" if status == HOME else "none" if gone else "jam"
    # Without a sensor it is what the motor was told to do.
    qty = int(drop in ("seen", "extra") or (drop == "off" and motor == "ok"))
    reason = f"{FAULTS.get(fault >> 4, 'fault')} {fault:02X}" if fault else ""
    return Dispensed("", "", slot, qty, motor, drop, reason=reason, raw=frame)
