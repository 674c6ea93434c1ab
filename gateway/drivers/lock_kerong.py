"""Kerong lock boards on RS-485 or behind a TCP converter: CU16/CU12 and the CU48 style.

    CU16  02 addr cmd 03 sum            addr = board << 4 | lock (0..15); 30 status, 31 unlock; 19200 8N1
          02 addr 35 hooks(2) ir(2) 03 sum      low byte first; hook 1 = shut, ir 1 = something lies inside
    CU48  02 dev lock cmd 03 sum        lock 0..47; 60 status, 61 unlock
          02 dev 00 75 06 hooks(6) sum          status, 1 = shut; unlock: 02 dev lock 75 00 sum

The surprise is the infrared bit: a CU16 sees whether the compartment is empty, so a taking is proven by the goods and
not by the door. Unlocking a CU16 has no answer of its own: the status a moment later is the answer.
Keeps at most 12 bytes. The related SCU frames (F5 ..) have no check that fits what is published: not spoken.
Source: vending.md 1.3 B, C (jin0949/KR-CU16_locker, MIT); docs/protocols/lock_kerong.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.device_events import Counters, DoorState, Event, LockReply, Request, Want
from gateway.drivers.check_bytes import sum8
from gateway.drivers.doors import Seen

STX, ETX = 0x02, 0x03
STATUS, UNLOCK, STATUS_REPLY, STATUS_BYTES = 0x30, 0x31, 0x35, 9
STATUS_48, UNLOCK_48, DONE_48, STATUS_48_BYTES, UNLOCK_48_BYTES = 0x60, 0x61, 0x75, 12, 6
LOCKS = {"cu16": 16, "cu48": 48}


class KerongSettings(BaseModel):
    """How the board is wired."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Literal["cu16", "cu48"] = Field(default="cu16", description="cu16 (also CU12), or the cu48 style")
    board: int = Field(default=0, ge=0, le=255, description="board address, set by its switches; cu16: 0 to 14")
    locks: int = Field(default=16, ge=1, le=48, description="how many locks are wired; slots are called 1, 2, ...")
    ir: bool = Field(default=True, description="an infrared sensor in each compartment sees its goods (cu16)")
    watch: float = Field(default=2.0, ge=0, description="look at all doors every so many seconds; 0 = never")
    delay: float = Field(default=0.15, gt=0, le=5, description="longest time the board takes to answer, seconds")

    @model_validator(mode="after")
    def _fits(self) -> KerongSettings:
        if self.locks > LOCKS[self.model]:
            raise ValueError(f"a {self.model} has {LOCKS[self.model]} locks")
        if self.model == "cu16" and self.board > 14:
            raise ValueError("a cu16 has boards 0 to 14 (15 addresses all of them)")
        return self


