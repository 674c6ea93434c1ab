"""PURE: a batch in which nothing is odd, made ready ahead of the writer: its rows, and its records for the ledgers.

Nearly every batch is one. The surprise is why it pays: what is done here is done by another thread while the writer
waits for its disk; the writer has only the few questions left that need a database. One odd record (no counter, a clock
that nobody vouches for, a name too long), and the whole batch is looked at leaf by leaf (``candidates.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloud.ingest.posted import Posted, TimeQuality
from wire.records import Record

Binding = tuple[str, str, str]  # tenant, gateway, device
LeafRow = tuple[str, int, int, bytes, bytes]
KeyRow = tuple[str, str, str, int, str | None, int, int]
SYNCHRONISED: TimeQuality = "synchronised"
MAX_DID = 1024  # bytes; PostgreSQL's indexes refuse rows of more than 2,704, and 1,024 letters may take 4,096


class Whose(NamedTuple):
    """The log that a batch belongs to, as rows and records name it."""

    tenant: str
    log_no: int
    log_id: str
    gateway: str


class Plain(NamedTuple):
    """Rows for the leaves and the keys, records for the ledgers; ``boot`` is the one they all come from."""

    leaves: list[LeafRow]
    keys: list[KeyRow]
    posted: list[Posted]
    bindings: frozenset[Binding]
    boot: str


def names_too_much(did: str) -> bool:
    """Whether a device's name of an event is longer than any index takes."""
    return len(did) > MAX_DID // 4 and len(did.encode()) > MAX_DID


def plain(
    whose: Whose, first: int, leaves: Sequence[bytes], hashes: Sequence[bytes], records: Sequence[Record]
) -> Plain | None:
    """The batch ``[first, first + len(leaves))`` made ready; None when something in it needs a closer look."""
    if not records:
        return None
    boot = records[0].b
    for record in records:
        if record.ts != "S" or record.b != boot or record.n == 0 or names_too_much(record.did):
            return None
    tenant, log_no, log_id, gateway = whose
    end = first + len(leaves)
    return Plain(
        [
            (tenant, log_no, index, leaf, hashed)
            for index, leaf, hashed in zip(range(first, end), leaves, hashes, strict=True)
        ],
        [
            (tenant, record.src, record.ep, record.n, record.did or None, log_no, index)
            for index, record in zip(range(first, end), records, strict=True)
        ],
        [
            Posted(tenant, log_id, log_no, index, hashed, record, record.t, SYNCHRONISED, gateway)
            for index, hashed, record in zip(range(first, end), hashes, records, strict=True)
        ],
        frozenset((tenant, gateway, src) for src in {record.src for record in records} if src != gateway),
        boot,
    )
