"""Nova SDS011 dust sensor: 9600 8N1, talks unasked every second, or once in so many minutes to spare its laser.

    said     AA C0 pm25(2, low first) pm10(2) id(2) sum AB            0.1 ug/m3; sum of the six bytes before it
    command  AA B4 what set value 00.. FF FF sum AB    (19 bytes)     08 01 n: work 30 s every n minutes, 0 always
    answer   AA C5 what set value 00 id(2) sum AB

The surprise is its life: the laser lasts about 8,000 hours, less than a year without rest. With `rest` it is told at
every start to work half a minute out of so many; it speaks at the end of that half minute, when its value holds.
Source: Nova laser dust sensor control protocol V1.3; devices.md section 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import AirSample, Counters, DeviceFault, Event, Identified, Request, Want
from gateway.drivers.air_marks import AirMarks

HEAD, TAIL, DATA, ANSWER = 0xAA, 0xAB, 0xC0, 0xC5
LENGTH = 10
PERIOD = 8
RANGE = (0, 9999)
GAP, ASLEEP = 5.0, 10.0
# How often the resting time is said again until it is confirmed.
AGAIN = 10.0


class NovaSettings(BaseModel):
    """How its samples become records, and how much it rests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: int = Field(default=600, ge=10, le=86_400, description="seconds that one record sums up, on a fixed grid")
    rest: int = Field(default=0, ge=-1, le=30, description="work 30 s every so many minutes; 0 always; -1 do not touch")
    warm_up: float = Field(default=30, ge=0, le=600, description="seconds after waking in which values are marked")
    frozen: float = Field(default=3600, ge=0, description="air that has not moved for so long is marked; 0: never")


class Sds011:
    """One sensor, alone on its line. Each good frame becomes an AirSample of pm25 and pm10."""

    kind: ClassVar[str] = "sds011"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    listens: ClassVar[bool] = True
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1",)
    Settings: ClassVar[type[BaseModel]] = NovaSettings

    def __init__(self, settings: NovaSettings) -> None:
        self.settings = settings
        self.window = settings.window
        self.counters = Counters()
        self.wants: Sequence[Want] = ()
        self.answered = True
        self.cfg = hashlib.sha256(b"sds011 0.1 ug/m3").hexdigest()
        # A sensor that rests speaks only when its value holds.
        self._pause = max(settings.rest, 0) * 60.0
        self._marks = AirMarks(0 if self._pause else settings.warm_up, settings.frozen)
        self._tail = bytearray()
        self._heard: float | None = None
        self._number = ""
        self._agreed = settings.rest < 0
        self._said: float | None = None
        self._now = 0.0

    def pending(self) -> None:
        """It is never asked."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """It is never asked."""
        raise NotImplementedError(f"a dust sensor talks unasked; nobody can ask it for {wants}")

    def outgoing(self) -> bytes:
        """How it is to work, until it has confirmed that."""
        if self._agreed or (self._said is not None and self._now - self._said < AGAIN):
            return b""
        self._said = self._now
        return command(PERIOD, 1, self.settings.rest)

    def idle(self, now: float) -> list[Event]:
        """Time passes without a word."""
        self._now = now
        return []

    def feed(self, data: bytes, now: float) -> list[Event]:
        """A frame is known by its end: AB, the sum before it, AA ten bytes back."""
        self._now = now
        events: list[Event] = []
        for byte in data:
            self._tail.append(byte)
            del self._tail[:-LENGTH]
            tail = self._tail
            if len(tail) < LENGTH or tail[0] != HEAD or tail[1] not in (DATA, ANSWER):
                continue
            frame = bytes(tail)
            if byte != TAIL or sum(frame[2:8]) & 0xFF != frame[8]:
                self.counters.refuse("end" if byte != TAIL else "sum")
                continue
            tail.clear()
            self.counters.frames += 1
            events += self._sample(frame, now) if frame[1] == DATA else self._confirmed(frame)
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - it was not asked
        """Nothing was asked, so nothing is missed."""
        return []

    def restarted(self) -> None:
        """The line was opened anew: perhaps another sensor."""
        self._heard = None
        self._tail.clear()
        self._agreed = self.settings.rest < 0
        self._said = None

    def _confirmed(self, frame: bytes) -> list[Event]:
        if frame[2] == PERIOD and frame[3] == 1 and frame[4] == self.settings.rest:
            self._agreed = True
        return []

    def _sample(self, frame: bytes, now: float) -> list[Event]:
        if self._heard is None or now - self._heard > ASLEEP + 1.5 * self._pause:
            self._marks.woke(now)
            self._heard = None
        follows = self._heard is not None and now - self._heard <= GAP + 1.5 * self._pause
        self._heard = now
        values = {"pm25": int.from_bytes(frame[2:4], "little"), "pm10": int.from_bytes(frame[4:6], "little")}
        marks = self._marks.judge_all(values, now, RANGE)
        sample = AirSample(values, -1, "ug/m3", follows, frame, marks)
        return [*self._identified(frame), sample, *self._marks.news()]

    def _identified(self, frame: bytes) -> list[Event]:
        number = frame[6:8].hex().upper()
        known, self._number = self._number, number
        if known == number:
            return []
        told: list[Event] = [Identified(number, frame)]
        return [*told, DeviceFault("replaced", data={"was": known, "is": number}, raw=frame)] if known else told


def command(what: int, setting: int, value: int) -> bytes:
    """A command to whatever sensor is on the line (FF FF)."""
    body = bytes((what, setting, value)) + bytes(10) + b"\xff\xff"
    return bytes((HEAD, 0xB4)) + body + bytes((sum(body) & 0xFF, TAIL))
