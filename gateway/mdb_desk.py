"""A machine behind an MDB adapter as a cabinet: approved by badge, driven as its VMC, or paid at a reader of its own.

The surprise is the reset. MDB takes a vend that a reset cut short for a sale; here it stays unverified until the
machine says more or somebody counts, unless the contract chose the bus's rule (`mdb_strict`). A machine may say
"vended" twice: it repeats what it thinks was not heard, so only the first word ends an attempt, and a late one decides
a doubt.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from decimal import Decimal

from gateway.conversation import ConversationSession
from gateway.device_events import AdapterSaid, DeviceFault, Event
from gateway.door import Door, stayed_shut
from gateway.drivers.mdb_adapter import SILENT, MdbAdapter
from gateway.ports import Confirm, LinkDown
from gateway.premises import CabinetUnreachableError, Given, Premises
from gateway.recording import device_event, happened, stamp
from gateway.shelf import Resolution
from gateway.take_count import resolved
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Intent, Outcome, Record

log = logging.getLogger(__name__)

READY = {"cashless": ("ENABLED", "IDLE", "VEND"), "vmc": ("IDLE",), "satellite": ("POLLED",)}
# A satellite's reasons, worst first, and what they prove about the piece.
FAILED = {"motor_jam": Fact.JAM, "no_motor": Fact.NO_MOTOR, "invalid_selection": Fact.NO_MOTOR}
BUSES_OWN = ("INACTIVE", "DISABLED", "RESET", "OFF")


class MdbDesk:
    """One adapter and the machine behind it. `session` is set before it is used."""

    session: ConversationSession

    def __init__(self, device: str, driver: MdbAdapter, premises: Premises) -> None:
        self.device = device
        self.cfg = driver.cfg
        self.door: Door | None = None
        self._driver = driver
        self._premises = premises
        self._clock = premises.clock
        self._status = ""
        self._heard: float | None = None
        self._asking: tuple[float, str, str] | None = None
        self._inbox: asyncio.Queue[AdapterSaid] | None = None
        self._doubt: tuple[str, str] | None = None
        self._told: set[str] = set()

    # The desk

    async def restore(self) -> None:
        """An adapter remembers nothing, and no counter is compared."""

    async def hear(self, event: Event) -> None:
        """One line, or that there are none any more."""
        if isinstance(event, DeviceFault):
            self._status = ""
            await self._keep(device_event(event, stamp(self._clock), self.device, self.cfg))
        if not isinstance(event, AdapterSaid):
            return
        self._heard = self._clock.line()
        if event.topic in ("bus", "USD_JUST_RESET") and self._driver.settings.role == "satellite":
            self._status = "POLLED" if event.fields[1:] != ("NACK",) else self._status
        elif event.topic == "status":
            await self._is_now(event.fields[0])
        if event.topic == "vend_request":
            self._asking = (self._heard, self._driver.slot_of(event.fields[1].lstrip("0") or "0"), event.fields[0])
        if self._inbox is not None:
            self._inbox.put_nowait(event)
        elif event.topic in ("vended", "failed", "USD_VEND_DONE", "USD_VEND_FAIL"):
            await self._late(event)
        elif event.topic == "error" and event.fields[0] not in self._told and len(self._told) < 50:
            self._told.add(event.fields[0])
            await self._tell("adapter_error", "", event)
        elif event.topic == "USD_VEND_REQUEST":
            self._speak("deny_satellite")
            await self._tell("vend_refused", "", event)

    async def tick(self) -> None:
        """A selection nobody came to pay for with a badge is let go."""
        if self._asking is None or self._inbox is not None:
            return
        since, slot, amount = self._asking
        if self._clock.line() - since >= self._driver.settings.patience:
            self._asking = None
            self._speak("deny")
            data = {"reason": "no_badge", "amount": amount}
            await self._keep(happened("vend_refused", stamp(self._clock), self.device, slot=slot[:64], data=data))

    def online(self) -> tuple[bool | None, str]:
        """Whether the adapter answers, and what the bus is doing."""
        if self._heard is None:
            return None, ""
        return self._clock.line() - self._heard <= SILENT, self._status.lower()

    # The cabinet

    async def look(self, slot: str) -> Mapping[str, int]:
        """The machine must be there and have nothing else to do. Raises CabinetUnreachableError."""
        role = self._driver.settings.role
        if self._heard is None or self._clock.line() - self._heard > SILENT:
            raise CabinetUnreachableError(f"The MDB adapter of {self.device} does not answer. Check its USB cable.")
        if self._status not in READY[role]:
            raise CabinetUnreachableError(f"{self.device} is not ready ({self._status.lower() or 'no word yet'}).")
        if self._asking is not None and self._asking[1] != slot:
            raise CabinetUnreachableError(f"On the machine {self._asking[1]} was selected, and not {slot}.")
        if role == "satellite" and place_of(self._driver.item_of(slot)) is None:
            raise CabinetUnreachableError(f"Slot {slot} is no row and column of {self.device}.")
        if self.door is not None:
            await self.door.look()
        return {}

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """One vend, whatever the part we play; MDB gives one piece at a time."""
        self._inbox = asyncio.Queue()
        try:
            match self._driver.settings.role:
                case "cashless":
                    given = await self._approved(intent)
                case "vmc":
                    given = await self._paid(intent, key, confirm)
                case _:
                    given = await self._driven(intent)
        except LinkDown as error:
            log.warning("adapter %s: %s", self.device, error)
            given = Given(Fact.NO_ANSWER, 1, "unknown", "the adapter's line went away")
        finally:
            self._inbox = None
            self._asking = None
        self._doubt = (intent.slot, f"{key.ep}/{key.n}") if given.fact is Fact.NO_ANSWER else None
        return given

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """Nothing on the bus remembers a vend; a machine's audit or a count does."""
        self._doubt = (intent.slot, f"{key.ep}/{key.n}")
        if self._driver.settings.mdb_strict and self._driver.settings.role == "cashless":
            return Given(Fact.DROPPED, 1, "unknown", "cut short after an approval: a sale by the bus's rule")
        return Given(Fact.NO_ANSWER, 1, "unknown", "none")

    # The three parts

    async def _approved(self, intent: Intent) -> Given:
        """Waits for the selection, approves it, waits for the machine's word."""
        if self._asking is None:
            await self._until("vend_request", self._driver.settings.patience)
        if self._asking is None or self._asking[1] != intent.slot:
            self.session.say(self._driver.deny)
            return Given(Fact.NOTHING_TAKEN, 0, "none", "nothing was selected" if not self._asking else "another slot")
        amount = self._asking[2]
        self._asking = None
        self.session.say(lambda: self._driver.approve(amount))
        said = await self._until("vended", self._driver.settings.vend_seconds, "failed", "status")
        if said is not None and said.topic == "vended":
            return Given(Fact.DROPPED, 1, "approved", "the machine: vend success")
        if said is not None and said.topic == "failed":
            return Given(Fact.NO_DROP, 0, "approved", f"the machine: vend failure {said.fields[0]}")
        if said is not None and self._driver.settings.mdb_strict:
            return Given(Fact.DROPPED, 1, "approved", "a reset after the approval: a sale by the bus's rule")
        return Given(
            Fact.NO_ANSWER, 1, "approved", "a reset after the approval" if said else "the machine said nothing"
        )

    async def _paid(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """Asks the reader; opens the lock; takes the money, or gives it back."""
        amount, item = self._driver.settings.price, self._driver.item_of(intent.slot)
        self.session.say(lambda: self._driver.ask(amount, item))
        said = await self._until("result", self._driver.settings.patience, "status")
        approved = said is not None and said.topic == "result" and said.fields[0] == "1"
        if not approved or said is None or Decimal(said.fields[1]) != Decimal(amount) or self.door is None:
            self.session.say(lambda: self._driver.end(vended=False))
            return Given(
                Fact.NOTHING_TAKEN, 0, "none", "approved in vain" if approved else "the reader did not approve"
            )
        opened = await self.door.pass_through(intent, key)
        self.session.say(lambda: self._driver.end(vended=not stayed_shut(opened)))
        if stayed_shut(opened) or opened.fact is Fact.NO_ANSWER:
            return opened
        fact = Fact.TAKEN_BY_DOOR if confirm == "door" else Fact.UNPROVEN
        return Given(fact, intent.asked, opened.actuation, "paid at the reader, door closed")

    async def _driven(self, intent: Intent) -> Given:
        """Drives one item, once, and polls until the satellite says how it ended."""
        place = place_of(self._driver.item_of(intent.slot))
        if place is None:
            return Given(Fact.NO_MOTOR, 0, "none", "no such row and column")
        self.session.say(lambda: self._driver.drive(*place))
        try:
            said = await self._until(
                "USD_VEND_DONE", self._driver.settings.vend_seconds, "USD_VEND_FAIL", "USD_JUST_RESET"
            )
        finally:
            self._driver.stop_polling()
        if said is None or said.topic == "USD_JUST_RESET":
            return Given(Fact.NO_ANSWER, 1, "commanded", "the satellite was reset" if said else "it said nothing")
        if said.topic == "USD_VEND_DONE":
            return Given(Fact.DROPPED, 1, "driven", "the satellite: done")
        reasons = [one.partition("=")[0] for one in said.fields[1:]]
        fact = next((fact for reason, fact in FAILED.items() if reason in reasons), Fact.NO_DROP)
        return Given(fact, 0, "driven", f"the satellite: {', '.join(reasons) or 'failed'}")

    # Inside

    async def _until(self, topic: str, seconds: float, *others: str) -> AdapterSaid | None:
        """The next word of this kind or of the others; of statuses only those that mean a reset. None: none in time."""
        assert self._inbox is not None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    said = await self._inbox.get()
                    if said.topic == topic:
                        return said
                    if said.topic in others and (said.topic != "status" or said.fields[0] in BUSES_OWN):
                        return said
        except TimeoutError:
            return None

    async def _is_now(self, status: str) -> None:
        was, self._status = self._status, status
        if status in ("INACTIVE", "DISABLED", "ENABLED"):
            self._asking = None
        if was in ("ENABLED", "IDLE", "VEND") and status in ("INACTIVE", "RESET"):
            await self._keep(happened("bus_reset", stamp(self._clock), self.device, data={"was": was.lower()}))

    async def _late(self, event: AdapterSaid) -> None:
        """A word about a vend nobody waits for: it decides the doubt it belongs to, and is news otherwise."""
        doubt, self._doubt = self._doubt, None
        unverified = None if doubt is None else self._premises.shelf.unverified(self.device, *doubt)
        if unverified is None:
            await self._tell("result_unasked", "", event)
            return
        vended = event.topic in ("vended", "USD_VEND_DONE")
        outcome: Outcome = "confirmed" if vended else "not_dispensed"
        end = Resolution(unverified, outcome, unverified.qty if vended else 0)
        await self._keep(resolved(end, stamp(self._clock), f"the machine's late word: {event.topic}"))

    async def _tell(self, name: str, slot: str, event: AdapterSaid) -> None:
        data = {"said": event.topic, "what": " ".join(event.fields)[:100]}
        await self._keep(happened(name, stamp(self._clock), self.device, slot=slot, data=data, raw=event.raw))

    async def _keep(self, *records: Record) -> None:
        await self._premises.keep_for_sure(*records)

    def _speak(self, what: str) -> None:
        """Says it if the line is there; if not, the machine's own time-out says the same."""
        try:
            self.session.say(getattr(self._driver, what))
        except LinkDown as error:
            log.warning("adapter %s: %s", self.device, error)


_SMALL = re.compile(r"[0-9]{1,3}\Z")


def place_of(item: str) -> tuple[int, int] | None:
    """Row and column of a satellite's item: four hex digits as the bus writes them, or "row-column"."""
    row, dash, column = item.partition("-")
    if dash and _SMALL.match(row) and _SMALL.match(column) and int(row) < 256 and int(column) < 256:
        return int(row), int(column)
    if len(item) == 4 and all(char in "0123456789abcdefABCDEF" for char in item):
        row_byte, column_byte = bytes.fromhex(item)
        return row_byte, column_byte
    return None
