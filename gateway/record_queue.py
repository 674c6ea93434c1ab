"""What a line's devices said, on its way to the journal: bounded, in order, one writer.

The surprise is that recording does not hold the line: the journal's sync may take longer than a device's whole answer.
Only a device that waits for "got it" is made to wait, by `keep`: its records and all before them are on disk then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from gateway.clock import Clock
from gateway.ports import Journal, NotStored, RecordRefused
from wire.ids import RecordKey
from wire.records import Record

log = logging.getLogger(__name__)

QUEUE = 2_000


class RecordQueue:
    """The records of one line. `put` and go on, or `keep` and wait."""

    def __init__(self, name: str, journal: Journal, clock: Clock) -> None:
        self.dropped = 0
        self._name = name
        self._journal = journal
        self._clock = clock
        self._queue: deque[Record] = deque()
        self._queued = asyncio.Event()
        self._storing = asyncio.Lock()

    def put(self, *records: Record) -> None:
        """Queues them; the oldest make room when the journal takes nothing for long."""
        self._queue.extend(records)
        while len(self._queue) > QUEUE:
            self._queue.popleft()
            self.dropped += 1
        if records:
            self._queued.set()

    async def keep(self, records: Sequence[Record]) -> list[RecordKey | None] | None:
        """Their keys, when they are on disk; None in the list for one that can never be (said in the log). None: they
        were not taken, tell it again.
        """
        if not await self._store():
            return None
        async with self._storing:
            try:
                return list(await self._journal.append(records))
            except RecordRefused:
                return await self._keep_alone(records)
            except NotStored as error:
                log.warning("line %s: %s", self._name, error)
                return None

    async def _keep_alone(self, records: Sequence[Record]) -> list[RecordKey | None] | None:
        keys: list[RecordKey | None] = []
        for record in records:
            try:
                keys += await self._journal.append([record])
            except RecordRefused as error:
                log.warning("line %s: a record of %s was refused for ever: %s", self._name, record.src, error)
                keys.append(None)
            except NotStored as error:
                log.warning("line %s: %s", self._name, error)
                return None
        return keys

    async def run(self) -> None:
        """Writes until cancelled; then what waits, once more."""
        try:
            while True:
                await self._queued.wait()
                self._queued.clear()
                if not await self._store():
                    await self._clock.sleep(1.0)
                    self._queued.set()
        except asyncio.CancelledError:
            await self._store()
            raise

    async def _store(self) -> bool:
        """Everything queued, in one commit; what the journal cannot take now waits, what it can never take is named."""
        async with self._storing:
            while self._queue:
                records = list(self._queue)
                self._queue.clear()
                left = await self._append(records)
                if left:
                    self._queue.extendleft(reversed(left[-QUEUE:]))
                    return False
        return True

    async def _append(self, records: Sequence[Record]) -> list[Record]:
        """Those that were not taken."""
        try:
            await self._journal.append(records)
        except RecordRefused:
            return [record for record in records if not await self._append_alone(record)]
        except NotStored as error:
            log.warning("line %s: %s", self._name, error)
            return list(records)
        return []

    async def _append_alone(self, record: Record) -> bool:
        try:
            await self._journal.append([record])
        except RecordRefused as error:
            log.warning("line %s: a record of %s was refused for ever: %s", self._name, record.src, error)
        except NotStored as error:
            log.warning("line %s: %s", self._name, error)
            return False
        return True
