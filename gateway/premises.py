"""What the use cases share: the clock, the journal, what the cloud last said, and what lies on the shelves.

One rule lives here: the shelf moves only after the journal holds the record, and a record told twice moves it once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

import msgspec

from gateway.access import AccessPolicy, Decision, decide
from gateway.clock import Clock
from gateway.ports import Confirm, Desired, DesiredSource, Journal, NotStored, Slot
from gateway.shelf import Shelf
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Intent, Record

log = logging.getLogger(__name__)


NOWHERE: tuple[None, int] = (None, 0)


class CabinetUnreachableError(Exception):
    """The cabinet cannot be asked now, so nothing may be promised from it. The message says what to look at."""


class Given(msgspec.Struct, frozen=True):
    """How a command ended: what it proves, pieces, the device's words, a snapshot after. `recorded`: already stored."""

    fact: Fact
    qty: int
    actuation: str
    confirmation: str
    after: Mapping[str, int] = {}
    recorded: RecordKey | None = None


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


class Premises:
    """Handed to every use case. `busy` holds the cabinets that serve someone right now."""

    def __init__(
        self, clock: Clock, journal: Journal, desired: DesiredSource, shelf: Shelf, policy: AccessPolicy | None = None
    ) -> None:
        self.clock = clock
        self.journal = journal
        self.desired = desired
        self.shelf = shelf
        self.policy = policy or AccessPolicy()
        self.busy: set[str] = set()
        self._told: dict[str, int] = {}
        self._places: dict[tuple[str, str], tuple[Slot, int]] = {}
        self._places_of: Desired | None = None

    def decide(self, cabinet: str, badge: str, slot: str, quantity: int) -> Decision:
        """May this badge take this now."""
        return decide(
            self.desired.current,
            self.desired.age_seconds,
            self.policy,
            cabinet=cabinet,
            badge=badge,
            slot=slot,
            quantity=quantity,
            on_hand=self.shelf.look(cabinet, slot).on_hand,
        )

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
            self.shelf.apply(msgspec.structs.replace(record, n=key.n))

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

    def confirm(self, cabinet: str, slot: str) -> Confirm:
        """How a piece from this slot is known to have left; nothing planned means nothing proves it."""
        place, _ = self.place(cabinet, slot)
        return place.confirm if place else "none"
