"""PURE: which time counts for a record: the one that decides its period, its price version, its time-of-use window.

``t`` where the gateway's clock was synchronised. Otherwise the boot's monotonic time, tied to the world by the first
synchronised record of the same boot, or else by a cosignature: a record of boot time ``m`` that was cosigned at ``T``
was written no later than ``T``, so the boot's zero is no later than ``T - m``, and the earliest such bound is the
tightest. Where a boot has neither, the time of the cosignature counts, and the line says so (``received_time``).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.ingest.posted import TimeQuality
from wire.records import Record


class Anchor(msgspec.Struct, frozen=True):
    """The wall time (ms UTC) of a boot's ``m == 0``, as far as it is known."""

    synchronised_zero_ms: int | None = None
    cosigned_zero_ms: int | None = None

    def joined(self, other: Anchor) -> Anchor:
        """Both anchors of one boot, ``self`` the earlier: its first synchronised record, its tightest cosignature."""
        bounds = [zero for zero in (self.cosigned_zero_ms, other.cosigned_zero_ms) if zero is not None]
        first = self.synchronised_zero_ms
        return Anchor(other.synchronised_zero_ms if first is None else first, min(bounds, default=None))


def decide(record: Record, anchor: Anchor | None, received_ms: int) -> tuple[int, TimeQuality]:
    """The record's time in ms UTC and where it comes from; ``received_ms`` is the time of its cosignature."""
    if record.ts == "S":
        return record.t, "synchronised"
    if anchor is not None and anchor.synchronised_zero_ms is not None:
        return anchor.synchronised_zero_ms + record.m, "repaired"
    if anchor is not None and anchor.cosigned_zero_ms is not None:
        return min(anchor.cosigned_zero_ms + record.m, received_ms), "repaired"
    return received_ms, "received_time"


def anchors_in(records: Sequence[Record], received_ms: int) -> dict[str, Anchor]:
    """What one batch, in log order, tells about its boots.

    Only the boot of the last record was provably alive when the batch was cosigned, so only that one is bounded by it.
    """
    found: dict[str, Anchor] = {}
    for record in records:
        if record.ts == "S" and record.b not in found:
            found[record.b] = Anchor(synchronised_zero_ms=record.t - record.m)
    if records:
        last = records[-1]
        bound = Anchor(cosigned_zero_ms=received_ms - last.m)
        found[last.b] = found.get(last.b, Anchor()).joined(bound)
    return found
