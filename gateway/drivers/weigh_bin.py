"""A bin on a load cell, read over Modbus RTU: how much is gone is how much lighter it got.

    read      addr 03|04 at 0002 crc          the weight: float32 or integer, word order and divisor by profile
    reply     addr 03 04 44 9A 50 00 crc      1234.5 g
    status    addr 03 stable_at 0001 crc      a bit that says "still", where the transmitter has one

The surprise: "still" is not believed alone. A transmitter's filter calls a hand that rests on the bin still too, so the
pieces come from weights that stayed within a span for some time, and only if they are near a whole number of pieces.
Buffer: one Modbus frame. Source: Modbus Application Protocol V1.1b3; maker's maps in `weigh_profiles`; vending.md 1.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from gateway.device_events import Counters, DeviceFault, Event, Request, Want, Weighed
from gateway.drivers import modbus_rtu
from gateway.drivers.modbus_rtu import Answer, Refusal, RtuMaster
from gateway.drivers.weigh_profiles import FUNCTIONS, PROFILES, WIDTHS, Order, Type, Unit, milligrams

# Registers between weight and status that are cheaper to read through than to ask for apart.
NEAR = 24
# A thousand tons, mg: more is a wrong word order.
HEAVIEST = 10**12


class WeighSettings(BaseModel):
    """The transmitter's map, what one piece weighs, and when a weight is still. Empty fields are the profile's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: int = Field(default=1, ge=1, le=247, description="Modbus address of the transmitter")
    profile: str = Field(default="generic", description=f"map of the transmitter: {', '.join(sorted(PROFILES))}")
    at: int | None = Field(default=None, ge=0, le=65535, description="register of the weight (40001 is 0)")
    table: Literal["holding", "input"] | None = Field(default=None, description="kind of registers it stands in")
    type: Type | None = Field(default=None, description="how the weight is written")
    order: Order | None = Field(default=None, description="order of its bytes; ABCD: highest first")
    weight_in: Unit | None = Field(default=None, description="unit of the weight, after the divisor")
    divisor: int | None = Field(default=None, ge=1, description="counts that make one unit")
    stable_at: int | None = Field(default=None, ge=0, le=65535, description="register of the still flag")
    stable_bit: int | None = Field(default=None, ge=0, le=15, description="its bit, 0 the lowest")
    stable_is: Literal[0, 1] | None = Field(default=None, description="the bit's value while the weight is still")
    fault_mask: int | None = Field(default=None, ge=0, le=65535, description="bits of that register that mean a fault")
    slot: str = Field(default="1", min_length=1, max_length=64, description="slot of the planogram this bin is")
    piece_mg: int = Field(ge=1, description="weight of one piece in mg, measured with several pieces")
    spread_mg: int = Field(default=0, ge=0, description="standard deviation of one piece's weight, mg")
    samples: int = Field(default=1, ge=1, description="pieces that were weighed for it")
    measured: str = Field(default="", max_length=32, description="day on which they were weighed")
    tolerance: int = Field(default=25, ge=1, le=45, description="percent of a piece by which a difference may be off")
    empty_mg: int | None = Field(default=None, description="weight of the empty bin, mg; without it nothing is counted")
    every: float = Field(default=1.0, gt=0, le=60, description="seconds between two weighings")
    still_samples: int = Field(default=3, ge=2, le=50, description="weighings that must agree")
    still_seconds: float = Field(default=2.0, ge=0, description="and for how long")
    still_within_mg: int | None = Field(default=None, ge=0, description="their span, mg; empty: a 5th of a piece")
    patience: float = Field(default=60.0, ge=5, le=600, description="seconds a person has to take something")
    unattended: Literal["draw", "unverified"] = Field(
        default="draw", description="what a piece is that nobody asked for: a draw without a person, or in doubt"
    )
    door: str = Field(default="", pattern=r"^([^/]+/.+)?$", description="lock in front: device/slot; empty: none")
    delay: float = Field(default=0.2, gt=0, le=5, description="longest time it takes before it answers, seconds")
    echo: Literal["learn", "yes", "no"] = Field(default="learn", description="does the adapter repeat what we send?")


