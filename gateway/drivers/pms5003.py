"""Plantower PMS5003/7003 dust sensor: 9600 8N1, talks unasked every 0.2 to 2.3 s.

    42 4D 00 1C  w1 .. w13 (big-endian)  sum16        w1-3 "factory" ug/m3, w4-6 atmospheric, w7-12 counts per 0.1 L

The surprise: the first three words look right and are not; air is shown and judged by words 4 to 6. After waking it
sends zeros, then values that do not hold yet, so what comes in the first 30 s is dropped. A PMS5003T has the same
header and length with temperature in place of counts, which changes nothing here.
Source: Plantower data sheet; devices.md section 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import AirSample, Counters, Event, Request, Want

HEADER = b"\x42\x4d\x00\x1c"
LENGTH = 32
METRICS = {"pm1": 4, "pm25": 5, "pm10": 6}
# Three frames lost in a row; and a silence that means it slept or lost its power.
GAP = 5.0
ASLEEP = 10.0


class DustSettings(BaseModel):
    """How its samples become records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: int = Field(default=600, ge=10, le=86_400, description="seconds that one record sums up, on a fixed grid")
    warm_up: float = Field(default=30, ge=0, le=600, description="seconds after waking that are not used")


class Pms5003:
    """One sensor, alone on its line. Each good frame becomes an AirSample of pm1, pm25 and pm10."""

    kind: ClassVar[str] = "pms5003"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    listens: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = DustSettings

    def __init__(self, settings: DustSettings) -> None:
        self.settings = settings
        self.window = settings.window
        self.counters = Counters()
        self.wants: Sequence[Want] = ()
        self.answered = True
        self.cfg = hashlib.sha256(b"pms5003 atmospheric words 4-6").hexdigest()
        self._tail = bytearray()
        self._heard: float | None = None
        self._woke = 0.0
        self._good: float | None = None

    def pending(self) -> None:
        """It is never asked."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """It is never asked."""
        raise NotImplementedError(f"a dust sensor talks unasked; nobody can ask it for {wants}")

    def feed(self, data: bytes, now: float) -> list[Event]:
        """A frame is known by its end: header 32 bytes before, sum in the last two."""
        events: list[Event] = []
        for byte in data:
            self._tail.append(byte)
            del self._tail[:-LENGTH]
            if len(self._tail) == LENGTH and self._tail.startswith(HEADER):
                frame = bytes(self._tail)
                if sum(frame[:-2]) == int.from_bytes(frame[-2:], "big"):
                    self._tail.clear()
                    events += self._sample(frame, now)
                else:
                    self.counters.refused += 1
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - it was not asked
        """Nothing was asked, so nothing is missed."""
        return []

    def restarted(self) -> None:
        """The line was opened anew: a gap."""
        self._good = None
        self._tail.clear()

    def _sample(self, frame: bytes, now: float) -> list[Event]:
        self.counters.frames += 1
        if self._heard is None or now - self._heard > ASLEEP:
            self._woke, self._good = now, None
        self._heard = now
        words = [int.from_bytes(frame[at : at + 2], "big") for at in range(2, LENGTH - 2, 2)]
        values = {metric: words[place] for metric, place in METRICS.items()}
        if now - self._woke < self.settings.warm_up or not any(words[1:13]):
            return []
        follows = self._good is not None and now - self._good <= GAP
        self._good = now
        return [AirSample(values, 0, "ug/m3", follows, frame)]
