"""What turns inside a meter: power times time, in whole microjoules, so that no watt-hour is lost to rounding. PURE."""

from __future__ import annotations

from collections.abc import Callable

MICROJOULES_PER_WH = 3_600_000_000


def milliseconds(now: float) -> int:
    """Line seconds as the world's milliseconds, where both run at the same speed."""
    return round(now * 1000)


class LoadCounter:
    """Energy of one direction. ``world_ms`` maps line time to ms of the world that is measured."""

    def __init__(self, *, start_wh: int = 0, now: float = 0.0, world_ms: Callable[[float], int] = milliseconds) -> None:
        self._world_ms = world_ms
        self._since = world_ms(now)
        self._microjoules = start_wh * MICROJOULES_PER_WH
        self.load_mw = 0

    def set_load_w(self, watts: int, now: float) -> None:
        """The load from ``now`` on."""
        self._count(now)
        self.load_mw = watts * 1000

    def wh(self, now: float) -> int:
        """Whole watt-hours."""
        self._count(now)
        return self._microjoules // MICROJOULES_PER_WH

    def _count(self, now: float) -> None:
        at = self._world_ms(now)
        lapse, self._since = at - self._since, at
        if lapse < 0:
            raise ValueError("a meter does not run backwards in time")
        self._microjoules += abs(self.load_mw) * lapse
