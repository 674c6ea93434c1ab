"""A record on its way into the ledgers: proven by its log, counted once, with the time that decides its period.

The ledgers never see a leaf twice: what reaches them has passed the signature, the Merkle root and the unique key
`(tenant, src, ep, n)`. A ledger that cannot use a record says so with `Unusable`; the record is then quarantined
with that reason and comes again, as the same `Posted`, when somebody has mended the cause and retries it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from wire.ids import RecordKey
from wire.records import Record

TimeQuality = Literal["synchronised", "repaired", "received_time"]


class Posted(msgspec.Struct, frozen=True, gc=False):
    """One record as the ledgers receive it; they store `log` and `index`, because that pair is the printed evidence.

    `at_ms` is milliseconds UTC and is the only time a period, a price version or a time-of-use window may be decided
    by; `at_quality` says where it came from: the gateway's synchronised clock, repaired from the boot's monotonic
    time, or merely the time of the cosignature, which the statement's line must show.
    """

    tenant: str
    log: str
    log_no: int
    index: int
    leaf_hash: bytes
    record: Record
    at_ms: int
    at_quality: TimeQuality
    gateway: str

    @property
    def key(self) -> RecordKey:
        """The record's idempotency key."""
        return self.record.key

    @property
    def position(self) -> tuple[int, int]:
        """Log number and index of its leaf: where it stands in the order of its device."""
        return (self.log_no, self.index)


class Unusable(msgspec.Struct, frozen=True):
    """A record a ledger cannot use yet.

    `reason` is a short slug (`unknown-item`), `detail` a sentence that says what to mend.
    """

    posted: Posted
    reason: str
    detail: str
