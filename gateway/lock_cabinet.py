"""A cabinet of doors behind a lock board: opened for a badge, then closed, is one piece taken.

The surprise: "the door is closed" means two things. Right after a lost reply it proves that the latch did not move; a
few seconds later a person may have opened, taken and closed, and it proves nothing. Where a sensor behind the door sees
the goods (Kerong's infrared bit) the goods decide and not the door, also after a power cut. A door that opens without a
command is an event of its own, never a draw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gateway.clock import Clock
from gateway.device_events import DoorState, Event, LockReply, Request
from gateway.drivers.doors import Seen
from gateway.ports import Confirm, Line, LinkDown, NothingSent
from gateway.premises import CabinetUnreachableError, Given
from gateway.recording import Stamp, happened
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Intent, Record

# Nobody opens a door, takes something and closes it again in less.
QUICKEST_MS = 2_000
DOOR_POLL = 0.5
SLOW_POLL = 5.0
OPEN_TOO_LONG_MS = 60_000
# Seconds of line time without an answer after which the board is given up: a matter of wires, not of people.
LOST_SECONDS = 60.0
# The same for a latch that was told to open and then never seen.
UNSEEN_SECONDS = 10.0
# An answer that comes later than this is not waited for by anybody.
LATE_SECONDS = 1.2
# What a board said of a door less than so many seconds ago still holds when somebody badges: a whole watch of all doors
# is never further away (it is 5 s where nothing else is set), and whoever badges should not wait for one more. An open
# door or an empty place is looked at again: somebody may just have put that right.
FRESH = 6.0


class LockDriver(Protocol):
    """What a lock board's driver can be asked."""

    @property
    def cfg(self) -> str:
        """Hash of what gives its bytes their meaning."""

    def open(self, slot: str) -> Request:
        """Pulse the latch. Raises ValueError."""

    def status(self, slot: str) -> Request:
        """Ask for the door; moves nothing."""

    def last(self, slot: str) -> Seen | None:
        """The board's last word about a door; None: it has said nothing since the line was opened."""


