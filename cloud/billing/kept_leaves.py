"""Leaves that were read for a running bill, kept for the next one: a page reads what is new, not the period again.

The surprise: nothing can go stale. A log only grows, and what is kept is asked for by the root of the log at the size
it was kept at; another database, or a log that was restored, has another root. Statements never use this: what is
closed is read from the leaves themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple

from cloud.billing.facts import Counter
from wire.records import Record

Key = tuple[str, int, tuple[str, ...]]
"""Log, first index, the devices whose leaves are wanted."""


class Kept(NamedTuple):
    """What was read of a log from an index up to ``end``, when its root there was ``root`` (hex)."""

    end: int
    root: str
    records: Mapping[int, Record]
    counters: Sequence[tuple[int, Counter]]


class KeptLeaves:
    """The ranges that were read last; about ``most`` records of them."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._ranges: OrderedDict[Key, Kept] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Key) -> Kept | None:
        """What is kept of a range."""
        with self._lock:
            if key in self._ranges:
                self._ranges.move_to_end(key)
            return self._ranges.get(key)

    def keep(self, key: Key, kept: Kept) -> None:
        """Keeps a range in the place of what was kept of it; those that nobody asked for longest go."""
        with self._lock:
            self._forget(key)
            self._ranges[key] = kept
            self._size += len(kept.counters)
            while self._size > self._most and len(self._ranges) > 1:
                self._forget(next(iter(self._ranges)))

    def _forget(self, key: Key) -> None:
        before = self._ranges.pop(key, None)
        self._size -= 0 if before is None else len(before.counters)


RUNNING = KeptLeaves(300_000)
