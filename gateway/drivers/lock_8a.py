"""Lock board "8A / 80" on RS-485: up to 24 latches, one board address, 9600 8N1.

    open     8A board lock 11 xor      reply  8A board lock st xor
    status   80 board lock 33 xor      reply  80 board lock st xor
    all      80 board 00   33 xor      reply  80 board s(17-24) s(9-16) s(1-8) 33 xor        st = 00 | 11

The surprise: the reply "failed" has the very bytes of the request, so an adapter that echoes looks like a board that
refuses. A status reply can never equal its request, so the echo is learnt there, and exactly one copy of the bytes sent
is dropped afterwards. Whether 00 means open depends on how the feedback switch is wired: a setting, for all replies;
"learn" opens nothing until somebody has opened one door by hand, and then tells what to write there.
Keeps at most 7 bytes.
Source: vending.md 1.3 A (allinbest listing; CSDN u012909822/147892413).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import Counters, DeviceFault, DoorState, Event, LockReply, Request, Want
from gateway.drivers.check_bytes import xor8
from gateway.drivers.doors import Seen

OPEN, STATUS = 0x8A, 0x80
OPEN_MARK, STATUS_MARK = 0x11, 0x33
ONE, ALL = 5, 7
NOT_LEARNT = "which status means open is not known yet: open one door by hand, and shut the others"


class LockSettings(BaseModel):
    """How the board is wired."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    board: int = Field(default=1, ge=1, le=32, description="board address, set by its switches")
    locks: int = Field(default=24, ge=1, le=24, description="how many locks are wired; slots are called 1, 2, ...")
    open_is: Literal["00", "11", "learn"] = Field(
        default="00", description="status of an open door; learn: open one door by hand, and it is told"
    )
    echo: Literal["learn", "yes", "no"] = Field(default="learn", description="does the adapter repeat what we send?")
    watch: float = Field(default=5.0, ge=0, description="look at all doors every so many seconds; 0 = never")
    delay: float = Field(default=0.2, gt=0, le=5, description="longest time the board takes before it answers, seconds")


