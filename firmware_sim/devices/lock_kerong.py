"""Kerong's lock boards CU16 (16 locks, two switches each: hook and infrared) and CU48 (48 hooks).

::

    CU16   02 addr cmd 03 sum          addr: board << 4 | lock; F in the board half is every board
           30 status of the board      02 addr 35 hooks(2) ir(2) 03 sum     lowest lock in bit 0 of the first byte
           31 unlock one, 33 unlock all: no answer
    CU48   02 dev lock cmd 03 sum
           60 status                   02 dev 00 75 06 hooks(6) sum
           61 unlock                   02 dev lock 75 00 sum, 00 in place of 75 where it failed

A hook bit is 1 while the latch is shut, an infrared bit 1 while something lies in front of the sensor. sum: the low
byte of the sum of all bytes before it.
Source: KR-CU16 manual (jin0949/KR-CU16_locker); public CU48 clients; vending.md 1.3 B, C. PURE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from firmware_sim.devices.lock_8a import DoorMoved
from firmware_sim.devices.twin import Transmit

_INTER_BYTE_S = 0.1


def summed(*body: int) -> bytes:
    """The bytes with their sum behind them."""
    return bytes((*body, sum(body) % 256))


class LockKerong:
    """One board. ``goods``: locks (from 1) whose compartment is not empty at the start.

    ``deaf``: so many commands to unlock are not obeyed; ``busy``: it says nothing until its power is cut.
    """

    def __init__(
        self,
        *,
        model: Literal["cu16", "cu48"] = "cu16",
        board: int = 0,
        goods: tuple[int, ...] = (),
        turn_round_s: float = 0.01,
        latch_s: float = 0.05,
        on_door: Callable[[DoorMoved], None] | None = None,
    ) -> None:
        self.model = model
        self.board = board
        self.locks = 16 if model == "cu16" else 48
        self.on_door = on_door
        self.pulses = dict.fromkeys(range(1, self.locks + 1), 0)
        self.deaf = 0
        self.busy = False
        self.goods = set(goods)
        self._turn_round = turn_round_s
        self._latch = latch_s
        self._open: set[int] = set()
        self._jammed: set[int] = set()
        self._jobs: list[tuple[float, int]] = []
        self._heard = bytearray()
        self._heard_at = 0.0
        self._powered = True

    # What the line sees

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        if now - self._heard_at > _INTER_BYTE_S + len(data) * 0.01:
            self._heard.clear()
        self._heard_at = now
        self._heard += data
        length = 5 if self.model == "cu16" else 6
        said: list[Transmit] = []
        while len(self._heard) >= length:
            frame = bytes(self._heard[:length])
            if frame[0] == 0x02 and frame[-2] == 0x03 and sum(frame[:-1]) % 256 == frame[-1]:
                del self._heard[:length]
                said += self._obey_16(frame, now) if self.model == "cu16" else self._obey_48(frame, now)
            else:
                del self._heard[0]
        return said

    def due(self) -> float | None:
        """See ``Twin``."""
        return min((at for at, _ in self._jobs), default=None)

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: fires the latches that are due."""
        ready = [lock for at, lock in self._jobs if at <= now]
        self._jobs = [one for one in self._jobs if one[0] > now]
        said = []
        for lock in ready:
            self.pulses[lock] += 1
            if lock not in self._jammed:
                self._move(lock, opened=True, now=now, cause="command")
            if self.model == "cu48":
                done = 0x75 if lock in self._open else 0x00
                said.append(Transmit(now, summed(0x02, self.board, lock - 1, done, 0x00)))
        return said

    def power_off(self, now: float) -> None:  # noqa: ARG002 - the board forgets the same at any time
        """See ``Twin``."""
        self._powered = False
        self._jobs.clear()
        self._heard.clear()
        self.busy = False

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._powered = True
        self._heard_at = now

    # What hands can do

    def is_open(self, lock: int) -> bool:
        """True while this door stands open."""
        return lock in self._open

    def take(self, lock: int) -> None:
        """A hand empties the compartment; whether the door is open is the hand's affair."""
        self.goods.discard(lock)

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

    def _obey_16(self, frame: bytes, now: float) -> list[Transmit]:
        board, lock, command = frame[1] >> 4, (frame[1] & 0x0F) + 1, frame[2]
        if board not in (self.board, 0x0F) or self.busy:
            return []
        if command == 0x30:
            hooks = sum(1 << one - 1 for one in range(1, 17) if one not in self._open)
            seen = sum(1 << one - 1 for one in range(1, 17) if one in self.goods)
            reply = summed(0x02, self.board << 4, 0x35, *hooks.to_bytes(2, "little"), *seen.to_bytes(2, "little"), 0x03)
            return [Transmit(now + self._turn_round, reply)]
        if command in (0x31, 0x33):
            self._unlock([lock] if command == 0x31 else list(range(1, 17)), now)
        return []

    def _obey_48(self, frame: bytes, now: float) -> list[Transmit]:
        device, lock, command = frame[1], frame[2] + 1, frame[3]
        if device != self.board or self.busy or lock > self.locks:
            return []
        if command == 0x60:
            hooks = sum(1 << one - 1 for one in range(1, 49) if one not in self._open)
            reply = summed(0x02, self.board, 0x00, 0x75, 0x06, *hooks.to_bytes(6, "little"))
            return [Transmit(now + self._turn_round, reply)]
        if command == 0x61:
            self._unlock([lock], now)
        return []

    def _unlock(self, locks: list[int], now: float) -> None:
        if self.deaf:
            self.deaf -= 1
            return
        self._jobs += [(now + self._turn_round + self._latch * (place + 1), one) for place, one in enumerate(locks)]

    def _move(self, lock: int, *, opened: bool, now: float, cause: Literal["command", "pushed", "forced"]) -> None:
        if lock not in self.pulses:
            raise ValueError(f"this board has locks 1..{self.locks}, not {lock}")
        if opened == (lock in self._open):
            return
        (self._open.add if opened else self._open.discard)(lock)
        if self.on_door is not None:
            self.on_door(DoorMoved(lock, opened, now, cause))
