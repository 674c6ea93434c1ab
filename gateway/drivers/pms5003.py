"""Plantower PMS5003, PMS7003 and their T and ST variants: dust, 9600 8N1, talks unasked every 0.2 to 2.3 s.

    42 4D 00 1C  w1 .. w13 (big-endian)  sum16        w1-3 "factory" ug/m3, w4-6 atmospheric, w7-12 counts per 0.1 L
    42 4D 00 24  w1 .. w17               sum16        ST: w13 HCHO ug/m3, w14 temperature / 10, w15 humidity / 10

The surprise: the first three words look right and are not; air is shown and judged by words 4 to 6. A PMS5003T has the
same header and length with temperature and humidity in words 11 and 12, so the model must be said. After waking it
sends zeros, which are dropped, then values that do not hold for 30 s, which are marked.
Source: Plantower data sheets; devices.md section 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import AirSample, Counters, Event, Request, Want
from gateway.drivers.air_marks import AirMarks

HEAD = b"\x42\x4d"
LENGTHS = {0x1C: 32, 0x24: 40}
LONGEST = 40
METRICS = {"pm1": 3, "pm25": 4, "pm10": 5}
COUNTS = slice(6, 12)
# ug/m3 that the maker promises; above, the value is a guess.
RANGE = (0, 1000)
# Temperature and humidity in tenths, where the model has them.
CLIMATE = {"pms5003t": (10, 11), "pms5003st": (13, 14)}
HCHO = 12
# Three frames lost in a row; and a silence that means it slept or lost its power.
GAP = 5.0
ASLEEP = 10.0


class DustSettings(BaseModel):
    """How its samples become records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Literal["pms5003", "pms7003", "pms5003t", "pms5003st"] = Field(
        default="pms5003", description="which of the family: T and ST tell temperature and humidity too"
    )
    window: int = Field(default=600, ge=10, le=86_400, description="seconds that one record sums up, on a fixed grid")
    warm_up: float = Field(default=30, ge=0, le=600, description="seconds after waking in which values are marked")
    frozen: float = Field(default=3600, ge=0, description="air that has not moved for so long is marked; 0: never")


class Pms5003:
    """One sensor, alone on its line. Each good frame becomes an AirSample of pm1, pm25 and pm10, and of the climate."""

    kind: ClassVar[str] = "pms5003"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    listens: ClassVar[bool] = True
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1",)
    Settings: ClassVar[type[BaseModel]] = DustSettings

    def __init__(self, settings: DustSettings) -> None:
        self.settings = settings
        self.window = settings.window
        self.counters = Counters()
        self.wants: Sequence[Want] = ()
        self.answered = True
        self.cfg = hashlib.sha256(f"{settings.model} atmospheric words 4-6".encode()).hexdigest()
        self._marks = AirMarks(settings.warm_up, settings.frozen)
        self._tail = bytearray()
        self._heard: float | None = None
        self._good: float | None = None

    def pending(self) -> None:
        """It is never asked."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """It is never asked."""
        raise NotImplementedError(f"a dust sensor talks unasked; nobody can ask it for {wants}")

    def feed(self, data: bytes, now: float) -> list[Event]:
        """A frame is known by its end: header so many bytes before, sum in the last two."""
        events: list[Event] = []
        for byte in data:
            self._tail.append(byte)
            del self._tail[:-LONGEST]
            for mark, length in LENGTHS.items():
                frame = bytes(self._tail[-length:])
                if len(frame) < length or not frame.startswith(HEAD + bytes((0, mark))):
                    continue
                if sum(frame[:-2]) != int.from_bytes(frame[-2:], "big"):
                    self.counters.refuse("sum")
                    continue
                self._tail.clear()
                events += self._sample(frame, now)
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
            self._marks.woke(now)
            self._good = None
        self._heard = now
        words = [int.from_bytes(frame[at : at + 2], "big") for at in range(4, len(frame) - 2, 2)]
        if not any(words[: COUNTS.stop - (2 if self.settings.model == "pms5003t" else 0)]):
            self.counters.refuse("zero")
            return []
        self._marks.stirred("counts", words[COUNTS], now)
        values = {metric: words[place] for metric, place in METRICS.items()}
        marks = self._marks.judge_all(values, now, RANGE)
        follows = self._good is not None and now - self._good <= GAP
        self._good = now
        said: list[Event] = [AirSample(values, 0, "ug/m3", follows, frame, marks)]
        return said + self._climate(words, frame, follows, now) + self._marks.news()

    def _climate(self, words: Sequence[int], frame: bytes, follows: bool, now: float) -> list[Event]:  # noqa: FBT001
        places = CLIMATE.get(self.settings.model)
        if places is None or len(words) <= max(places):
            return []
        degrees, humid = (words[place] for place in places)
        degrees -= (degrees & 0x8000) << 1
        hot = self._marks.judge("temperature", degrees, now, (-100, 600))
        wet = self._marks.judge("humidity", humid, now, (0, 990))
        found: list[Event] = [
            AirSample({"temperature": degrees}, -1, "degC", follows, frame, hot),
            AirSample({"humidity": humid}, -1, "%RH", follows, frame, wet),
        ]
        if self.settings.model == "pms5003st":
            marks = self._marks.judge("hcho", words[HCHO], now, (0, 2000))
            found.append(AirSample({"hcho": words[HCHO]}, 0, "ug/m3", follows, frame, marks))
        return found
