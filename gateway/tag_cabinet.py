"""A cabinet whose goods carry tags: what was there before and is not there now was taken.

The surprise is that more than one article may go through one door. Each slot that misses tags is a draw of its own, by
the same person. The set of tags that are here is rebuilt from the journal's own events: every change of it is one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.access import Asked
from gateway.cabinet_results import unasked_for
from gateway.conversation import ConversationSession
from gateway.device_events import DeviceFault, Event, TagsSeen
from gateway.door import Door, stayed_shut
from gateway.drivers.uhf_r200 import UhfR200
from gateway.lots import labels
from gateway.periods import DAY_MS
from gateway.ports import Attempt, Confirm, LinkDown, NotStored
from gateway.premises import CabinetUnreachableError, Given, Premises
from gateway.recording import device_event, stamp
from gateway.take_draw import loan_of
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Count, DeviceEvent, Draw, Intent, Loan, Record

log = logging.getLogger(__name__)

READ_BACK = 20_000
# Tags in one event: a leaf is at most 4 KiB.
AT_ONCE = 40
# An inventory takes a few seconds; one that has not come after so many will not come.
LONGEST = 60.0
# Looks in a row after which a stock that does not fit the tags is counted.
LOOKS = 2


class TagCabinet:
    """One reader and what it sees. `session` is set before it is used."""

    session: ConversationSession

    def __init__(self, device: str, driver: UhfR200, premises: Premises) -> None:
        self.device = device
        self.cfg = driver.cfg
        self.door: Door | None = None
        self._driver = driver
        self._premises = premises
        self._clock = premises.clock
        self._present: set[str] | None = None
        self._away = True
        self._serving = False
        self._waiting: asyncio.Future[set[str] | None] | None = None
        self._answers: bool | None = None
        self._detail = ""
        self._differs: dict[str, int] = {}
        self._restored = asyncio.Event()
        premises.sees_serials.add(device)

    # The desk

    async def restore(self) -> None:
        """The tags that were here, by the journal's own events."""
        said, attempts = await self._read_back()
        for record in said:
            if isinstance(record, DeviceEvent) and record.event in ("tags_known", "tags_came", "tags_gone"):
                self._present = self._present or set()
                listed = record.data.get("tags")
                tags = {str(tag) for tag in listed} if isinstance(listed, list) else set()
                self._present = self._present - tags if record.event == "tags_gone" else self._present | tags
        # The difference to an attempt that a power cut left open is that attempt's.
        self._serving = any(
            one.commanded and one.intent.src == self.device and one.key.ep != self._clock.boot for one in attempts
        )
        self._restored.set()

    async def _read_back(self) -> tuple[list[Record], list[Attempt]]:
        while True:
            try:
                said = await self._premises.journal.said(self.device, READ_BACK)
                return said, await self._premises.journal.open_attempts()
            except NotStored as error:
                log.warning("reader %s: its tags are not known yet: %s", self.device, error)
                await self._clock.sleep(1.0)

    async def hear(self, event: Event) -> None:
        """An inventory: whoever waits gets it, else what changed on its own is written down."""
        if isinstance(event, DeviceFault):
            self._answers, self._detail = False, event.event
            self._away = True
            await self._keep(device_event(event, stamp(self._clock), self.device, self.cfg))
            self._hand_over(None)
        elif isinstance(event, TagsSeen):
            self._answers, self._detail = True, ""
            here = {epc for epc, count in event.seen.items() if count >= self._driver.settings.needed}
            if self._waiting is not None and not self._waiting.done():
                self._hand_over(here)
            elif not self._serving:
                await self._settle(here)

    async def tick(self) -> None:
        """Nothing happens by time alone."""

    def online(self) -> tuple[bool | None, str]:
        """Whether the reader answers."""
        return self._answers, self._detail

    # The cabinet

    async def look(self, slot: str) -> Mapping[str, int]:
        """How many tags of the slot are here now. Raises CabinetUnreachableError; moves nothing."""
        if self.door is not None:
            await self.door.look()
        here = await self._inventory()
        if here is None:
            raise CabinetUnreachableError(f"Tag reader {self.device} does not answer. Check its power and its cable.")
        await self._settle(here)
        return {"tags": len(self._of(here, slot))}

    def known(self, slot: str) -> Mapping[str, int]:
        """How many tags of the slot were here last."""
        return {} if self._present is None else {"tags": len(self._of(self._present, slot))}

    async def settle(self) -> None:
        """What has changed so far is written down as it is seen now; before and after somebody refills."""
        here = await self._inventory()
        if here is not None and not self._serving:
            await self._settle(here)

    def admits(self, slot: str) -> bool:  # noqa: ARG002 - one door for all of them
        """Whether there is a door before it."""
        return self.door is not None

    async def admit(self, slot: str) -> bool:  # noqa: ARG002 - as above
        """Opens the door so that something is put in."""
        return self.door is not None and await self.door.admit()

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """Lets the person take, and asks for the tags that are left."""
        self._serving = True
        try:
            if self.door is not None:
                opened = await self.door.pass_through(intent, key)
                if stayed_shut(opened):
                    return opened
                return await self._judged(intent, opened.actuation, await self._inventory())
            return await self._judged(intent, "open cabinet", await self._when_taken())
        finally:
            self._serving = False

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """After a restart: the tags now against those that were here."""
        self._serving = True
        try:
            await self._restored.wait()
            begun, here = self._clock.line(), await self._inventory()
            while here is None and self._clock.line() - begun < LONGEST:
                await self._clock.sleep(1.0 * self._clock.scale)
                here = await self._inventory()
            known = self._present or set()
            if here is not None and self._of(known, intent.slot) <= here:
                return Given(Fact.COUNTER_STOOD, 0, "unknown", "all tags are here", {"tags": len(here)})
            return await self._judged(intent, "unknown", here)
        finally:
            self._serving = False

    # Inside

    def _of(self, tags: Iterable[str], slot: str) -> set[str]:
        return {epc for epc in tags if self._driver.slot_of(epc) == slot}

    def _hand_over(self, here: set[str] | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(here)

    async def _inventory(self) -> set[str] | None:
        """A whole inventory from now on; None when the reader does not answer."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            self.session.say(lambda: self._driver.inventory(self._clock.line()))
            async with asyncio.timeout(LONGEST):
                return await self._waiting
        except (LinkDown, TimeoutError):
            return None
        finally:
            self._waiting = None

    async def _when_taken(self) -> set[str] | None:
        """Where no door tells: two inventories that agree and miss something, or the person's patience over."""
        begun, last = self._clock.line(), None
        while self._clock.line() - begun < self._driver.settings.patience:
            here = await self._inventory()
            if here is not None and here == last and not (self._present or set()) <= here:
                return here
            last = here
            await self._clock.sleep(1.0 * self._clock.scale)
        return last

    async def _judged(self, intent: Intent, actuation: str, here: set[str] | None) -> Given:
        """What the intent's own slot misses is its draw; what other slots miss are draws of the same person."""
        if here is None:
            return Given(Fact.NO_ANSWER, intent.asked, actuation, "the tag reader did not answer")
        known = self._present or set()
        gone = known - here
        mine = self._of(gone, intent.slot)
        beside = {slot for epc in gone if (slot := self._driver.slot_of(epc)) and slot != intent.slot}
        draws = [self._beside(slot, self._of(gone, slot), intent) for slot in sorted(beside)]
        await self._keep(*draws, *self._changes(gone, here - known))
        self._present = here
        left = {"tags": len(self._of(here, intent.slot))}
        if mine:
            numbers = self._numbers(intent.item, mine)
            held = self._premises.lies_in(self.device, intent.slot)
            pieces = tuple(held.leaving(len(mine), numbers)) if numbers else ()
            words = f"tags gone: {len(mine)}"
            return Given(Fact.COUNTER_MOVED, len(mine), actuation, words, left, serial=numbers, pieces=pieces)
        return Given(Fact.NOTHING_TAKEN, 0, actuation, "no tag is gone", left)

    async def _settle(self, here: set[str]) -> None:
        """An inventory while nobody is served. The first one is a beginning; later, tags that went went unseen."""
        if self._present is None:
            self._present, self._away = here, False
            await self._keep(*self._named("tags_known", here))
            await self._reconcile(here)
            return
        gone, came = self._present - here, here - self._present
        slots = sorted({slot for epc in gone if (slot := self._driver.slot_of(epc))})
        if self.device in self._premises.service:
            # Whoever refills takes out what is spoiled: he says so himself, and nobody has drawn it.
            slots = []
        draws = [self._draw(slot, self._of(gone, slot), q="gap" if self._away else "unasked") for slot in slots]
        if gone or came:
            await self._keep(*draws, *self._changes(gone, came))
        self._present, self._away = here, False
        await self._reconcile(here)

    async def _reconcile(self, here: set[str]) -> None:
        """How many tags of a slot are here against what should lie there."""
        for slot in sorted(set(self._driver.settings.tags.values())):
            held = self._premises.lies_in(self.device, slot)
            place, _ = self._premises.place(self.device, slot)
            count = len(self._of(here, slot))
            if place is None or held.unverified or held.on_hand == count or self.device in self._premises.service:
                self._differs.pop(slot, None)
                continue
            self._differs[slot] = self._differs.get(slot, 0) + 1
            if held.on_hand is not None and self._differs[slot] <= LOOKS:
                continue
            self._differs.pop(slot)
            at = stamp(self._clock)
            await self._keep(Count(
                v=1, z="", src=self.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, cfg=self.cfg, q=["tags"],
                slot=slot, item=place.item, qty=count, position=held.last,
            ))  # fmt: skip

    async def _keep(self, *records: Record) -> None:
        if records:
            await self._premises.keep_for_sure(*records)

    def _numbers(self, item: str, gone: set[str]) -> str:
        """What its tag says is the number of a piece, where the item has numbers; as many as a record has room for."""
        wanted = self._premises.desired.current.book.item(item).serial
        return " ".join(sorted(gone)[:AT_ONCE]) if wanted else ""

    def _beside(self, slot: str, gone: set[str], intent: Intent) -> Draw | Loan:
        """What the person at the door took besides what he asked for: his, with his account, and lent if it is lent."""
        asked = Asked(self.device, slot, len(gone), person=intent.who, for_=intent.for_)
        _, against = unasked_for(self._premises, asked)
        drawn = self._draw(slot, gone, who=intent.who, q="unasked")
        drawn = msgspec.structs.replace(drawn, for_=intent.for_, q=[*drawn.q, *against])
        days = self._premises.desired.current.book.item(drawn.item).loan_days
        return loan_of(drawn, drawn.t + days * DAY_MS) if days else drawn

    def _draw(self, slot: str, gone: set[str], *, who: str = "", q: str) -> Draw:
        """Tags that nobody asked for: by the person who had the door open, by nobody known, or in doubt."""
        at, desired = stamp(self._clock), self._premises.desired.current
        place, planogram = self._premises.place(self.device, slot)
        before = len(self._of(self._present or set(), slot))
        numbers = self._numbers(place.item if place else "unknown", gone)
        lot, lots = labels(self._premises.lies_in(self.device, slot).leaving(len(gone), numbers), len(gone))
        sure = bool(who) or q != "gap"
        if not sure:
            self._premises.shelf.doubt(self.device, slot)
        return Draw(
            v=1, z="", src=self.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, who=who, cfg=self.cfg, q=[q],
            slot=slot, item=place.item if place else "unknown", asked=len(gone), qty=len(gone),
            outcome="confirmed" if sure else "unverified", actuation="none", confirmation=f"tags gone: {len(gone)}",
            planogram=planogram, rules=desired.rules or desired.version,
            before={"tags": before}, after={"tags": before - len(gone)}, lot=lot, lots=lots, serial=numbers,
        )  # fmt: skip

    def _changes(self, gone: set[str], came: set[str]) -> list[Record]:
        return [*self._named("tags_gone", gone), *self._named("tags_came", came)]

    def _named(self, name: str, tags: set[str]) -> Sequence[Record]:
        """Which tags, in as many events as it takes; an empty beginning is one too."""
        ordered = sorted(tags)
        parts = [ordered[at : at + AT_ONCE] for at in range(0, len(ordered), AT_ONCE)]
        if not parts and name == "tags_known":
            parts = [[]]
        at = stamp(self._clock)
        return [
            DeviceEvent(
                v=1, z="", src=self.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, cfg=self.cfg,
                event=name, data={"count": len(part), "tags": [*part]},
            )
            for part in parts
        ]  # fmt: skip
