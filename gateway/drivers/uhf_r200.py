"""UHF tag reader R200 / M100 / YRM100: which tags are in the cabinet, asked in rounds.

    BB type cmd len2 parameters sum8 7E        115200 8N1; type 00 we, 01 answer, 02 notice; sum over type..parameters
    BB 00 22 00 00 22 7E                       one round; a notice a tag, then (or alone) "no tag"
    BB 02 22 00 11 C4 3000 E200..8FC6 B83E C2 7E       RSSI (signed dBm), PC, EPC, CRC of PC and EPC
    BB 01 FF 00 01 15 16 7E                    no tag (any more)

The surprise: one round proves nothing. A tag is missed in every third round, one outside is caught in every tenth: so a
tag is present that answered in at least `needed` of `rounds`. A round nobody answered is no round, because a broken
cable must not empty a cabinet; neither is one whose end was lost, of a reader that says its ends: who was not heard in
it may have been there. With too few rounds nothing is concluded. Bytes BB and 7E stand inside frames too: only length
and sums tell.
Buffer: one frame, 262 bytes; at most 1,000 tags a round. Source: R200/M100/YRM100 manuals; vending.md 1.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.device_events import Counters, DeviceFault, Event, Request, TagsSeen, Want
from gateway.drivers.echo import EchoFilter
from gateway.drivers.r200_frames import POLL, STOP, R200Frames, Tag, failure

# Seconds: of silence that end a round, until its first answer or an end that is said, between rounds.
QUIET, FIRST, BETWEEN = 0.08, 0.4, 0.02
# A round that goes on for longer is ended: a reader left in its endless mode.
LONGEST_ROUND = 2.0
MISSED = 5
# Times as many rounds as are wanted are tried before an inventory is given up.
TRIES = 4
AGAIN = 60.0
TAGS = 1_000


class ReaderSettings(BaseModel):
    """How the reader is asked, and which tag is which article."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rounds: int = Field(default=10, ge=1, le=100, description="rounds of one inventory, after the door has closed")
    needed: int = Field(default=3, ge=1, le=100, description="rounds a tag must answer in to be present")
    weakest: int = Field(default=-90, ge=-128, le=0, description="tags that answer weaker than this (dBm) are outside")
    tags: dict[str, str] = Field(
        default={}, description="EPC or its beginning (hex) -> slot; the longest beginning counts, one tag is one piece"
    )
    watch: float = Field(default=300.0, ge=0, description="look at all tags every so many seconds; 0 = only when asked")
    patience: float = Field(default=60.0, ge=5, le=600, description="seconds a person has, where no door is known")
    door: str = Field(default="", pattern=r"^([^/]+/.+)?$", description="lock in front: device/slot; empty: none")
    echo: Literal["yes", "no"] = Field(default="no", description="does the adapter repeat what we send?")

    @model_validator(mode="after")
    def _possible(self) -> ReaderSettings:
        if self.needed > self.rounds:
            raise ValueError("needed is at most rounds")
        for epc in self.tags:
            if not epc or len(epc) > 124 or any(char not in "0123456789ABCDEF" for char in epc):
                raise ValueError(f"tags: {epc!r} is no EPC: hex digits in capitals")
        return self


