"""Coil vending controller "FA FB" (XY/JSK, VMC - upper computer), 57600 8N1: the board asks, and we are its slave.

    FA FB | command | length | number text .. | xor       length: number and text; xor: all bytes before it
    board  FA FB 41 00 40   every 200 ms: anything for me?      we, within 100 ms: a command, else FA FB 42 00 43
    board  FA FB 42 00 43   it has our command                  it repeats its own messages up to 5 times until our 42

The surprise is the number (1..255, the same for every repetition): it is the idempotency key, in both directions. We
repeat a command under its number as long as the board is certainly the same one that may have heard it: after a second
of silence, or when it asks for a synchronisation, it may have forgotten the number and would turn the coil again. And
its messages are answered only when the journal holds them, so it may tell one twice; told twice is written once.
Keeps at most 260 bytes and 8 commands. Source: vending.md 1.4 A; docs/protocols/coil_vmc.md.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import CommandTaken, Counters, DeviceFault, Dispensed, Event, MotorState, Request, Want
from gateway.drivers.check_bytes import xor8
from gateway.drivers.vmc_messages import NoSuchLayoutError, events_of

HEAD = b"\xfa\xfb"
POLL, ACK, SYNC, TELL = 0x41, 0x42, 0x31, 0x11
CHECK, BUY, DRIVE, MACHINE = 0x01, 0x03, 0x06, 0x51
SHORTEST, LONGEST = 5, 260
SENDS, COMMANDS = 5, 8
# Silence after which a board may have been switched off, and after which its message cannot be a repetition.
RESTART, FORGOTTEN = 1.0, 3.0
INTER_BYTE = 0.1
OURS = bytes((0xFA, 0xFB, ACK, 0x00, 0x43))


class VmcSettings(BaseModel):
    """What the machine has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drop_sensor: bool = Field(default=True, description="the machine sees goods fall")
    elevator: bool = Field(default=False, description="goods are brought down by an elevator")
    buy: bool = Field(default=False, description="sell by 03 instead of 06, so that the board keeps its own stock")
    counts_stock: bool = Field(default=False, description="the board counts a selection down by itself: try it once")
    check: bool = Field(default=True, description="ask the selection's state before anyone is promised anything")
    patience: float = Field(default=45.0, ge=1, le=600, description="longest time a dispense takes, seconds")


class Command(msgspec.Struct):
    """One of ours, until the board has it. `turns`: it moves a coil."""

    frame: bytes
    turns: bool = False
    sent: int = 0


