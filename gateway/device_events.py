"""What devices say, in nouns: the only words drivers and the rest of the gateway share. PURE; `driver_ports.py` says
what a driver must be able to do.

The surprise is how little they promise: an event is what one frame said, not what is true. A lock that answered
"opened" has given nothing away, and a register value may be a misread; `vending.py` and the cloud conclude.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

Scalar = int | str | bool


class Want(msgspec.Struct, frozen=True):
    """Registers a device wants read: `width` registers from `address` of `table`, on a grid of `every` seconds."""

    name: str
    every: float
    table: int = 0
    address: int = 0
    width: int = 0


class Request(msgspec.Struct, frozen=True):
    """Bytes for the line; the longest answer in bytes; how many seconds the device may think before it answers.

    `expect` 0: nobody answers (a broadcast). `usual`: the length of the answer that normally comes, so that the line
    can sleep until it is there; 0: not known. `baud`: the speed of this exchange, `answer_baud`: that of the answer
    alone (IEC 62056-21 mode C); 0: the line's own. The next request is at the line's speed again.
    """

    data: bytes
    expect: int
    delay: float
    baud: int = 0
    answer_baud: int = 0
    usual: int = 0


class Counters(msgspec.Struct):
    """What the line did to a driver since it started; for metrics, never for records."""

    frames: int = 0
    noise_bytes: int = 0
    echoes: int = 0
    exceptions: int = 0
    refused: int = 0
    refusals: dict[str, int] = {}

    def refuse(self, why: str) -> None:
        """One frame that was not believed, by its reason: "xor", "sum", "short", "layout"."""
        self.refused += 1
        self.refusals[why] = self.refusals.get(why, 0) + 1


class Measured(msgspec.Struct, frozen=True):
    """One register as the device holds it: value * 10**scale unit. `raw` is the whole frame.

    `at`: the device's own time of it, ms UTC; None: now. `did`: the device's own name of it, where it has one.
    """

    register: str
    value: int
    scale: int
    unit: str
    raw: bytes = b""
    q: tuple[str, ...] = ()
    at: int | None = None
    did: str = ""


class AirSample(msgspec.Struct, frozen=True):
    """One frame of an air sensor: metric -> value * 10**scale unit. `follows` is false after a gap in the frames.

    `q` says why these values are not to be relied on (warm_up, frozen, out_of_range, fault); empty: nothing is known
    against them. They are recorded and marked, and count for no minute of good or bad air.
    """

    values: Mapping[str, int]
    scale: int
    unit: str
    follows: bool
    raw: bytes = b""
    q: tuple[str, ...] = ()


class FanState(msgspec.Struct, frozen=True):
    """One look at a fan coil: the speed at which it delivers (high, cool_low ...), "" when not; None: nobody knows."""

    speed: str | None
    raw: bytes = b""


class LockReply(msgspec.Struct, frozen=True):
    """The board's word about an opening: the latch moved, or it did not. Nothing about goods."""

    slot: str
    opened: bool
    raw: bytes = b""


class DoorState(msgspec.Struct, frozen=True):
    """The feedback switch of a door, read on its own or as part of the whole board. `item`: does a sensor behind the
    door see goods; None: there is none, or this message does not say."""

    slot: str
    closed: bool
    raw: bytes = b""
    item: bool | None = None


class Identified(msgspec.Struct, frozen=True):
    """The device's own number, read at every start: another number means another device; "" where it has none.
    `facts`: what its registers are worth on a bill, as far as its model says: where they wrap, what ratio they need.
    """

    number: str
    raw: bytes = b""
    facts: Mapping[str, Any] = {}


class DeviceFault(msgspec.Struct, frozen=True):
    """Something a person may have to look at. `data` keys are [a-z0-9_]+; `did` where the device numbers its events."""

    event: str
    slot: str = ""
    data: Mapping[str, Scalar] = {}
    raw: bytes = b""
    did: str = ""


class VendRequested(msgspec.Struct, frozen=True):
    """A cabinet asks: may this badge have `qty` from this slot? `at` is its own clock, ms UTC; None: not believable."""

    did: str
    mid: str
    badge: str
    slot: str
    qty: int
    for_: str = ""
    at: int | None = None
    raw: bytes = b""


