"""Truth of fan coils: what hands and plant did, and what a collector can know of it, in effective seconds. PURE.

A collector that is asked now and then counts the time between two looks for what stood at the earlier one, and a bill
takes whole seconds of each window of five minutes. So truth is worked out twice: from the steps themselves, and from
the steps at the instants at which the collector was asked. The second is what a bill may say; that it lies within a
look of the first at every step is a proof of its own, or a gateway that never asks would be right as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

WINDOW_MS = 300_000


@dataclass
class _Coil:
    every_s: int
    # Instants (ms UTC) and the effective speed from each of them on.
    at_ms: list[int] = field(default_factory=list)
    speeds: list[str] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)

    def speed_at(self, at_ms: int) -> str:
        """What stood at that instant."""
        place = bisect_right(self.at_ms, at_ms) - 1
        return self.speeds[place] if place >= 0 else ""


class RunTimes:
    """The ledger of all coils of one run. Facts go in in order of time."""

    def __init__(self) -> None:
        self._coils: dict[str, _Coil] = {}

    def installed(self, coil: str, every_s: int) -> None:
        """A collector that is asked so often."""
        self._coils[coil] = _Coil(every_s)

    def runs(self, coil: str, speed: str, at_ms: int) -> None:
        """From now on the coil delivers at this speed; "": it does not."""
        one = self._coils[coil]
        one.at_ms.append(at_ms)
        one.speeds.append(speed)

    def looked(self, coil: str, at_ms: int) -> None:
        """The collector was asked."""
        self._coils[coil].looks.append(at_ms)

    def seconds(self, begin_ms: int, end_ms: int) -> dict[tuple[str, str], int]:
        """(coil, speed) -> effective whole seconds within [begin, end), as far as looks can tell."""
        found: Counter[tuple[str, str]] = Counter()
        for name, coil in self._coils.items():
            windows: Counter[tuple[int, str]] = Counter()
            stretches = [(at, coil.speed_at(at)) for at in coil.looks]
            for first, end, speed in _between(stretches, begin_ms, end_ms):
                windows[first // WINDOW_MS, speed] += end - first
            for (_, speed), length in windows.items():
                found[name, speed] += length // 1000
        return {key: seconds for key, seconds in found.items() if key[1] and seconds}

    def stood(self, coil: str, begin_ms: int, end_ms: int) -> dict[str, tuple[int, int]]:
        """Speed -> milliseconds within [begin, end) by the steps themselves, and how often it was left for another."""
        one = self._coils[coil]
        stretches = list(zip(one.at_ms, one.speeds, strict=True))
        spent, left = Counter[str](), Counter(before for before, after in pairwise(one.speeds) if before != after)
        for first, end, speed in _between(stretches, begin_ms, end_ms):
            spent[speed] += end - first
        return {speed: (length, left[speed]) for speed, length in spent.items()}

    def within_a_look(self, begin_ms: int, end_ms: int) -> bool:
        """Whether what looks tell is what the steps themselves say, but for a look and a second at each step."""
        told = self.seconds(begin_ms, end_ms)
        for name, coil in self._coils.items():
            stood = {speed: length for speed, (length, _) in self.stood(name, begin_ms, end_ms).items()}
            slack = (len(coil.at_ms) + 1) * (coil.every_s + 2)
            if any(abs(stood[speed] / 1000 - told.get((name, speed), 0)) > slack for speed in stood if speed):
                return False
        return True


def _between(stretches: Sequence[tuple[int, str]], begin_ms: int, end_ms: int) -> Iterator[tuple[int, int, str]]:
    """Each stretch from its instant to the next one, within [begin, end), cut at the edges of windows."""
    for place, (since, speed) in enumerate(stretches):
        until = stretches[place + 1][0] if place + 1 < len(stretches) else end_ms
        first, last = max(since, begin_ms), min(until, end_ms)
        while first < last:
            edge = min(first - first % WINDOW_MS + WINDOW_MS, last)
            yield first, edge, speed
            first = edge
