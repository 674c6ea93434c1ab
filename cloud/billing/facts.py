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

from cloud.rating.lines import LeafRef, TimeQuality
from wire.records import DeviceEvent, Draw, DrawResolved, Reading, Record, Return, Reversal

BILLED_KINDS = (Draw, DrawResolved, Reversal, Return, Reading)
METER_EVENTS = ("identified", "replaced")


class Fact(NamedTuple):
    """A record as evidence."""

    leaf: LeafRef
    record: Record


class Counter(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """The last counter ``n`` of an epoch of a device before a place in the log."""

    src: str
    ep: str
    n: int


class LogRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a log a statement stands on: leaves ``[from, to)``.

    ``cuts``: where earlier statements ended, as far as they lie in the range (the last one is where this statement's
    own leaves begin). ``carry``: the next statement's ``from``: the first leaf that belongs to a later period.
    ``opening``/``counters``: the devices' counters before ``from`` and before ``carry``. ``root``: hex, at ``to``.
    """

    log: str
    origin: str
    from_: int = msgspec.field(name="from")
    cuts: list[int]
    to: int
    carry: int
    root: str
    opening: list[Counter]
    counters: list[Counter]

    @property
    def settled(self) -> int:
        """Leaves before this index were in the hands of an earlier statement."""
        return self.cuts[-1] if self.cuts else self.from_


class Receipt(NamedTuple):
    """A cosignature: the log had ``size`` leaves at ``at_ms``."""

    size: int
    at_ms: int


class UndatedError(ValueError):
    """No cosignature covers a leaf whose clock was not synchronised: its time cannot be decided."""


def is_billed_kind(record: Record) -> bool:
    """Whether the record can change a bill."""
    return isinstance(record, BILLED_KINDS) or (isinstance(record, DeviceEvent) and record.event in METER_EVENTS)


def date_leaves(
    log: int, records: Mapping[int, Record], cuts: Sequence[int], receipts: Iterable[Receipt]
) -> dict[int, LeafRef]:
    """The deciding time of every leaf: its own if the clock was synchronised, else repaired from the first synchronised
    record of the same boot, else from the tightest cosignature (quality ``received_time``). ``cuts`` ends with the
    range's end; only what was known at a leaf's cut counts.
    """
    ends = sorted(cuts)
    boots = _Boots(records, sorted(receipts))
    dated = {}
    for index, record in records.items():
        at = bisect_right(ends, index)
        cut = ends[at] if at < len(ends) else ends[-1]
        own: tuple[int, TimeQuality] = (record.t, "synchronised")
        when, quality = own if record.ts == "S" else boots.repair(index, record, cut)
        dated[index] = LeafRef(log, index, when, quality)
    return dated


class _Boots:
    """Monotonic clocks of the boots in a log, tied to the world."""

    def __init__(self, records: Mapping[int, Record], receipts: Sequence[Receipt]) -> None:
        self._receipts = receipts
        self._first_synchronised: dict[str, tuple[int, int]] = {}
        self._unsynchronised: dict[str, list[tuple[int, int]]] = {}
        self._bounds: dict[tuple[str, int], int | None] = {}
        for index in sorted(records):
            record = records[index]
            if record.ts == "S":
                self._first_synchronised.setdefault(record.b, (index, record.t - record.m))
            self._unsynchronised.setdefault(record.b, []).append((index, record.m))

    def repair(self, index: int, record: Record, cut: int) -> tuple[int, TimeQuality]:
        anchor = self._first_synchronised.get(record.b)
        if anchor is not None and anchor[0] < cut:
            return anchor[1] + record.m, "repaired"
        bound = self._cosigned_zero(record.b, cut)
        if bound is None:
            raise UndatedError(f"leaf {index}: its clock was not synchronised and no cosignature covers it")
        return bound + record.m, "received_time"

    def _cosigned_zero(self, boot: str, cut: int) -> int | None:
        if (boot, cut) not in self._bounds:
            bounds = [
                receipt.at_ms - max(known)
                for receipt in self._receipts
                if receipt.size <= cut
                and (known := [m for index, m in self._unsynchronised[boot] if index < receipt.size])
            ]
            self._bounds[boot, cut] = min(bounds, default=None)
        return self._bounds[boot, cut]
