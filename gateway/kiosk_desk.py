"""The desk of all cabinets for the people in front of them: sessions and everything that may be done in one.

The surprise is that nothing is decided here. Who may take is `access`, what a draw goes through is `take_draw`; this
puts the person of a session to what he asks for, and tells whoever watches a cabinet that something changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from gateway.access import LOOK_AFTER, Asked, is_over
from gateway.fill_slot import Filled, fill_slot
from gateway.kiosk_view import is_for, offer
from gateway.periods import DAY_MS
from gateway.ports import UnknownCabinetError
from gateway.premises import Cabinet, Premises, standing_open
from gateway.repeats import Repeats
from gateway.rules import Waiting, account
from gateway.take_count import take_count_as
from gateway.take_draw import DrawResult, take
from gateway.take_return import Condition, found, take_loan_back, take_report, take_return
from gateway.take_used import miss_used, take_used
from gateway.take_verdict import Outcome, take_verdict
from gateway.take_visit import begin_visit, end_visit, open_door
from gateway.visitors import IDLE_SECONDS, SessionOverError, Visitor, Visitors
from wire.pin import check_pin

LONGEST_WATCH = 20.0


class State(msgspec.Struct, frozen=True):
    """How a cabinet is now. `tick` changes whenever anything here does."""

    tick: int
    state: str
    person: str
    seconds: int
    attempt: dict[str, object] | None
    session: str


class KioskDesk:
    """One for the gateway. `run` ends sessions whose time is over."""

    def __init__(
        self,
        premises: Premises,
        cabinets: Mapping[str, Cabinet],
        token: Callable[[], str],
        idle_seconds: int = IDLE_SECONDS,
    ) -> None:
        self.premises = premises
        self.visitors = Visitors(premises, token, idle_seconds)
        self.repeats = Repeats(premises.answered)
        self._cabinets = cabinets
        self._ticks: dict[str, int] = dict.fromkeys(cabinets, 1)
        self._wake: asyncio.Event = asyncio.Event()
        self._ending: set[asyncio.Task[object]] = set()
        premises.stirred = self._stir
        premises.standing = self._standing
        premises.changed.append(lambda record: self._stir(record.src))

    def cabinet(self, name: str) -> Cabinet:
        """The cabinet of this id. Raises UnknownCabinetError."""
        if name not in self._cabinets:
            known = ", ".join(sorted(self._cabinets)) or "none"
            raise UnknownCabinetError(f"There is no cabinet {name!r} here; configured are: {known}.")
        return self._cabinets[name]

    @property
    def cabinets(self) -> list[str]:
        """All of them."""
        return sorted(self._cabinets)

    async def run(self) -> None:
        """Until cancelled."""
        await self.visitors.run(self._closing)

    # Sessions

    async def open(self, cabinet: str, *, badge: str = "", code: str = "", pin: str = "") -> Visitor | DrawResult:
        """A session for whoever shows this, or why there is none."""
        return await self.visitors.open(self.cabinet(cabinet), badge=badge, code=code, pin=pin)

    async def badge(self, cabinet: str, badge: str) -> Visitor | DrawResult:
        """What a reader read."""
        return await self.open(cabinet, badge=badge)

    def visitor(self, token: str) -> Visitor:
        """The session of a token. Raises SessionOverError."""
        return self.visitors.get(token)

    async def leave(self, token: str) -> None:
        """He has finished."""
        visitor = self.visitors.get(token)
        if visitor.visit:
            await end_visit(self.premises, self.cabinet(visitor.cabinet), visitor)
        await self.visitors.end(visitor, "logout")

    # Deeds

    async def draw(
        self, token: str, slot: str, quantity: int, *, cost_centre: str = "", job: str = "", lend: bool = False,
        days: int = 0, serial: str = "", waiting: Waiting | None = None, request: str = "",
    ) -> DrawResult:  # fmt: skip
        """He takes something, or borrows it."""
        visitor = self.visitors.get(token)
        # What was chosen for the piece before is not charged with this one.
        visitor.for_ = account(cost_centre, job)
        book = self.premises.desired.current.book
        if job and book.jobs and book.job(job) is None:
            # Taken off the list meanwhile: it is no account of that name either.
            visitor.for_ = f"{cost_centre}/{job}"
        asked = Asked(
            visitor.cabinet, slot, quantity, badge=visitor.badge, person=visitor.person.person, for_=visitor.for_,
            lend=lend, waiting=waiting.id if waiting else "", serial=serial, request=request,
        )  # fmt: skip
        visitor.draws += 1
        result = await take(self.premises, self.cabinet(visitor.cabinet), asked, due=self._due(asked, days))
        self.visitors.touch(visitor)
        return result

    async def bring_back(
        self, token: str, record: str, quantity: int, condition: Condition, request: str = ""
    ) -> DrawResult:
        """Goods come back."""
        visitor = self.visitors.get(token)
        cabinet = self.cabinet(visitor.cabinet)
        return await take_return(self.premises, cabinet, visitor, record, quantity, condition, request)

    async def use_again(self, token: str, slot: str, quantity: int, request: str = "") -> DrawResult:
        """He takes used pieces of what a slot holds new, or (none) says that there are none."""
        visitor = self.visitors.get(token)
        if not quantity:
            return await miss_used(self.premises, visitor, slot, request)
        return await take_used(self.premises, visitor, slot, quantity, request)

    async def bring_loan(self, token: str, record: str, condition: Condition, request: str = "") -> DrawResult:
        """A tool comes back."""
        visitor = self.visitors.get(token)
        return await take_loan_back(self.premises, self.cabinet(visitor.cabinet), visitor, record, condition, request)

    async def report(self, token: str, record: str, what: str, words: str) -> DrawResult:
        """It was otherwise."""
        return await take_report(self.premises, self.visitors.get(token), record, what, words)

    async def decide(self, token: str, record: str, outcome: Outcome, evidence: str) -> DrawResult:
        """The owner of an unproven draw says what he has seen."""
        return await take_verdict(self.premises, self.visitors.get(token), record, outcome, evidence)

    async def pick_up(self, token: str, named: str, serial: str = "", request: str = "") -> DrawResult:
        """Goods put by for this person, or for an order he may charge."""
        visitor = self.visitors.get(token)
        for one in self.premises.desired.current.book.waiting:
            if one.id == named and one.cabinet == visitor.cabinet and is_for(one, visitor.person):
                return await self._hand_out(token, one, serial, request)
        return DrawResult("refused", reason="not_yours", sentence="Nothing is put by for you here.")

    async def pick_up_by_code(self, cabinet: str, code: str, serial: str = "", request: str = "") -> DrawResult:
        """Goods put by for whoever knows the code; wrong ones count as wrong PINs of the cabinet."""
        listed = self.premises.desired.current.book.waiting
        # One code may have been given anew: what still lies there comes first.
        here = sorted((one for one in listed if one.cabinet == cabinet and one.code), key=self._is_gone)
        found = await asyncio.to_thread(lambda: next((one for one in here if check_pin(code, one.code)), None))
        visitor = await self.visitors.open_for(self.cabinet(cabinet), found)
        if isinstance(visitor, DrawResult):
            return visitor
        assert found is not None
        try:
            return await self._hand_out(visitor.token, found, serial, request)
        finally:
            await self.visitors.end(visitor, "picked_up")

    async def count(self, token: str, slot: str, quantity: int, request: str = "") -> DrawResult:
        """Somebody counted a slot."""
        visitor = self.visitors.get(token)
        if not visitor.roles & LOOK_AFTER:
            return DrawResult("refused", reason="role_needed", sentence="This is for whoever looks after the cabinet.")
        cabinet = self.cabinet(visitor.cabinet)
        return await take_count_as(self.premises, cabinet, slot, quantity, visitor.person.person, request)

    # Refills

    async def begin_visit(self, token: str) -> DrawResult | str:
        """Service mode."""
        visitor = self.visitors.get(token)
        return await begin_visit(self.premises, self.cabinet(visitor.cabinet), visitor)

    async def fill(self, token: str, visit: str, done: Filled) -> DrawResult:
        """One slot of a visit."""
        visitor = self._visiting(token, visit)
        return await fill_slot(self.premises, self.cabinet(visitor.cabinet), visitor, done)

    async def open_door(self, token: str, visit: str, slot: str) -> DrawResult:
        """A door for the restocker."""
        visitor = self._visiting(token, visit)
        return await open_door(self.premises, self.cabinet(visitor.cabinet), visitor, slot)

    async def end_visit(self, token: str, visit: str) -> list[dict[str, object]]:
        """The end of service mode."""
        visitor = self._visiting(token, visit)
        return await end_visit(self.premises, self.cabinet(visitor.cabinet), visitor)

    # Watching

    def state(self, cabinet: str) -> State:
        """How a cabinet is now."""
        place, premises = self.cabinet(cabinet), self.premises
        visitor, attempt = self.visitors.at(cabinet), premises.attempts.get(cabinet)
        closed = premises.closed(cabinet)
        word = {"service_mode": "service", "recovering": "recovering", "": ""}[closed]
        if not word:
            word = "serving" if cabinet in premises.busy else "session" if visitor else "free"
        shown: dict[str, object] | None = None
        if attempt is not None:
            opened = attempt.slot in standing_open(place)
            shown = {
                "slot": attempt.slot, "item": attempt.item, "stage": attempt.stage, "door_open": opened,
                "since_ms": attempt.since_ms,
            }  # fmt: skip
        left = max(0, visitor.until - premises.clock.mono_ms()) // 1000 if visitor else 0
        return State(
            self._ticks.get(cabinet, 1), word, visitor.person.person if visitor else "", left, shown,
            visitor.token if visitor else "",
        )  # fmt: skip

    async def watch(self, cabinet: str, tick: int) -> State:
        """The state as soon as its tick is another one, at the latest after some seconds."""
        try:
            async with asyncio.timeout(LONGEST_WATCH):
                while (now := self.state(cabinet)).tick == tick:
                    wake = self._wake
                    await wake.wait()
        except TimeoutError:
            return self.state(cabinet)
        return now

    def offer(self, token: str, slot: str) -> list[str]:
        """Other slots with the same item; none when the session is over."""
        try:
            visitor = self.visitors.get(token)
        except SessionOverError:
            return []
        return offer(self.premises, visitor.cabinet, slot, visitor)

    def slot_of(self, record: str) -> str:
        """The slot of a record ("src/ep/n") that is remembered."""
        use = found(self.premises, record)
        return use.slot if use else ""

    # Inside

    def _visiting(self, token: str, visit: str) -> Visitor:
        visitor = self.visitors.get(token)
        if not visit or visitor.visit != visit:
            raise SessionOverError("This visit is over. Begin it again.")
        return visitor

    def _is_gone(self, one: Waiting) -> bool:
        return not self.premises.handed.left(one) or is_over(one, self.premises.now())

    async def _hand_out(self, token: str, one: Waiting, serial: str, request: str) -> DrawResult:
        book = self.premises.desired.current.book
        place, _ = self.premises.place(one.cabinet, one.slot)
        lend = bool(place and book.item(one.item or place.item).loan_days)
        job = one.order if book.job(one.order) else ""
        result = await self.draw(
            token, one.slot, one.qty, job=job, lend=lend, serial=serial, waiting=one, request=request
        )
        if result.outcome in ("confirmed", "lent"):
            return msgspec.structs.replace(result, outcome="picked_up")
        return result

    def _due(self, asked: Asked, days: int) -> int | None:
        if not asked.lend:
            return None
        place, _ = self.premises.place(asked.cabinet, asked.slot)
        longest = self.premises.desired.current.book.item(place.item).loan_days if place else 0
        return self.premises.clock.wall_ms() + min(days or longest, longest or days) * DAY_MS

    def _standing(self, cabinet: str) -> str:
        """Who has a session at a cabinet."""
        visitor = self.visitors.at(cabinet)
        return visitor.person.person if visitor is not None else ""

    def _stir(self, cabinet: str) -> None:
        if cabinet in self._ticks:
            self._ticks[cabinet] += 1
            self._wake.set()
            self._wake = asyncio.Event()

    def _closing(self, visitor: Visitor) -> None:
        """A visit left open ends with its session."""
        if visitor.visit:
            task = asyncio.create_task(end_visit(self.premises, self.cabinet(visitor.cabinet), visitor, "time"))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
