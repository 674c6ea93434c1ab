"""Watches over everything else: clock, journal, backlog, sessions; raises alarms, feeds systemd's watchdog.

Feeding stops when the journal's thread or a session's loop does not move any more: a restart heals what nobody foresaw,
and loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from gateway import boot, health
from gateway.clock import Clock
from gateway.config import Config
from gateway.downlink import Downlink
from gateway.health import Alarm, Facts, Unproven
from gateway.identity import Identity
from gateway.journal import check, pruning, reading
from gateway.journal.connection import DamagedError
from gateway.journal.room import free_bytes
from gateway.journal.store import Journal, Stats
from gateway.notify import Notifier
from gateway.open_questions import questions
from gateway.ports import DeviceStatus, NotStored, Ports
from gateway.premises import Premises
from gateway.status import NO_UPLINK, ListStatus, Status
from gateway.uplink import Uplink
from gateway.wiring import Site
from wire.canonical import LeafError
from wire.records import decode

log = logging.getLogger("gateway.watch")

TICK_SECONDS = 2.0
STALLED_SECONDS = 60.0
JUMP_MS = 2000
CHECKED_AT_ONCE = 500
CHECK_PAUSE = 60.0
MINUTE, DAY = 60.0, 86_400.0
ANSWER_SECONDS = 5.0


class Watched(Protocol):
    """What is watched: the gateway's parts, as far as they exist yet."""

    config: Config
    ports: Ports
    identity: Identity | None
    gateway_id: str
    ready: asyncio.Event
    journal: Journal | None
    site: Site
    uplink: Uplink | None
    downlink: Downlink | None
    premises: Premises | None


