"""A load cell under a bin with its Modbus transmitter: pieces that differ a little, and a pan that swings.

The surprise is the time it takes: after each touch the weight swings for a second or two, and meanwhile the
transmitter sends numbers that look like any others; only its status says "moving", and cheap ones have no status.

Registers (holding): ``at`` and the next = weight as float32, grams, or as int32 in ``counts`` a gram; ``status_at`` =
bit 0 still, bit 4 overload. Word order as set. Function 03.
Source: Modbus Application Protocol V1.1b3 section 6.3; transmitters' manuals; docs/protocols/weigh_bin.md. PURE.
"""

from __future__ import annotations

from firmware_sim.devices.ieee754 import float32
from firmware_sim.devices.modbus_slave import ILLEGAL_ADDRESS, ModbusSlave, RefusedError, SlaveTwin

SWING_S = 1.6
_STILL, _OVERLOAD = 1, 16


class WeighBin(SlaveTwin):
    """One bin. ``pieces``: the weight of each piece in it, mg. ``full_mg``: what the cell can bear."""

    def __init__(
        self,
        pieces: list[int],
        *,
        empty_mg: int = 250_000,
        at: int = 0,
        status_at: int | None = None,
        counts: int = 0,
        swapped: bool = False,
        full_mg: int = 50_000_000,
        address: int = 1,
        baud: int = 9600,
    ) -> None:
        self.pieces = pieces
        self.empty_mg = empty_mg
        self.creep_mg = 0
        self.leaning_mg = 0
        self._full = full_mg
        self._at = at
        self._status_at = status_at
        self._counts = counts
        self._swapped = swapped
        self._touched = -SWING_S
        self._slave = ModbusSlave(address, self._registers, baud=baud)

    def take(self, now: float, count: int = 1) -> list[int]:
        """A hand takes so many pieces; their weights."""
        taken = [self.pieces.pop() for _ in range(count)]
        self._touched = now
        return taken

    def put(self, now: float, pieces: list[int]) -> None:
        """A hand puts pieces in."""
        self.pieces += pieces
        self._touched = now

    def lean(self, now: float, milligrams: int) -> None:
        """Somebody leans on the bin, or (0) goes away."""
        self.leaning_mg = milligrams
        self._touched = now

    def weight(self, now: float) -> int:
        """What the cell feels, mg."""
        steady = self.empty_mg + sum(self.pieces) + self.creep_mg + self.leaning_mg
        left = self._touched + SWING_S - now
        if left <= 0:
            return steady
        # A damped swing, made of whole numbers: up and down every 90 ms, smaller and smaller.
        size = int(30_000 * left / SWING_S)
        return steady + (size if int((now - self._touched) / 0.09) % 2 else -size)

    def _registers(self, function: int, first: int, count: int, now: float) -> bytes:  # noqa: ARG002 - one table
        words = {self._at: self._weight_words(now)[:2], self._at + 1: self._weight_words(now)[2:]}
        if self._status_at is not None:
            still = now - self._touched >= SWING_S
            over = self.weight(now) > self._full
            words[self._status_at] = ((_STILL if still else 0) | (_OVERLOAD if over else 0)).to_bytes(2, "big")
        low, high = min(words), max(words)
        if first < low or first + count - 1 > high:
            raise RefusedError(ILLEGAL_ADDRESS)
        return b"".join(words.get(register, b"\x00\x00") for register in range(first, first + count))

    def _weight_words(self, now: float) -> bytes:
        felt = self.weight(now)
        counted = (felt * self._counts // 1000).to_bytes(4, "big", signed=True)
        value = counted if self._counts else float32(felt, 1000)
        return value[2:] + value[:2] if self._swapped else value
