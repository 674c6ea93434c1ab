"""Winsen MH-Z19B CO2 sensor: 9600 8N1, nine bytes each way.

    asked    FF 01 86 00 00 00 00 00 79              79: automatic baseline, A0 on, 00 off (an answer is rare)
    answer   FF 86 hi lo T+40 .. chk                 ppm; chk: 100H minus the sum of the seven bytes between

The surprises: it reads a plausible 400 to 500 ppm for its first three minutes, so these are marked; its automatic
baseline is on by default and wrong in rooms that are never empty; after a dip of its supply it may never answer again
until its power was away. The temperature is not documented and is marked so.
Source: Winsen MH-Z19B manual V1.0; devices.md section 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import AirSample, Counters, Event, Request, Want
from gateway.drivers.air_marks import AirMarks

READ, BASELINE = 0x86, 0x79
LENGTH = 9


class WinsenSettings(BaseModel):
    """How often it is asked, and how its samples become records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: float = Field(default=5, ge=1, le=600, description="seconds between samples")
    window: int = Field(default=600, ge=10, le=86_400, description="seconds that one record sums up, on a fixed grid")
    baseline: Literal["leave", "off", "on"] = Field(
        default="leave", description="automatic baseline; off in rooms that are never empty"
    )
    span: Literal[2000, 5000, 10000] = Field(default=5000, description="highest ppm of this make")
    warm_up: float = Field(default=180, ge=0, le=600, description="seconds after a start in which values are marked")
    frozen: float = Field(default=3600, ge=0, description="air that has not moved for so long is marked; 0: never")


class MhZ19B:
    """One sensor, alone on its line. Each answer becomes an AirSample of co2."""

    kind: ClassVar[str] = "mhz19b"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1",)
    Settings: ClassVar[type[BaseModel]] = WinsenSettings

    def __init__(self, settings: WinsenSettings) -> None:
        self.settings = settings
        self.window = settings.window
        self.counters = Counters()
        self.answered = True
        self.wants: Sequence[Want] = (Want("co2", settings.every),)
        self.cfg = hashlib.sha256(b"mh-z19b ppm").hexdigest()
        self._marks = AirMarks(settings.warm_up, settings.frozen)
        self._tail = bytearray()
        self._told = settings.baseline == "leave"
        self._good: float | None = None

    def pending(self) -> Request | None:
        """How its baseline is to be kept, once after each start; an answer to that is skipped."""
        if self._told:
            return None
        self._told = True
        return Request(framed(BASELINE, 0xA0 if self.settings.baseline == "on" else 0), 0, 0.05)

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - it has one question
        """The concentration."""
        self._tail.clear()
        self.answered = False
        return Request(framed(READ), 2 * LENGTH, 0.1, usual=LENGTH)

    def feed(self, data: bytes, now: float) -> list[Event]:
        """A frame is known by its end: FF 86 nine bytes back, the check last. Our own echo has 01 in second place."""
        events: list[Event] = []
        for byte in data:
            if self.answered:
                self.counters.noise_bytes += 1
                continue
            self._tail.append(byte)
            del self._tail[:-LENGTH]
            frame = bytes(self._tail)
            if len(frame) < LENGTH or frame[:2] != bytes((0xFF, READ)):
                continue
            if check(frame[1:8]) != frame[8]:
                self.counters.refuse("check")
                continue
            self._tail.clear()
            self.answered = True
            self.counters.frames += 1
            events += self._sample(frame, now)
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer."""
        if not self.answered and self._tail:
            self.counters.refuse("short")
        self.answered = True
        return []

    def restarted(self) -> None:
        """It may have lost its power, so it warms up again."""
        self._told = self.settings.baseline == "leave"
        self._good = None
        self._marks.woke()

    def _sample(self, frame: bytes, now: float) -> list[Event]:
        ppm, degrees = int.from_bytes(frame[2:4], "big"), frame[4] - 40
        self._marks.stirred("rest", frame[4:8], now)
        marks = self._marks.judge("co2", ppm, now, (300, self.settings.span))
        follows = self._good is not None and now - self._good <= 2.5 * self.settings.every
        self._good = now
        inside = AirSample({"case_temperature": degrees}, 0, "degC", follows, frame, (*marks, "undocumented"))
        return [AirSample({"co2": ppm}, 0, "ppm", follows, frame, marks), inside, *self._marks.news()]


def check(between: bytes) -> int:
    """100H minus the sum, in one byte."""
    return -sum(between) & 0xFF


def framed(command: int, value: int = 0) -> bytes:
    """A question or command."""
    body = bytes((1, command, value, 0, 0, 0, 0))
    return b"\xff" + body + bytes((check(body),))
