"""The WKLY lock and motor board: frames that begin with its name, and doors that report themselves.

::

    frame     57 4B 4C 59 | total length | board | command | data .. | xor of everything before it
    82 ch     open one lock        reply 82 status ch door     status 00 done, FF failed; door 00 open, 01 closed
    83 ch     ask one door         reply 83 status ch door
    84        ask all              reply 84 status n door door ..         one byte for each of n channels from 1
    86        open all             reply 86 status
    81 ch     flash the lamp       reply 81 status ch
    90 ch n   motor, n pieces      reply 90 status left, once for each piece
    85 ch door                     sent unasked whenever a door moves; nobody answers it

Boards are met that never answer 82, that need to be told several times, or that are busy until their power is cut.
Source: the board's protocol as printed in EasyIot and LockDemo; vending.md 1.3 D; docs/protocols/lock_wkly.md. PURE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor
from typing import Literal

from firmware_sim.devices.coil_motors import CoilMotors, Dropped
from firmware_sim.devices.lock_8a import DoorMoved
from firmware_sim.devices.twin import Transmit

NAME = bytes((0x57, 0x4B, 0x4C, 0x59))
_SHORTEST = 8
_INTER_BYTE_S = 0.1


def framed(board: int, command: int, *data: int) -> bytes:
    """A whole frame."""
    body = NAME + bytes((_SHORTEST + len(data), board, command, *data))
    return body + bytes((reduce(xor, body),))


class LockWkly:
    """One board. ``motors``: channel -> pieces in its coil; all other channels up to ``locks`` are doors.

    ``deaf``: so many commands to open are not obeyed; ``mute``: it never answers 82; ``busy``: it answers nothing until
    its power is cut.
    """

    def __init__(
        self,
        *,
        board: int = 0,
        locks: int = 12,
        motors: Mapping[int, int] | None = None,
        turn_round_s: float = 0.02,
        latch_s: float = 0.06,
        turn_s: float = 2.0,
        mute: bool = False,
        on_door: Callable[[DoorMoved], None] | None = None,
        on_drop: Callable[[Dropped], None] | None = None,
    ) -> None:
        self.board = board
        self.locks = locks
        self.on_door = on_door
        self.mute = mute
        self.deaf = 0
        self.busy = False
        self.pulses = dict.fromkeys(range(1, locks + 1), 0)
        self.turns = 0
        self.coils = CoilMotors({str(one): pieces for one, pieces in (motors or {}).items()}, turn_s, on_drop)
        self._turn_round = turn_round_s
        self._latch = latch_s
        self._open: set[int] = set()
        self._jammed: set[int] = set()
        self._pulse: list[tuple[float, int]] = []
        self._left = 0
        self._reports: list[Transmit] = []
        self._heard = bytearray()
        self._heard_at = 0.0
        self._powered = True

    # What the line sees

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``. Noise before a frame is skipped; half a frame is forgotten after 0.1 s."""
        if not self._powered:
            return []
        if now - self._heard_at > _INTER_BYTE_S + len(data) * 0.01:
            self._heard.clear()
        self._heard_at = now
        self._heard += data
        said: list[Transmit] = []
        while (frame := self._next_frame()) is not None:
            said += self._obey(frame, now)
        return said

    def due(self) -> float | None:
        """See ``Twin``."""
        turn = self.coils.turn
        times = [at for at, _ in self._pulse] + [one.at for one in self._reports]
        return min([*times, *([turn.step_at] if turn else [])], default=None)

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: latches, motors and reports that are due."""
        ready = [lock for at, lock in self._pulse if at <= now]
        self._pulse = [one for one in self._pulse if one[0] > now]
        said = [report for report in self._reports if report.at <= now]
        self._reports = [report for report in self._reports if report.at > now]
        for lock in ready:
            said += self._fire(lock, now)
        turn = self.coils.turn
        if turn is not None and turn.step_at <= now:
            said += self._stepped(now)
        return said

    def power_off(self, now: float) -> None:  # noqa: ARG002 - the board forgets the same at any time
        """See ``Twin``: doors stay as they are, what was under way is gone."""
        self._powered = False
        self._pulse.clear()
        self._reports.clear()
        self._heard.clear()
        self.coils.stop()
        self.busy = False

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._powered = True
        self._heard_at = now

    # What hands can do

    def is_open(self, lock: int) -> bool:
        """True while this door stands open."""
        return lock in self._open

    def door_closed(self, lock: int, now: float) -> None:
        """Somebody pushes the door shut."""
        self._move(lock, opened=False, now=now, cause="pushed")

    def door_forced(self, lock: int, now: float) -> None:
        """Somebody pulls the door open without asking."""
        self._move(lock, opened=True, now=now, cause="forced")

    def jam(self, lock: int) -> None:
        """From now on this latch does not move."""
        self._jammed.add(lock)

    # Inside

    def _next_frame(self) -> bytes | None:
        while len(self._heard) >= _SHORTEST:
            start = self._heard.find(NAME)
            if start < 0:
                del self._heard[: -len(NAME) + 1]
                return None
            del self._heard[:start]
            if len(self._heard) < len(NAME) + 1:
                return None
            length = self._heard[4]
            if length >= _SHORTEST and len(self._heard) < length:
                return None
            frame = bytes(self._heard[:length])
            if length >= _SHORTEST and reduce(xor, frame) == 0:
                del self._heard[:length]
                return frame
            del self._heard[0]
        return None

    def _obey(self, frame: bytes, now: float) -> list[Transmit]:
        board, command, data = frame[5], frame[6], frame[7:-1]
        if board != self.board or self.busy:
            return []
        soon = now + self._turn_round
        if command == 0x82 and len(data) == 1 and data[0] in self.pulses:
            if self.deaf:
                self.deaf -= 1
                return []
            self._pulse.append((soon + self._latch, data[0]))
        elif command == 0x83 and len(data) == 1 and data[0] in self.pulses:
            return [Transmit(soon, framed(self.board, 0x83, 0, data[0], self._door(data[0])))]
        elif command == 0x84 and not data:
            doors = [self._door(lock) for lock in range(1, self.locks + 1)]
            return [Transmit(soon, framed(self.board, 0x84, 0, len(doors), *doors))]
        elif command == 0x81 and len(data) == 1:
            return [Transmit(soon, framed(self.board, 0x81, 0, data[0]))]
        elif command == 0x90 and len(data) == 2 and str(data[0]) in self.coils and self.coils.turn is None:
            self._left = data[1]
            self._start(str(data[0]), now)
        return []

    def _start(self, channel: str, now: float) -> None:
        self.turns += 1
        self.coils.start("", channel, 1, "", now)

    def _stepped(self, now: float) -> list[Transmit]:
        turn = self.coils.turn
        assert turn is not None
        step = self.coils.step(turn, now)
        if step.motor == "turning":
            return []
        if step.motor == "jam":
            return [Transmit(now + self._turn_round, framed(self.board, 0x90, 0xFF, self._left))]
        self._left -= 1
        if self._left:
            self._start(turn.slot, now)
        return [Transmit(now + self._turn_round, framed(self.board, 0x90, 0, self._left))]

    def _fire(self, lock: int, now: float) -> list[Transmit]:
        self.pulses[lock] += 1
        if lock not in self._jammed:
            self._move(lock, opened=True, now=now, cause="command")
        failed = 0xFF if lock in self._jammed else 0x00
        reply = framed(self.board, 0x82, failed, lock, self._door(lock))
        return [] if self.mute else [Transmit(now, reply)]

    def _door(self, lock: int) -> int:
        return 0x00 if lock in self._open else 0x01

    def _move(self, lock: int, *, opened: bool, now: float, cause: Literal["command", "pushed", "forced"]) -> None:
        if lock not in self.pulses:
            raise ValueError(f"this board has locks 1..{self.locks}, not {lock}")
        if opened == (lock in self._open):
            return
        (self._open.add if opened else self._open.discard)(lock)
        if self._powered:
            # The report of a door that its own command opened follows the answer to the command.
            behind = 0.02 if cause == "command" else 0.0
            report = framed(self.board, 0x85, lock, self._door(lock))
            self._reports.append(Transmit(now + self._turn_round + behind, report))
        if self.on_door is not None:
            self.on_door(DoorMoved(lock, opened, now, cause))
