"""The 8A/80 lock board: five bytes open a door, and a door that stays shut answers with those same five bytes.

::

    open one   8A board lock 11 xor      reply  8A board lock st xor      st: what the feedback switch reads now
    open all   8A board 00   11 xor      reply  the same, once per lock, one lock after the other (up to 10 s a board)
    status     80 board lock 33 xor      reply  80 board lock st xor
    status all 80 board 00   33 xor      reply  80 board s(24-17) s(16-9) s(8-1) 33 xor

The switch reads 00 or 11. On a lock whose contact is closed while it is *shut* an open door reads 00; the other kind of
lock reads 11. The board does not know which one is wired to it, so its "opened" of one cabinet is "failed" of the next.
A bit of the whole-board reply is 1 where the single status reads 11, lock 1 in the lowest bit of the last status byte.

Source: the board's data sheet (CSDN u012909822/147892413; allinbest listing); docs/protocols/lock_8a.md. PURE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Literal, NamedTuple

from firmware_sim.devices.twin import Transmit

OPEN, STATUS = 0x8A, 0x80
_PULSE, _QUERY = 0x11, 0x33
_FRAME = 5
_INTER_BYTE_S = 0.1


class DoorMoved(NamedTuple):
    """A door changed at line time ``at``; ``cause``: the board's command, a hand, or a crowbar."""

    lock: int
    open: bool
    at: float
    cause: Literal["command", "pushed", "forced"]


@dataclass
class _Job:
    at: float
    lock: int


def framed(*body: int) -> bytes:
    """The bytes with their XOR behind them."""
    return bytes((*body, reduce(xor, body)))


class Lock8A:
    """One board with its locks and doors.

    ``closed_reads``: what the feedback switch gives while the door is shut (0x11 or 0x00).
    ``turn_round_s``: from the end of a request to the first byte of a status reply; an opening takes ``latch_s`` more.
    ``step_s``: from one lock to the next when all are opened.
    ``on_door`` hears each movement of a door, whoever caused it.
    """

    def __init__(
        self,
        *,
        board: int = 1,
        locks: int = 24,
        closed_reads: int = 0x11,
        turn_round_s: float = 0.02,
        latch_s: float = 0.06,
        step_s: float = 0.4,
        on_door: Callable[[DoorMoved], None] | None = None,
    ) -> None:
        if not 1 <= board <= 32 or not 1 <= locks <= 24 or closed_reads not in (0x00, 0x11):
            raise ValueError("boards are 1..32, locks 1..24, the switch reads 0x00 or 0x11")
        self.board = board
        self.locks = locks
        self.on_door = on_door
        self.pulses = dict.fromkeys(range(1, locks + 1), 0)
        self._closed_reads = closed_reads
        self._turn_round = turn_round_s
        self._latch = latch_s
        self._step = step_s
        self._open: set[int] = set()
        self._jammed: set[int] = set()
        self._jobs: list[_Job] = []
        self._heard = bytearray()
        self._heard_at = 0.0
        self._powered = True

    # What the line sees

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``. Noise before a frame is skipped; half a frame is forgotten after 0.1 s of silence."""
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
        return min((job.at for job in self._jobs), default=None)

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: fires the coils that are due and says what their switches read afterwards."""
        ready = [job for job in self._jobs if job.at <= now]
        self._jobs = [job for job in self._jobs if job.at > now]
        said = []
        for job in ready:
            self.pulses[job.lock] += 1
            if job.lock not in self._jammed:
                self._move(job.lock, opened=True, now=now, cause="command")
            said.append(Transmit(now, framed(OPEN, self.board, job.lock, self._reads(job.lock))))
        return said

    def power_off(self, now: float) -> None:  # noqa: ARG002 - the board forgets the same at any time
        """See ``Twin``: doors stay as they are, jobs are gone."""
        self._powered = False
        self._jobs.clear()
        self._heard.clear()

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._powered = True
        self._heard_at = now

    # What hands can do

    def is_open(self, lock: int) -> bool:
        """True while this door stands open."""
        return lock in self._open

    def door_closed(self, lock: int, now: float) -> None:
        """Somebody pushes the door shut; the latch catches by itself."""
        self._move(lock, opened=False, now=now, cause="pushed")

    def door_forced(self, lock: int, now: float) -> None:
        """Somebody opens the door without the board's leave."""
        self._move(lock, opened=True, now=now, cause="forced")

    def jam(self, lock: int) -> None:
        """From now on the bolt of this lock does not move."""
        self._jammed.add(lock)

    def mend(self, lock: int) -> None:
        """Ends a jam."""
        self._jammed.discard(lock)

    # Inside

    def _next_frame(self) -> bytes | None:
        while len(self._heard) >= _FRAME:
            frame = bytes(self._heard[:_FRAME])
            if frame[0] in (OPEN, STATUS) and framed(*frame[:-1]) == frame:
                del self._heard[:_FRAME]
                return frame
            del self._heard[0]
        return None

    def _obey(self, frame: bytes, now: float) -> list[Transmit]:
        head, board, lock, function, _ = frame
        # While it opens its doors one by one the board does not listen.
        if board != self.board or lock > self.locks or self._jobs:
            return []
        if (head, function) == (OPEN, _PULSE):
            first = now + self._turn_round + self._latch
            chosen = [lock] if lock else range(1, self.locks + 1)
            self._jobs = [_Job(first + self._step * place, one) for place, one in enumerate(chosen)]
            return []
        if (head, function) == (STATUS, _QUERY):
            return [Transmit(now + self._turn_round, self._status(lock))]
        return []

    def _status(self, lock: int) -> bytes:
        if lock:
            return framed(STATUS, self.board, lock, self._reads(lock))
        bits = sum(1 << one - 1 for one in range(1, self.locks + 1) if self._reads(one))
        return framed(STATUS, self.board, *bits.to_bytes(3, "big"), _QUERY)

    def _reads(self, lock: int) -> int:
        return self._closed_reads ^ 0x11 if lock in self._open else self._closed_reads

    def _move(self, lock: int, *, opened: bool, now: float, cause: Literal["command", "pushed", "forced"]) -> None:
        if not 1 <= lock <= self.locks:
            raise ValueError(f"this board has locks 1..{self.locks}, not {lock}")
        if opened == (lock in self._open):
            return
        (self._open.add if opened else self._open.discard)(lock)
        if self.on_door is not None:
            self.on_door(DoorMoved(lock, opened, now, cause))
