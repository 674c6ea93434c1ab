"""Facts for a bill: records of an agreement's devices, each with the time that decides its period. PURE.

The surprise: the time is decided again from the leaves and cosignatures alone, so that a customer decides it the same
way offline; and it is frozen with the statement whose range first held the leaf (its *cut*), so that a clock that is
synchronised later cannot move what was billed. Source: wire.md 3b.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

from cloud.metering.told import METER_EVENTS
from cloud.rating.events import CountedEvent
from cloud.rating.lines import LeafRef, TimeQuality
from wire.canonical import LeafError, parse
from wire.records import DeviceEvent, Draw, DrawResolved, Reading, Record, Return, Reversal, Runtime, Window

# A gateway that was asleep tells up to a hundred windows at once.
WINDOWS_BEHIND = 128
GOODS = (Draw, DrawResolved, Reversal, Return)
BILLED_KINDS = (*GOODS, Reading, Runtime, CountedEvent)


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


class Clock(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """When a boot whose clock was not synchronised began, ms UTC, as cosignatures bound it.

    It dates those leaves of the boot that a statement which ended at ``to`` was the first to hold.
    """

    boot: str
    to: int
    begins_ms: int


class LogRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of a log a statement stands on: leaves ``[from, to)``.

    ``cuts``: where earlier statements ended, as far as they lie in the range (the last one is where this statement's
    own leaves begin). ``carry``: the next statement's ``from``: the first leaf that belongs to a later period.
    ``opening``/``counters``: each device's counter before ``from`` and before ``carry``. ``root``: hex, at ``to``.
    ``receipts``: the cosignatures that decide times, the last one at ``to``. ``outside``: leaves before ``from`` that
    are shown too, because a later leaf refers to them or because their clock dates one. ``clocks``: of the boots that
    only cosignatures date, here and in the statements before, so that each leaf keeps the time it was billed with.
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
    clocks: list[Clock] = []


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


def ran_ms(leaf: LeafRef, record: Runtime) -> int:
    """The instant at which a run time began, by the clock that decides: the gateway's own may not have been set.

    One whose window does not fit the time of its telling was open when the clock was set; it ended when it was told.
    """
    length = record.to - record.from_
    begins = record.from_ + leaf.at - record.t
    return begins if 0 <= leaf.at - begins <= WINDOWS_BEHIND * length else leaf.at - length


class Stretch(msgspec.Struct, frozen=True):
    """A log from ``start`` on; ``ends``: its cuts and its end. ``clocks``: those that the statement before states."""

    start: int
    ends: Sequence[int]
    clocks: Sequence[Clock] = ()


def date_leaves(
    log: int, records: Mapping[int, Record], stretch: Stretch, receipts: Iterable[Receipt]
) -> dict[int, LeafRef]:
    """The deciding time of every leaf of a log.

    Its own if the clock was synchronised, else repaired from the first synchronised record of the same boot, else from
    the tightest cosignature (quality ``received_time``), which an earlier statement may have found already. Only what
    was known at a leaf's cut counts. Raises UndatedError when no cosignature covers a leaf.
    """
    boots = _Boots(records, stretch, receipts)
    dated = {}
    for index, record in records.items():
        own: tuple[int, TimeQuality] = (record.t, "synchronised")
        when, quality = own if record.ts == "S" else boots.repair(index, record)
        dated[index] = LeafRef(log=log, index=index, at=when, quality=quality)
    return dated


def deciding_receipts(records: Mapping[int, Record], stretch: Stretch, receipts: Sequence[Receipt]) -> list[Receipt]:
    """Those cosignatures that decide a time, and those at the cuts and the end, in order."""
    wanted = {receipt for receipt in receipts if receipt.size in stretch.ends}
    boots = _Boots(records, stretch, receipts)
    for index, record in records.items():
        if record.ts != "S":
            tightest = boots.tightest(index, record)
            if tightest is not None and tightest[1] is not None:
                wanted.add(tightest[1])
    return sorted(wanted)


def clocks_of(records: Mapping[int, Record], stretch: Stretch, receipts: Sequence[Receipt]) -> list[Clock]:
    """The clocks that the statement states: those of the one before, and of the boots that only this one dates."""
    boots = _Boots(records, stretch, receipts)
    found = set(stretch.clocks)
    for index, record in records.items():
        if record.ts != "S" and index >= stretch.start:
            tightest = boots.tightest(index, record)
            if tightest is not None:
                found.add(Clock(record.b, cut_of(index, stretch.ends), tightest[0]))
    return sorted(found)


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


def carry_index(
    facts: Iterable[Fact], log: int, end: int, period_end_ms: int, kept: AbstractSet[LeafRef] = frozenset()
) -> int:
    """The first leaf of a log that a later period needs: its own, or one of those ``kept`` for it; ``end`` when there
    is none.
    """
    later = (
        fact.leaf.index
        for fact in facts
        if fact.leaf.log == log
        and ((fact.leaf.at >= period_end_ms and is_needed_kind(fact.record)) or fact.leaf in kept)
    )
    return min(later, default=end)


class _Boots:
    """Monotonic clocks of the boots in a log, tied to the world."""

    def __init__(self, records: Mapping[int, Record], stretch: Stretch, receipts: Iterable[Receipt]) -> None:
        self._stretch = stretch
        self._clocks: dict[str, list[Clock]] = {}
        for clock in sorted(stretch.clocks):
            self._clocks.setdefault(clock.boot, []).append(clock)
        self._receipts = sorted(receipts)
        self._first_synchronised: dict[str, tuple[int, int]] = {}
        # Of each boot the leaves, and how far its own clock had run by each.
        self._leaves: dict[str, tuple[list[int], list[int]]] = {}
        self._tightest: dict[tuple[str, int], tuple[int, Receipt | None] | None] = {}
        for index in sorted(records):
            record = records[index]
            if record.ts == "S":
                self._first_synchronised.setdefault(record.b, (index, record.t - record.m))
            indexes, ticks = self._leaves.setdefault(record.b, ([], []))
            indexes.append(index)
            ticks.append(max(record.m, ticks[-1]) if ticks else record.m)

    def repair(self, index: int, record: Record) -> tuple[int, TimeQuality]:
        known = self._clock(index, record.b)
        if known is not None:
            return known.begins_ms + record.m, "received_time"
        cut = cut_of(index, self._stretch.ends)
        anchor = self._anchor(record, cut)
        if anchor is not None:
            return anchor + record.m, "repaired"
        bound = self._bound(record.b, cut)
        if bound is None:
            raise UndatedError(f"leaf {index}: its clock was not synchronised and no cosignature covers it")
        return bound[0] + record.m, "received_time"

    def tightest(self, index: int, record: Record) -> tuple[int, Receipt | None] | None:
        """When the record's boot began, and the cosignature that says so (None: an earlier statement does); None where
        its time is known otherwise, or not at all.
        """
        cut = cut_of(index, self._stretch.ends)
        if self._clock(index, record.b) is not None or self._anchor(record, cut) is not None:
            return None
        return self._bound(record.b, cut)

    def _clock(self, index: int, boot: str) -> Clock | None:
        """The clock by which a leaf was billed. Where a leaf before the range was cut is told by its boot's clocks."""
        known = self._clocks.get(boot, ())
        if index >= self._stretch.start:
            cut = cut_of(index, self._stretch.ends)
            return next((one for one in known if one.to == cut), None)
        return next((one for one in known if one.to > index), None)

    def _anchor(self, record: Record, cut: int) -> int | None:
        anchor = self._first_synchronised.get(record.b)
        return anchor[1] if anchor is not None and anchor[0] < cut else None

    def _bound(self, boot: str, cut: int) -> tuple[int, Receipt | None] | None:
        """The earliest time that a cosignature allows for the boot's beginning: its record at ``m`` existed by then."""
        if (boot, cut) not in self._tightest:
            said = [one.begins_ms for one in self._clocks.get(boot, ()) if one.to < cut]
            indexes, ticks = self._leaves[boot]
            bounds: list[tuple[int, Receipt | None]] = [
                (receipt.seconds * 1000 - ticks[covered - 1], receipt)
                for receipt in self._receipts
                if receipt.size <= cut and (covered := bisect_left(indexes, receipt.size))
            ]
            # What was said comes first: of two that say the same, it needs no cosignature to be shown.
            known: list[tuple[int, Receipt | None]] = [(begins, None) for begins in said]
            self._tightest[boot, cut] = min([*known, *bounds], key=lambda one: one[0], default=None)
        return self._tightest[boot, cut]
