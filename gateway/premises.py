"""What the use cases share: the clock, the journal, what the cloud last said, and what lies on the shelves.

One rule lives here: the shelf moves only after the journal holds the record, and a record told twice moves it once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from gateway.access import AccessPolicy, Asked, Decision, Situation, decide
from gateway.answered import Answered
from gateway.clock import Clock
from gateway.handed_out import HandedOut
from gateway.lots import Lot
from gateway.open_visits import OpenVisits
from gateway.pins import Tries
from gateway.ports import Confirm, Desired, DesiredSource, Journal, NotStored, Slot
from gateway.recording import stamp
from gateway.shelf import Contents, Resolution, Shelf
from gateway.tried_out import TriedOut
from gateway.uses import Now, Uses
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Intent, Record

log = logging.getLogger(__name__)


NOWHERE: tuple[None, int] = (None, 0)


class CabinetUnreachableError(Exception):
    """The cabinet cannot be asked now, so nothing may be promised from it. The message says what to look at."""


class Given(msgspec.Struct, frozen=True):
    """How a command ended: what it proves, pieces, the device's words, a snapshot after. `recorded`: already stored;
    `serial`: the numbers the cabinet saw leave, with spaces between them, and `pieces` the lots they are of.
    """

    fact: Fact
    qty: int
    actuation: str
    confirmation: str
    after: Mapping[str, int] = {}
    recorded: RecordKey | None = None
    serial: str = ""
    pieces: tuple[Lot, ...] = ()


class Attempting(msgspec.Struct, frozen=True):
    """What is being given now, for whoever watches."""

    slot: str
    item: str
    who: str
    stage: str
    since_ms: int


class Cabinet(Protocol):
    """Something with slots that can let goods go. One attempt at a time; `Premises.busy` sees to that."""

    @property
    def device(self) -> str:
        """Its device id: the `src` of its records."""

    @property
    def cfg(self) -> str:
        """Hash of what gives its bytes their meaning."""

    async def look(self, slot: str) -> Mapping[str, int]:
        """A snapshot that a recovery can compare with. Raises CabinetUnreachableError; moves nothing."""

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """Lets go, and waits for the proof. `key` is the intent's. Called once for an intent, never again."""

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """After a restart: finds out what became of a command, without moving anything."""


def standing_open(cabinet: Cabinet) -> frozenset[str]:
    """The doors of a cabinet that stand open now, as far as it can tell."""
    return frozenset(getattr(cabinet, "standing_open", ()))


async def still_open(cabinet: Cabinet) -> bool:
    """Whether any door stands open after another look: somebody may just have shut it, and not every board watches."""
    for slot in standing_open(cabinet):
        look = getattr(cabinet, "closed", None)
        if look is not None:
            await look(slot)
    return bool(standing_open(cabinet))


