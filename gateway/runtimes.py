"""Looks at a running machine added up to effective seconds a speed, one record a window of the wall clock.

The surprise is what lies between two looks: it belongs to the earlier one, unless they are further apart than a device
that is asked on its grid can be. Such a gap is unknown: not "running", because nobody saw it run, and not "off" either;
the contract says which way that goes. So is the time before the first look, and a look that contradicts itself.
Source: devices.md 8.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.device_events import Event, FanState
from gateway.recording import Stamp
from wire.records import Record, Runtime

UNKNOWN = "unknown"


class Runtimes:
    """The interpreter of a device that runs: windows of `seconds`, gaps longer than `gap` seconds."""

    def __init__(self, device: str, seconds: int, gap: float) -> None:
        self._device = device
        self._width = seconds * 1000
        self._gap = int(gap * 1000)
        self._start: int | None = None
        self._spent: dict[str, int] = {}
        self._last: int | None = None
        self._seen = 0
        self._now = UNKNOWN
        self._cfg = ""

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        """Takes a look; the windows that ended before it, as records."""
        if not isinstance(event, FanState):
            return ()
        self._cfg = cfg
        done = self._until(at)
        self._last, self._seen, self._now = at.m, at.t, UNKNOWN if event.speed is None else event.speed
        return done

    def tick(self, at: Stamp) -> Sequence[Record]:
        """Closes windows in which nobody looks any more."""
        if self._last is None or self._start is None or at.m - self._last <= self._gap:
            return ()
        if self._start <= at.t < self._start + self._width:
            return ()
        done = self._until(at)
        self._last, self._seen, self._now = at.m, at.t, UNKNOWN
        return done

    def _until(self, at: Stamp) -> list[Record]:
        """Gives the time since the last look to what was seen then, window by window."""
        if self._start is None or self._last is None:
            self._begin(at.t - at.t % self._width, at.t)
            return []
        lapse = at.m - self._last
        seen = self._now if lapse <= self._gap else UNKNOWN
        since = at.t - lapse
        done: list[Record] = []
        if not self._start - self._width <= since < self._start + 2 * self._width:
            # The clock was set: what the open window holds is told, as long as it was open, by the new clock.
            done.append(self._close(at, since - max(0, self._seen - self._start), since))
            self._begin(since - since % self._width, since)
        while at.t >= (self._start or 0) + self._width:
            end = (self._start or 0) + self._width
            self._spend(seen, end - max(since, self._start or 0))
            done.append(self._close(at, end - self._width, end))
            since = max(since, end)
            self._begin(end, end)
            if at.t - end > 100 * self._width:
                self._begin(at.t - at.t % self._width, at.t - at.t % self._width)
        self._spend(seen, at.t - max(since, self._start or 0))
        return done

    def _begin(self, start: int, known_from: int) -> None:
        self._start = start
        self._spent = {UNKNOWN: known_from - start} if known_from > start else {}

    def _spend(self, what: str, length: int) -> None:
        if length > 0 and what:
            self._spent[what] = self._spent.get(what, 0) + length

    def _close(self, at: Stamp, begin: int, end: int) -> Record:
        """Whole seconds; a part of one is nobody's, so a window never holds more than its own."""
        seconds = {what: length // 1000 for what, length in sorted(self._spent.items())}
        unknown = seconds.pop(UNKNOWN, 0)
        return Runtime(
            v=1, z="", src=self._device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, cfg=self._cfg,
            from_=begin, to=end, speeds={what: length for what, length in seconds.items() if length},
            unknown=unknown,
        )  # fmt: skip
