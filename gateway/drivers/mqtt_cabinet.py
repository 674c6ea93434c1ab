"""A cabinet with its own controller, JSON over MQTT: `vend/v1/{cabinet}/evt`, `cmd`, `state`.

An event is known by (`boot`, `seq`, `mid`), never by its time or the broker's word, and the journal keeps that name: so
whatever is told again stores nothing twice. The surprise is that a broker may lose what it has acknowledged; a gap in
`seq` is the only trace, and the cabinet is asked to tell those events again.
Source: docs/protocols/mqtt_cabinet.md.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import CabinetState, Counters, DeviceFault, Dispensed, Event, Publish, Scalar, VendRequested

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Word = Annotated[str, msgspec.Meta(max_length=100)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**52)]
KNOWN = frozenset({"boot", "vend.request", "dispense.result", "door", "lost"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
# Malformed messages that are told at once, and the seconds between two afterwards.
BURST, PAUSE = 10, 60.0
REASK = 10.0
# How often events that are missing are asked for before they are called unknown; how many are remembered as missing.
TRIES, MOST_MISSING = 6, 5000
LIMIT = 4096


class Head(msgspec.Struct, frozen=True):
    """What every event has."""

    v: int
    mid: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    boot: Number
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**52)]
    type: Name
    t: Word = ""
    clk: Word = ""


class Told(Head, frozen=True, kw_only=True):
    """Every field of every known type; fields nobody knows are ignored."""

    badge: Word = ""
    slot: Annotated[str, msgspec.Meta(max_length=64)] = ""
    qty: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    for_: Word = msgspec.field(default="", name="for")
    cmd_id: Annotated[str, msgspec.Meta(max_length=64)] = ""
    motor: Word = ""
    drop: Word = ""
    ms: Number = 0
    ctr: Number | None = None
    reason: Word = ""
    auth: Word = ""
    open: bool = False
    forced: bool = False
    fw: Word = ""
    prev_boot: Number = 0
    prev_seq: Number = 0
    lost_boot: Number = 0
    from_: Number = msgspec.field(default=0, name="from")
    to: Number = 0


class SlotState(msgspec.Struct, frozen=True):
    """One slot of the portrait."""

    level: Number = 0
    ctr: Number = 0
    st: Word = ""


class Portrait(msgspec.Struct, frozen=True):
    """The `state` message."""

    v: int
    online: bool
    boot: Number = 0
    seq: Number = 0
    slots: dict[str, SlotState] = {}


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `cmd` message, each of its kinds with the fields it needs."""

    v: int
    mid: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    cmd: Literal["dispense", "deny", "resend", "mode", "state"]
    cmd_id: Name
    expires: Word
    slot: Annotated[str, msgspec.Meta(max_length=64)] | msgspec.UnsetType = msgspec.UNSET
    qty: Annotated[int, msgspec.Meta(ge=1, le=9)] | msgspec.UnsetType = msgspec.UNSET
    req: Annotated[str, msgspec.Meta(max_length=40)] | msgspec.UnsetType = msgspec.UNSET
    reason: Word | msgspec.UnsetType = msgspec.UNSET
    boot: Number | msgspec.UnsetType = msgspec.UNSET
    from_: Number | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="from")
    to: Number | msgspec.UnsetType = msgspec.UNSET
    autonomous: bool | msgspec.UnsetType = msgspec.UNSET


