"""An MDB bus through a Qibixx adapter (MDB-USB, Pi Hat): comma text lines, capitals to it, small letters from it.

    cashless   C,1  c,STATUS,ENABLED  c,STATUS,VEND,1.00,5 | C,VEND,1.00  c,VEND,SUCCESS    or C,STOP, c,ERR,VEND 3
    vmc        D,2  d,STATUS,INIT,1  D,READER,1  d,STATUS,IDLE | D,REQ,1.20,10  d,STATUS,RESULT,1,1.20  D,END | D,END,-1
    satellite  M,1  m,ACK | R,43,020103  p,ACK  R,42  p,<hex>

The surprise is that the bus's own rule is not ours: MDB takes a vend that a reset cut short for a sale, and we leave it
unverified. Lines have no sum: a line that is not exactly one of the known ones is noise, and an amount that differs
from the one approved is a fault. Buffer: one line of 120 characters.
Source: docs.qibixx.com (API, vending sessions); MDB/ICP v4.2; vending.md 1.1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import AdapterSaid, Counters, DeviceFault, Event, Request, Want
from gateway.drivers.echo import EchoFilter
from gateway.drivers.mdb_words import MdbRefusedError, Said, checksum, replies

LONGEST = 120
# Seconds: between two looks at an adapter that says nothing, until it counts as silent, between polls of a satellite.
ASK, SILENT, POLL = 10.0, 25.0, 0.2
# Half a line this old is noise.
STALE = 1.0
STARTS = {"cashless": "C,1", "vmc": "D,2", "satellite": "M,1"}
LOOKS = {"cashless": "C,1", "vmc": "D,READER,1", "satellite": "R,42"}
_MONEY = r"\d{1,7}(?:\.\d{1,4})?"
_LINES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (topic, re.compile(pattern))
    for topic, pattern in (
        ("vend_request", rf"c,STATUS,VEND,({_MONEY}),(-?\d{{1,5}})"),
        ("status", r"[cd],STATUS,(INACTIVE|DISABLED|ENABLED|RESET|OFF|VEND)"),
        ("status", rf"[cd],STATUS,(IDLE)(?:,({_MONEY}|-1)(?:,.{{0,40}})?)?"),
        ("init", r"d,STATUS,INIT,(\d)"),
        ("result", rf"d,STATUS,RESULT,(1),({_MONEY})"),
        ("result", r"d,STATUS,RESULT,(-1|0)(?:,.{0,20})?"),
        ("vended", r"c,VEND,(SUCCESS)"),
        ("failed", r"c,ERR,\"?VEND (\d{1,3})\"?"),
        ("error", r"[cdmpf],ERR,?(.{0,60})"),
        ("mode", r"([cdm]),(?:ACK|[012])"),
        ("bus", r"([rpf]),(ACK|NACK|NAK)"),
        ("block", r"p,((?:[0-9A-Fa-f]{2}){1,36})"),
        ("version", r"v,(.{0,60})"),
    )
)
_BEGIN = re.compile(r"[cdmprfv],")


class AdapterSettings(BaseModel):
    """Which part we play on the bus, and how slots are called there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["cashless", "vmc", "satellite"] = Field(
        default="cashless", description="a reader that approves; a VMC that asks a reader; a VMC of a satellite cabinet"
    )
    slots: dict[str, str] = Field(default={}, description="item number on the bus -> slot; empty: the same")
    price: str = Field(default="0.00", pattern=rf"^{_MONEY}$", description="amount asked for or approved where none is")
    satellite: Literal[1, 2, 3] = Field(default=1, description="number of the satellite: address 40, 48 or 50")
    patience: float = Field(default=30.0, ge=2, le=600, description="seconds a person has to select or show a card")
    vend_seconds: float = Field(default=60.0, ge=5, le=600, description="seconds the machine has to give it out")
    mdb_strict: bool = Field(default=False, description="a reset after an approval counts as a vend (contract option)")
    machine: str = Field(default="", max_length=64, description="the machine it is in, where a site has several")
    door: str = Field(default="", pattern=r"^([^/]+/.+)?$", description="role vmc: lock to open once a reader approved")
    echo: Literal["yes", "no"] = Field(default="no", description="does the adapter repeat what we send?")