class Dispensed(msgspec.Struct, frozen=True):
    """What a cabinet says about one dispense: `qty` is what its drop sensor saw, `ctr` that sensor's counter after it;
    `badge` where it decided alone; `old`: something newer was heard before, so its counter has moved on since.
    """

    did: str
    cmd_id: str
    slot: str
    qty: int
    motor: str
    drop: str
    ms: int = 0
    ctr: int | None = None
    reason: str = ""
    badge: str = ""
    local: bool = False
    at: int | None = None
    raw: bytes = b""
    old: bool = False


class CabinetState(msgspec.Struct, frozen=True):
    """The retained self-portrait of a cabinet: slot -> drop counter, level; an old one has none. Causes no record."""

    online: bool
    boot: int
    counters: Mapping[str, int]
    levels: Mapping[str, int]
    retained: bool


class MotorState(msgspec.Struct, frozen=True):
    """Whether a board's motors turn now. Standing still is no result: a result is a Dispensed."""

    running: bool
    raw: bytes = b""


class SelectionInfo(msgspec.Struct, frozen=True):
    """What a vending board says about one of its selections; None where this message does not tell. Its own stock is a
    claim like any other: somebody typed it in.
    """

    slot: str
    status: str
    stock: int | None = None
    capacity: int | None = None
    price: int | None = None
    product: int | None = None
    raw: bytes = b""


class SwitchState(msgspec.Struct, frozen=True):
    """What a relay or valve says it is; `on` None: between two positions, or at fault.

    `permitted`: it is open and may be closed by hand at the device. `name` tells several of one device apart.
    """

    on: bool | None
    name: str = ""
    permitted: bool = False
    raw: bytes = b""


class LevelState(msgspec.Struct, frozen=True):
    """The level an air unit says it runs at, 0 = off; None: it is set to something its settings do not name."""

    level: int | None
    value: int
    raw: bytes = b""


class CommandTaken(msgspec.Struct, frozen=True):
    """The device heard a command, or refuses it (`why`). What became of it only a look tells."""

    taken: bool
    why: str = ""
    raw: bytes = b""


class AuditRead(msgspec.Struct, frozen=True):
    """A whole EVA-DTS file, as the machine sent it. Says nothing until it has been compared with the one before."""

    raw: bytes


class Weighed(msgspec.Struct, frozen=True):
    """One weight, in milligrams. `stable` is the transmitter's own word; None: it does not say. `ok`: not at fault."""

    milligrams: int
    stable: bool | None = None
    fault: str = ""
    raw: bytes = b""


class TagsSeen(msgspec.Struct, frozen=True):
    """A whole inventory of a tag reader: EPC -> in how many of `rounds` it answered, and its last signal in dBm."""

    rounds: int
    seen: Mapping[str, int]
    signals: Mapping[str, int] = {}
    raw: bytes = b""


class AdapterSaid(msgspec.Struct, frozen=True):
    """One line of an MDB adapter: `topic` (status, vend, error, result, raw ..) and its fields as text."""

    topic: str
    fields: tuple[str, ...] = ()
    raw: bytes = b""


class BadgeRead(msgspec.Struct, frozen=True):
    """A person showed a badge; as the list of badges writes it. Never a record: a badge alone has done nothing."""

    badge: str


class Presence(msgspec.Struct, frozen=True):
    """A device behind a broker is there, or its will says that it is gone."""

    online: bool
    retained: bool = False


class Publish(msgspec.Struct, frozen=True):
    """What a driver wants sent by MQTT; QoS 1 unless its protocol forbids it, retained only where it demands that."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


Event = (
    Measured | AirSample | LockReply | DoorState | Identified | DeviceFault | VendRequested | Dispensed | CabinetState
    | SwitchState | CommandTaken | LevelState | Presence | AuditRead | Weighed | TagsSeen | AdapterSaid | MotorState
    | SelectionInfo | FanState | BadgeRead
)  # fmt: skip
