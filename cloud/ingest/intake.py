"""Receives batches: finds the log, lets them in at the door, and queues them for the database."""

from __future__ import annotations

import asyncio
import re

from cloud.clock import monotonic
from cloud.database import Store
from cloud.ingest import repository
from cloud.ingest.door import Door
from cloud.ingest.group_commit import GroupCommit
from cloud.ingest.incoming import Incoming, Letter, LogIdentity, Refusal
from cloud.ingest.receive_batch import Answer, Desk
from cloud.metrics import Metrics

MAX_KNOWN = 100_000
_LOG_ID = re.compile(r"[0-9a-f]{64}\Z")
KEYS = ("bad-signature", "retired-key", "revoked-key", "stale-keys")
UNKNOWN = Refusal("unknown-log", "No gateway is enrolled with this log; enrol it again with a new code.")


class Intake:
    """Receives batches for every log of this cloud."""

    def __init__(self, store: Store, desk: Desk, metrics: Metrics, *, group_records: int, max_waiting: int) -> None:
        self.desk = desk
        self._store = store
        self._metrics = metrics
        self._group_records = group_records
        self._door = Door(store, self._onward, max_waiting=max_waiting)
        self._queue = GroupCommit(store, desk, metrics, max_waiting=max_waiting)
        self._alone: set[asyncio.Task[None]] = set()
        self._known: dict[str, LogIdentity] = {}

    async def log(self, log_id: str) -> LogIdentity | None:
        """The log with this id; it is looked up once, and again when its keys may have changed."""
        known = self._known.get(log_id)
        return await self._look_up(log_id) if known is None and _LOG_ID.match(log_id) else known

    async def _look_up(self, log_id: str) -> LogIdentity | None:
        known = await self._store.read(lambda tx: repository.identity(tx, log_id))
        if known is not None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[log_id] = known
        return known

    def forget(self, log_id: str) -> None:
        """The log's keys have changed: it is looked up again."""
        self._known.pop(log_id, None)

    async def take(self, log_id: str, body: bytes, *, gzipped: bool) -> Answer:
        """The answer to a request body posted to a log."""
        started = monotonic()
        answer = await self._answer(log_id, body, gzipped=gzipped)
        self._metrics.seconds.observe(monotonic() - started)
        return answer

    async def _answer(self, log_id: str, body: bytes, *, gzipped: bool) -> Answer:
        log = await self.log(log_id)
        if log is None:
            return self._counted(UNKNOWN)
        answer = await self._door.bring(Letter(log, body, gzipped))
        if isinstance(answer, Refusal) and answer.problem in KEYS:
            # Another process may have learned of a key since we looked.
            known = await self._look_up(log_id)
            if known is not None and known.edition != log.edition:
                answer = await self._door.bring(Letter(known, body, gzipped))
        return self._counted(answer)

    def _onward(self, incoming: Incoming, answer: asyncio.Future[Answer]) -> None:
        if len(incoming.batch.leaves) <= self._group_records:
            self._queue.share(incoming, answer)
        else:
            task = asyncio.create_task(self._queue.alone(incoming, answer))
            self._alone.add(task)
            task.add_done_callback(self._alone.discard)

    def _counted(self, answer: Answer) -> Answer:
        if isinstance(answer, Refusal):
            self._metrics.batches.labels(answer.problem).inc()
        return answer
