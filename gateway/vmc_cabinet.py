"""A cabinet behind an FA FB controller: it asks us; a command waits for its question, its end for our "got it".

The surprise is the evidence after a lost end: the board's own stock of the selection. One piece less is proof that a
piece went; nothing less proves the opposite only on a machine that has been seen to count by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.clock import Clock
from gateway.coil_cabinet import CoilCabinet, Open
from gateway.device_events import CommandTaken, Dispensed, Event, Request, SelectionInfo
from gateway.premises import CabinetUnreachableError, Given, Premises
from gateway.recording import Stamp, happened
from gateway.vending import Fact
from wire.records import Record

# Line seconds: polls come five times in one; a repetition of a lost end comes within a few.
ONLINE, ANSWER, GRACE, SYNC, AWAY = 1.5, 15.0, 10.0, 30.0, 5.0
# After a dispense the selections are asked for again when nobody has drawn for so long: sixty take twelve seconds.
REST = 20.0


class VmcSettings(Protocol):
    """What of the driver's settings matters here."""

    @property
    def check(self) -> bool:
        """Ask for the selection's state first."""

    @property
    def counts_stock(self) -> bool:
        """The board counts a selection down by itself."""


class VmcDriver(Protocol):
    """What the controller's driver can be asked. Commands wait in it for the board's next question."""

    patience: float
    heard_at: float | None
    syncs: int

    @property
    def cfg(self) -> str:
        """Hash of what gives its bytes their meaning."""

    @property
    def settings(self) -> VmcSettings:
        """See VmcSettings."""

    def drives(self, slot: str) -> bool:
        """Whether this can be a selection."""

    def reserve(self) -> int:
        """The number the next command will have."""

    def drive(self, slot: str, quantity: int = 1) -> int:
        """Turn it; the command's number."""

    def withdraw(self) -> bool:
        """Take back what waits; True: no byte of it was sent."""

    def check(self, slot: str) -> int:
        """Ask for a selection's state."""

    def sync(self) -> int:
        """Ask for all selections."""


