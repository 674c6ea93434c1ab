"""Lock and motor board "WKLY" on RS-485 (lockers, spiral and lift cabinets), boards 0..31, 9600 8N1.

    57 4B 4C 59 | length | board | command | data .. | xor      length: the whole frame, xor: all bytes before it
    82 ch            open            82 status ch door          some boards never answer
    83 ch            query a door    83 status ch door          door 00 open, 01 closed; status 00 done, FF failed
    84               query all       84 status n door ..        one byte for each of n channels, from 1; FF: failed
    90 ch quantity   turn a motor    90 status left             one such answer for each piece, left counts down to 0
                     unasked         85 ch door                 a door has moved

The surprise is 85: it comes whenever a door moves, also between our question and its answer, and nobody confirms it, so
a lost one is found by asking door after door. A published check that covers the payload alone is right by accident: the
header and a length of 9 cancel out, and the first longer frame is wrong.
Keeps at most 64 bytes. Source: vending.md 1.3 D; docs/protocols/lock_wkly.md.
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
    Dispensed,
    DoorState,
    Event,
    LockReply,
    MotorState,
    Request,
    Want,
)
from gateway.drivers.check_bytes import xor8
from gateway.drivers.doors import Seen

HEAD = b"WKLY"
FLASH, OPEN, QUERY, QUERY_ALL, MOVED, TURN = 0x81, 0x82, 0x83, 0x84, 0x85, 0x90
DONE, FAILED = 0x00, 0xFF
SHORTEST, LONGEST = 8, 64
MOST_CHANNELS = 48
DOOR_REPLY = 11
ONE_DOOR_EVERY = 0.25


class WklySettings(BaseModel):
    """How the board is wired."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    board: int = Field(default=0, ge=0, le=31, description="board address, set by its switches")
    locks: int = Field(default=12, ge=0, le=48, description="how many locks are wired; slots are called 1, 2, ...")
    motors: tuple[int, ...] = Field(default=(), description="channels that turn a motor instead of opening a lock")
    watch: float = Field(default=5.0, ge=0, description="look at each door every so many seconds; 0 = never")
    whole: bool = Field(default=False, description="the board answers query 84 with one state for each channel")
    delay: float = Field(default=0.3, gt=0, le=5, description="longest time the board takes before it answers, seconds")
    turn: float = Field(default=8.0, gt=0, le=60, description="longest time a motor takes for one piece, seconds")