class Lock8A:
    """One board. `open(slot)` and `status(slot)` make requests; replies become LockReply and DoorState events."""

    kind: ClassVar[str] = "lock_8a"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "modbus"
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1",)
    Settings: ClassVar[type[BaseModel]] = LockSettings

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """Settings to try when a line is searched: every board address."""
        return ({"board": board} for board in range(1, 33))

    def __init__(self, settings: LockSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.answered = True
        self.wants: Sequence[Want] = (Want("doors", settings.watch),) if settings.watch else ()
        self._open_is = "" if settings.open_is == "learn" else settings.open_is
        self._raw: dict[int, bool] = {}
        self._echoes: bool | None = {"yes": True, "no": False, "learn": None}[settings.echo]
        self._seen: dict[int, Seen] = {}
        self._now = 0.0
        self._sent = b""
        self._tail = bytearray()
        self._received = 0
        self._copies = 0
        self._greeted = False

    @property
    def cfg(self) -> str:
        """See SerialDriver."""
        return hashlib.sha256(msgspec.json.encode(["lock_8a", self._open_is])).hexdigest()

    def open(self, slot: str) -> Request:
        """Pulse one latch. Lock 0 would be all of them at once, so it is refused."""
        if not self._open_is:
            raise ValueError(NOT_LEARNT)
        return self._ask(OPEN, self._lock(slot), OPEN_MARK)

    def status(self, slot: str) -> Request:
        """Ask for one door; moves nothing."""
        if not self._open_is:
            raise ValueError(NOT_LEARNT)
        return self._ask(STATUS, self._lock(slot), STATUS_MARK)

    def pending(self) -> Request | None:
        """All doors, once after each start: it also tells whether the line echoes."""
        return None if self._greeted else self._ask(STATUS, 0, STATUS_MARK)

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - the board has one question
        """All doors."""
        return self._ask(STATUS, 0, STATUS_MARK)

    def last(self, slot: str) -> Seen | None:
        """The board's last word about a door; None: it has said nothing since the line was opened."""
        return self._seen.get(self._lock(slot))

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Only the last frame's length is kept; a frame is known by its end, so the pieces do not matter."""
        self._now = now
        events: list[Event] = []
        for byte in data:
            if self.answered:
                self.counters.noise_bytes += 1
                continue
            self._tail.append(byte)
            self._received += 1
            del self._tail[:-ALL]
            events += self._look()
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer. A lone copy of the request while the echo is unknown proves nothing: ask for the status."""
        self.answered = True
        left = self._received - ONE * self._copies
        if left:
            self.counters.refuse("short" if left < ONE else "xor")
            self.counters.noise_bytes += left
        return []

    def restarted(self) -> None:
        """The adapter may be another one: learn its echo again, and tell all doors again."""
        self._greeted = False
        self._seen.clear()
        if self.settings.echo == "learn":
            self._echoes = None

    def _lock(self, slot: str) -> int:
        lock = int(slot) if slot.isascii() and slot.isdigit() else 0
        if not 1 <= lock <= self.settings.locks:
            raise ValueError(f"slot {slot!r}: this board has locks 1 to {self.settings.locks}")
        return lock

    def _ask(self, command: int, lock: int, mark: int) -> Request:
        body = bytes((command, self.settings.board, lock, mark))
        self._sent = body + bytes((xor8(body),))
        self._tail.clear()
        self._received = self._copies = 0
        self.answered = False
        answer = ONE if lock else ALL
        return Request(self._sent, answer if self._echoes is False else answer + ONE, self.settings.delay)

    def _look(self) -> list[Event]:
        if self._tail.endswith(self._sent) and self._is_echo():
            self._copies += 1
            self.counters.echoes += 1
            self._tail.clear()
            return []
        lock = self._sent[2]
        return self._one(lock) if lock else self._all()

    def _is_echo(self) -> bool:
        """Where the line echoes, the first copy is it; a second one, or one on a silent line, is the board's no."""
        if self._sent[0] == STATUS:
            self._echoes = True if self.settings.echo == "learn" else self._echoes
            return True
        return self._echoes is not False and self._copies == 0

    def _one(self, lock: int) -> list[Event]:
        frame = bytes(self._tail[-ONE:])
        if len(frame) < ONE or xor8(frame) or frame[:3] != self._sent[:3] or frame[3] not in (0x00, 0x11):
            return []
        self._finish(ONE)
        if self._sent[0] == OPEN:
            if self._copies and self._echoes is None:
                self._echoes = True
            return [LockReply(str(lock), self._is_open(frame[3] == 0x11), frame)]
        return self._doors({lock: frame[3] == 0x11}, frame, always=True)

    def _all(self) -> list[Event]:
        frame = bytes(self._tail)
        if len(frame) < ALL or xor8(frame) or frame[:2] != self._sent[:2] or frame[5] != STATUS_MARK:
            return []
        self._finish(ALL)
        self._greeted = True
        bits = int.from_bytes(frame[2:5], "big")
        marked = {lock: bool(bits >> (lock - 1) & 1) for lock in range(1, self.settings.locks + 1)}
        return self._doors(marked, frame, always=False)

    def _finish(self, length: int) -> None:
        clean = self._received == length
        if self._echoes is None and self._sent[0] == STATUS and clean:
            self._echoes = False
        self.counters.frames += 1
        self.counters.noise_bytes += self._received - length - ONE * self._copies
        self.answered = True

    def _is_open(self, is_11: bool) -> bool:  # noqa: FBT001 - the bit itself
        return is_11 is (self._open_is == "11")

    def _doors(self, marked: dict[int, bool], frame: bytes, *, always: bool) -> list[Event]:
        """Doors whose state is news; a door asked for by name is always told."""
        if not self._open_is:
            return self._learn(marked, frame)
        events: list[Event] = []
        for lock, is_11 in marked.items():
            closed = not self._is_open(is_11)
            seen = self._seen.get(lock)
            if always or seen is None or seen.closed is not closed:
                events.append(DoorState(str(lock), closed, frame))
            self._seen[lock] = Seen(closed, self._now)
        return events

    def _learn(self, marked: dict[int, bool], frame: bytes) -> list[Event]:
        """The one door that reads otherwise than before was opened by hand: what it reads now is open."""
        changed = [lock for lock, is_11 in marked.items() if self._raw.get(lock, is_11) is not is_11]
        self._raw |= marked
        if len(changed) != 1:
            return []
        self._open_is = "11" if marked[changed[0]] else "00"
        self._seen.clear()
        return [DeviceFault("polarity_learnt", str(changed[0]), {"open_is": self._open_is}, frame)]
