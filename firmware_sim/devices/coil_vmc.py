"""The FA FB vending controller (XY, JSK): it is the master, and the computer above it is its slave.

::

    packet   FA FB | command | length | PackNO text .. | xor        length counts PackNO and text
    every 200 ms   POLL FA FB 41 00 40, or the first message that waits; the answer must begin within 100 ms
    answer to POLL         a command, which is confirmed at once with ACK FA FB 42 00 43, or ACK
    answer to a message    ACK; without it the same message (same PackNO) comes again, 5 times in all, then it is lost
    PackNO                 1..255; moves on after success; a command under the PackNO of the last one is confirmed and
                           not done again. What it was is forgotten with the power.

    06 sensor elevator sel(2)  drive         03 sel(2)  sell           -> 04 01 sel running, then 04 02 | 03 | 06 sel
    01 sel(2) -> 02 status sel(2)            31 -> 11 sel(2) price(4) stock capacity product(2) status, one by one
    51 -> 52 ...    53 -> 54 00              after a start it asks for a synchronisation itself (31)

Source: "VMC - Upper Computer Communication Protocol" (XY/JSK); vending.md 1.4 A; docs/protocols/coil_vmc.md. PURE.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor

from firmware_sim.devices.coil_motors import CoilMotors, Dropped
from firmware_sim.devices.twin import Transmit

POLL, ACK = 0x41, 0x42
_TRIES = 5
_SHORTEST = 5


def packet(command: int, *body: int) -> bytes:
    """A whole packet; ``body``: PackNO and text."""
    head = bytes((0xFA, 0xFB, command, len(body), *body))
    return head + bytes((reduce(xor, head),))


class CoilVmc:
    """One machine. ``slots``: selection -> pieces. ``counts``: it counts its stock down by itself.

    ``turns`` counts motor starts; ``dropped`` the messages nobody confirmed. ``deaf``: it ignores all answers.
    """

    def __init__(
        self,
        slots: Mapping[int, int],
        *,
        counts: bool = True,
        sensor: bool = True,
        poll_s: float = 0.2,
        window_s: float = 0.1,
        turn_s: float = 2.0,
        on_drop: Callable[[Dropped], None] | None = None,
    ) -> None:
        self.coils = CoilMotors({str(slot): pieces for slot, pieces in slots.items()}, turn_s, on_drop)
        self.stock = dict(slots)
        self.turns = 0
        self.dropped = 0
        self.unplugged: set[int] = set()
        self.deaf = False
        self._counts = counts
        self._sensor = sensor
        self._poll_s = poll_s
        self._window = window_s
        self._outbox: deque[tuple[int, bytes]] = deque()
        self._tries = 0
        self._number = 1
        self._host_number: int | None = None
        self._next = 0.0
        self._asked_until = -1.0
        self._asked_poll = False
        self._heard = bytearray()
        self._heard_at = 0.0
        self._powered = True
        self._post(0x31)

    # What the line sees

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``. What comes after the window is nobody's answer."""
        if not self._powered or self.deaf:
            return []
        if now - self._heard_at > 0.05 + len(data) * 0.001:
            self._heard.clear()
        self._heard_at = now
        self._heard += data
        said: list[Transmit] = []
        while (frame := self._next_packet()) is not None:
            said += self._answered(frame, now)
        return said

    def due(self) -> float | None:
        """See ``Twin``: it never stops asking."""
        if not self._powered:
            return None
        turn = self.coils.turn
        return min(self._next, turn.step_at) if turn else self._next

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``."""
        turn = self.coils.turn
        if turn is not None and turn.step_at <= now:
            self._stepped(now)
        if self._next > now or not self._powered:
            return []
        self._next = max(self._next + self._poll_s, now + self._poll_s / 2)
        if self._outbox and self._tries == _TRIES:
            self.dropped += 1
            self._forward()
        self._asked_poll = not self._outbox
        data = packet(POLL)
        if self._outbox:
            self._tries += 1
            command, text = self._outbox[0]
            data = packet(command, self._number, *text)
        # The window opens with the first byte; the packet's own time at 57600 baud belongs to it.
        self._asked_until = now + len(data) * 10 / 57600 + self._window
        return [Transmit(now, data)]

    def power_off(self, now: float) -> None:  # noqa: ARG002 - what is in RAM is gone at any time
        """See ``Twin``: messages, numbers and the turn under way are gone; the stock is not."""
        self._powered = False
        self._outbox.clear()
        self._tries, self._number, self._host_number = 0, 1, None
        self._heard.clear()
        self.coils.stop()

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._powered = True
        self._heard_at = now
        self._next = now + 0.5
        self._post(0x31)

    # What hands can do

    def sell(self, slot: int, now: float, amount: int = 100) -> None:
        """Somebody puts a coin in and presses a button: sold without the computer."""
        self._post(0x21, 2, *amount.to_bytes(4, "big"))
        self._start(slot, now)

    def press_full(self) -> None:
        """The restocker presses "fully loaded"."""
        self._post(0x17)

    def type_stock(self, slot: int, pieces: int) -> None:
        """The restocker types a stock in."""
        self.stock[slot] = pieces
        self._post(0x13, *slot.to_bytes(2, "big"), pieces)

    # Inside

    def _next_packet(self) -> bytes | None:
        while len(self._heard) >= _SHORTEST:
            start = self._heard.find(b"\xfa\xfb")
            if start < 0:
                del self._heard[:-1]
                return None
            del self._heard[:start]
            if len(self._heard) < 4 or len(self._heard) < _SHORTEST + self._heard[3]:
                return None
            frame = bytes(self._heard[: _SHORTEST + self._heard[3]])
            if reduce(xor, frame) == 0:
                del self._heard[: len(frame)]
                return frame
            del self._heard[0]
        return None

    def _answered(self, frame: bytes, now: float) -> list[Transmit]:
        begun = now - len(frame) * 10 / 57600
        if begun > self._asked_until:
            return []
        self._asked_until = -1.0
        if not self._asked_poll:
            if frame[2] == ACK:
                self._forward()
            return []
        if frame[2] == ACK or frame[3] == 0:
            return []
        if frame[4] != self._host_number and not self._obey(frame[2], frame[5:-1], now):
            return []
        self._host_number = frame[4]
        return [Transmit(now + 0.002, packet(ACK))]

    def _obey(self, command: int, text: bytes, now: float) -> bool:
        """Does it; False: not understood or not now, so it is not confirmed."""
        if command == 0x06 and len(text) == 4:
            return self._start(int.from_bytes(text[2:], "big"), now)
        if command == 0x03 and len(text) == 2:
            return self._start(int.from_bytes(text, "big"), now)
        if command == 0x01 and len(text) == 2:
            slot = int.from_bytes(text, "big")
            status = 0x03 if slot not in self.stock else 0x01 if self.stock[slot] else 0x02
            self._post(0x02, status, *text)
        elif command == 0x31:
            for slot, pieces in sorted(self.stock.items()):
                number = slot.to_bytes(2, "big")
                self._post(0x11, *number, 0, 0, 0, 0, min(pieces, 255), 30, 0x03, 0xE9, 0)
        elif command == 0x51:
            self._post(0x52, *bytes(14), *b"0000000000", *bytes([0xAA]) * 8)
        elif command == 0x53:
            self._post(0x54, 0)
        else:
            return False
        return True

    def _start(self, slot: int, now: float) -> bool:
        if self.coils.turn is not None:
            return False
        if str(slot) not in self.coils or slot in self.unplugged:
            self._tell(0x06, slot)
            return True
        self.turns += 1
        self._tell(0x01, slot)
        self.coils.start("", str(slot), 1, "", now)
        return True

    def _stepped(self, now: float) -> None:
        turn = self.coils.turn
        assert turn is not None
        step = self.coils.step(turn, now)
        if step.motor == "turning":
            return
        slot = int(turn.slot)
        fine = step.motor == "ok" and (step.saw or not self._sensor)
        if fine and self._counts and self.stock[slot]:
            self.stock[slot] -= 1
        self._tell(0x02 if fine else 0x03, slot)

    def _tell(self, status: int, slot: int) -> None:
        self._post(0x04, status, *slot.to_bytes(2, "big"))

    def _post(self, command: int, *text: int) -> None:
        self._outbox.append((command, bytes(text)))

    def _forward(self) -> None:
        """The message is done with; the next one has the next number."""
        self._outbox.popleft()
        self._tries = 0
        self._number = self._number % 255 + 1