class Watch:
    """The gateway's memory of how it is."""

    def __init__(self, gateway: Watched, notifier: Notifier) -> None:
        self._gateway = gateway
        self.notifier = notifier
        self._clock = gateway.ports.clock
        self._alarms: list[Alarm] = []
        self._pending = 0
        self._oldest_mono: int | None = None
        self._looked_at = (-1, -1)
        self._commits = (0, 0)
        self._offset: int | None = None
        self._clock_state = self._clock.state()
        self._full_since: int | None = None
        self._told_pages = (False, 0, 0)
        self._played_back = 0
        self._played_back_mono: int | None = None
        self._fed = self._clock.line()

    async def run(self) -> None:
        """Looks every two seconds of real time."""
        while True:
            journal = self._gateway.journal
            if journal is not None:
                await self._look(journal)
            self._feed()
            await self._clock.sleep(TICK_SECONDS * self._clock.scale)

    def status(self) -> Status:
        """Everything in one value."""
        gateway, clock = self._gateway, self._clock
        journal, uplink = gateway.journal, gateway.uplink
        return Status(
            gateway=gateway.gateway_id,
            name=gateway.config.gateway.name,
            version=boot.program_version(),
            boot=clock.boot,
            up_seconds=clock.mono_ms() // 1000,
            clock=clock.state(),
            wall_ms=clock.wall_ms(),
            enrolled=gateway.identity is not None,
            journal=journal.stats() if journal else Stats("closed", 0, 0, 0, 0, 0),
            pending=self._pending,
            pending_seconds=self._pending_seconds(),
            uplink=uplink.status() if uplink else NO_UPLINK,
            desired=self._list(),
            devices=self._devices(),
            alarms=self._alarms,
        )

    def facts(self) -> Facts:
        """What the alarms are made of."""
        gateway = self._gateway
        journal, uplink = gateway.journal, gateway.uplink
        state = uplink.status() if uplink else NO_UPLINK
        desired = self._list()
        silent = (self._clock.mono_ms() - state.reached) // 1000 if state.reached else self._clock.mono_ms() // 1000
        salvaged = journal.opened.salvaged if journal else None
        return Facts(
            journal=journal.state if journal else "closed",
            journal_why=journal.why if journal else "",
            damaged=journal.damaged if journal else 0,
            salvaged=salvaged.moved_to if salvaged else "",
            clock=self._clock.state(),
            enrolled=gateway.identity is not None,
            pending=self._pending,
            pending_seconds=self._pending_seconds() if uplink else None,
            cloud_trouble=state.trouble,
            cloud_silent_seconds=silent,
            frozen=state.frozen,
            played_back_seconds=self._since(self._played_back_mono),
            list_version=desired.version,
            list_seconds=desired.age_seconds,
            free_bytes=free_bytes(journal.path.parent) if journal else None,
            stalled=tuple(self._stalled()),
            devices=tuple(self._devices()),
            unproven=tuple(self._unproven()),
            off=tuple(gateway.premises.off()) if gateway.premises else (),
        )

    def _unproven(self) -> list[Unproven]:
        if self._gateway.premises is None:
            return []
        overdue = [one for one in questions(self._gateway.premises) if one.overdue]
        return [Unproven(one.record, f"{one.cabinet}/{one.slot}", one.item, one.owner) for one in overdue]

    async def _look(self, journal: Journal) -> None:
        await journal.probe()
        await self._look_at_the_clock(journal)
        await self._look_at_the_backlog(journal)
        self._look_for_old_answers()
        now = health.alarms(self.facts())
        raised, cleared = health.changed(self._alarms, now)
        self._alarms = now
        for alarm in raised:
            log.warning("alarm", extra={"code": alarm.code, "about": alarm.about, "text": alarm.text})
        for alarm in cleared:
            log.info("alarm over", extra={"code": alarm.code, "about": alarm.about})
        if raised or cleared:
            self.notifier.status(now[0].text if now else "all is well")
        self._stir_pages()
        await self._note_full(journal)

    def _stir_pages(self) -> None:
        """Whether the cloud is reached and how much is kept stands on every screen: those who wait for news hear it."""
        gateway = self._gateway
        told = (bool(gateway.downlink and gateway.downlink.trouble), self._pending, len(self._alarms))
        if told == self._told_pages or gateway.premises is None:
            return
        self._told_pages = told
        for cabinet in gateway.site.cabinets:
            gateway.premises.stirred(cabinet)

    async def _note_full(self, journal: Journal) -> None:
        """How long nothing could be vended is a fact that belongs into the journal, as soon as it takes one."""
        if journal.state == "full" and self._full_since is None:
            self._full_since = self._clock.mono_ms()
        elif journal.state == "ok" and self._full_since is not None:
            seconds = (self._clock.mono_ms() - self._full_since) // 1000
            self._full_since = None
            await self._tell(journal, "journal_full", {"seconds": seconds})

    async def _look_at_the_clock(self, journal: Journal) -> None:
        """A wall clock that leaves the monotonic one has been set: said with the offset, to repair times by."""
        offset, state = self._clock.wall_ms() - self._clock.mono_ms(), self._clock.state()
        moved = 0 if self._offset is None else offset - self._offset
        better = state == "S" != self._clock_state
        if self._offset is None or abs(moved) > JUMP_MS * self._clock.scale or better:
            self._offset = offset
        self._clock_state = state
        if abs(moved) > JUMP_MS * self._clock.scale or better:
            await self._tell(journal, "clock_set", {"offset_ms": moved, "clock": state})

    def _look_for_old_answers(self) -> None:
        """The next answer may be a good one a moment later: that it happened is said for longer than it lasts."""
        uplink = self._gateway.uplink
        count = uplink.status().played_back if uplink else 0
        if count > self._played_back:
            self._played_back_mono = self._clock.mono_ms()
        self._played_back = count

    def _since(self, mono: int | None) -> int | None:
        return None if mono is None else max(0, self._clock.mono_ms() - mono) // 1000

    async def _tell(self, journal: Journal, name: str, data: dict[str, int | str]) -> None:
        if self._gateway.ready.is_set():
            await boot.tell(journal, self._clock, self._gateway.gateway_id, name, data)

    async def _look_at_the_backlog(self, journal: Journal) -> None:
        uplink = self._gateway.uplink
        state = uplink.log_state if uplink else None
        seen = (journal.stats().appended, state.cosigned if state else 0)
        if seen == self._looked_at:
            return
        try:
            backlog = await journal.read(reading.backlog, state)
        except NotStored:
            return
        self._looked_at = seen
        self._pending = backlog.count
        self._oldest_mono = self._mono_of(backlog.oldest)

    def _mono_of(self, leaf: bytes | None) -> int | None:
        """When a record was made, on this boot's monotonic clock; 0 (at least since then) where nobody can tell."""
        try:
            record = decode(leaf) if leaf is not None else None
        except LeafError:
            return None
        if record is None:
            return None
        if record.b == self._clock.boot:
            return record.m
        if record.ts == self._clock.state() == "S":
            return self._clock.mono_ms() - (self._clock.wall_ms() - record.t)
        return 0

    def _pending_seconds(self) -> int | None:
        if not self._pending or self._oldest_mono is None:
            return None
        return max(0, self._clock.mono_ms() - self._oldest_mono) // 1000

    def _list(self) -> ListStatus:
        downlink = self._gateway.downlink
        if downlink is None:
            return ListStatus(0, None, 0, 0, "")
        current = downlink.current
        return ListStatus(
            current.version, downlink.age_seconds, len(current.badges), len(current.planograms), downlink.trouble
        )

    def _devices(self) -> list[DeviceStatus]:
        return [status for session in self._gateway.site.sessions for status in session.devices()]

    def _stalled(self) -> list[str]:
        now = self._clock.line()
        return [one.name for one in self._gateway.site.sessions if now - one.progress > STALLED_SECONDS]

    def _feed(self) -> None:
        every = self.notifier.watchdog_seconds
        now = self._clock.line()
        if not every or now - self._fed < every - TICK_SECONDS:
            return
        journal = self._gateway.journal
        stats = journal.stats() if journal else None
        moved = (stats.commits, stats.failures) if stats else (0, 0)
        hung = stats is not None and stats.waiting > 0 and moved == self._commits
        self._commits = moved
        if not hung and not self._stalled():
            self._fed = now
            self.notifier.alive()


async def verify_all(journal: Journal, clock: Clock) -> None:
    """Reads every stored record again and again, a few at a time: SQLite does not notice a flipped bit, hashes do."""
    after = 0
    seen: set[int] = set()
    while True:
        await clock.sleep(CHECK_PAUSE)
        try:
            damaged, after = await journal.read(check.damaged_after, after, CHECKED_AT_ONCE)
        except NotStored:
            continue
        seen.update(damaged)
        if len(seen) != journal.damaged:
            log.critical("stored records have changed on the disk", extra={"ids": sorted(seen)[:20]})
        journal.damaged = len(seen)


async def prune(gateway: Watched) -> None:
    """What is cosigned, backed up and old enough leaves the disk: once a day, and whenever the journal is full."""
    clock = gateway.ports.clock
    waited = 0.0
    while True:
        await clock.sleep(MINUTE)
        waited += MINUTE
        uplink, journal = gateway.uplink, gateway.journal
        if uplink is None or journal is None or (waited < DAY and journal.state != "full"):
            continue
        waited = 0.0
        uplink.ask_again()
        await clock.sleep(ANSWER_SECONDS)
        try:
            gone = await uplink.prune(gateway.config.journal.keep_days)
        except (NotStored, DamagedError) as error:
            log.warning("nothing was pruned", extra={"why": str(error)})
            continue
        if gone:
            log.info("pruned", extra={"records": gone, "rule": pruning.RULE})
