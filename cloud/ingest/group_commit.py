"""Small batches share a transaction: whatever arrived while the last one was committed goes into the next.

A commit and its statements cost nearly the same for five records as for a hundred, so waiting for the one under way
makes everybody faster. If a group fails, its members are tried one by one, so that nobody fails for another's fault.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from cloud.database import DatabaseAwayError, Store
from cloud.ingest.incoming import Incoming, Refusal
from cloud.ingest.receive_batch import Answer, Desk, receive
from cloud.metrics import Metrics
from wire.batch import Receipt

MAX_GROUP = 256
MAX_LEAVES = 4096  # of a group: whoever comes next waits no longer than for one large batch
CROWD = (8, 200)  # waiting batches, or leaves of them, that make a second writer worth its own transaction
log = logging.getLogger("tallystick.ingest")

Waiter = tuple[Incoming, "asyncio.Future[Answer]"]


class GroupCommit:
    """The queue in front of the database."""

    def __init__(self, store: Store, desk: Desk, metrics: Metrics, *, max_waiting: int) -> None:
        self._store = store
        self._desk = desk
        self._metrics = metrics
        self._max_waiting = max_waiting
        self._waiting: list[Waiter] = []
        self._draining: set[asyncio.Task[None]] = set()
        self._under_way: set[str] = set()

    def share(self, incoming: Incoming, answer: asyncio.Future[Answer]) -> None:
        """A small batch gets its answer from a transaction that it may share with others."""
        if len(self._waiting) >= self._max_waiting:
            _settle(answer, Refusal("busy", "Too many batches are waiting for the database."))
            return
        self._waiting.append((incoming, answer))
        if not self._draining or (len(self._draining) < self._store.writers and self._is_crowded()):
            self._draining.add(asyncio.create_task(self._drain()))

    async def alone(self, incoming: Incoming, answer: asyncio.Future[Answer]) -> None:
        """A batch gets its answer from a transaction of its own."""
        try:
            _settle(answer, await self._alone(incoming))
        except Exception as error:  # noqa: BLE001 -- it belongs to the one who waits for this answer
            _fail(answer, error)

    async def _alone(self, incoming: Incoming) -> Answer:
        """Tried again with care when a ledger breaks at a record."""
        self._metrics.group_size.observe(1)
        try:
            answers = await self._store.run(partial(receive, batches=[incoming], desk=self._desk))
        except DatabaseAwayError:
            raise
        except Exception:
            log.exception("a batch of %s broke; trying it record by record", incoming.log.origin)
            answers = await self._store.run(partial(receive, batches=[incoming], desk=self._desk, careful=True))
        self._count([incoming], answers)
        return answers[0]

    def _is_crowded(self) -> bool:
        batches, leaves = CROWD
        waiting = self._waiting
        return len(waiting) >= batches or sum(len(incoming.batch.leaves) for incoming, _ in waiting) >= leaves

    async def _drain(self) -> None:
        try:
            while group := self._take():
                logs = {incoming.log.log_id for incoming, _ in group}
                self._under_way |= logs
                try:
                    await self._commit(group)
                finally:
                    self._under_way -= logs
        finally:  # at once, and not when the loop finds the task done: whoever comes in between must start another
            self._draining = {task for task in self._draining if task is not asyncio.current_task()}

    def _take(self) -> list[Waiter]:
        """The next group: first come first served, but of each log one batch only, since they build on each other.

        A log whose last batch is still under way in another transaction waits for the one who took it.
        """
        group: list[Waiter] = []
        later: list[Waiter] = []
        logs, leaves = set(self._under_way), 0
        for waiter in self._waiting:
            log_id = waiter[0].log.log_id
            if log_id in logs or len(group) >= MAX_GROUP or leaves >= MAX_LEAVES:
                later.append(waiter)
            else:
                group.append(waiter)
                leaves += len(waiter[0].batch.leaves)
            logs.add(log_id)
        self._waiting = later
        return group

    async def _commit(self, group: list[Waiter]) -> None:
        if len(group) > 1:
            self._metrics.group_size.observe(len(group))
            batches = [incoming for incoming, _ in group]
            try:
                answers = await self._store.run(partial(receive, batches=batches, desk=self._desk))
            except DatabaseAwayError as error:
                for _, future in group:
                    _fail(future, error)
                return
            except Exception:
                log.warning("a group of %d batches failed; taking them one by one", len(group), exc_info=True)
            else:
                self._count(batches, answers)
                for (_, future), answer in zip(group, answers, strict=True):
                    _settle(future, answer)
                return
        for incoming, future in group:
            await self.alone(incoming, future)

    def _count(self, batches: Sequence[Incoming], answers: Sequence[Answer]) -> None:
        """What was cosigned, once for all of a group: a counter costs a lock."""
        cosigned, leaves, waiting = 0, 0, 0
        for incoming, answer in zip(batches, answers, strict=True):
            if isinstance(answer, Receipt):
                cosigned, leaves = cosigned + 1, leaves + len(incoming.batch.leaves)
                waiting += answer.quarantined
        if cosigned:
            self._metrics.taken(cosigned, leaves, waiting)


def _settle(future: asyncio.Future[Answer], answer: Answer) -> None:
    """Gives the answer to who asked, unless he went away."""
    if not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    """Tells who asked that there is no answer, unless he went away."""
    if not future.done():
        future.set_exception(error)
