"""Facts for a bill: records of an agreement's devices, each with the time that decides its period. PURE.

The surprise: the time is decided again from the leaves and cosignatures alone, so that a customer decides it the same
way offline; and it is frozen with the statement whose range first held the leaf (its *cut*), so that a clock that is
synchronised later cannot move what was billed. Source: wire.md 3b.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from cloud.rating.events import CountedEvent
from cloud.rating.lines import LeafRef, TimeQuality
from wire.canonical import LeafError, parse
from wire.records import DeviceEvent, Draw, DrawResolved, Reading, Record, Return, Reversal, Runtime, Window

BILLED_KINDS = (Draw, DrawResolved, Reversal, Return, Reading, Runtime, CountedEvent)
# What a meter says of itself; one without a number of its own says "meter_facts".
METER_EVENTS = ("identified", "replaced", "meter_facts")


class Fact(NamedTuple):
    """A record as evidence."""

    leaf: LeafRef
    record: Record | CountedEvent


class Counter(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """The last counter ``n`` of a device, in its newest epoch, before a place in the log."""

    src: str
    ep: str
    n: int


class Receipt(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A cosignature: the log had ``size`` leaves at ``seconds`` Unix time."""

    size: int
    seconds: int


class LogRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a log a statement stands on: leaves ``[from, to)``.

    ``cuts``: where earlier statements ended, as far as they lie in the range (the last one is where this statement's
    own leaves begin). ``carry``: the next statement's ``from``: the first leaf that belongs to a later period.
    ``opening``/``counters``: each device's counter before ``from`` and before ``carry``. ``root``: hex, at ``to``.
    ``receipts``: the cosignatures that decide times, the last one at ``to``. ``outside``: leaves before ``from`` that
    are shown too, because a later leaf refers to them or because their clock dates one.
    """

    log: str
    origin: str
    from_: int = msgspec.field(name="from")
    cuts: list[int]
    to: int
    carry: int
    root: str
    receipts: list[Receipt]
    outside: list[int]
    opening: list[Counter]
    counters: list[Counter]


class UndatedError(ValueError):
    """No cosignature covers a leaf whose clock was not synchronised: its time cannot be decided."""


def is_needed_kind(record: Record | CountedEvent) -> bool:
    """Whether a statement may need the record: for a line, or to judge a guarantee."""
    return is_billed_kind(record) or isinstance(record, Window | DeviceEvent)


def is_billed_kind(record: Record | CountedEvent) -> bool:
    """Whether the record can change a bill."""
    return isinstance(record, BILLED_KINDS) or (isinstance(record, DeviceEvent) and record.event in METER_EVENTS)


def decides_ms(at_ms: int, record: Record | CountedEvent) -> int:
    """The instant that decides the period of a record told at ``at_ms``. A register shows what ran through it before,
    so a reading at a period's end closes that period and opens the next; everything else begins when it is told.
    """
    of_meter = isinstance(record, Reading) or (isinstance(record, DeviceEvent) and record.event in METER_EVENTS)
    return at_ms - 1 if of_meter else at_ms


def date_leaves(
    log: int, records: Mapping[int, Record], ends: Sequence[int], receipts: Iterable[Receipt]
) -> dict[int, LeafRef]:
    """The deciding time of every leaf of a log.

    Its own if the clock was synchronised, else repaired from the first synchronised record of the same boot, else from
    the tightest cosignature (quality ``received_time``). ``ends`` are the cuts and the range's end; only what was known
    at a leaf's cut counts. Raises UndatedError when no cosignature covers a leaf.
    """
    boots = _Boots(records, receipts)
    dated = {}
    for index, record in records.items():
        own: tuple[int, TimeQuality] = (record.t, "synchronised")
        when, quality = own if record.ts == "S" else boots.repair(index, record, cut_of(index, ends))
        dated[index] = LeafRef(log=log, index=index, at=when, quality=quality)
    return dated


def deciding_receipts(records: Mapping[int, Record], ends: Sequence[int], receipts: Sequence[Receipt]) -> list[Receipt]:
    """Those cosignatures that decide a time, and those at the cuts and the end, in order."""
    wanted = {receipt for receipt in receipts if receipt.size in ends}
    boots = _Boots(records, receipts)
    for index, record in records.items():
        if record.ts != "S":
            tightest = boots.tightest(record, cut_of(index, ends))
            if tightest is not None:
                wanted.add(tightest)
    return sorted(wanted)


def src_of(leaf: bytes) -> str:
    """The device of a canonical leaf, without reading it whole.

    Keys are sorted and quotes in texts are escaped, so the last ``"src":"`` is the record's own.
    """
    at = leaf.rfind(b'"src":"')
    return "" if at < 0 else leaf[at + 7 : leaf.find(b'"', at + 7)].decode("utf-8", "replace")


def counter_of(leaf: bytes) -> Counter | None:
    """The counter of a leaf, also of one whose body no program here can read; None when it has none."""
    try:
        value = parse(leaf)
    except LeafError:
        return None
    src, ep, n = value.get("src"), value.get("ep"), value.get("n")
    if isinstance(src, str) and isinstance(ep, str) and isinstance(n, int) and not isinstance(n, bool):
        return Counter(src, ep, n)
    return None


def cut_of(index: int, ends: Sequence[int]) -> int:
    """Where the statement that first held a leaf ended; ``ends`` in ascending order."""
    at = bisect_right(ends, index)
    return ends[at] if at < len(ends) else ends[-1]


def carry_index(facts: Iterable[Fact], log: int, end: int, period_end_ms: int) -> int:
    """The first leaf of a log that a later period needs; ``end`` when there is none."""
    later = (
        fact.leaf.index
        for fact in facts
        if fact.leaf.log == log and fact.leaf.at >= period_end_ms and is_needed_kind(fact.record)
    )
    return min(later, default=end)


class _Boots:
    """Monotonic clocks of the boots in a log, tied to the world."""

    def __init__(self, records: Mapping[int, Record], receipts: Iterable[Receipt]) -> None:
        self._receipts = sorted(receipts)
        self._first_synchronised: dict[str, tuple[int, int]] = {}
        self._ticks: dict[str, list[tuple[int, int]]] = {}
        self._tightest: dict[tuple[str, int], tuple[int, Receipt] | None] = {}
        for index in sorted(records):
            record = records[index]
            if record.ts == "S":
                self._first_synchronised.setdefault(record.b, (index, record.t - record.m))
            self._ticks.setdefault(record.b, []).append((index, record.m))

    def repair(self, index: int, record: Record, cut: int) -> tuple[int, TimeQuality]:
        anchor = self._anchor(record, cut)
        if anchor is not None:
            return anchor + record.m, "repaired"
        bound = self._bound(record.b, cut)
        if bound is None:
            raise UndatedError(f"leaf {index}: its clock was not synchronised and no cosignature covers it")
        return bound[0] + record.m, "received_time"

    def tightest(self, record: Record, cut: int) -> Receipt | None:
        """The cosignature that dates the record; None when a synchronised record does, or nothing."""
        bound = None if self._anchor(record, cut) is not None else self._bound(record.b, cut)
        return None if bound is None else bound[1]

    def _anchor(self, record: Record, cut: int) -> int | None:
        anchor = self._first_synchronised.get(record.b)
        return anchor[1] if anchor is not None and anchor[0] < cut else None

    def _bound(self, boot: str, cut: int) -> tuple[int, Receipt] | None:
        """The earliest time that a cosignature allows for the boot's beginning: its record at ``m`` existed by then."""
        if (boot, cut) not in self._tightest:
            bounds = [
                (receipt.seconds * 1000 - max(ticks), receipt)
                for receipt in self._receipts
                if receipt.size <= cut
                and (ticks := [tick for index, tick in self._ticks[boot] if index < receipt.size])
            ]
            self._tightest[boot, cut] = min(bounds, default=None)
        return self._tightest[boot, cut]
