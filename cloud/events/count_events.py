"""Count events from outside: each (source, id) once and for ever, in the transaction that answers.

The surprise: there is no duplicate mark beside the data and no window after which a repeat counts again; the key of the
row is the mark. The same key with another content is kept as a conflict and shown, and never changes what was counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from cloud.database import Tx
from cloud.events import repository
from cloud.rating.events import CountedEvent

Status = Literal["accepted", "repeated", "conflict"]


class Counted(msgspec.Struct, frozen=True):
    """What became of one event: accepted, repeated (the same was there), or a conflict (another content was there)."""

    source: str
    id: str
    status: Status
    serial: int


def count_events(tx: Tx, tenant: str, told: Sequence[CountedEvent], now_ms: int) -> list[Counted]:
    """Keeps the events that are new; one answer for each, in order. Serial numbers of ``told`` are not read."""
    last = repository.lock_serials(tx, tenant)
    known = repository.known(tx, tenant, sorted({event.key for event in told}))
    new: list[tuple[CountedEvent, str]] = []
    clashes: list[tuple[CountedEvent, str]] = []
    answers = []
    for event in told:
        hashed = content_hash(event)
        kept = known.get(event.key)
        if kept is None:
            last += 1
            known[event.key] = kept = repository.Kept(last, hashed)
            new.append((msgspec.structs.replace(event, serial=last), hashed))
            status: Status = "accepted"
        elif kept.content_hash == hashed:
            status = "repeated"
        else:
            clashes.append((event, hashed))
            status = "conflict"
        answers.append(Counted(event.source, event.id, status, kept.serial))
    repository.add(tx, tenant, new, last)
    repository.add_conflicts(tx, tenant, clashes, now_ms)
    return answers


def content_hash(event: CountedEvent) -> str:
    """SHA-256 (hex) of what a source says of an event, without when and as which number it arrived."""
    bare = msgspec.structs.replace(event, serial=0, received=0)
    return hashlib.sha256(bare.leaf).hexdigest()