class WeighBin:
    """One transmitter. Each reading is a Weighed; a weight that is none a DeviceFault, told once until it is over."""

    kind: ClassVar[str] = "weigh_bin"
    link: ClassVar[Literal["serial", "mqtt"]] = "serial"
    bus: ClassVar[str] = "modbus"
    shipped: ClassVar[tuple[str, ...]] = ("9600 8N1", "19200 8N1")
    gives: ClassVar[bool] = True
    profiles: ClassVar[tuple[str, ...]] = tuple(sorted(PROFILES))
    Settings: ClassVar[type[BaseModel]] = WeighSettings

    def __init__(self, settings: WeighSettings) -> None:
        if settings.profile not in PROFILES:
            raise ValueError(f"profile {settings.profile!r} does not exist; there are {', '.join(sorted(PROFILES))}")
        names = ("at", "table", "type", "order", "divisor", "stable_at", "stable_bit", "stable_is", "fault_mask")
        chosen = {name: value for name in names if (value := getattr(settings, name)) is not None}
        if settings.weight_in:
            chosen["unit"] = settings.weight_in
        self.map = msgspec.structs.replace(PROFILES[settings.profile], **chosen)
        if self.map.at is None:
            raise ValueError(f"profile {settings.profile}: say `at`, the weight's register; it differs by firmware")
        self.settings = settings
        self.counters = Counters()
        table, width = FUNCTIONS[self.map.table], WIDTHS[self.map.type]
        self.wants: Sequence[Want] = (Want("weight", settings.every, table, self.map.at, width),)
        meaning = [msgspec.to_builtins(self.map), settings.piece_mg, settings.tolerance, settings.empty_mg]
        self.cfg = hashlib.sha256(msgspec.json.encode(["weigh_bin", *meaning], order="sorted")).hexdigest()
        self._master = RtuMaster(self.counters, echoes={"yes": True, "no": False, "learn": None}[settings.echo])
        self._asked = ""
        self._held: tuple[int, bytes] | None = None
        self._failing = ""

    @classmethod
    def candidates(cls) -> tuple[dict[str, Any], ...]:
        """None: nobody can guess what a piece weighs. The transmitter is found as a Modbus device, modbus_meter."""
        return ()

    @property
    def answered(self) -> bool:
        """See `SerialDriver`."""
        return self._master.answered

    def pending(self) -> Request | None:
        """The status behind a weight, where it does not stand beside it."""
        return self._ask("status", self.map.stable_at or 0, 1) if self._held is not None else None

    def request(self, wants: Sequence[Want]) -> Request:  # noqa: ARG002 - there is one question
        """The weight, and the status with it where it is near."""
        self._held = None
        first, count, _ = self._span()
        return self._ask("weight", first, count)

    def feed(self, data: bytes, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """Bytes from the line."""
        answer = self._master.feed(data)
        if answer is None:
            return []
        return self._refused(answer) if isinstance(answer, Refusal) else self._told(answer)

    def expired(self, now: float) -> list[Event]:  # noqa: ARG002 - nothing here depends on time
        """No answer: a weight without its status is no weight."""
        self._held = None
        refusal = self._master.expired()
        return self._refused(refusal) if refusal else []

    def restarted(self) -> None:
        """The adapter may be another one: learn its echo again."""
        self._held = None
        if self.settings.echo == "learn":
            self._master.echoes = None

    def _span(self) -> tuple[int, int, bool]:
        """First register, how many, and whether the status lies among them."""
        at, width = self.map.at or 0, WIDTHS[self.map.type]
        status = self.map.stable_at
        if status is None or not -NEAR <= status - at <= NEAR:
            return at, width, False
        first = min(at, status)
        return first, max(at + width, status + 1) - first, True

    def _ask(self, what: str, first: int, count: int) -> Request:
        self._asked = what
        asked = modbus_rtu.read(self.settings.unit, FUNCTIONS[self.map.table], first, count)
        return Request(self._master.ask(asked), self._master.expect, self.settings.delay)

    def _told(self, answer: Answer) -> list[Event]:
        if self._asked == "status" and self._held is not None:
            (weight, raw), self._held = self._held, None
            return [self._weighed(weight, int.from_bytes(answer.data, "big"), raw + answer.raw)]
        first, _, together = self._span()
        at = 2 * ((self.map.at or 0) - first)
        weight_ = milligrams(answer.data[at : at + 2 * WIDTHS[self.map.type]], self.map)
        if weight_ is None or abs(weight_) > HEAVIEST:
            self.counters.refused += 1
            return self._fault("weight_refused", answer.data.hex(), answer.raw)
        self._failing = ""
        if self.map.stable_at is None:
            return [Weighed(weight_, raw=answer.raw)]
        if together:
            place = 2 * (self.map.stable_at - first)
            return [self._weighed(weight_, int.from_bytes(answer.data[place : place + 2], "big"), answer.raw)]
        self._held = (weight_, answer.raw)
        return []

    def _weighed(self, weight: int, status: int, raw: bytes) -> Weighed:
        still = (status >> self.map.stable_bit & 1) == self.map.stable_is
        return Weighed(weight, still, f"status_{status:04x}" if status & self.map.fault_mask else "", raw)

    def _refused(self, refusal: Refusal) -> list[Event]:
        self._held = None
        return self._fault("exception", refusal.meaning, refusal.raw)

    def _fault(self, event: str, why: str, raw: bytes) -> list[Event]:
        if self._failing == event:
            return []
        self._failing = event
        return [DeviceFault(event, self.settings.slot, {"why": why}, raw)]
