"""Counted events that were read for a running bill, kept for the next one: what came since is read, not the period.

The surprise: nothing can go stale. Events are never changed and their serial numbers only grow; the last kept one is
looked up again, so that another database or one that was restored is noticed. Statements never use this.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from cloud.database import Tx
from cloud.events import repository as events
from cloud.rating.events import CountedEvent

Key = tuple[str, tuple[str, ...], int, int]
"""Tenant, sources, the instant (ms UTC) and the serial number since which events are wanted."""


class KeptEvents:
    """The events of the agreements that were asked for last; about ``most`` of them in all."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._told: OrderedDict[Key, tuple[int, list[CountedEvent]]] = OrderedDict()
        self._lock = Lock()

    def read(self, tx: Tx, key: Key, until_serial: int) -> list[CountedEvent]:
        """Events of these sources up to and with a serial number, as ``events.of_sources`` gives them."""
        tenant, sources, since_ms, from_serial = key
        with self._lock:
            until, known = self._told.get(key, (0, []))
        if not known or until > until_serial or events.of_serial(tx, tenant, known[-1].serial) != known[-1]:
            until, known = 0, []
        wanted = {"since_ms": since_ms, "from_serial": from_serial, "until_serial": until_serial}
        new = events.of_sources(tx, tenant, sources, **wanted, after_serial=until)
        found = [*known, *new]
        self._keep(key, until_serial, found)
        return found

    def _keep(self, key: Key, until: int, found: list[CountedEvent]) -> None:
        with self._lock:
            self._forget(key)
            self._told[key] = (until, found)
            self._size += len(found)
            while self._size > self._most and len(self._told) > 1:
                self._forget(next(iter(self._told)))

    def forget(self) -> None:
        """Keeps nothing."""
        with self._lock:
            self._told.clear()
            self._size = 0

    def _forget(self, key: Key) -> None:
        self._size -= len(self._told.pop(key, (0, []))[1])


RUNNING_EVENTS = KeptEvents(300_000)
"""What running bills share."""