class LockWkly:
    """One board. Locks: `open`, `status`; motors: `drive`. Doors that move are told as they move."""

    kind: ClassVar[str] = "lock_wkly"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "wkly"
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1",)
    listens: ClassVar[bool] = True
    shares: ClassVar[bool] = True
    tries: ClassVar[int] = 3
    Settings: ClassVar[type[BaseModel]] = WklySettings

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """Settings to try when a line is searched: every board address."""
        return ({"board": board} for board in range(32))

    def __init__(self, settings: WklySettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.answered = True
        self.cfg = hashlib.sha256(msgspec.json.encode(["lock_wkly"])).hexdigest()
        self.patience = settings.turn
        self._doors = [one for one in range(1, settings.locks + 1) if one not in settings.motors]
        every = settings.watch if settings.whole else max(settings.watch / max(len(self._doors), 1), ONE_DOOR_EVERY)
        self.wants: Sequence[Want] = (Want("doors", every),) if settings.watch and self._doors else ()
        self._next = 0
        self._seen: dict[str, Seen] = {}
        self._now = 0.0
        self._sent = b""
        self._tail = bytearray()
        self._given = self._asked = 0

    def drives(self, slot: str) -> bool:
        """Whether a motor stands behind this slot, and not a lock."""
        return slot.isascii() and slot.isdigit() and int(slot) in self.settings.motors

    def open(self, slot: str) -> Request:
        """Pulse one latch."""
        return self._ask(OPEN, self._lock(slot), expect=DOOR_REPLY, delay=self.settings.delay)

    def status(self, slot: str) -> Request:
        """Ask for one door; moves nothing."""
        return self._ask(QUERY, self._lock(slot), expect=DOOR_REPLY, delay=self.settings.delay)

    def flash(self, slot: str) -> Request:
        """Flash a channel's lamp: which one is it? Moves nothing."""
        return self._ask(FLASH, self._lock(slot), expect=SHORTEST + 2, delay=self.settings.delay)

    def drive(self, slot: str, quantity: int = 1) -> Request:
        """Turn a motor until `quantity` pieces are out. Never repeated: the board numbers nothing."""
        if not self.drives(slot) or not 1 <= quantity <= 255:
            raise ValueError(f"slot {slot!r}: no motor of this board (channels {list(self.settings.motors)})")
        self._given, self._asked = 0, quantity
        delay = self.settings.turn * quantity
        return self._ask(TURN, int(slot), quantity, expect=(SHORTEST + 2) * quantity, delay=delay)

    def pending(self) -> None:
        """Nothing: doors are looked at one after the other."""

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - there is one question
        """The next door, or all of them."""
        if self.settings.whole:
            # It tells every channel it has, also those nobody has wired.
            length = SHORTEST + 2 + MOST_CHANNELS
            return self._ask(QUERY_ALL, expect=length, delay=self.settings.delay)
        self._next = (self._next + 1) % len(self._doors)
        return self.status(str(self._doors[self._next]))

    def last(self, slot: str) -> Seen | None:
        """The board's last word about a door; None: it has said nothing since the line was opened."""
        return self._seen.get(slot)

    def feed(self, data: bytes, now: float) -> list[Event]:
        """A frame is known by its end: its length and check fit what stands before. So the pieces do not matter."""
        self._now = now
        events: list[Event] = []
        for byte in data:
            self._tail.append(byte)
            if len(self._tail) > LONGEST:
                del self._tail[0]
                self.counters.noise_bytes += 1
            events += self._look()
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer. A motor that was told to turn may have turned: said, because nobody can ask again."""
        turning = not self.answered and self._sent[6] == TURN
        if not self.answered and self._tail:
            self.counters.refuse("short")
            self.counters.noise_bytes += len(self._tail)
            self._tail.clear()
        self.answered = True
        return [self._result("unknown", b"")] if turning else []

    def kept(self, event: Event) -> None:
        """Nothing is confirmed; but a piece that left is on disk before anything is done with it."""

    def restarted(self) -> None:
        """The line was opened anew: half a frame is none."""
        self._tail.clear()
        self._seen.clear()
        self.answered = True

    def _lock(self, slot: str) -> int:
        lock = int(slot) if slot.isascii() and slot.isdigit() else 0
        if lock not in self._doors:
            raise ValueError(f"slot {slot!r}: this board has no such lock (1 to {self.settings.locks})")
        return lock

    def _ask(self, command: int, *data: int, expect: int, delay: float) -> Request:
        body = HEAD + bytes((SHORTEST + len(data), self.settings.board, command, *data))
        self._sent = body + bytes((xor8(body),))
        self._tail.clear()
        self.answered = False
        return Request(self._sent, expect + len(self._sent), delay)

    def _look(self) -> list[Event]:
        """The frame that ends with the last byte, if one does."""
        tail = self._tail
        start = tail.rfind(HEAD)
        while start >= 0:
            if len(tail) - start > 4 and len(tail) - start == tail[start + 4] >= SHORTEST:
                if xor8(tail[start:]) == 0:
                    return self._take(start)
                self.counters.refuse("xor")
            start = tail.rfind(HEAD, 0, start + len(HEAD) - 1) if start else -1
        return []

    def _take(self, start: int) -> list[Event]:
        frame = bytes(self._tail[start:])
        self.counters.noise_bytes += start
        self._tail.clear()
        if frame == self._sent and not self.answered:
            self.counters.echoes += 1
            return []
        if frame[5] != self.settings.board:
            return []
        self.counters.frames += 1
        command, data = frame[6], frame[7:-1]
        if command == MOVED:
            return self._moved(data, frame)
        if self.answered or command != self._sent[6]:
            return []
        if command == TURN:
            return self._turned(data, frame)
        return self._answer(command, data, frame)

    def _moved(self, data: bytes, frame: bytes) -> list[Event]:
        if len(data) != 2 or data[0] not in self._doors or data[1] > 1:
            self.counters.refuse("layout")
            return []
        return [self._door(str(data[0]), data[1] == 1, frame)]

    def _answer(self, command: int, data: bytes, frame: bytes) -> list[Event]:
        if command == QUERY_ALL:
            return self._all(data, frame)
        if command == FLASH:
            self.answered = True
            return [CommandTaken(taken=data[:1] == bytes((DONE,)), raw=frame)]
        if len(data) != 3 or data[1] != self._sent[7] or data[0] not in (DONE, FAILED) or data[2] > 1:
            self.counters.refuse("layout")
            return []
        self.answered = True
        slot, done, closed = str(data[1]), data[0] == DONE, data[2] == 1
        if command == OPEN:
            return [LockReply(slot, done and not closed, frame)]
        return [self._door(slot, closed, frame)] if done else []

    def _all(self, data: bytes, frame: bytes) -> list[Event]:
        states = data[2:]
        fits = data[:2] == bytes((DONE, len(states))) and len(states) >= max(self._doors)
        if not fits or any(one not in (0, 1, FAILED) for one in states):
            self.counters.refuse("layout")
            return []
        self.answered = True
        told = [(door, states[door - 1]) for door in self._doors if states[door - 1] != FAILED]
        return [self._door(str(door), state == 1, frame) for door, state in told]

    def _door(self, slot: str, closed: bool, frame: bytes) -> DoorState:  # noqa: FBT001 - the bit itself
        self._seen[slot] = Seen(closed, self._now)
        return DoorState(slot, closed, frame)

    def _turned(self, data: bytes, frame: bytes) -> list[Event]:
        """One piece, or the end of it: the board tells how many are left, so a lost answer does not lose a piece."""
        if len(data) != 2 or data[0] not in (DONE, FAILED) or data[1] > self._asked:
            self.counters.refuse("layout")
            return []
        left = data[1]
        if data[0] == DONE:
            self._given = self._asked - left
            if left:
                return [MotorState(running=True, raw=frame)]
        self.answered = True
        return [self._result("ok" if data[0] == DONE else "jam", frame)]

    def _result(self, motor: str, frame: bytes) -> Dispensed:
        return Dispensed("", "", str(self._sent[7]), self._given, motor, "off", raw=frame)
