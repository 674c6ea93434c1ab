"""A vending machine's audit, read over its DEX or DDCMP socket: counters of every selection, as an EVA-DTS file.

    line 9600 8N1 for DEX, 2400 8N1 (or what the machine is set to) for DDCMP; one machine a line

The surprise is that reading is an intrusion: while the line is held the machine does not vend, and the machine counts
our reads. So it is read seldom, let go of whatever happens, and after a failure not before a pause. The file itself is
judged by `dts_file`, what it means since the last one by `gateway/audits.py`.
Buffers: one block (245 or 2,048 bytes) and one file (131,072 bytes). Source: EVA-DTS 6.2.2; vending.md 1.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import AuditRead, Counters, DeviceFault, Event, Request, Want
from gateway.drivers.ddcmp_link import DdcmpRead, who_are_you
from gateway.drivers.dex_link import DexRead
from gateway.drivers.dts_file import LONGEST
from gateway.drivers.echo import EchoFilter

# Between two sessions the machine wants at least 0.1 s; after a failure it has earned a rest.
FIRST, PAUSE = 2.0, 60.0
ROUTE = 0x0C


class AuditSettings(BaseModel):
    """How the machine is asked, and how its model counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    socket: Literal["dex", "ddcmp"] = Field(default="dex", description="which of the two links the machine offers")
    every: float = Field(default=14_400, ge=60, description="seconds between two readings; the machine stops meanwhile")
    comm_id: str = Field(
        default="TSK0000001",
        pattern=r"^[A-Z]{3}[0-9]{7}$",
        description="our name in a DEX handshake",
    )
    security: str = Field(default="0000", pattern=r"^[0-9A-F]{4}$", description="DDCMP security code of the machine")
    password: str = Field(default="0000", pattern=r"^[0-9A-F]{4}$", description="DDCMP pass code of the machine")
    g85: Literal["strict", "ignore", "absent"] = Field(
        default="strict", description="the model's checksum: right, not to be relied on, or never written"
    )
    counting: Literal["auto", "cumulative", "interval"] = Field(
        default="auto", description="counters since initialisation, or only since the last reset"
    )
    read_resets: bool = Field(default=False, description="each of our readings clears the interval counters")
    modulus: int = Field(default=100_000_000, ge=100, description="where a counter begins again: 65536, 100000, 10^8")
    capacity: int = Field(default=200, ge=1, description="most pieces of a selection that tells no capacity (PA104)")
    refills_per_day: int = Field(default=2, ge=0, description="how often a selection may be filled in a day, at most")
    bills: bool = Field(default=True, description="its counters are draws; false: recorded only, an MDB adapter bills")
    machine: str = Field(default="", max_length=64, description="the machine it is in, where a site has several")
    bill_free: bool = Field(default=True, description="free vends are draws too (a machine without payment)")
    echo: Literal["yes", "no"] = Field(default="no", description="does the adapter repeat what we send?")
    slots: dict[str, str] = Field(default={}, description="selection -> slot, where the planogram calls it otherwise")


class EvaDts:
    """One machine. A whole file becomes an AuditRead; a reading that fails a DeviceFault, told once until one works."""

    kind: ClassVar[str] = "evadts"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    holds: ClassVar[int] = LONGEST + 4_096
    listens: ClassVar[bool] = True
    talks: ClassVar[bool] = True
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1", "2400 8N1")
    gives: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = AuditSettings

    def __init__(self, settings: AuditSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.wants: Sequence[Want] = ()
        self._words = bytearray()
        meaning = [
            "evadts",
            settings.counting,
            settings.modulus,
            settings.read_resets,
            settings.g85,
            settings.bill_free,
        ]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning)).hexdigest()
        self._reading: DexRead | DdcmpRead | None = None
        self._next: float | None = None
        self._failing = ""
        self._clock = ("010100", "000000")
        self._echo = EchoFilter(self.counters, echoes=settings.echo == "yes")

    @classmethod
    def candidates(cls) -> tuple[dict[str, Any], ...]:
        """None: a reading that is broken off would leave the machine waiting, so a line is not searched for it."""
        return ()

    @property
    def answered(self) -> bool:
        """True while no reading is under way."""
        return self._reading is None

    def set_clock(self, date: str, time: str) -> None:
        """DDMMYY and HHMMSS for the next DDCMP who-are-you; machines write it into EA3."""
        self._clock = (date, time)

    def start(self, now: float) -> None:
        """Begins a reading now."""
        self._next = now + self.settings.every
        if self.settings.socket == "dex":
            self._reading = DexRead(self.settings.comm_id, now, self.counters)
        else:
            codes = self.settings.security, self.settings.password
            self._reading = DdcmpRead(who_are_you(*codes, *self._clock, "0000", ROUTE), now, self.counters)
        self._drain()

    def due(self, now: float) -> float:
        """The next timer of the reading, else the next reading."""
        if self._reading is not None:
            return self._reading.due()
        return now + FIRST if self._next is None else self._next

    def tick(self, now: float) -> list[Event]:
        """Begins a reading when it is time, and keeps its timers."""
        if self._reading is None:
            if self._next is None:
                self._next = now + FIRST
            elif now >= self._next:
                self.start(now)
            return []
        self._reading.tick(now)
        return self._ended(now)

    def outgoing(self) -> bytes:
        """What wants to leave now."""
        words = bytes(self._words)
        self._words.clear()
        return words

    def idle(self, now: float) -> list[Event]:
        """As `tick`, where a line is only tried out."""
        return self.tick(now)

    def pending(self) -> None:
        """It speaks through `outgoing`."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """It speaks through `outgoing`."""
        raise NotImplementedError(f"a machine's audit is a conversation; nothing of it can be asked alone: {wants}")

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes from the machine; outside a reading they are noise."""
        if self._reading is None:
            self.counters.noise_bytes += len(data)
            return []
        self._reading.feed(self._echo.strip(data), now)
        return self._ended(now)

    def expired(self, now: float) -> list[Event]:
        """Gives up the reading that is under way, without a word: the next one is due after a pause."""
        self._reading, self._next = None, now + PAUSE
        self._words.clear()
        return []

    def restarted(self) -> None:
        """The line was opened anew: read at once."""
        self._reading, self._next = None, None
        self._words.clear()

    def _drain(self) -> None:
        if self._reading is not None:
            for word in self._reading.outgoing:
                self._echo.forget()
                self._echo.sent(word)
                self._words += word
            self._reading.outgoing.clear()

    def _ended(self, now: float) -> list[Event]:
        self._drain()
        reading = self._reading
        if reading is None or not reading.done:
            return []
        self._reading = None
        if not reading.failure:
            self._failing = ""
            return [AuditRead(reading.file)]
        self._next = now + min(PAUSE, self.settings.every)
        if reading.failure == self._failing:
            return []
        self._failing = reading.failure
        return [DeviceFault("audit_failed", data={"why": reading.failure, "socket": self.settings.socket})]
