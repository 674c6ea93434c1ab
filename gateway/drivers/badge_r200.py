"""UHF reader R200 / M100 / YRM100 as a badge reader: the card somebody holds close is the badge.

    BB 00 22 00 00 22 7E                                    one round, asked again as soon as the line was quiet
    BB 02 22 00 11 C4 3000 E200..8FC6 B83E C2 7E            a tag: RSSI (signed dBm), PC, EPC, CRC of PC and EPC
    BB 01 FF 00 01 15 16 7E                                 no tag

The surprise is reach: this reader hears tags metres away, the goods in the cabinet among them. A badge is what answers
louder than `close` and begins as `prefix` says; of two cards in one round none is believed, for nobody knows whose hand
is at the door. The protocol is that of `uhf_r200`, read for another purpose. Buffer: one frame, 262 bytes.
Source: R200/M100/YRM100 manuals; vending.md 1.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import BadgeRead, Counters, Event, Request, Want
from gateway.drivers.badge_numbers import Debounce, Gives, normal
from gateway.drivers.r200_frames import POLL, STOP, R200Frames, Tag


class CloseReaderSettings(BaseModel):
    """What counts as a badge, and how the list of badges writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cabinet: str = Field(
        default="", max_length=64, description="the cabinet whose kiosk it serves; empty: the only one"
    )
    close: int = Field(
        default=-45, ge=-128, le=0, description="a card that answers weaker than this (dBm) is not held up"
    )
    prefix: str = Field(default="", max_length=24, pattern=r"^[0-9A-F]*$", description="badges begin so; goods do not")
    gives: Gives = Field(default="as_read", description="how the list of badges writes it")
    again: float = Field(default=2.0, ge=0, le=60, description="seconds a card must be gone to be read anew")


class BadgeR200:
    """One reader, alone on its line, asked round after round. One close card becomes a BadgeRead."""

    kind: ClassVar[str] = "badge_r200"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    listens: ClassVar[bool] = True
    shipped: ClassVar[tuple[str, ...]] = ("115200 8N1",)
    Settings: ClassVar[type[BaseModel]] = CloseReaderSettings

    def __init__(self, settings: CloseReaderSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.wants: Sequence[Want] = ()
        self.answered = True
        self.heard_at: float | None = None
        self.cfg = hashlib.sha256(
            f"badge_r200 {settings.close} {settings.prefix} {settings.gives}".encode()
        ).hexdigest()
        self._frames = R200Frames(self.counters)
        self._debounce = Debounce(settings.again)
        self._close: set[str] = set()
        self._words = bytearray(STOP)

    def pending(self) -> None:
        """It speaks through `outgoing`."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """It speaks through `outgoing`."""
        raise NotImplementedError(f"a badge reader is asked for rounds; nothing of it can be asked alone: {wants}")

    def outgoing(self) -> bytes:
        """The next round, when the last one is over."""
        words = bytes(self._words)
        self._words.clear()
        return words

    def idle(self, now: float) -> list[Event]:
        """A tenth of a second of quiet: the round is over, the next one begins."""
        self._words += POLL
        return self._end(now)

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Tags of this round, and its end."""
        events: list[Event] = []
        for byte in data:
            frame = self._frames.feed(byte)
            if frame is None:
                continue
            self.heard_at = now
            if isinstance(frame, Tag):
                if frame.rssi >= self.settings.close and frame.epc.startswith(self.settings.prefix):
                    self._close.add(frame.epc)
            elif frame.is_no_tag:
                events += self._end(now)
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - a round that nobody ended says nothing
        """Gives up the round."""
        self._close.clear()
        self._frames.reset()
        return []

    def restarted(self) -> None:
        """The reader may have been left in its endless mode: stop it."""
        self._close.clear()
        self._frames.reset()
        self._words[:] = STOP

    def _end(self, now: float) -> list[Event]:
        close = self._close.copy()
        self._close.clear()
        if len(close) > 1:
            self.counters.refuse("two_cards")
        if len(close) != 1:
            return []
        badge = normal(close.pop(), "hex", self.settings.gives)
        return [BadgeRead(badge)] if badge and self._debounce.is_new(badge, now) else []