class CabinetSettings(BaseModel):
    """Which cabinet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cabinet: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the cabinet's name in its topics")
    prefix: str = Field(default="vend/v1", pattern=r"^[A-Za-z0-9_/-]+$", description="topics before the cabinet's name")
    patience: int = Field(default=15, ge=1, le=600, description="seconds a person waits; a command is void afterwards")


class MqttCabinet:
    """One cabinet. Messages become events; `outgoing` collects what it must be asked."""

    kind: ClassVar[str] = "mqtt_cabinet"
    link: ClassVar[Literal["serial", "mqtt"]] = "mqtt"
    Settings: ClassVar[type[BaseModel]] = CabinetSettings

    def __init__(self, settings: CabinetSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        base = f"{settings.prefix}/{settings.cabinet}"
        self.events_topic, self.state_topic, self._command_topic = f"{base}/evt", f"{base}/state", f"{base}/cmd"
        self.topics = (self.events_topic, self.state_topic)
        self.cfg = hashlib.sha256(b"mqtt_cabinet vend/v1").hexdigest()
        self.outgoing: list[Publish] = []
        self.synced = False
        self._decoder = msgspec.json.Decoder(Told)
        self._portraits = msgspec.json.Decoder(Portrait)
        self._last: tuple[int, int] | None = None
        self._pictured = (0, 0)
        self._missing: set[tuple[int, int]] = set()
        self._tries = 0
        self._gone: list[tuple[int, int, int]] = []
        self._asked_at: float | None = None
        self._behind: tuple[int, int] | None = None
        self._told_bad = 0
        self._bad_since: float | None = None
        self._unsaid = 0

    def remember(self, dids: Sequence[str]) -> None:
        """What the journal holds of this cabinet, so that a gap across our own restart is seen too, or still open."""
        parts = [did.split("/", 2) for did in dids]
        known = {(int(one[0]), int(one[1])) for one in parts if len(one) == 3 and one[0].isdigit() and one[1].isdigit()}
        self._last = max(known, default=self._last)
        if self._last is not None:
            boot = self._last[0]
            numbers = [seq for place, seq in known if place == boot]
            self._missing = {(boot, seq) for seq in range(min(numbers), max(numbers))} - known

    def feed(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> list[Event]:
        """One message. Whatever it is, it gives events or nothing; it never raises."""
        if topic == self.state_topic:
            return self._state(payload, now, retained=retained)
        if retained:
            self.counters.refuse("retained")
            return []
        try:
            told = self._decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._unknown(payload, now, error)
        if told.v != 1 or len(payload) > LIMIT:
            return self._malformed(payload, now, "version" if told.v != 1 else "size")
        if not payload.isascii() or b"\\" in payload or b"\x7f" in payload:
            told = _plain(told)
        self.counters.frames += 1
        self.synced = told.clk == "synced"
        events = self._event(told, payload)
        if self._missing:
            self._missing.discard((told.boot, told.seq))
        if self._gone:
            events += self._given_up()
        if self._last != (told.boot, told.seq - 1):
            events += self._sequence(told, now)
        self._last = max(self._last or (0, 0), (told.boot, told.seq))
        return events

    def tick(self, now: float) -> None:
        """A portrait that knows more events than came, for longer than they can be on the way: ask for them."""
        if self._behind is not None and (self._asked_at is None or now - self._asked_at > REASK):
            boot, seq = self._behind
            self._behind = None
            first = self._last[1] + 1 if self._last and self._last[0] == boot else 1
            if first <= seq:
                self._resend(boot, first, seq, now)
        if self._missing and (self._asked_at is None or now - self._asked_at > REASK * (self._tries + 1)):
            self._ask_again(now)

    def dispense(self, cmd_id: str, slot: str, qty: int, expires_ms: int, *, request: str = "") -> Publish:
        """Turn the motor, once for this `cmd_id`. With an `expires_ms` in the past it only asks what became of it."""
        answers = {"req": request} if request else {}
        return self._command("dispense", cmd_id, expires_ms, {"slot": slot, "qty": qty, **answers})

    def deny(self, cmd_id: str, request: str, reason: str, expires_ms: int) -> Publish:
        """Show the refusal to the person who waits."""
        return self._command("deny", cmd_id, expires_ms, {"req": request, "reason": reason})

    def ask_state(self, cmd_id: str, expires_ms: int) -> Publish:
        """Publish the portrait now."""
        return self._command("state", cmd_id, expires_ms, {})

    def _command(self, cmd: str, cmd_id: str, expires_ms: int, fields: Mapping[str, Scalar]) -> Publish:
        message = {
            "v": 1,
            "mid": f"M{cmd_id}"[:40],
            "cmd": cmd,
            "cmd_id": cmd_id,
            "expires": rfc3339(expires_ms),
            **fields,
        }
        return Publish(self._command_topic, msgspec.json.encode(message))

    def _event(self, told: Told, payload: bytes) -> list[Event]:
        did = f"{told.boot}/{told.seq}/{told.mid}"
        kind = told.type
        if kind == "dispense.result" and told.slot and told.motor:
            local, at = told.auth == "local", believed(told)
            old = (told.boot, told.seq) < max(self._last or (0, 0), self._pictured)
            return [Dispensed(
                did, told.cmd_id, told.slot, told.qty, told.motor, told.drop, told.ms, told.ctr, told.reason,
                told.badge, local, at, payload, old,
            )]  # fmt: skip
        if kind == "vend.request" and told.slot and told.badge:
            return [VendRequested(
                did, told.mid, told.badge, told.slot, told.qty, told.for_, believed(told), payload
            )]  # fmt: skip
        if kind == "door":
            name = "door_forced" if told.forced else "door_open" if told.open else "door_closed"
            return [DeviceFault(name, told.slot, raw=payload, did=did)]
        if kind == "boot":
            data: dict[str, Scalar] = {"fw": told.fw, "prev_boot": told.prev_boot, "prev_seq": told.prev_seq}
            return [DeviceFault("boot", data={**data, "boot": told.boot}, raw=payload, did=did)]
        if kind == "lost":
            gone: dict[str, Scalar] = {"boot": told.lost_boot, "first": told.from_, "last": told.to, "state": "gone"}
            self._missing -= {(told.lost_boot, seq) for seq in range(told.from_, min(told.to, told.from_ + LIMIT) + 1)}
            return [DeviceFault("lost", data=gone, raw=payload, did=did)]
        return [DeviceFault(kind, told.slot, scalars(payload), payload, did)]

    def _sequence(self, told: Told, now: float) -> list[Event]:
        """A number that does not follow: told again, asked for, or a gap."""
        here = (told.boot, told.seq)
        if self._last is None:
            return []
        if here <= self._last:
            return []
        if told.boot == self._last[0]:
            return self._gap(told.boot, self._last[1] + 1, told.seq - 1, now)
        events: list[Event] = []
        if told.type == "boot" and told.prev_boot == self._last[0] and told.prev_seq > self._last[1]:
            events += self._gap(told.prev_boot, self._last[1] + 1, told.prev_seq, now)
        if told.seq > 1:
            events += self._gap(told.boot, 1, told.seq - 1, now)
        return events

    def _gap(self, boot: int, first: int, last: int, now: float) -> list[Event]:
        self._resend(boot, first, last, now)
        self._tries = 0
        room = MOST_MISSING - len(self._missing)
        self._missing |= {(boot, seq) for seq in range(first, min(last, first + 1000, first + room - 1) + 1)}
        data: dict[str, Scalar] = {"boot": boot, "first": first, "last": last, "state": "asked_again"}
        return [DeviceFault("lost", data=data, did=f"gap/{boot}/{first}-{last}")]

    def _ask_again(self, now: float) -> None:
        """The request or its answer was lost too. After some tries it is said that nobody knows."""
        boot, first = min(self._missing)
        last = first
        while (boot, last + 1) in self._missing:
            last += 1
        if self._tries < TRIES:
            self._tries += 1
            self._resend(boot, first, last, now)
            return
        self._tries = 0
        self._missing -= {(boot, seq) for seq in range(first, last + 1)}
        self._gone.append((boot, first, last))

    def _given_up(self) -> list[Event]:
        given_up, self._gone = self._gone, []
        return [
            DeviceFault(
                "lost", data={"boot": boot, "first": first, "last": last, "state": "unknown"},
                did=f"unknown/{boot}/{first}-{last}",
            )
            for boot, first, last in given_up
        ]  # fmt: skip

    def _resend(self, boot: int, first: int, last: int, now: float) -> None:
        self._asked_at = now
        fields = {"boot": boot, "from": first, "to": last}
        self.outgoing.append(self._command("resend", f"r-{boot}-{first}-{last}", 253_402_300_799_000, fields))

    def _state(self, payload: bytes, now: float, *, retained: bool) -> list[Event]:
        try:
            state = self._portraits.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._malformed(payload, now, str(error)) if payload else []
        if state.v != 1:
            return []
        if state.online and state.seq and self._last is not None and (state.boot, state.seq) > self._last:
            self._behind = (state.boot, state.seq)
            self._asked_at = now
        if state.online:
            self._pictured = max(self._pictured, (state.boot, state.seq))
        old = state.online and state.seq > 0 and (state.boot, state.seq) < (self._last or (0, 0))
        slots = {} if old else state.slots
        counters = {slot: one.ctr for slot, one in slots.items()}
        levels = {slot: one.level for slot, one in slots.items()}
        return [CabinetState(state.online, state.boot, counters, levels, retained)]

    def _unknown(self, payload: bytes, now: float, error: Exception) -> list[Event]:
        """A type of tomorrow may use our field names in another way; a type of today may not."""
        try:
            head = msgspec.json.decode(payload, type=Head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._malformed(payload, now, str(error))
        if head.type in KNOWN or head.v != 1 or len(payload) > LIMIT:
            return self._malformed(payload, now, str(error))
        return [
            DeviceFault(_clean(head.type), "", scalars(payload), payload, _clean(f"{head.boot}/{head.seq}/{head.mid}"))
        ]

    def _malformed(self, payload: bytes, now: float, why: str) -> list[Event]:
        """Told ten times, then once a minute with how many were not told."""
        self.counters.refuse("malformed")
        if self._bad_since is not None and now - self._bad_since >= PAUSE:
            self._told_bad = BURST - 1
            self._bad_since = now
        if self._told_bad >= BURST:
            self._unsaid += 1
            return []
        self._told_bad += 1
        self._bad_since = now if self._bad_since is None else self._bad_since
        data: dict[str, Scalar] = {"size": len(payload), "why": _clean(why)[:100], "not_told": self._unsaid}
        self._unsaid = 0
        return [DeviceFault("malformed", data=data, raw=payload)]


def rfc3339(ms: int) -> str:
    """2026-01-06T08:15:02.120Z"""
    return (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def believed(told: Head) -> int | None:
    """The cabinet's own time of an event, ms UTC; None where its clock was not set or the text is no time."""
    if told.clk != "synced":
        return None
    try:
        moment = datetime.fromisoformat(told.t)
    except ValueError:
        return None
    return (moment - EPOCH) // MILLISECOND if moment.tzinfo else None


def scalars(payload: bytes) -> dict[str, Scalar]:
    """The plain fields of a message nobody knows, as far as a record can hold them."""
    kept: dict[str, Scalar] = {}
    try:
        message: dict[str, Any] = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The fields we know are read past the others; only now it shows that one of those is no text.
        return {"why": _clean(str(error))[:100]}
    for key, value in message.items():
        name = "".join(char if char.isascii() and (char.isalnum() or char == "_") else "_" for char in key.lower())[:32]
        if isinstance(value, str):
            kept[name] = _clean(value)[:100]
        elif isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
            kept[name] = value
        if len(kept) == 20:
            break
    return kept


def _plain(told: Told) -> Told:
    """Text as records allow it: NFC, no control characters. Rare, so it may be slow."""
    texts = {name: _clean(value) for name in told.__struct_fields__ if isinstance(value := getattr(told, name), str)}
    return msgspec.structs.replace(told, **texts)


def _clean(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    return "".join(char for char in normal if unicodedata.category(char) not in ("Cc", "Cs"))