class VmcCabinet(CoilCabinet):
    """One controller."""

    def __init__(self, device: str, driver: VmcDriver, clock: Clock, premises: Premises) -> None:
        super().__init__(device, _NoRequests(driver), _NoLine(), clock, premises)
        self._vmc = driver
        # Pieces, and the synchronisation they were told in. Forgotten as soon as they may have changed.
        self._stock: dict[str, tuple[int, int]] = {}
        self._stale_since: float | None = None
        self._status: dict[str, str] = {}
        self._lost = False
        self._away: bool | None = None

    async def look(self, slot: str) -> Mapping[str, int]:
        """The board must ask us, and say that this selection is fit. Its stock and our next number are the snapshot."""
        self._must_drive(slot)
        if not self._online():
            raise CabinetUnreachableError(f"Machine {self.device} does not ask for orders. Check its power and cable.")
        if self._vmc.settings.check:
            self._status.pop(slot, None)
            self._vmc.check(slot)
            await self._until(lambda: slot in self._status, ANSWER)
            status = self._status.get(slot, "")
            if status != "normal":
                why = f"says {status.replace('_', ' ')}" if status else "does not answer"
                raise CabinetUnreachableError(f"Machine {self.device} {why} for selection {slot}.")
        stock = {"stock": self._stock[slot][0]} if slot in self._stock else {}
        return {**stock, "pack": self._vmc.reserve()}

    def known(self, slot: str) -> Mapping[str, int]:
        """The board's own stock of a selection, as it last told it."""
        return {"stock": self._stock[slot][0]} if slot in self._stock else {}

    async def _find_out(self, attempt: Open) -> Given | None:
        """The end that the board repeats until it is confirmed, then its stock."""
        await self._until(lambda: attempt.given is not None, GRACE)
        return await self._evidence(attempt) if attempt.given is None else None

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        """Selections and confirmations are remembered; a result becomes its draw."""
        if isinstance(event, SelectionInfo):
            if event.stock is not None:
                self._stock[event.slot] = (event.stock, self._vmc.syncs)
            if event.status:
                self._status[event.slot] = event.status
        if isinstance(event, CommandTaken):
            self._lost |= not event.taken
        if isinstance(event, Dispensed):
            self._outdated(event.slot)
        self._news.set()
        if isinstance(event, Dispensed) and event.motor == "unknown" and self._open is not None:
            # The board has given up without a word about goods: its stock is asked before anything is written.
            self._lost = True
            told = {"reason": event.reason}
            return (happened("terminated", at, self.device, slot=event.slot, data=told, raw=event.raw, did=event.did),)
        return super().hear(event, at, cfg)

    def tick(self, at: Stamp) -> Sequence[Record]:
        """A board that has stopped asking, and its return, each told once."""
        heard = self._vmc.heard_at
        away = heard is None or self._clock.line() - heard > AWAY
        before, self._away = self._away, away
        if away:
            self._stock.clear()
        elif self._stale_since is not None and self._clock.line() - self._stale_since > REST and self._idle():
            self._stale_since = None
            self._vmc.sync()
        if before is None or before is away:
            return ()
        return (happened("silent" if away else "back", at, self.device),)

    async def _drive(self, attempt: Open) -> Given | None:
        """Into the answer to the next question; then the end, or what the board's stock proves."""
        done = attempt.done
        self._lost = False
        self._outdated(attempt.intent.slot)
        try:
            self._vmc.drive(attempt.intent.slot)
        except ValueError as error:
            return Given(Fact.NO_MOTOR, 0, "not_commanded", str(error)[:100])

        def ended() -> bool:
            return attempt.given is not None or attempt.done > done

        await self._until(lambda: ended() or self._lost, self._vmc.patience)
        if not ended() and self._vmc.withdraw():
            return Given(Fact.NO_MOTOR, 0, "not_commanded", "the machine did not ask for it")
        if not ended():
            await self._until(ended, GRACE)
        return None if ended() else await self._evidence(attempt)

    async def _evidence(self, attempt: Open) -> Given | None:
        """What the board's own stock of the selection proves; None when the end came meanwhile."""
        slot, asked = attempt.intent.slot, attempt.intent.asked
        before = attempt.intent.before.get("stock")
        unknown = self._unknown(attempt)
        base = self._vmc.syncs

        def told() -> bool:
            # In a synchronisation that the board took up after the question began: not one that was on its way.
            return self._stock.get(slot, (0, 0))[1] > base

        if before is not None:
            self._vmc.sync()
            await self._until(lambda: attempt.given is not None or told(), SYNC)
        if attempt.given is not None:
            return None
        if before is None or not told():
            return unknown
        now = self._stock[slot][0]
        words, after = f"stock {before} -> {now}", {"stock": now}
        if 0 < before - now <= asked:
            return Given(Fact.COUNTER_MOVED, before - now, "unknown", words, after)
        if now == before and self._vmc.settings.counts_stock:
            return Given(Fact.COUNTER_STOOD, 0, "unknown", words, after)
        return Given(Fact.NO_ANSWER, asked, "unknown", words, after)

    def _idle(self) -> bool:
        """Nobody is served: a synchronisation now keeps no command waiting."""
        return self._open is None and self.device not in self._premises.busy

    def _outdated(self, slot: str) -> None:
        """What was told of this selection may not be true any more."""
        self._stock.pop(slot, None)
        self._stale_since = self._clock.line()

    def _online(self) -> bool:
        heard = self._vmc.heard_at
        return heard is not None and self._clock.line() - heard < ONLINE


class _NoRequests:
    """The controller's driver where the base asks for requests: it has none, it is asked."""

    def __init__(self, driver: VmcDriver) -> None:
        self.patience = driver.patience
        self.cfg = driver.cfg
        self.drives = driver.drives

    def drive(self, slot: str, quantity: int = 1) -> Request:
        raise ValueError(f"{slot} x {quantity}: this board takes no questions")


class _NoLine:
    async def exchange(self, device: str, ask: object) -> list[Event] | None:
        raise ValueError(f"{device} takes no questions: {ask}")
