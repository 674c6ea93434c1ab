"""Every kind of record, once: the frozen union that is told apart by ``k``.

A record is a fact that happened at a device. It is written once and never edited; a correction is another record that
names it. ``src``, ``ep``, ``n`` are given by the journal; ``did`` is the device's own identity of the event.
Order inside a boot is (``b``, ``m``); the wall clock ``t`` with its state ``ts`` is information, not order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from wire.canonical import (
    MAX_BYTES,
    Deep,
    Integer,
    LeafError,
    check_keys,
    parse,
    plain_text,
    serialise,
    serialise_lines,
)
from wire.ids import RecordKey

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=1024)]
Hex = Annotated[str, msgspec.Meta(max_length=64)]
Count_ = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Scale = Annotated[int, msgspec.Meta(ge=-18, le=18)]
ClockState = Literal["U", "I", "S", "R"]
Outcome = Literal["confirmed", "not_dispensed", "jammed", "not_taken", "unverified", "void", "denied", "cancelled"]


class Ref(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key of another record."""

    src: Name
    ep: Name
    n: Count_

    @property
    def key(self) -> RecordKey:
        """The same, as the key that tables use."""
        return RecordKey(self.src, self.ep, self.n)


class Base(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="k", gc=False
):
    """What every record says. ``n`` 0 and ``z`` "" mean: not journalled yet.

    A record is a tree, never part of a circle, and there are very many: the collector need not look at them.
    """

    v: Literal[1]
    z: Hex
    src: Name
    ep: Name
    n: Count_
    t: Integer
    ts: ClockState
    b: Name
    m: Count_
    did: Text = ""
    who: Text = ""
    for_: Text = msgspec.field(default="", name="for")
    raw: Hex = ""
    cfg: Hex = ""
    q: list[Name] = []

    @property
    def key(self) -> RecordKey:
        """The record's idempotency key."""
        return RecordKey(self.src, self.ep, self.n)


class OfLot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """So many pieces of one lot."""

    lot: Text
    qty: Count_


class Draw(Base, frozen=True, kw_only=True, tag="draw"):
    """One person's taking of goods for use: what we bill. Actuation, confirmation and outcome are separate facts.

    ``lots`` is given where the pieces are not all of ``lot``: how many are known to be of which, first to end first.
    """

    slot: Name
    item: Name
    asked: Count_
    qty: Count_
    outcome: Outcome
    actuation: Text
    confirmation: Text
    intent: Text = ""
    planogram: Count_ = 0
    rules: Count_ = 0
    unit: Name = "pc"
    scale: Scale = 0
    before: dict[str, Integer] = {}
    after: dict[str, Integer] = {}
    lot: Text = ""
    serial: Text = ""
    lots: list[OfLot] = []


class Intent(Base, frozen=True, kw_only=True, tag="intent"):
    """We are about to let goods go: journalled before the first byte of the command."""

    slot: Name
    item: Name
    asked: Count_
    planogram: Count_ = 0
    rules: Count_ = 0
    unit: Name = "pc"
    scale: Scale = 0
    before: dict[str, Integer] = {}


class DrawResolved(Base, frozen=True, kw_only=True, tag="draw_resolved"):
    """Evidence has decided an unverified draw."""

    ref: Ref
    outcome: Outcome
    qty: Count_
    evidence: Text
    unit: Name = "pc"
    scale: Scale = 0


class Reversal(Base, frozen=True, kw_only=True, tag="reversal"):
    """A record that takes another one back, whole or in part."""

    ref: Ref
    qty: Count_
    reason: Text
    unit: Name = "pc"
    scale: Scale = 0


class Goods(Base, frozen=True, kw_only=True):
    """What refills, counts, returns and loans have in common: so much of an item at a slot.

    ``lot`` and ``serial`` where the item has them, ``expires`` (ms UTC) where the lot ends.
    """

    slot: Name
    item: Name
    qty: Count_
    unit: Name = "pc"
    scale: Scale = 0
    lot: Text = ""
    serial: Text = ""
    expires: Integer | msgspec.UnsetType = msgspec.UNSET


class Refill(Goods, frozen=True, kw_only=True, tag="refill"):
    """Goods were put into a slot; they stay the supplier's. ``order``: the number of the order that they fill."""

    visit: Text = ""
    order: Text = ""
    before: dict[str, Integer] = {}
    after: dict[str, Integer] = {}


class Count(Goods, frozen=True, kw_only=True, tag="count"):
    """A slot was counted; ``position`` names the last record of the slot the counter had before him, as "ep/n"."""

    position: Text = ""


# Conditions of a return that is no sale taken back: what was used stays drawn, wherever it is put.
NOT_AS_NEW = frozenset({"used", "damaged"})


class Return(Goods, frozen=True, kw_only=True, tag="return"):
    """Goods came back; unused ones unless ``condition`` says otherwise. ``lots`` as in a draw."""

    ref: Ref | msgspec.UnsetType = msgspec.UNSET
    condition: Text = ""
    lots: list[OfLot] = []


class Loan(Goods, frozen=True, kw_only=True, tag="loan"):
    """A tool was borrowed: no consumption. ``intent`` names the attempt that gave it out, ``lots`` as in a draw."""

    due: Integer | msgspec.UnsetType = msgspec.UNSET
    intent: Text = ""
    actuation: Text = ""
    confirmation: Text = ""
    lots: list[OfLot] = []


