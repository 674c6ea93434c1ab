"""Answers that were given up and may still come: Modbus says in an answer neither which register it is nor when. PURE.

The surprise is the only defence there is: an answer tells how many registers it brings, so for a while other questions
ask for more than they need, and what comes late fits none of them.
"""

from __future__ import annotations

# How long an answer that was given up may still come.
STRAY_SECONDS = 5.0
# Instead of the first register of a lost question, where there were several of that length.
SEVERAL = -1


class Strays:
    """The questions of one device whose answers may be under way, by function and count of registers."""

    def __init__(self) -> None:
        self._lost: dict[tuple[int, int], tuple[int, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._lost)

    def gave_up(self, sent: bytes, now: float) -> None:
        """Nobody waits for the answer to this question any more."""
        if len(sent) < 6:
            return
        shape, first = (sent[1], int.from_bytes(sent[4:6], "big")), int.from_bytes(sent[2:4], "big")
        known, since = self._lost.get(shape, (first, now))
        mixed = known != first and now - since < STRAY_SECONDS
        self._lost[shape] = (SEVERAL if mixed else first), now

    def count(self, table: int, first: int, count: int, longest: int, now: float) -> int:
        """For how many registers to ask, `count` or more, up to `longest`: not those of another answer under way."""
        self._lost = {shape: lost for shape, lost in self._lost.items() if now - lost[1] < STRAY_SECONDS}
        while self._lost.get((table, count), (first, 0))[0] != first and count + 2 <= longest:
            count += 2
        return count
