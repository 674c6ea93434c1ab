"""Weights to pieces, and never a guess. PURE.

    k = (before - after) / piece     n = nearest whole number
    n pieces, if |k - n| <= tolerance and n * spread * sqrt(n) stays below half a piece; else nobody knows

The surprise is the second condition: the more pieces at once, the less a scale knows, because what each piece differs
by adds up. And a weight counts only after it stayed within a span for a time.
Source: vending.md 1.5 (Agitron's practice of several-piece samples; AutoCrib marks such a reading "EL").
"""

from __future__ import annotations

from collections import deque

import msgspec


class Piece(msgspec.Struct, frozen=True):
    """What one piece weighs, mg; its standard deviation; percent of it by which a difference may be off."""

    milligrams: int
    spread: int = 0
    tolerance: int = 25


def pieces(before: int, after: int, piece: Piece) -> int | None:
    """Pieces that left (negative: that came); None where no whole number is near enough."""
    gone = before - after
    unit = piece.milligrams
    whole, rest = divmod(abs(gone), unit)
    count = whole + (2 * rest > unit)
    off = abs(abs(gone) - count * unit)
    if 100 * off > piece.tolerance * unit or 4 * count**3 * piece.spread**2 >= unit * unit:
        return None
    return count if gone > 0 else -count


class Stillness:
    """Feed it weights in order; it says the weight once the last ones agree. `samples` at least, `seconds` at least."""

    def __init__(self, within: int, samples: int, seconds: float) -> None:
        self._within = within
        self._samples = samples
        self._seconds = seconds
        self._held: deque[tuple[float, int]] = deque(maxlen=max(samples, 256))

    def weigh(self, milligrams: int, now: float, *, stable: bool | None) -> int | None:
        """The weight that has come to rest, else None. A flag that says "moving" begins anew."""
        if stable is False:
            self._held.clear()
            return None
        self._held.append((now, milligrams))
        while self._span() > self._within:
            self._held.popleft()
        if len(self._held) < self._samples or now - self._held[0][0] < self._seconds:
            return None
        ordered = sorted(weight for _, weight in self._held)
        return ordered[len(ordered) // 2]

    def forget(self) -> None:
        """What was weighed before does not count any more."""
        self._held.clear()

    def _span(self) -> int:
        weights = [weight for _, weight in self._held]
        return max(weights) - min(weights)
