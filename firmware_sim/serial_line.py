"""A serial line with real byte timing and several twins on it: half duplex, with collisions, for any event loop.

::

    host ──┬──────────┬──────────┬──   one pair of wires: who speaks is heard by all others, and two who speak at
           │ twin     │ twin     │     once are heard as neither; each byte takes bits / baud seconds
                                       (10 bits for 8N1, 11 with a parity bit), a frame ends with 3.5 of them silent

The surprise: the line works on the clock of the event loop it is used in, so the same code carries a day in seconds on
a virtual-time loop and a real pseudo-terminal at 9600 baud. Faults are put on the wire, where both ends meet them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from firmware_sim.devices.twin import Transmit, Twin
from firmware_sim.faults import LineFaults, LinePlan


@dataclass(frozen=True)
class LineSpec:
    """Speed and format; ``half_duplex`` false for a sensor with a wire in each direction."""

    baud: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stopbits: int = 1
    half_duplex: bool = True
    data_bits: Literal[7, 8] = 8

    @property
    def bits(self) -> int:
        """Bits of one character, start and stop bits included."""
        return 1 + self.data_bits + (self.parity != "N") + self.stopbits

    @property
    def words(self) -> str:
        """As installers write it: ``9600 8N1``."""
        return f"{self.baud} {self.data_bits}{self.parity}{self.stopbits}"

    @property
    def char_s(self) -> float:
        """Seconds of one character."""
        return self.bits / self.baud

    @property
    def silence_s(self) -> float:
        """Seconds of silence that end a Modbus frame: 3.5 characters, 1.750 ms above 19200 baud."""
        return 3.5 * self.char_s if self.baud <= 19200 else 0.00175


@dataclass(eq=False)
class _OnAir:
    """One transmission: ``data`` may still be spoilt by another one before it has ended."""

    sender: Twin | None
    data: bytearray
    start: float
    end: float
    char: float
    timer: asyncio.TimerHandle | None = field(default=None)
    handed: int = 0


class Line:
    """One pair of wires. Made and used inside a running event loop, whose time is the line's time.

    ``fifo``: the host's adapter hands bytes over in pieces of this many, as they come; 0: each transmission whole.
    ``host_speed`` tells the host's speed now; it matters only to a twin that has a speed of its own (``baud``): what
    one sends and the other hears at another speed is garbage.
    """

    def __init__(self, spec: LineSpec | None = None, *, faults: LineFaults | None = None) -> None:
        self.spec = spec or LineSpec()
        self.faults = faults or LineFaults(LinePlan(), "none")
        self.counts: Counter[str] = Counter()
        self.to_host: Callable[[bytes], None] | None = None
        self.fifo = 0
        self.host_speed: Callable[[], int] = lambda: self.spec.baud
        self._loop = asyncio.get_running_loop()
        self._twins: dict[int, Twin] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._on_air: list[_OnAir] = []
        self._host_free = 0.0

    @property
    def now(self) -> float:
        """Line time in seconds."""
        return self._loop.time()

    @property
    def host_busy(self) -> float:
        """Seconds until what the host has sent has left."""
        return max(0.0, self._host_free - self.now)

    def attach(self, twin: Twin) -> None:
        """Puts a device on the line."""
        self._twins[id(twin)] = twin
        self.stir(twin)

    def detach(self, twin: Twin) -> None:
        """Takes a device off the line."""
        self._twins.pop(id(twin), None)
        self._disarm(twin)

    def stir(self, twin: Twin) -> None:
        """Call after a hand touched the twin: it may now want to be woken at another time."""
        self._disarm(twin)
        due = twin.due()
        if due is not None and id(twin) in self._twins:
            self._timers[id(twin)] = self._loop.call_at(due, self._wake, twin, due)

    def cut_power(self, twin: Twin) -> None:
        """The device goes dark, in the middle of a byte if need be."""
        twin.power_off(self.now)
        self.counts["power_cuts"] += 1
        for air in [one for one in self._on_air if one.sender is twin]:
            self._end_early(air)
        self.stir(twin)

    def restore_power(self, twin: Twin) -> None:
        """The device starts again."""
        twin.power_on(self.now)
        self.stir(twin)

    def send_from_host(self, data: bytes) -> None:
        """Puts the host's bytes behind what it is already sending; returns at once."""
        start = max(self.now, self._host_free)
        self._host_free = start + len(data) * self._char(None)
        if start <= self.now:
            self._begin(None, data, start)
        else:
            self._loop.call_at(start, self._begin, None, data, start)

    # Inside

    def _wake(self, twin: Twin, due: float) -> None:
        self._timers.pop(id(twin), None)
        self._schedule(twin, twin.wake(max(due, self.now)))
        self.stir(twin)

    def _schedule(self, twin: Twin, sayings: list[Transmit]) -> None:
        for saying in sayings:
            delay = self.faults.reply_delay(saying.at)
            if delay is not None:
                start = saying.at + delay
                self._loop.call_at(start, self._begin, twin, saying.data, start)

    def _begin(self, sender: Twin | None, data: bytes, start: float) -> None:
        if sender is not None and id(sender) not in self._twins:
            return
        heard = bytearray(self.faults.on_the_wire(data, start))
        char = self._char(sender)
        air = _OnAir(sender, heard, start, start + len(heard) * char, char)
        if not heard:
            return
        if self.spec.half_duplex:
            for other in self._on_air:
                if other.sender is not sender:
                    self._collide(air, other)
        self._on_air.append(air)
        air.timer = self._loop.call_at(air.end, self._end, air)
        if self.fifo:
            for upto in range(self.fifo, len(heard), self.fifo):
                self._loop.call_at(start + upto * char, self._hand_over_upto, air, upto)

    def _collide(self, one: _OnAir, other: _OnAir) -> None:
        first, last = max(one.start, other.start), min(one.end, other.end)
        # Less than a tenth of a bit together is the end of one and the begin of the next.
        if last - first < self.spec.char_s / 100:
            return
        self.counts["collisions"] += 1
        char = min(one.char, other.char)
        length = min(len(one.data), len(other.data), round((last - first) / char) + 1)
        mine, theirs = int((first - one.start) / char), int((first - other.start) / char)
        for step in range(length):
            here, there = mine + step, theirs + step
            if here < len(one.data) and there < len(other.data):
                # Two drivers against each other: what comes of it is neither byte, whatever else it is.
                one.data[here] = other.data[there] = one.data[here] ^ other.data[there] ^ 0xFF

    def _end_early(self, air: _OnAir) -> None:
        if air.timer is not None:
            air.timer.cancel()
        whole_bytes = int((self.now - air.start) / air.char)
        del air.data[max(whole_bytes, 0) :]
        self._end(air)

    def _end(self, air: _OnAir) -> None:
        self._on_air.remove(air)
        data = bytes(air.data)
        if not data:
            return
        for twin in list(self._twins.values()):
            if twin is not air.sender:
                self._schedule(twin, twin.receive(self._heard(data, air.char, twin), air.end))
                self.stir(twin)
        if air.sender is not None or self.faults.echo:
            self.counts["to_host"] += len(data)
            for later, piece in self.faults.pieces(self._heard(data[air.handed :], air.char, None), air.end):
                if later:
                    self._loop.call_at(air.end + later, self._hand_over, piece)
                else:
                    self._hand_over(piece)
        if air.sender is None and self.faults.echo:
            self.faults.counts["echo"] += 1

    def _hand_over_upto(self, air: _OnAir, upto: int) -> None:
        if air in self._on_air and (air.sender is not None or self.faults.echo):
            piece = bytes(air.data[air.handed : upto])
            air.handed += len(piece)
            self._hand_over(self._heard(piece, air.char, None))

    def _char(self, who: Twin | None) -> float:
        """Seconds of a character as this one sends it; None is the host."""
        own: int = self.host_speed() if who is None else getattr(who, "baud", 0)
        if who is None and not any(hasattr(twin, "baud") for twin in self._twins.values()):
            own = 0
        return self.spec.bits / own if own else self.spec.char_s

    def _heard(self, data: bytes, char: float, who: Twin | None) -> bytes:
        """What a receiver at another speed than the sender's makes of it: bytes, but not these."""
        return data if abs(self._char(who) / char - 1) < 0.05 else bytes(byte ^ 0xA5 for byte in data)

    def _hand_over(self, piece: bytes) -> None:
        if piece and self.to_host is not None:
            self.to_host(piece)

    def _disarm(self, twin: Twin) -> None:
        timer = self._timers.pop(id(twin), None)
        if timer is not None:
            timer.cancel()