class LockCabinet:
    """One board as a cabinet and, for the session of its line, as the interpreter of its doors."""

    def __init__(self, device: str, driver: LockDriver, line: Line, clock: Clock) -> None:
        self.device = device
        self._driver = driver
        self._line = line
        self._clock = clock
        self._serving: set[str] = set()
        self._open: set[str] = set()
        self._waiting: dict[str, int] = {}
        self._told_late: set[str] = set()
        self._moved: set[str] = set()
        self._goods: dict[str, bool] = {}
        self._tries: int = getattr(driver, "tries", 2)
        self._news = asyncio.Event()
        self.forced: Callable[[str], None] = lambda _: None

    @property
    def cfg(self) -> str:
        """What gives the board's bytes their meaning now; a polarity may have been learnt."""
        return self._driver.cfg

    async def look(self, slot: str) -> Mapping[str, int]:
        """The door must be closed and the board must answer before anyone is promised anything."""
        try:
            seen = self._driver.last(slot)
            if seen is None or not seen.closed or not self._goods.get(slot, True) or self._age(seen) >= FRESH:
                closed = await self._closed(slot)
            else:
                closed = True
        except (LinkDown, ValueError) as error:
            raise CabinetUnreachableError(str(error)) from error
        if closed is None:
            raise CabinetUnreachableError(f"Lock board {self.device} does not answer. Check its power and its cable.")
        if not closed:
            raise CabinetUnreachableError(f"Door {slot} is open. Close it first.")
        return self._snapshot(slot)

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """Opens the door and waits until it is closed. The command is repeated only where a failure is proven."""
        slot, word = intent.slot, "failed"
        self._serving.add(slot)
        try:
            for _ in range(self._tries):
                word = await self._unlock(slot) if word == "failed" else word
            if word == "opened":
                return await self._until_closed(intent, confirm)
            if word == "never":
                return Given(Fact.NOT_OPENED, 0, "not_commanded", "no byte of the command was sent")
            if word == "failed":
                return Given(Fact.NOT_OPENED, 0, "failed", "door_closed", self._snapshot(slot))
            return await self._evidence(intent, confirm, UNSEEN_SECONDS)
        finally:
            self._serving.discard(slot)
            self._told_late.discard(slot)

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """A door that still stands open is the one we opened; a closed one proves nothing, but its goods may."""
        self._serving.add(intent.slot)
        try:
            return await self._evidence(intent, confirm, LOST_SECONDS)
        finally:
            self._serving.discard(intent.slot)

    @property
    def standing_open(self) -> frozenset[str]:
        """The doors that stand open now, by command or by force."""
        return frozenset(self._open)

    async def closed(self, slot: str) -> bool | None:
        """How the door's sensor reads now, by the polarity that is set; None: the board does not answer."""
        return await self._closed_or_none(slot)

    def known(self, slot: str) -> Mapping[str, int]:
        """Whether goods were seen behind a door."""
        return {"item": int(self._goods[slot])} if slot in self._goods else {}

    async def admit(self, slot: str) -> bool:
        """Opens a door so that something is put in, and waits until it is closed; False: it certainly stayed shut.

        Raises CabinetUnreachableError.
        """
        await self.look(slot)
        self._serving.add(slot)
        try:
            word = await self._unlock(slot)
            if word in ("failed", "never"):
                return False
            since = self._clock.line()
            while word == "unknown" and self._clock.line() - since < UNSEEN_SECONDS:
                word = "opened" if await self._closed_or_none(slot) is False else word
                await self._clock.sleep(DOOR_POLL)
            while word == "opened" and await self._closed_or_none(slot) is not True:
                await self._pause(DOOR_POLL)
            return True
        finally:
            self._serving.discard(slot)

    async def _evidence(self, intent: Intent, confirm: Confirm, seconds: float) -> Given:
        """What became of a latch that nobody saw move, as soon as the board answers."""
        closed = await self._patiently(intent.slot, seconds)
        if closed is False:
            return await self._until_closed(intent, confirm)
        seen = self._sensed(intent) if closed and confirm == "sensor" else None
        if seen is None:
            return Given(Fact.NO_ANSWER, intent.asked, "unknown", "none")
        fact = Fact.COUNTER_MOVED if seen is Fact.TAKEN_BY_DOOR else Fact.COUNTER_STOOD
        return self._goods_say(fact, intent, "unknown")

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:  # noqa: ARG002
        """Doors that move without a command, and their end."""
        if not isinstance(event, DoorState):
            return ()
        if event.item is not None:
            self._goods[event.slot] = event.item
        if not event.closed:
            self._moved.add(event.slot)
        self._news.set()
        was_open = event.slot in self._open
        if event.closed:
            self._open.discard(event.slot)
        else:
            self._open.add(event.slot)
        if event.slot in self._serving or was_open is not event.closed:
            return ()
        name = "door_closed" if event.closed else "door_forced"
        if not event.closed:
            # What lay behind it must be counted.
            self.forced(event.slot)
        return (happened(name, at, self.device, slot=event.slot, raw=event.raw),)

    def tick(self, at: Stamp) -> Sequence[Record]:
        """Doors of a draw that stand open for too long, each told once."""
        late = sorted(slot for slot, since in self._waiting.items() if at.m - since > OPEN_TOO_LONG_MS)
        news = [slot for slot in late if slot not in self._told_late]
        self._told_late.update(news)
        return [happened("door_open", at, self.device, slot=slot) for slot in news]

    async def _unlock(self, slot: str) -> str:
        """What became of the latch: "opened", "failed" (proven), "never" (nothing was sent) or "unknown"."""
        sent = self._clock.mono_ms()
        self._moved.discard(slot)
        try:
            events = await self._line.exchange(self.device, lambda: self._driver.open(slot))
        except NothingSent:
            return "never"
        except LinkDown:
            events = None
        reply = next((event for event in events or () if isinstance(event, LockReply)), None)
        if reply is not None and reply.opened:
            return "opened"
        return await self._latch(slot, sent, told=reply is not None)

    async def _latch(self, slot: str, sent: int, *, told: bool) -> str:
        """Opened as soon as one answer says so; failed only when every answer says closed for longer than an answer
        can be late: a late one to an earlier question says closed too, and this protocol numbers nothing.
        """
        closed, since, goods = 0, self._clock.line(), self._goods.get(slot)
        while self._clock.line() - since < LATE_SECONDS:
            state = await self._closed_or_none(slot)
            # It may have been opened and shut between two looks: its own report, or goods that are gone, say so.
            if state is False or slot in self._moved or (goods and not self._goods.get(slot, True)):
                return "opened"
            closed += state is True
            await self._clock.sleep(LATE_SECONDS / 10 * self._clock.scale)
        proven = told or self._clock.mono_ms() - sent < QUICKEST_MS
        return "failed" if closed > 1 and proven else "unknown"

    async def _until_closed(self, intent: Intent, confirm: Confirm) -> Given:
        slot, opened = intent.slot, self._clock.mono_ms()
        self._waiting[slot] = opened
        seen = self._clock.line()
        try:
            while True:
                now = self._clock.mono_ms()
                await self._pause(DOOR_POLL if now - opened < OPEN_TOO_LONG_MS else SLOW_POLL)
                closed = await self._closed_or_none(slot)
                if closed:
                    return self._taken(intent, confirm)
                if closed is False:
                    seen = self._clock.line()
                elif self._clock.line() - seen > LOST_SECONDS:
                    return Given(Fact.NO_ANSWER, intent.asked, "opened", "none")
        finally:
            del self._waiting[slot]

    def _taken(self, intent: Intent, confirm: Confirm) -> Given:
        """What a door that was open and is shut again proves, by the policy of its slot."""
        seen = self._sensed(intent)
        if confirm == "sensor" and seen is not None:
            return self._goods_say(seen, intent, "opened")
        fact = Fact.TAKEN_BY_DOOR if confirm == "door" else Fact.UNPROVEN
        return Given(fact, intent.asked, "opened", "door_closed", self._snapshot(intent.slot))

    def _sensed(self, intent: Intent) -> Fact | None:
        """Goods that were seen before: are they gone? None: nothing was seen before, or nothing sees."""
        now = self._goods.get(intent.slot)
        if not intent.before.get("item") or now is None:
            return None
        return Fact.NOTHING_TAKEN if now else Fact.TAKEN_BY_DOOR

    def _goods_say(self, fact: Fact, intent: Intent, actuation: str) -> Given:
        there = self._goods[intent.slot]
        words = "goods still there" if there else "goods gone"
        return Given(fact, 0 if there else intent.asked, actuation, words, self._snapshot(intent.slot))

    def _snapshot(self, slot: str) -> dict[str, int]:
        goods = {"item": int(self._goods[slot])} if slot in self._goods else {}
        return {"closed": 1, **goods}

    async def _pause(self, seconds: float) -> None:
        """So long, or until a door tells that it moved."""
        self._news.clear()
        try:
            async with asyncio.timeout(seconds / self._clock.scale):
                await self._news.wait()
        except TimeoutError:
            return

    def _age(self, seen: Seen) -> float:
        """Seconds since the board said so."""
        return (self._clock.line() - seen.at) * self._clock.scale

    async def _patiently(self, slot: str, seconds: float) -> bool | None:
        """The door, as soon as the board answers; None when it does not for so long."""
        since = self._clock.line()
        while self._clock.line() - since < seconds:
            closed = await self._closed_or_none(slot)
            if closed is not None:
                return closed
            await self._clock.sleep(DOOR_POLL)
        return None

    async def _closed_or_none(self, slot: str) -> bool | None:
        try:
            return await self._closed(slot)
        except LinkDown:
            return None

    async def _closed(self, slot: str) -> bool | None:
        events = await self._line.exchange(self.device, lambda: self._driver.status(slot))
        if events is None:
            events = await self._line.exchange(self.device, lambda: self._driver.status(slot))
        return next((event.closed for event in events or () if isinstance(event, DoorState)), None)
