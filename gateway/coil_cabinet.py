"""A cabinet of coils or motors behind a serial board: one command for each piece, and its end on disk before all else.

The surprise is what is missing: most of these boards number nothing and show a result once, so a lost answer can never
be had again. Whatever ends an attempt is therefore turned into its draw where it is heard, and stored before anybody
(the board, the person, the next command) learns of it. A command without an answer is never repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from gateway import cabinet_results
from gateway.clock import Clock
from gateway.device_events import Dispensed, Event, Request, Scalar
from gateway.ports import Confirm, Line, LinkDown, NothingSent
from gateway.premises import CabinetUnreachableError, Given, Premises
from gateway.recording import Stamp, happened
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Draw, Intent, Loan, Record

PROVEN = ("seen", "extra", "off")


class CoilDriver(Protocol):
    """What the driver of a coil board can be asked."""

    patience: float

    @property
    def cfg(self) -> str:
        """Hash of what gives its bytes their meaning."""

    def drives(self, slot: str) -> bool:
        """Whether this slot is one of its coils."""

    def drive(self, slot: str, quantity: int = 1) -> Request:
        """The command that turns it. Raises ValueError."""


class Open(msgspec.Struct):
    """An attempt whose end has not come. `done`: pieces proven so far; `given`: its draw is about to be stored."""

    intent: Intent
    key: RecordKey
    confirm: Confirm
    ended: asyncio.Future[Given]
    done: int = 0
    given: Given | None = None
    recovered: bool = False


class CoilCabinet:
    """One board, for one that answers its command when the motor stands still (TCN, WKLY motors)."""

    # Pieces of one command.
    at_once = 1

    def __init__(self, device: str, driver: CoilDriver, line: Line, clock: Clock, premises: Premises) -> None:
        self.device = device
        self.cfg = driver.cfg
        self._driver = driver
        self._line = line
        self._clock = clock
        self._premises = premises
        self._open: Open | None = None
        self._planned: dict[int, Open] = {}
        self._last: Open | None = None
        self._resumed: dict[RecordKey, Open] = {}
        self._quiet_until = 0.0
        self._news = asyncio.Event()

    def drives(self, slot: str) -> bool:
        """Whether this slot is one of its coils."""
        return self._driver.drives(slot)

    # What the use cases call

    async def look(self, slot: str) -> Mapping[str, int]:
        """Nothing can be asked of such a board; but after a lost answer it is left alone until none can come late."""
        self._must_drive(slot)
        left = self._quiet_until - self._clock.line()
        if left > 0:
            raise CabinetUnreachableError(
                f"Board {self.device} has not answered its last command. Wait {left:.0f} s, and look at its cable."
            )
        return {}

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """Drives piece after piece, each once, as long as each is proven."""
        attempt = self._expect(intent, key, confirm)
        while not attempt.ended.done():
            done = attempt.done
            given = await self._drive(attempt)
            if attempt.given is not None:
                return await attempt.ended
            if given is not None or attempt.done == done:
                return self._over(given or self._unknown(attempt))
        return await attempt.ended

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """After a restart: what the board says by itself, or what it can still be asked; nothing is moved."""
        attempt = self._resumed.pop(key, None) or self._expect(intent, key, confirm, recovered=True)
        if attempt.given is None and attempt is self._open:
            given = await self._find_out(attempt)
            if attempt.given is None:
                return self._over(given or self._unknown(attempt))
        return await attempt.ended if attempt.given is not None else self._unknown(attempt)

    # What the session calls

    def resume(self, intent: Intent, key: RecordKey) -> None:
        """Before the line is opened: an attempt of the boot before, whose end may be the first thing that is heard."""
        confirm = self._premises.confirm(self.device, intent.slot)
        self._resumed[key] = self._expect(intent, key, confirm, recovered=True)
        late = getattr(self._driver, "late", None)
        if late is not None:
            late(intent.slot)

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        """The record of a result; what it ends is remembered until the record is stored."""
        if not isinstance(event, Dispensed):
            return ()
        attempt = self._open
        record = self._result(event, at, cfg)
        if attempt is not None and attempt.given is not None:
            self._planned[id(event)] = attempt
        return (record,)

    def stored(self, event: Event, records: Sequence[Record], keys: Sequence[RecordKey | None]) -> None:
        """It is on disk: now the shelf moves, and who waits may know."""
        held = [(record, key) for record, key in zip(records, keys, strict=True) if key is not None]
        self._premises.shelve([record for record, _ in held], [key for _, key in held])
        self._news.set()
        attempt = self._planned.pop(id(event), None)
        if attempt is None or attempt.given is None or attempt.ended.done():
            return
        key = next((key for record, key in held if isinstance(record, Draw | Loan)), None)
        attempt.ended.set_result(msgspec.structs.replace(attempt.given, recorded=key))

    def tick(self, at: Stamp) -> Sequence[Record]:  # noqa: ARG002 - nothing here depends on time
        """Nothing comes due."""
        return ()

    # For the other boards

    async def _find_out(self, attempt: Open) -> Given | None:
        """What can be learnt of an attempt that a restart has cut off; None where its end was heard meanwhile. Here: an
        answer may still be on its way, and nothing else was asked that it could belong to.
        """
        if hasattr(self._driver, "late"):
            await self._until(lambda: attempt.given is not None, self._driver.patience)
        return None

    async def _until(self, over: Callable[[], bool], seconds: float) -> None:
        """Waits for news until `over`, for so many line seconds at most."""
        until = self._clock.line() + seconds
        while not over() and (left := until - self._clock.line()) > 0:
            self._news.clear()
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return

    def _unknown(self, attempt: Open) -> Given:
        return Given(Fact.NO_ANSWER, attempt.intent.asked, "unknown", "none")

    async def _drive(self, attempt: Open) -> Given | None:
        """One command; its end, unless that was heard and stored already."""
        slot, wanted = attempt.intent.slot, min(attempt.intent.asked - attempt.done, self.at_once)
        events, word = await self._command(lambda: self._driver.drive(slot, wanted))
        if word:
            return Given(Fact.NO_MOTOR, 0, "not_commanded", word)
        if events is None:
            self._quiet_until = self._clock.line() + self._driver.patience
        return None

    async def _command(self, ask: Callable[[], Request]) -> tuple[list[Event] | None, str]:
        """The events of an answer, None for none; and the reason for which certainly no byte of it was sent."""
        try:
            return await self._line.exchange(self.device, ask), ""
        except (NothingSent, ValueError) as error:
            return None, str(error)[:100] or "the line is away"
        except LinkDown:
            return None, ""

    def _expect(self, intent: Intent, key: RecordKey, confirm: Confirm, *, recovered: bool = False) -> Open:
        """From now on a result of this slot ends this attempt."""
        ended: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        self._open = self._last = Open(intent, key, confirm, ended, recovered=recovered)
        return self._open

    def _over(self, given: Given) -> Given:
        """Ended without a result. One that still comes finds the draw as unverified, and decides it."""
        done = self._open.done if self._open is not None else 0
        self._open = None
        if done and given.fact is Fact.NO_MOTOR:
            return msgspec.structs.replace(given, fact=Fact.DROPPED, qty=done)
        return given

    def _must_drive(self, slot: str) -> None:
        if not self.drives(slot):
            raise CabinetUnreachableError(f"Board {self.device} has no motor for slot {slot}. Check the planogram.")

    def _result(self, event: Dispensed, at: Stamp, cfg: str) -> Record:
        attempt = self._open
        if attempt is not None and event.slot in (attempt.intent.slot, ""):
            return self._ends(attempt, event, at)
        last = self._last
        if last is not None and event.slot in (last.intent.slot, ""):
            unverified = self._premises.shelf.unverified(self.device, last.intent.slot, f"{last.key.ep}/{last.key.n}")
            if unverified is not None and event.motor != "unknown":
                self._last = None
                return cabinet_results.late(event, unverified, last.confirm, at)
            ended = f"{last.key.ep}/{last.key.n}"
            if self._premises.uses.lent(self.device, ended) or self._premises.shelf.decided(self.device, ended):
                self._last = None
                return cabinet_results.spare("result_late", event, self.device, at)
        if event.motor in ("none", "unknown") or not event.slot:
            return cabinet_results.spare("result_unasked", event, self.device, at)
        return cabinet_results.unasked(event, self.device, cfg, self._premises, at)

    def _ends(self, attempt: Open, event: Dispensed, at: Stamp) -> Record:
        """The draw; or, where more pieces are wanted and this one is proven, a note of it."""
        pieces = attempt.done + event.qty
        if event.motor == "ok" and event.qty and event.drop in PROVEN and pieces < attempt.intent.asked:
            attempt.done = pieces
            told: dict[str, Scalar] = {"pieces": pieces, "of": attempt.intent.asked, "drop": event.drop}
            return happened("piece", at, self.device, slot=attempt.intent.slot, data=told, raw=event.raw, did=event.did)
        if attempt.done and event.motor != "unknown" and event.drop in ("seen", "extra", "none"):
            # What fell before the last turn went wrong has fallen.
            seen = "seen" if event.drop == "none" else event.drop
            event = msgspec.structs.replace(event, qty=pieces, drop=seen)
        self._open = None
        record, attempt.given = cabinet_results.asked_for(event, attempt.intent, attempt.key, attempt.confirm, at)
        if attempt.recovered:
            record = msgspec.structs.replace(record, q=[*record.q, "recovered"])
        return record