class LockKerong:
    """One board. `open(slot)` and `status(slot)` make requests; every status tells the doors and the goods."""

    kind: ClassVar[str] = "lock_kerong"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "kerong"
    shipped: ClassVar[tuple[str, ...]] = ("19200 8N1", "9600 8N1", "57600 8N1", "115200 8N1")
    tries: ClassVar[int] = 3
    Settings: ClassVar[type[BaseModel]] = KerongSettings

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """Settings to try when a line is searched: every board of the CU16, the first ones of the CU48 style."""
        yield from ({"board": board} for board in range(15))
        yield from ({"model": "cu48", "locks": 48, "board": board} for board in range(8))

    def __init__(self, settings: KerongSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.answered = True
        self.wants: Sequence[Want] = (Want("doors", settings.watch),) if settings.watch else ()
        self.cfg = hashlib.sha256(msgspec.json.encode(["lock_kerong", settings.model, settings.ir])).hexdigest()
        self._seen: dict[int, tuple[bool, bool | None]] = {}
        self._now = self._told_at = 0.0
        self._named = 0
        self._sent = b""
        self._tail = bytearray()
        self._received = 0

    def open(self, slot: str) -> Request:
        """Pulse one latch. A CU16 says nothing to it; a status tells what became of it."""
        lock = self._lock(slot)
        if self.settings.model == "cu16":
            request = self._ask(bytes((STX, self._address(lock), UNLOCK, ETX)), 0)
            self.answered = True
            return request
        return self._ask(bytes((STX, self.settings.board, lock, UNLOCK_48, ETX)), UNLOCK_48_BYTES)

    def status(self, slot: str) -> Request:
        """Ask for the board; this door is told whatever it says. Moves nothing."""
        named = self._lock(slot) + 1
        request = self._whole()
        self._named = named
        return request

    def pending(self) -> Request | None:
        """All doors, once after each start."""
        return None if self._seen else self._whole()

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - the board has one question
        """All doors."""
        return self._whole()

    def last(self, slot: str) -> Seen | None:
        """The board's last word about a door; None: it has said nothing since the line was opened."""
        told = self._seen.get(self._lock(slot))
        return None if told is None else Seen(told[0], self._told_at)

    def feed(self, data: bytes, now: float) -> list[Event]:
        """A frame is known by its end, so the pieces do not matter."""
        self._now = now
        events: list[Event] = []
        for byte in data:
            if self.answered:
                self.counters.noise_bytes += 1
                continue
            self._tail.append(byte)
            self._received += 1
            del self._tail[:-STATUS_48_BYTES]
            events += self._look()
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer that fits."""
        if not self.answered and self._received:
            self.counters.refuse("short" if self._received < UNLOCK_48_BYTES else "sum")
            self.counters.noise_bytes += self._received
        self.answered = True
        return []

    def restarted(self) -> None:
        """The board may have lost power: tell all doors again."""
        self._seen.clear()
        self.answered = True

    def _lock(self, slot: str) -> int:
        lock = int(slot) if slot.isascii() and slot.isdigit() else 0
        if not 1 <= lock <= self.settings.locks:
            raise ValueError(f"slot {slot!r}: this board has locks 1 to {self.settings.locks}")
        return lock - 1

    def _address(self, lock: int) -> int:
        return self.settings.board << 4 | lock

    def _whole(self) -> Request:
        self._named = 0
        if self.settings.model == "cu16":
            return self._ask(bytes((STX, self._address(0), STATUS, ETX)), STATUS_BYTES)
        return self._ask(bytes((STX, self.settings.board, 0, STATUS_48, ETX)), STATUS_48_BYTES)

    def _ask(self, body: bytes, expect: int) -> Request:
        self._sent = body + bytes((sum8(body),))
        self._tail.clear()
        self._received = 0
        self.answered = False
        return Request(self._sent, expect + len(self._sent) if expect else 0, self.settings.delay)

    def _look(self) -> list[Event]:
        if self._tail.endswith(self._sent):
            self.counters.echoes += 1
            self._received -= len(self._sent)
            self._tail.clear()
            return []
        if self.settings.model == "cu16":
            return self._status_16(bytes(self._tail[-STATUS_BYTES:]))
        if self._sent[3] == UNLOCK_48:
            return self._unlocked_48(bytes(self._tail[-UNLOCK_48_BYTES:]))
        return self._status_48(bytes(self._tail[-STATUS_48_BYTES:]))

    def _status_16(self, frame: bytes) -> list[Event]:
        fits = len(frame) == STATUS_BYTES and frame[0] == STX and frame[2] == STATUS_REPLY and frame[7] == ETX
        if not fits or frame[1] >> 4 != self.settings.board or sum8(frame[:-1]) != frame[-1]:
            return []
        goods = int.from_bytes(frame[5:7], "little") if self.settings.ir else None
        return self._doors(int.from_bytes(frame[3:5], "little"), goods, frame)

    def _status_48(self, frame: bytes) -> list[Event]:
        head = bytes((STX, self.settings.board, 0, DONE_48, 6))
        if len(frame) < STATUS_48_BYTES or frame[:5] != head or sum8(frame[:-1]) != frame[-1]:
            return []
        return self._doors(int.from_bytes(frame[5:11], "little"), None, frame)

    def _unlocked_48(self, frame: bytes) -> list[Event]:
        if len(frame) < UNLOCK_48_BYTES or frame[:2] != self._sent[:2] or sum8(frame[:-1]) != frame[-1]:
            return []
        if frame[3] not in (0x00, DONE_48) or frame[4] != 0:
            return []
        self._finish(frame)
        return [LockReply(str(self._sent[2] + 1), frame[3] == DONE_48, frame)]

    def _doors(self, shut: int, goods: int | None, frame: bytes) -> list[Event]:
        """Doors whose state is news; one asked for by name is always told."""
        self._finish(frame)
        self._told_at = self._now
        events: list[Event] = []
        for lock in range(self.settings.locks):
            closed, item = bool(shut >> lock & 1), None if goods is None else bool(goods >> lock & 1)
            if self._seen.get(lock) != (closed, item) or lock + 1 == self._named:
                events.append(DoorState(str(lock + 1), closed, frame, item))
            self._seen[lock] = (closed, item)
        return events

    def _finish(self, frame: bytes) -> None:
        self.counters.frames += 1
        self.counters.noise_bytes += self._received - len(frame)
        self.answered = True
