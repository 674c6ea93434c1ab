"""What speaks against an air sensor's value: it warms up, it is frozen, it is outside what the sensor measures. PURE.

The surprise is that nothing is hidden: a marked value is recorded with its mark (`AirSample.q`), and only then does it
count for no minute of good or bad air. A sensor is frozen when nothing it says has changed for an hour: one value may
stand still in a quiet room, all of them do not.
Source: devices.md 6 and 8.6.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.device_events import DeviceFault, Event, Scalar

WARM_UP, FROZEN, OUT_OF_RANGE = "warm_up", "frozen", "out_of_range"
FROZEN_SECONDS = 3600.0


class AirMarks:
    """One sensor's standing. Times are line time in seconds; `frozen` 0: standing still is no fault of this sensor."""

    def __init__(self, warm_up: float, frozen: float = FROZEN_SECONDS) -> None:
        self._warm_up = warm_up
        self._frozen = frozen
        self._woke: float | None = None
        self._seen: dict[str, object] = {}
        self._moved: float | None = None
        self._told: set[str] = set()
        self._news: list[Event] = []

    def woke(self, now: float | None = None) -> None:
        """The sensor started anew, or may have (None: at its next word)."""
        self._woke = now
        self._moved = None
        self._seen.clear()

    def judge(self, metric: str, value: int, now: float, limits: tuple[int, int] | None = None) -> tuple[str, ...]:
        """The marks of one value. `limits`: lowest and highest that the sensor measures, in the value's own steps."""
        self._saw(metric, value, now)
        marks = []
        if now - (self._woke or 0.0) < self._warm_up:
            marks.append(WARM_UP)
        if self._frozen and self._moved is not None and now - self._moved >= self._frozen:
            marks.append(FROZEN)
            self._tell(FROZEN, {"metric": metric, "value": value, "seconds": int(now - self._moved)})
        else:
            self._told.discard(FROZEN)
        if limits and not limits[0] <= value <= limits[1]:
            marks.append(OUT_OF_RANGE)
            data: dict[str, Scalar] = {"metric": metric, "value": value, "low": limits[0], "high": limits[1]}
            self._tell(OUT_OF_RANGE, data, f"{OUT_OF_RANGE} {metric}")
        else:
            self._told.discard(f"{OUT_OF_RANGE} {metric}")
        return tuple(marks)

    def judge_all(self, values: Mapping[str, int], now: float, limits: tuple[int, int]) -> tuple[str, ...]:
        """The marks of a sample: those of any of its values."""
        marks = [mark for metric, value in values.items() for mark in self.judge(metric, value, now, limits)]
        return tuple(dict.fromkeys(marks))

    def stirred(self, name: str, value: object, now: float) -> None:
        """Something else the sensor said, such as its particle counts: if that moves it is not frozen."""
        self._saw(name, value, now)

    def news(self) -> list[Event]:
        """Faults that began since this was asked last; each is told once until it is over."""
        news, self._news = self._news, []
        return news

    def _saw(self, name: str, value: object, now: float) -> None:
        if self._woke is None:
            self._woke = now
        if self._moved is None or self._seen.get(name) != value:
            self._moved = now
        self._seen[name] = value

    def _tell(self, event: str, data: Mapping[str, Scalar], name: str = "") -> None:
        if (name or event) not in self._told:
            self._told.add(name or event)
            self._news.append(DeviceFault(event, data=dict(data)))
