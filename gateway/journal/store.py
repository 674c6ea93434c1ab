"""The journal: what was said stays said. A record is kept when ``append`` returns, whatever happens next.

One writer (aiosqlite's thread) and one writer task that commits together what waits. After any error nothing more is
acknowledged until the file has been closed, opened again and checked: a later sync may lie about what an earlier one
lost. A full disk stops vending; it never costs a record.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar

import msgspec

from gateway import folders
from gateway.journal import opening, reading
from gateway.journal.commit import Numbering, Outcome, commit_group
from gateway.journal.connection import (
    Busy,
    Connection,
    DamagedError,
    Lock,
    limit_pages,
    refuse_volatile,
    settle_in_reader,
)
from gateway.journal.room import Room, is_full
from gateway.journal.salvage import move_aside, take_over
from gateway.ports import Attempt, DiskThread, JournalFull, NotStored, OpenDisk, RecordRefused
from wire.ids import RecordKey
from wire.records import Intent, Record, decode

T = TypeVar("T")
P = ParamSpec("P")
Waiting = tuple[Sequence[Record], asyncio.Future[list[RecordKey]]]

GROUP = 100
RETRY_SECONDS = 1.0
State = Literal["ok", "full", "down", "closed"]

log = logging.getLogger("gateway.journal")


class Stats(msgspec.Struct, frozen=True):
    """The journal in numbers, since it was opened. ``damaged``: records found changed on the disk."""

    state: State
    appended: int
    commits: int
    failures: int
    damaged: int
    waiting: int


class Journal:
    """Open one with ``await Journal.open(...)``. ``grown`` is set at each commit: the uplink waits for it."""

    def __init__(self, path: Path, numbering: Numbering, room: Room, busy: Busy, disk: OpenDisk | None = None) -> None:
        self.path = path
        self.boot = numbering.boot
        self.grown = asyncio.Event()
        self.opened = opening.Opened()
        self.damaged = 0
        self._room = room
        self._lock = Lock(path)
        self._busy = busy
        self._open_disk = disk or partial(Connection.open, busy=busy)
        self._numbering = numbering
        self._state: State = "down"
        self._why = ""
        self._writer: DiskThread | None = None
        self._reader: DiskThread | None = None
        self._turn = asyncio.Lock()
        self._opening = asyncio.Lock()
        self._waiting: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._appended = self._commits = self._failures = 0

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        boot: str,
        salt: Callable[[], str],
        demo: bool = False,
        quota_mb: int = 0,
        ballast_mb: int = 0,
        busy: Busy | None = None,
        disk: OpenDisk | None = None,
    ) -> Journal:
        """Opens, migrates and checks the file.

        A damaged file is moved aside and what is sound of it taken over (``journal.opened.salvaged`` tells).
        ``busy``: a counter to use, for a world that watches it from before the opening; ``disk``: see ``Ports``.
        Raises JournalRefusedError where a person must change something, NotStored when the disk does not let us.
        """
        refuse_volatile(path, demo=demo)
        room = Room(path, quota_mb=quota_mb, ballast_mb=ballast_mb)
        journal = cls(path, Numbering(boot, {}, salt), room, busy or Busy(), disk)
        try:
            folders.make(path.parent)
            journal._lock.take()
            journal._room.settle_in()
            await journal._connect()
            journal._state = "ok"
            journal.grown.set()
        except (sqlite3.Error, OSError) as error:
            await journal._drop()
            raise NotStored(f"the journal {path} cannot be opened: {error}. Check the disk and its rights.") from error
        except BaseException:
            await journal._drop()
            raise
        journal._task = asyncio.create_task(journal._write(), name="journal writer")
        return journal

    @property
    def busy(self) -> int:
        """Thread jobs under way now."""
        return self._busy.jobs

    @property
    def state(self) -> State:
        """ok; full: no room for records; down: a write failed and the file is not open again yet; closed."""
        return self._state

    @property
    def why(self) -> str:
        """What the disk said, when the state is not ok."""
        return self._why

    def stats(self) -> Stats:
        """Numbers for pages and metrics."""
        return Stats(self._state, self._appended, self._commits, self._failures, self.damaged, len(self._waiting))

    async def append(self, records: Sequence[Record]) -> list[RecordKey]:
        """Stores the records and returns their keys after the synced commit, all or none; order is kept.

        Raises NotStored, JournalFull (nobody may hear "got it", nothing may be vended) or RecordRefused.
        """
        if self._state != "ok" and await self.probe() != "ok":
            raise self._refusal()
        if not records:
            return []
        future: asyncio.Future[list[RecordKey]] = asyncio.get_running_loop().create_future()
        self._waiting.append((records, future))
        self._wake.set()
        return await future

    async def mark_commanded(self, key: RecordKey) -> None:
        """Notes that this intent's command may leave from now on; raises NotStored."""
        await self.change(opening.mark_commanded, key)

    async def open_attempts(self) -> list[Attempt]:
        """Intents that no draw names, oldest first."""
        rows = await self.change(opening.attempts)
        found = [(decode(leaf), commanded) for leaf, commanded in rows]
        return [Attempt(intent, intent.key, bool(told)) for intent, told in found if isinstance(intent, Intent)]

    async def told(self, device: str, count: int) -> list[str]:
        """The device's own names (``did``) of the last events we hold of it, newest first; raises NotStored."""
        return await self.read(reading.told, device, count)

    async def said(self, device: str, count: int) -> list[Record]:
        """The last records of a device, oldest of them first; of pruned ones the goods. Raises NotStored."""
        return [decode(leaf) for leaf in await self.read(reading.last_said, device, count)]

    async def change(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs
    ) -> T:
        """Runs something small and durable on the writer's thread; it may use the reserve when records no longer fit.

        Raises NotStored, and what ``function`` raises of its own.
        """
        async with self._turn:
            try:
                return await self._run(function, *args, **kw)
            except (sqlite3.Error, OSError) as error:
                await self._failed(error)
                if not is_full(error):
                    raise NotStored(f"the journal could not be written: {error}") from error
            self._room.use_reserve()
            try:
                return await self._run(function, *args, **kw)
            except (sqlite3.Error, OSError) as error:
                await self._failed(error)
                raise JournalFull(f"the journal has used up even its reserve: {error}") from error

    async def read(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """Runs a query on the reader's thread, so that a long one does not hold up commits. Raises NotStored."""
        try:
            async with self._opening:
                if self._state == "closed":
                    raise self._refusal()
                if self._reader is None:
                    self._reader = await self._open_disk(self.path, read_only=True)
                    await self._reader.run(settle_in_reader)
            return await self._reader.run(function, *args, **kw)
        except sqlite3.Error as error:
            raise NotStored(f"the journal could not be read: {error}") from error

    async def probe(self) -> State:
        """Looks whether a full or failed journal can go on again; costs nothing when all is well."""
        if self._state in ("ok", "closed") or self._resting is not None:
            return self._state
        async with self._turn:
            try:
                if await self._run(self._room.enough):
                    await self._run(limit_pages, self._room.pages)
                    self._recovered()
            except (sqlite3.Error, OSError) as error:
                await self._failed(error)
        return self._state

    async def close(self) -> None:
        """Commits what waits, then closes; later appends raise NotStored."""
        if self._state == "ok":
            self._why = "the gateway is stopping"
        self._state = "closed"
        self._wake.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self._drop()

    async def abandon(self) -> None:
        """Ends without committing what waits, as a power cut would; for simulated worlds."""
        self._state = "closed"
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._drop()

    async def _write(self) -> None:
        while self._state != "closed" or self._waiting:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._commit(self._take())

    def _take(self) -> list[Waiting]:
        """What waits, up to a group; one larger append goes as it is."""
        taken = [self._waiting.popleft()]
        size = len(taken[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= GROUP:
            size += len(self._waiting[0][0])
            taken.append(self._waiting.popleft())
        return taken

    async def _commit(self, group: list[Waiting]) -> None:
        async with self._turn:
            try:
                if self._state in ("full", "down"):
                    self._refuse(group)
                    return
                outcomes = await self._run(commit_group, [records for records, _ in group], self._numbering)
            except (sqlite3.Error, DamagedError, OSError) as error:
                await self._failed(error)
                self._refuse(group)
                return
            except Exception as error:  # noqa: BLE001 - a mistake of ours is told to who made it; the writer goes on
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                return
        self._commits += 1
        for (_, future), outcome in zip(group, outcomes, strict=True):
            self._answer(future, outcome)
        self.grown.set()

    def _answer(self, future: asyncio.Future[list[RecordKey]], outcome: Outcome) -> None:
        if not isinstance(outcome, RecordRefused):
            self._appended += len(outcome)
        if future.done():
            return
        if isinstance(outcome, RecordRefused):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _refuse(self, group: list[Waiting]) -> None:
        """After a failure nobody who waits hears "got it", not only those of the failed group."""
        for _, future in [*group, *self._waiting]:
            if not future.done():
                future.set_exception(self._refusal())
        self._waiting.clear()

    def _refusal(self) -> NotStored:
        if self._state == "full":
            return JournalFull(f"the journal is full ({self._why}): nothing is vended until there is room")
        return NotStored(f"the journal does not take records now ({self._why})")

    def _rested(self) -> None:
        self._resting = None

    async def _run(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """On the writer's thread, on a connection that has not failed yet. The caller has the turn."""
        if self._writer is None:
            await self._connect()
        assert self._writer is not None
        return await self._writer.run(function, *args, **kw)

    async def _connect(self) -> None:
        try:
            opened = await self._prepare()
        except DamagedError as damage:
            await self._drop_writer()
            log.critical("journal damaged", extra={"path": str(self.path), "why": str(damage)})
            aside = move_aside(self.path)
            await self._prepare()
            assert self._writer is not None
            salvaged = await self._writer.run(take_over, aside, str(damage))
            opened = await self._writer.run(opening.left, self.boot, salvaged)
        if self.opened.salvaged is not None and opened.salvaged is None:
            opened = msgspec.structs.replace(opened, salvaged=self.opened.salvaged)
        self.opened = opened
        for src, n in opened.last.items():
            self._numbering.last[src] = max(n, self._numbering.last.get(src, 0))

    async def _prepare(self) -> opening.Opened:
        self._writer = await self._open_disk(self.path, read_only=False)
        return await self._writer.run(opening.prepare, self.path, self._room, self.boot)

    async def _failed(self, error: BaseException) -> None:
        """Stop acknowledging; close. The next use opens the file again and checks it."""
        self._failures += 1
        if self._resting is not None:
            self._resting.cancel()
        self._resting = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._rested)
        self._why = str(error)
        if self._state != "closed":
            self._state = "full" if is_full(error) else "down"
        log.error("journal write failed", extra={"why": self._why, "journal": self._state})
        await self._drop_writer()

    def _recovered(self) -> None:
        log.warning("journal takes records again", extra={"after": self._why})
        if self._state != "closed":
            self._state, self._why = "ok", ""

    async def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                await writer.close()
            except (sqlite3.Error, OSError) as error:
                log.warning("journal could not be closed cleanly", extra={"why": str(error)})

    async def _drop(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
        async with self._opening:
            reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()
        await self._drop_writer()
        self._lock.release()