class CoilVmc:
    """One controller. `drive`, `check`, `sync` put a command into its next answer; results are Dispensed."""

    kind: ClassVar[str] = "coil_vmc"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "fafb"
    shipped: ClassVar[tuple[str, ...]] = ("57600 8N1",)
    listens: ClassVar[bool] = True
    wants: Sequence[Want] = ()
    answered = True
    Settings: ClassVar[type[BaseModel]] = VmcSettings

    @classmethod
    def candidates(cls) -> Iterable[dict[str, Any]]:
        """It talks by itself: listening is enough."""
        return ({},)

    def __init__(self, settings: VmcSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.cfg = hashlib.sha256(msgspec.json.encode(["coil_vmc", settings.drop_sensor])).hexdigest()
        self.patience = settings.patience
        self.heard_at: float | None = None
        self.doubles = 0
        # Synchronisations the board has taken up: what it tells of its selections afterwards is newer than that.
        self.syncs = 0
        self._tail = bytearray()
        self._byte_at = 0.0
        self._commands: deque[Command] = deque()
        self._number = 0
        self._due: Literal["", "turn", "ack"] = ""
        self._echo = b""
        self._last: tuple[int, str] | None = None
        self._owed: Event | None = None
        self._ended = ""
        self._told: dict[str, str] = {}
        self._boot, self._count = "0", 0

    # What the cabinet asks for

    def drives(self, slot: str) -> bool:
        """Whether this can be a selection."""
        return slot.isascii() and slot.isdigit() and 1 <= int(slot) <= 999

    def reserve(self) -> int:
        """The number of the next command, so that it can be written down before anything is sent."""
        return self._number % 255 + 1

    def drive(self, slot: str, quantity: int = 1) -> int:
        """Turn the coil once; the command's number. Raises ValueError."""
        if any(one.turns for one in self._commands):
            raise ValueError("one coil at a time: the last command still waits for the machine")
        if not self.drives(slot) or quantity != 1:
            raise ValueError(f"slot {slot!r}: selections are 1 to 999, one piece at a time")
        selection = int(slot).to_bytes(2, "big")
        options = bytes((self.settings.drop_sensor, self.settings.elevator))
        command, text = (BUY, selection) if self.settings.buy else (DRIVE, options + selection)
        self._ended = ""
        return self._queue(command, text, turns=True)

    def withdraw(self) -> bool:
        """Takes back a drive that waits; True when no byte of it was ever sent."""
        waiting = [one for one in self._commands if one.turns]
        self._commands = deque(one for one in self._commands if not one.turns)
        return bool(waiting) and all(one.sent == 0 for one in waiting)

    def check(self, slot: str) -> int:
        """Ask for a selection's state; moves nothing."""
        return self._queue(CHECK, int(slot).to_bytes(2, "big"))

    def sync(self) -> int:
        """Ask for all selections with their stock; moves nothing."""
        return self._queue(SYNC, b"")

    def machine(self) -> int:
        """Ask for the machine's status; moves nothing."""
        return self._queue(MACHINE, b"")

    # What the session asks for

    def remember(self, dids: Sequence[str], boot: str) -> None:
        """What the journal holds of this board, newest first: its last message may be told again. `boot`: ours. Names
        of other things that happened at it (a verdict, the end of a visit) stand among them.
        """
        self._boot = boot
        self._number = sum(boot.encode()) % 255
        for parts in (did.split("/") for did in dids):
            if len(parts) == 4 and parts[2].isdigit():
                self._last = (int(parts[2]), parts[3].rstrip("+"))
                return

    def pending(self) -> None:
        """The board asks, not we."""

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - never called: it wants nothing
        """The board asks, not we."""
        raise ValueError("this board polls; commands go into its answers")

    def feed(self, data: bytes, now: float) -> list[Event]:
        """A frame is known by its end: its length and check fit what stands before. So the pieces do not matter."""
        if self._tail and now - self._byte_at > INTER_BYTE:
            if HEAD in self._tail:
                self.counters.refuse("short")
            self._drop(len(self._tail))
        self._byte_at = now
        events: list[Event] = []
        for byte in data:
            self._tail.append(byte)
            if len(self._tail) > LONGEST:
                self._drop(1)
            events += self._look(now)
        return events

    def idle(self, now: float) -> list[Event]:  # noqa: ARG002 - it repeats by itself
        """Nothing: the board repeats what was not answered."""
        return []

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing is asked
        """Nothing was asked."""
        return []

    def kept(self, event: Event) -> None:
        """The journal holds what this event says: the board may hear it."""
        if event is self._owed:
            self._owed = None
            self._due = "ack"

    def outgoing(self) -> bytes:
        """What must be written at once: the newest of what the board waits for."""
        due, self._due = self._due, ""
        if not due:
            return b""
        self._echo = OURS
        if due == "turn" and self._commands:
            self._commands[0].sent += 1
            self._echo = self._commands[0].frame
        return self._echo

    def restarted(self) -> None:
        """The line was opened anew: hear what the selections hold; a coil that was to turn does not turn now."""
        self._drop(len(self._tail))
        self._due, self._owed, self._echo = "", None, b""
        self.heard_at = None
        self._commands.clear()
        # The number may be the very one the board heard last from whoever ran before us, and then it is a repetition:
        # confirmed and not done. So the first command is one that nobody misses.
        self.machine()
        self.sync()

    # Inside

    def _queue(self, command: int, text: bytes, *, turns: bool = False) -> int:
        self._number = self.reserve()
        body = HEAD + bytes((command, 1 + len(text), self._number)) + text
        if len(self._commands) >= COMMANDS:
            # Questions can be asked again; what turns a coil is not lost without a word.
            self._commands.remove(next(one for one in self._commands if not one.turns))
        # Somebody waits for what turns a coil: it goes before a synchronisation that has not been sent yet.
        waiting = (at for at, one in enumerate(self._commands) if one.frame[2] == SYNC and not one.sent)
        place = next(waiting, len(self._commands)) if turns else len(self._commands)
        self._commands.insert(place, Command(body + bytes((xor8(body),)), turns))
        return self._number

    def _drop(self, count: int) -> None:
        self.counters.noise_bytes += count
        del self._tail[:count]

    def _look(self, now: float) -> list[Event]:
        tail = self._tail
        start = tail.rfind(HEAD)
        while start >= 0:
            length = len(tail) - start
            if length >= SHORTEST and length == SHORTEST + tail[start + 3]:
                if xor8(tail[start:]) == 0:
                    frame = bytes(tail[start:])
                    self._drop(start)
                    tail.clear()
                    return self._take(frame, now)
                self.counters.refuse("xor")
            start = tail.rfind(HEAD, 0, start + 1)
        return []

    def _take(self, frame: bytes, now: float) -> list[Event]:
        echo, self._echo = self._echo, b""
        if frame == echo:
            self.counters.echoes += 1
            return []
        if frame[2] not in (POLL, ACK) and frame[3] == 0:
            self.counters.refuse("layout")
            return []
        self.counters.frames += 1
        away = now - self.heard_at if self.heard_at is not None else 0.0
        self.heard_at = now
        lost = self._lost() if away > RESTART else []
        if away > FORGOTTEN:
            self._last = None
        if frame[2] == POLL:
            return lost + self._polled()
        if frame[2] == ACK:
            return lost + self._heard()
        return lost + self._message(frame)

    def _polled(self) -> list[Event]:
        """A command that was said five times and never confirmed is given up; what became of it is another question."""
        events: list[Event] = []
        while self._commands and self._commands[0].sent >= SENDS:
            events += self._give_up("not confirmed") if self._commands[0].turns else []
            if not events:
                self._commands.popleft()
        self._due = "turn"
        return events

    def _heard(self) -> list[Event]:
        if not self._commands or not self._commands[0].sent:
            return []
        taken = self._commands.popleft()
        self.syncs += taken.frame[2] == SYNC
        return [CommandTaken(taken=True)] if taken.turns else []

    def _lost(self) -> list[Event]:
        """The board may be another one by now: a drive that it may have heard is not said again."""
        return self._give_up("the board was away") if self._commands and self._commands[0].sent else []

    def _give_up(self, why: str) -> list[Event]:
        return [CommandTaken(taken=False, why=why)] if self._commands.popleft().turns else []

    def _message(self, frame: bytes) -> list[Event]:
        number, text = frame[4], frame[5:-1]
        digest = hashlib.sha256(frame).hexdigest()[:16]
        events = []
        if frame[2] == SYNC:
            events += self._lost()
            self.sync()
        elif self._last == (number, digest):
            self.doubles += 1
            self._due = "" if self._owed is not None else "ack"
            return []
        self._last = (number, digest)
        if frame[2] == TELL and self._commands and self._commands[0].sent and self._commands[0].frame[2] == SYNC:
            # It asked, so nothing else was waiting to be told: this is the answer, and its confirmation was lost.
            self._heard()
        self._count += 1
        did = f"{self._boot}/{self._count}/{number}/{digest}"
        for event in self._said(frame, text):
            named = msgspec.structs.replace(event, did=did) if isinstance(event, Dispensed | DeviceFault) else event
            events.append(named)
            did += "+" if isinstance(event, Dispensed | DeviceFault) else ""
        self._owed = events[-1] if events else None
        self._due = "" if events else "ack"
        return events

    def _said(self, frame: bytes, text: bytes) -> list[Event]:
        """What is worth telling of a message: news once, an end once."""
        try:
            events = [] if frame[2] == SYNC else events_of(frame[2], text, frame, sensor=self.settings.drop_sensor)
        except NoSuchLayoutError:
            self.counters.refuse("layout")
            return [DeviceFault("malformed", data={"cmd": f"{frame[2]:02X}", "why": "layout"}, raw=frame)]
        if events is None:
            name = f"cmd {frame[2]:02X}"
            known, self._told[name] = name in self._told, ""
            return [] if known else [DeviceFault("unknown_message", data={"cmd": f"{frame[2]:02X}"}, raw=frame)]
        return [one for event in events for one in self._news(event)]

    def _news(self, event: Event) -> list[Event]:
        if isinstance(event, MotorState):
            self._ended = ""
        if isinstance(event, Dispensed):
            self._confirm_by_deed()
            if self._ended == event.slot:
                told = {"motor": event.motor, "reason": event.reason}
                return [] if event.reason == "terminated" else [DeviceFault("after_end", event.slot, told, event.raw)]
            self._ended = event.slot
        if isinstance(event, DeviceFault) and event.event in ("machine_status", "credit"):
            key = f"{event.event} {event.data.get('cmd', '')}"
            before, self._told[key] = self._told.get(key), str(event.data)
            return [] if before == str(event.data) else [event]
        return [event]

    def _confirm_by_deed(self) -> None:
        """Whoever tells how it ended has heard the command, though its confirmation was lost."""
        if self._commands and self._commands[0].turns and self._commands[0].sent:
            self._commands.popleft()
