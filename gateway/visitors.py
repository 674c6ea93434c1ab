"""Who stands at a cabinet: one person at a time, by badge, PIN or both, until he goes or time runs out.

The surprise is what does not end a session: a second badge. The same card again is the same person (readers read
twice); another card is refused as long as the first is served or a door is open, because what is behind that door
belongs to the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from gateway.access import roles
from gateway.ports import NotStored
from gateway.premises import Cabinet, Premises, standing_open, still_open
from gateway.reasons import SENTENCES, WHOM, Whom
from gateway.recording import happened, stamp
from gateway.rules import Identify, Person, Waiting
from gateway.take_draw import DrawResult, not_stored
from wire.pin import check_pin
from wire.records import DeviceEvent

IDLE_SECONDS = 15
VISIT_SECONDS = 600
PIN_SENTENCES = {
    "pin_needed": "Type your PIN.",
    "pin_wrong": "This PIN is not right.",
    "pin_locked": "Too many wrong PINs. Wait a while.",
    "pin_unset": "You have no PIN yet, and this cabinet asks for one.",
    "unknown_code": "This number is not known here.",
}


class Visitor(msgspec.Struct):
    """An open session. `until` is in ms of this boot; `draws` counts what was begun in it; `orders`: what
    a restocker has brought, by slot, and `before` the cabinet's own numbers when he came.
    """

    token: str
    cabinet: str
    badge: str
    person: Person
    roles: frozenset[str]
    by: str
    until: int
    visit: str = ""
    draws: int = 0
    for_: str = ""
    idle: int = IDLE_SECONDS
    orders: dict[str, str] = {}
    before: dict[str, dict[str, int]] = {}

    @property
    def seconds(self) -> int:
        """How long it lives without a touch."""
        return max(VISIT_SECONDS, self.idle) if self.visit else self.idle


class SessionOverError(LookupError):
    """There is no such session any more. Badge again."""


class Visitors:
    """The sessions of all cabinets, one each."""

    def __init__(self, premises: Premises, token: Callable[[], str], idle: int = IDLE_SECONDS) -> None:
        self._idle = idle
        self._premises = premises
        self._token = token
        self._clock = premises.clock
        self._here: dict[str, Visitor] = {}
        self.tries = premises.tries

    def at(self, cabinet: str) -> Visitor | None:
        """Who stands there now."""
        visitor = self._here.get(cabinet)
        return visitor if visitor is not None and not self._late(visitor) else None

    def stands_there(self, cabinet: str, badge: str) -> bool:
        """Whether somebody else than this badge's owner is served there now."""
        here, holder = self.at(cabinet), self._premises.desired.current.badges.get(badge)
        return here is not None and here.badge != badge and (holder is None or holder.person != here.person.person)

    def get(self, token: str) -> Visitor:
        """The session of a token, touched. Raises SessionOverError."""
        for visitor in self._here.values():
            if visitor.token == token and not self._late(visitor):
                self.touch(visitor)
                return visitor
        raise SessionOverError("This session is over. Show your badge again.")

    def touch(self, visitor: Visitor) -> None:
        """He is still there."""
        visitor.until = self._clock.mono_ms() + visitor.seconds * 1000

    async def open(self, cabinet: Cabinet, *, badge: str = "", code: str = "", pin: str = "") -> Visitor | DrawResult:
        """A session, or why there is none. The journal holds that somebody was let in before he is."""
        closed = self._closed(cabinet, badge, code)
        if isinstance(closed, DrawResult) and closed.reason == "door_open" and not await still_open(cabinet):
            closed = self._closed(cabinet, badge, code)
        if closed is not None:
            return closed
        found = await self._identified(cabinet.device, badge, code, pin)
        if isinstance(found, DrawResult):
            return found
        person, by = found
        if (again := self._closed(cabinet, badge, person.code)) is not None:
            return again
        return await self._let_in(cabinet.device, badge, person, by)

    async def _let_in(self, device: str, badge: str, person: Person, by: str) -> Visitor | DrawResult:
        holder = self._premises.desired.current.badges.get(badge)
        groups = roles(self._premises.desired.current, holder, person.person)
        visitor = Visitor(self._token(), device, badge, person, groups, by, 0, idle=self._idle)
        self.touch(visitor)
        # Taken before the journal is asked: of two badges at once, one is first.
        self._here[device] = visitor
        try:
            await self._premises.keep(self._event(device, "session", person.person, {"by": by}))
        except NotStored as error:
            self._here.pop(device, None)
            return not_stored(error)
        self._premises.stirred(device)
        return visitor

    async def open_for(self, cabinet: Cabinet, waiting: Waiting | None) -> Visitor | DrawResult:
        """A session for whoever has typed the code of goods put by; `waiting` None: nobody's code."""
        rules = self._premises.desired.current.book
        if self.tries.locked(cabinet.device, rules, self._clock.mono_ms()):
            return _no("pin_locked", "supervisor")
        if waiting is None:
            return await self._turned_away(cabinet.device, "unknown_code", "", event="pin_wrong")
        if (closed := self._closed(cabinet, "", "")) is not None:
            return closed
        person = rules.person(waiting.person) if waiting.person else Person(f"pickup-{waiting.id}")
        return await self._let_in(cabinet.device, "", person, "code")

    async def end(self, visitor: Visitor, why: str) -> None:
        """He has gone. That somebody was let in and took nothing is worth a word too."""
        if self._here.get(visitor.cabinet) is visitor:
            del self._here[visitor.cabinet]
            self._premises.stirred(visitor.cabinet)
            told: dict[str, str | int] = {"why": why, "draws": visitor.draws}
            await self._premises.keep_for_sure(
                self._event(visitor.cabinet, "session_ended", visitor.person.person, told)
            )

    async def run(self, closing: Callable[[Visitor], object]) -> None:
        """Ends sessions whose time is over; until cancelled. `closing` hears of each before."""
        while True:
            for visitor in [one for one in self._here.values() if self._late(one)]:
                closing(visitor)
                await self.end(visitor, "time")
            await self._clock.sleep(1.0)

    def _late(self, visitor: Visitor) -> bool:
        serving = visitor.cabinet in self._premises.busy
        if serving:
            self.touch(visitor)
        return not serving and self._clock.mono_ms() >= visitor.until

    def _closed(self, cabinet: Cabinet, badge: str, code: str) -> Visitor | DrawResult | None:
        """The session there is, or why nobody else is let in."""
        device, here = cabinet.device, self.at(cabinet.device)
        if here is not None and ((badge and badge == here.badge) or (code and code == here.person.code and not badge)):
            self.touch(here)
            return here
        if device in self._premises.service:
            return _no("service_mode")
        if device in self._premises.recovering:
            return _no("recovering")
        if standing_open(cabinet):
            return _no("door_open")
        if here is not None or device in self._premises.busy:
            return DrawResult("busy", reason="busy", sentence=SENTENCES["busy"])
        return None

    async def _identified(self, device: str, badge: str, code: str, pin: str) -> tuple[Person, str] | DrawResult:
        """Whoever shows this, if it is enough here."""
        rules = self._premises.desired.current.book
        person = await self._shown(device, badge, code)
        if isinstance(person, DrawResult):
            return person
        if person.person in rules.blocked.persons or not person.active:
            reason = "person_blocked" if person.active else "person_inactive"
            return await self._turned_away(device, reason, person.person)
        need: Identify = person.identify or rules.cabinet(device).identify or "badge"
        if badge and need in ("badge", "badge_or_pin"):
            return person, "badge"
        if not badge and need in ("badge", "badge_and_pin"):
            return await self._turned_away(device, "unknown_code", person.person)
        told = await self._pin(device, person, pin)
        return told if told is not None else (person, "both" if badge else "pin")

    async def _shown(self, device: str, badge: str, code: str) -> Person | DrawResult:
        """Whose badge or number it is."""
        desired = self._premises.desired.current
        rules, holder = desired.book, desired.badges.get(badge)
        if not desired.version:
            return _no("no_list", "supplier")
        if badge and (badge in rules.blocked.badges or holder is None):
            return await self._turned_away(device, "badge_blocked" if holder else "unknown_badge", "")
        person = rules.person(holder.person) if holder else rules.by_code(code)
        if person is None and self.tries.locked(device, rules, self._clock.mono_ms()):
            return _no("pin_locked", "supervisor")
        return person or await self._turned_away(device, "unknown_code", "", event="pin_wrong")

    async def _pin(self, device: str, person: Person, pin: str) -> DrawResult | None:
        rules = self._premises.desired.current.book
        if not person.pin:
            return _no("pin_unset", "supervisor")
        if self.tries.locked(person.person, rules, self._clock.mono_ms()):
            return _no("pin_locked", "supervisor")
        if not pin:
            return _no("pin_needed")
        # Checked beside the event loop: it is slow on purpose, and lines must not wait for it.
        if await asyncio.to_thread(check_pin, pin, person.pin):
            return None
        told = await self._turned_away(device, "pin_wrong", person.person, event="pin_wrong")
        locked = self.tries.locked(person.person, rules, self._clock.mono_ms())
        return _no("pin_locked", "supervisor") if locked else told

    async def _turned_away(self, device: str, reason: str, who: str, *, event: str = "session_refused") -> DrawResult:
        try:
            await self._premises.keep(self._event(device, event, who, {"reason": reason}))
        except NotStored as error:
            return not_stored(error)
        return _no(reason, "supervisor")

    def _event(self, device: str, name: str, who: str, data: dict[str, str | int]) -> DeviceEvent:
        return happened(name, stamp(self._clock), device, who=who, data=dict(data))


def _no(reason: str, whom: Whom = "") -> DrawResult:
    sentence = PIN_SENTENCES.get(reason) or SENTENCES.get(reason, "")
    return DrawResult("refused", reason=reason, sentence=sentence, ask=WHOM[whom])