class UhfR200:
    """One reader. `inventory` begins one; its end is a TagsSeen. A reader that is silent a DeviceFault, told once."""

    kind: ClassVar[str] = "uhf_r200"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    listens: ClassVar[bool] = True
    talks: ClassVar[bool] = True
    shipped: ClassVar[tuple[str, ...]] = ("115200 8N1",)
    gives: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = ReaderSettings

    def __init__(self, settings: ReaderSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.wants: Sequence[Want] = ()
        rules = [settings.rounds, settings.needed, settings.weakest, settings.tags]
        self.cfg = hashlib.sha256(msgspec.json.encode(["uhf_r200", *rules], order="sorted")).hexdigest()
        self._frames = R200Frames(self.counters)
        self._echo = EchoFilter(self.counters, echoes=settings.echo == "yes")
        self._words = bytearray()
        self._seen: dict[str, int] = {}
        self._signals: dict[str, int] = {}
        self._here: set[str] = set()
        self._done = self._missed = self._cut = 0
        self._says_ends = False
        self._asked: float | None = None
        self._heard: float | None = None
        self._next_round: float | None = None
        self._next: float | None = None
        self._failing = ""
        self._stop = False

    @property
    def answered(self) -> bool:
        """True while no inventory is under way."""
        return self._asked is None and self._next_round is None

    def inventory(self, now: float) -> None:
        """Begins anew: what was seen before does not count."""
        self._seen.clear()
        self._signals.clear()
        self._done = self._missed = self._cut = 0
        self._ask(now)

    def slot_of(self, epc: str) -> str:
        """The slot of a tag; empty for one nobody has assigned."""
        found = max((start for start in self.settings.tags if epc.startswith(start)), key=len, default="")
        return self.settings.tags.get(found, "")

    def outgoing(self) -> bytes:
        """What wants to leave now."""
        words = bytes(self._words)
        self._words.clear()
        return words

    def due(self, now: float) -> float:
        """The end of a round, the next round, the next look."""
        if self._asked is not None:
            wait = FIRST if self._heard is None or self._says_ends else QUIET
            quiet = (self._asked if self._heard is None else self._heard) + wait
            return min(quiet, self._asked + LONGEST_ROUND)
        if self._next_round is not None:
            return self._next_round
        return now + 60.0 if self._next is None else self._next

    def tick(self, now: float) -> list[Event]:
        """Ends rounds, begins the next."""
        if self._stop:
            self._stop = False
            self._say(STOP)
        if self._next is None and self.settings.watch:
            self._next = now + 1.0
        if self._asked is not None:
            return self._end_round(now, said=False) if now >= self.due(now) else []
        if self._next_round is not None:
            if now >= self._next_round:
                self._ask(now)
        elif self._next is not None and now >= self._next:
            self.inventory(now)
        return []

    def idle(self, now: float) -> list[Event]:
        """As `tick`, where a line is only tried out."""
        return self.tick(now)

    def pending(self) -> None:
        """It speaks through `outgoing`."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """It speaks through `outgoing`."""
        raise NotImplementedError(f"a tag reader is asked in rounds; nothing of it can be asked alone: {wants}")

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes from the reader; what comes outside a round is noise."""
        events: list[Event] = []
        for byte in self._echo.strip(data):
            frame = self._frames.feed(byte)
            if frame is None:
                continue
            if self._asked is None:
                self.counters.refused += 1
            elif isinstance(frame, Tag):
                self._heard = now
                self._tag(frame)
            elif frame.is_no_tag:
                self._heard = now
                self._says_ends = self._says_ends or bool(self._here)
                events += self._end_round(now, said=True)
            elif frame.word == 0xFF:
                events += self._fault("reader_refused", failure(frame.parameters))
        return events

    def expired(self, now: float) -> list[Event]:
        """Gives up the inventory under way: nothing is known of it."""
        self._asked = self._next_round = None
        self._next = now + self.settings.watch if self.settings.watch else None
        self._frames.reset()
        return []

    def restarted(self) -> None:
        """The reader may have been left in its endless mode: stop it."""
        self._asked = self._next_round = self._next = None
        self._says_ends = False
        self._words.clear()
        self._stop = True
        self._frames.reset()

    def _say(self, words: bytes) -> None:
        self._echo.forget()
        self._echo.sent(words)
        self._words += words

    def _ask(self, now: float) -> None:
        self._asked, self._heard, self._next_round = now, None, None
        self._here.clear()
        self._frames.reset()
        self._say(POLL)

    def _tag(self, tag: Tag) -> None:
        if tag.rssi < self.settings.weakest or len(self._here) >= TAGS:
            return
        self._here.add(tag.epc)
        self._signals[tag.epc] = tag.rssi

    def _end_round(self, now: float, *, said: bool) -> list[Event]:
        """A round counts against those who were not heard when it was whole; for those who were it always counts."""
        self._asked = None
        for epc in self._here:
            self._seen[epc] = self._seen.get(epc, 0) + 1
        whole = self._heard is not None and (said or not self._says_ends)
        self._missed = self._missed + 1 if self._heard is None else 0
        self._done, self._cut = self._done + whole, self._cut + (not whole)
        if self._missed >= MISSED:
            return self._give_up(now, "reader_silent", f"{self._missed} rounds without an answer")
        if self._done >= self.settings.rounds:
            self._failing = ""
            self._next = now + self.settings.watch if self.settings.watch else None
            return [TagsSeen(self._done, dict(self._seen), dict(self._signals))]
        if self._cut >= (TRIES - 1) * self.settings.rounds + MISSED:
            why = f"only {self._done} of {self._done + self._cut} rounds came whole"
            return self._give_up(now, "reader_unsure", why)
        # What is late of a round that was cut must not be taken for the next one's.
        self._next_round = now + (BETWEEN if whole else FIRST)
        return []

    def _give_up(self, now: float, event: str, why: str) -> list[Event]:
        # Told once: so it is tried again until it can be said that it is over, also where nobody watches.
        self._next = now + (self.settings.watch or AGAIN)
        self._next_round = None
        return self._fault(event, why)

    def _fault(self, event: str, why: str) -> list[Event]:
        if self._failing == event:
            return []
        self._failing = event
        return [DeviceFault(event, data={"why": why})]