class LoanBack(Goods, frozen=True, kw_only=True, tag="loan_back"):
    """A borrowed tool came back. ``lots`` as in a draw."""

    ref: Ref | msgspec.UnsetType = msgspec.UNSET
    lots: list[OfLot] = []


class Reading(Base, frozen=True, kw_only=True, tag="reading"):
    """A cumulative or momentary register, ``value * 10**scale unit``, as the meter holds it.

    ``signed``: the meter's own signed data set, byte for byte, where it has one."""

    register: Name
    value: Integer
    scale: Scale
    unit: Name
    quality: Text = ""
    signed: Annotated[str, msgspec.Meta(max_length=2048)] = ""


class Window(Base, frozen=True, kw_only=True, tag="window"):
    """A metric over ``[from, to)`` ms UTC: mean, min, max of ``samples`` that cover ``coverage`` seconds of it."""

    metric: Name
    from_: Integer = msgspec.field(name="from")
    to: Integer
    mean: Integer
    min: Integer
    max: Integer
    scale: Scale
    unit: Name
    samples: Count_
    coverage: Count_


class Runtime(Base, frozen=True, kw_only=True, tag="runtime"):
    """Effective seconds at each speed over ``[from, to)`` ms UTC; what nobody saw is ``unknown``, never "off"."""

    from_: Integer = msgspec.field(name="from")
    to: Integer
    speeds: dict[str, Count_]
    unknown: Count_ = 0


class DeviceEvent(Base, frozen=True, kw_only=True, tag="device_event"):
    """Something a person may have to look at: door forced, jam, lost, replaced, fault, malformed."""

    event: Name
    slot: Text = ""
    data: dict[str, Deep] = {}


class GatewayEvent(Base, frozen=True, kw_only=True, tag="gateway_event"):
    """The gateway about itself: boot, clock_set, config_applied, key_rotated, journal_recovered."""

    event: Name
    data: dict[str, Deep] = {}


class Note(Base, frozen=True, kw_only=True, tag="note"):
    """A person's statement, perhaps about another record."""

    text: Text
    ref: Ref | msgspec.UnsetType = msgspec.UNSET


Record = (
    Draw | Intent | DrawResolved | Reversal | Refill | Count | Return | Loan | LoanBack
    | Reading | Window | Runtime | DeviceEvent | GatewayEvent | Note
)  # fmt: skip
TYPES: tuple[type[Base], ...] = (
    Draw, Intent, DrawResolved, Reversal, Refill, Count, Return, Loan, LoanBack,
    Reading, Window, Runtime, DeviceEvent, GatewayEvent, Note,
)  # fmt: skip
KINDS: dict[str, type[Base]] = {str(kind.__struct_config__.tag): kind for kind in TYPES}
# Events of the box of used goods: who took so many out of it, who found none there.
USED_TAKEN, USED_MISSING = "used_taken", "used_missing"
# What a new card is told of the cards before it: everything that moves goods, or is about to.
INHERITED = ("draw", "intent", "draw_resolved", "reversal", "refill", "count", "return", "loan", "loan_back")
INHERITED_EVENTS = (USED_TAKEN, USED_MISSING)

_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """The record's canonical leaf; raises LeafError when a text breaks the rules or the leaf is too long."""
    leaf = serialise(record)
    _check_free_keys(record)
    if len(leaf) > MAX_BYTES or not plain_text(leaf):
        parse(leaf)
    return leaf


def decode(leaf: bytes) -> Record:
    """The record a leaf stands for; raises LeafError unless the bytes are canonical and the body is of its kind."""
    try:
        record = _decoder.decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        parse(leaf)
        raise LeafError("bad_body", str(error)) from error
    # One round trip through the typed record proves canonical form for what our own gateways write; anything else
    # (a spelled-out default, a text outside ASCII, free keys) takes the general and slower proof.
    _check_free_keys(record)
    if serialise(record) != leaf or not plain_text(leaf) or len(leaf) > MAX_BYTES:
        parse(leaf)
    return record


def decode_all(leaves: Sequence[bytes]) -> list[Record] | None:
    """The records of many leaves, in less time than one by one; None when one of them needs ``decode``'s closer look.

    The proof is the same: every leaf equals what its record is written as, and no text in any of them is special.
    """
    lines = b"\n".join(leaves) + b"\n"
    if not leaves or not plain_text(lines) or max(map(len, leaves)) > MAX_BYTES:
        return None
    try:
        records = _decoder.decode_lines(lines)
        for record in records:
            if type(record) in _FREE_KEYS:
                _check_free_keys(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LeafError):
        return None
    return records if len(records) == len(leaves) and serialise_lines(records) == lines else None


# The few fields whose keys the schema leaves open.
_FREE_KEYS: dict[type[Base], tuple[str, ...]] = {
    Draw: ("before", "after"),
    Refill: ("before", "after"),
    Intent: ("before",),
    Runtime: ("speeds",),
    DeviceEvent: ("data",),
    GatewayEvent: ("data",),
}


def _check_free_keys(record: Record) -> None:
    for field in _FREE_KEYS.get(type(record), ()):
        if value := getattr(record, field):
            check_keys(value)