class Premises:
    """Handed to every use case. `busy` holds the cabinets that serve someone right now, `service` those that are being
    refilled, `recovering` those whose last attempts are not settled yet, `sees_serials` those that tell by a tag which
    piece left. `changed` is told of every record by its
    cabinet; `standing` says who has a session there, "" for nobody.
    """

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        desired: DesiredSource,
        shelf: Shelf,
        policy: AccessPolicy | None = None,
    ) -> None:
        self.clock = clock
        self.journal = journal
        self.desired = desired
        self.shelf = shelf
        self.policy = policy or AccessPolicy()
        self.uses = Uses()
        self._anew: Uses | None = None
        self.tries = Tries(clock.boot)
        self.handed = HandedOut()
        self.answered = Answered()
        self.visits = OpenVisits()
        self.tried_out = TriedOut()
        self.busy: set[str] = set()
        self.service: set[str] = set()
        self.recovering: set[str] = set()
        self.sees_serials: set[str] = set()
        self.changed: list[Callable[[Record], None]] = []
        self.attempts: dict[str, Attempting] = {}
        self.reminded: set[str] = set()
        self.stirred: Callable[[str], None] = lambda _: None
        self.standing: Callable[[str], str] = lambda _: ""
        self._told: dict[str, int] = {}
        self._places: dict[tuple[str, str], tuple[Slot, int]] = {}
        self._places_of: Desired | None = None

    def closed(self, cabinet: str) -> str:
        """Why nobody is served here now, as a reason; empty: somebody may be."""
        if cabinet in self.service:
            return "service_mode"
        return "recovering" if cabinet in self.recovering else ""

    def begun(self, cabinet: str, intent: Intent, *, commanded: bool = False) -> None:
        """An attempt is under way; for who watches."""
        stage = "commanded" if commanded else "intended"
        self.attempts[cabinet] = Attempting(intent.slot, intent.item, intent.who, stage, self.clock.wall_ms())
        self.stirred(cabinet)

    def over(self, cabinet: str) -> None:
        """Nobody is served here any more."""
        self.busy.discard(cabinet)
        self.attempts.pop(cabinet, None)
        self.stirred(cabinet)

    def decide(
        self, cabinet: str, badge: str, slot: str, quantity: int, *, for_: str = "", person: str = ""
    ) -> Decision:
        """May this badge take this now."""
        return self.judge(Asked(cabinet, slot, quantity, badge=badge, person=person, for_=for_))

    def judge(self, asked: Asked) -> Decision:
        """May this be taken now, by all rules, limits and what lies in the slot."""
        desired, now = self.desired.current, self.now()
        held = self.lies_in(asked.cabinet, asked.slot)
        piece = held.piece(asked.serial) or held.lot
        ends = piece.expires if piece else None
        situation = Situation(
            self.uses,
            now,
            held.on_hand,
            off=self._is_off(asked.cabinet, held),
            expired=bool(ends and now.ts == "S" and now.t >= ends),
            serials=tuple(held.serials),
            sees=asked.cabinet in self.sees_serials,
            handed=self.handed.flags,
        )
        return decide(desired, self.desired.age_seconds, self.policy, asked, situation)

    def now(self) -> Now:
        """The moment, for limits."""
        return Now(*stamp(self.clock))

    async def keep(self, *records: Record) -> list[RecordKey]:
        """Into the journal, all or none, then onto the shelf. Raises NotStored or RecordRefused."""
        keys = await self.journal.append(records)
        self.shelve(records, keys)
        return keys

    def shelve(self, records: tuple[Record, ...] | list[Record], keys: list[RecordKey]) -> None:
        """Moves the shelf by records that the journal has just taken; one it already held has an old number."""
        for record, key in zip(records, keys, strict=True):
            if record.did and (key.ep != record.ep or key.n <= self._told.get(key.src, 0)):
                continue
            if record.did:
                self._told[key.src] = key.n
            numbered = msgspec.structs.replace(record, n=key.n)
            self.remember(numbered)
            for told in self.changed:
                told(numbered)

    def remember(self, record: Record) -> None:
        """What follows from a record that the journal holds; at a start, from each of them in order."""
        self.shelf.apply(record)
        self.uses.apply(record)
        if self._anew is not None:
            self._anew.apply(record)
        self.tries.apply(record)
        self.handed.apply(record)
        self.answered.apply(record)
        self.visits.apply(record)
        self.tried_out.apply(record)

    def look_back(self) -> Uses | None:
        """For new rules: None, or the count to be fed with all that the journal holds, since they ask for more than is
        remembered; `counted_anew` then takes it over.
        """
        desired, now = self.desired.current, self.clock.wall_ms()
        if not self.uses.look_back(desired.book, now, shares=bool(desired.credit)):
            return None
        self._anew = Uses()
        self._anew.look_back(desired.book, now, shares=bool(desired.credit))
        return self._anew

    def counted_anew(self) -> None:
        """The count of `look_back` has been fed."""
        self.uses, self._anew = self._anew or self.uses, None

    async def keep_for_sure(self, *records: Record) -> list[RecordKey]:
        """As `keep`, but a fact that has happened is offered until the journal takes it."""
        while True:
            try:
                return await self.keep(*records)
            except NotStored as error:
                log.warning("a fact waits for the journal: %s", error)
                await self.clock.sleep(1.0)

    def place(self, cabinet: str, slot: str) -> tuple[Slot | None, int]:
        """What the planogram says about a slot, and the planogram's version."""
        current = self.desired.current
        if current is not self._places_of:
            self._places_of = current
            planograms = current.planograms.values()
            self._places = {
                (one.cabinet, place.slot): (place, one.version) for one in planograms for place in one.slots
            }
        return self._places.get((cabinet, slot), NOWHERE)

    def lies_in(self, cabinet: str, slot: str) -> Contents:
        """What we believe about a slot. Once it is planned for something else nobody knows, until that is put in."""
        held = self.shelf.look(cabinet, slot)
        place, _ = self.place(cabinet, slot)
        if place is None or held.item in ("", place.item):
            return held
        return Contents(record=held.record, unverified={}, passed=held.passed, lots=[])

    def decided_by(self, cabinet: str, slot: str, counted: int) -> Sequence[Resolution]:
        """What a count of what is planned for a slot now proves about its unverified draws."""
        known = self.lies_in(cabinet, slot).unverified
        return self.shelf.resolutions(cabinet, slot, counted) if known else ()

    def off(self) -> list[tuple[str, str, int]]:
        """Slots that give nothing more before somebody was there: cabinet, slot, jams in a row (0: no motor)."""
        found = []
        for planogram in self.desired.current.planograms.values():
            for place in planogram.slots:
                held = self.lies_in(planogram.cabinet, place.slot)
                if self._is_off(planogram.cabinet, held):
                    found.append((planogram.cabinet, place.slot, 0 if held.off else held.jams))
        return found

    def _is_off(self, cabinet: str, held: Contents) -> bool:
        """Out of order: no motor, or too many jams in a row."""
        most = self.desired.current.book.cabinet(cabinet).jams_until_off
        return held.off or bool(most and held.jams >= most)

    def confirm(self, cabinet: str, slot: str) -> Confirm:
        """How a piece from this slot is known to have left; nothing planned means nothing proves it."""
        place, _ = self.place(cabinet, slot)
        return place.confirm if place else "none"
