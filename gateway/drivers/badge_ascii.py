"""Badge readers on a serial line that send a card's number as text: EM4100 and Wiegand adapters.

    02 "62E3086CED" "08" 03            RDM6300, ID-12: ten hex digits, XOR of the five bytes, between STX and ETX
    02 "62E3086CED" "08" 0D 0A 03      ID-2, ID-12 as Innovations ships it
    "0013123456" 0D 0A                 a line that ends with CR, LF or both; "123,45678" from Wiegand adapters

The surprise is the reader's zeal: it sends the number again and again while the card is there, so the same number
counts once until it was gone for `again` seconds. A line has no sum: say how many `digits` it has, and noise in front
is cut off. Buffer: one line, 64 bytes. Source: RDM6300 and ID-2/12/20 data sheets; SIA AC-01.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import BadgeRead, Counters, Event, Request, Want
from gateway.drivers.badge_numbers import LONGEST, Debounce, Gives, Reads, normal

STX, ETX, CR, LF = 0x02, 0x03, 0x0D, 0x0A
EM4100 = 12


class TextReaderSettings(BaseModel):
    """How its lines look, and how the list of badges writes a number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cabinet: str = Field(
        default="", max_length=64, description="the cabinet whose kiosk it serves; empty: the only one"
    )
    frame: Literal["stx", "line"] = Field(
        default="stx", description="stx: between STX and ETX; line: ends with CR, LF or both"
    )
    sum: bool = Field(default=True, description="stx with twelve digits: the last two are the XOR of the others")
    digits: int = Field(
        default=0, ge=0, le=LONGEST, description="characters of a line that count, its last ones; 0: all"
    )
    reads: Reads = Field(default="hex", description="what the reader sends")
    gives: Gives = Field(default="as_read", description="how the list of badges writes it")
    again: float = Field(default=2.0, ge=0, le=60, description="seconds a card must be gone to be read anew")


class BadgeAscii:
    """One reader, alone on its line. A number that is believed becomes a BadgeRead."""

    kind: ClassVar[str] = "badge_ascii"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    listens: ClassVar[bool] = True
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1",)
    Settings: ClassVar[type[BaseModel]] = TextReaderSettings

    def __init__(self, settings: TextReaderSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.wants: Sequence[Want] = ()
        self.answered = True
        self.heard_at: float | None = None
        spelling = f"badge_ascii {settings.frame} {settings.digits} {settings.reads} {settings.gives}"
        self.cfg = hashlib.sha256(spelling.encode()).hexdigest()
        self._line = bytearray()
        self._inside = settings.frame == "line"
        self._debounce = Debounce(settings.again)

    def pending(self) -> None:
        """It is never asked."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """It is never asked."""
        raise NotImplementedError(f"a badge reader talks unasked; nobody can ask it for {wants}")

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Characters until the end of a number; what is longer than any number is noise."""
        events: list[Event] = []
        for byte in data:
            if byte in (ETX, CR, LF) and (self.settings.frame == "line" or byte == ETX):
                events += self._end(now)
            elif byte == STX and self.settings.frame == "stx":
                self._line.clear()
                self._inside = True
            elif self._inside and byte not in (CR, LF, STX, ETX):
                self._line.append(byte)
                if len(self._line) > LONGEST:
                    self.counters.noise_bytes += len(self._line)
                    self._line.clear()
                    self._inside = False
            elif not self._inside:
                self.counters.noise_bytes += 1
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - it was not asked
        """Nothing was asked, so nothing is missed; a number that stopped half-way is none."""
        self._line.clear()
        self._inside = self.settings.frame == "line"
        return []

    def restarted(self) -> None:
        """The line was opened anew."""
        self.expired(0.0)

    def _end(self, now: float) -> list[Event]:
        line = bytes(self._line)
        whole = self._inside and bool(line)
        self.expired(now)
        if not whole:
            return []
        badge = self._badge(line)
        if badge is None:
            return []
        self.counters.frames += 1
        return [BadgeRead(badge)] if self._debounce.is_new(badge, now) else []

    def _badge(self, line: bytes) -> str | None:
        text = line.decode("latin-1")
        if self.settings.frame == "stx" and self.settings.sum and len(text) == EM4100:
            if not _xor_fits(text):
                self.counters.refuse("xor")
                return None
            text = text[:-2]
        digits = self.settings.digits
        if digits and len(text.rstrip()) < digits:
            self.counters.refuse("short")
            return None
        if digits:
            text = text.rstrip()[-digits:]
        badge = normal(text, self.settings.reads, self.settings.gives) if text.isascii() else None
        if badge is None:
            self.counters.refuse("layout")
        return badge


def _xor_fits(text: str) -> bool:
    """Twelve hex digits whose six bytes cancel out; of one case, for no reader mixes them."""
    try:
        held = bytes.fromhex(text)
    except ValueError:
        return False
    left = 0
    for byte in held:
        left ^= byte
    return not left and " " not in text and text in (text.upper(), text.lower())