class MdbAdapter:
    """One adapter. Its lines become AdapterSaid; `approve`, `deny`, `ask`, `drive` .. put lines into `outgoing`."""

    kind: ClassVar[str] = "mdb_adapter"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    listens: ClassVar[bool] = True
    talks: ClassVar[bool] = True
    shipped: ClassVar[tuple[str, ...]] = ("115200 8N1", "9600 8N1")
    gives: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = AdapterSettings

    def __init__(self, settings: AdapterSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.wants: Sequence[Want] = ()
        self.answered = True
        meaning = ["mdb_adapter", settings.role, settings.slots, settings.satellite, settings.mdb_strict]
        self.cfg = hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).hexdigest()
        self._words = bytearray()
        self._line = bytearray()
        self._line_at = 0.0
        self._echo = EchoFilter(self.counters, echoes=settings.echo == "yes")
        self._started = False
        self._heard: float | None = None
        self._asked = 0.0
        self._poll_at: float | None = None
        self._told_silent = False

    # What may be said

    def approve(self, amount: str) -> None:
        """Cashless: the machine may give it out."""
        self._say(f"C,VEND,{amount}")

    def deny(self) -> None:
        """Cashless: it may not; also ends a session."""
        self._say("C,STOP")

    def ask(self, amount: str, item: str) -> None:
        """VMC: asks the reader for an amount for an item."""
        self._say(f"D,REQ,{amount},{item}")

    def end(self, *, vended: bool) -> None:
        """VMC: it was given out, or the amount goes back."""
        self._say("D,END" if vended else "D,END,-1")

    def drive(self, row: int, column: int) -> None:
        """Satellite: vend this item. Sent once and never again."""
        self._raw(3, bytes((2, row, column)))
        self._poll_at = 0.0

    def deny_satellite(self) -> None:
        """Satellite: what was selected there is not given."""
        self._raw(3, b"\x01")

    def stop_polling(self) -> None:
        """Satellite: nobody waits for a result any more."""
        self._poll_at = None

    def item_of(self, slot: str) -> str:
        """How the bus calls a slot."""
        return next((item for item, named in self.settings.slots.items() if named == slot), slot)

    def slot_of(self, item: str) -> str:
        """How we call an item of the bus."""
        return self.settings.slots.get(item, item)

    # The talker

    def outgoing(self) -> bytes:
        """What wants to leave now."""
        words = bytes(self._words)
        self._words.clear()
        return words

    def due(self, now: float) -> float:
        """The next look at the adapter, the next poll, the end of half a line."""
        wanted = [self._asked + ASK if self._started else now]
        if self._poll_at is not None:
            wanted.append(self._poll_at)
        if self._line:
            wanted.append(self._line_at + STALE)
        return min(wanted)

    def tick(self, now: float) -> list[Event]:
        """Takes its part on the bus, asks whether the adapter is there, polls a satellite."""
        if self._line and now - self._line_at >= STALE:
            self._drop()
        if not self._started:
            self._started, self._asked = True, now
            self._heard = self._heard or now
            self._say(STARTS[self.settings.role])
            if self.settings.role == "satellite":
                self._raw(0, b"")
            return []
        if self._poll_at is not None and now >= self._poll_at:
            self._poll_at = now + POLL
            self._raw(2, b"")
        if now - self._asked < ASK:
            return []
        self._asked = now
        if self.settings.role == "satellite":
            self._raw(2, b"")
        elif self.answered:
            self._say(LOOKS[self.settings.role])
        if self._heard is not None and now - self._heard > SILENT and not self._told_silent:
            self._told_silent = True
            return [DeviceFault("adapter_silent", data={"role": self.settings.role})]
        return []

    def idle(self, now: float) -> list[Event]:
        """As `tick`, where a line is only tried out."""
        return self.tick(now)

    def pending(self) -> None:
        """It speaks through `outgoing`."""
        return

    def request(self, wants: Sequence[Want]) -> Request:
        """It speaks through `outgoing`."""
        raise NotImplementedError(f"an MDB adapter speaks when the bus does; nothing can be asked of it: {wants}")

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes from the adapter; a line ends with CR or LF."""
        events: list[Event] = []
        for byte in self._echo.strip(data):
            if byte in (0x0D, 0x0A):
                events += self._whole(now)
            elif 0x20 <= byte < 0x7F:
                self._line.append(byte)
                self._line_at = now
                if len(self._line) > LONGEST:
                    self._drop()
            else:
                self.counters.noise_bytes += 1
        return events

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - as its siblings
        """Half a line is none."""
        self._drop()
        return []

    def restarted(self) -> None:
        """The adapter may have been off: take the part on the bus anew."""
        self._started = False
        self._words.clear()
        self._line.clear()
        self._poll_at = None

    def _say(self, line: str) -> None:
        sent = f"{line}\n".encode("ascii")
        self._echo.sent(sent)
        self._words += sent

    def _raw(self, order: int, data: bytes) -> None:
        """A command of the satellite; the adapter adds the sum."""
        address = (0x40, 0x48, 0x50)[self.settings.satellite - 1] | order
        self._say(f"R,{address:02X}" + (f",{data.hex().upper()}" if data else ""))

    def _block(self, data: bytes) -> list[Said]:
        """The messages of a block; adapters differ in whether they hand over the sum behind it."""
        # Without the sum first: a sum of 02 would else be read as "done".
        summed = len(data) > 1 and checksum(data[:-1]) == data[-1]
        for part in (data[:-1], data) if summed else (data,):
            try:
                return replies(part, satellite=self.settings.role == "satellite")
            except MdbRefusedError:
                continue
        return []

    def _drop(self) -> None:
        self.counters.noise_bytes += len(self._line)
        self._line.clear()

    def _whole(self, now: float) -> list[Event]:
        raw = bytes(self._line)
        self._line.clear()
        text = raw.decode("ascii").rstrip()
        if not text:
            return []
        # Noise in front of a line is printable now and then: the line begins where one can begin and fits to its end.
        for begin in _BEGIN.finditer(text):
            for topic, pattern in _LINES:
                found = pattern.fullmatch(text, begin.start())
                if found:
                    self.counters.frames += 1
                    self._heard, self._told_silent = now, False
                    return self._meant(topic, tuple(one or "" for one in found.groups()), raw)
        self.counters.refused += 1
        self.counters.noise_bytes += len(raw)
        return []

    def _meant(self, topic: str, fields: tuple[str, ...], raw: bytes) -> list[Event]:
        if topic in ("mode", "version") or (topic == "error" and fields[0].strip('"').startswith("cashless is")):
            return []
        if topic != "block":
            return [AdapterSaid(topic, fields, raw)]
        said = self._block(bytes.fromhex(fields[0]))
        self.counters.refused += not said
        return [
            AdapterSaid(one.name, tuple(f"{name}={value}" for name, value in one.fields.items()), raw) for one in said
        ]
