"""Air units that follow the air: every command is on disk before it leaves, and what the unit did is read back.

The surprise is what is not trusted: neither the command (it may be lost) nor our memory of it (the unit may have been
switched on the spot). Only the level that the unit itself tells counts, so a lost command is simply given again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

import msgspec

from gateway.clock import Clock
from gateway.control import Decision, Now, Order, Running, Value, decide, may_order
from gateway.control_rules import Control, Source
from gateway.device_events import Scalar
from gateway.ports import DesiredSource, Journal, LinkDown, NotStored
from gateway.recording import happened, stamp

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
# Seconds until a unit that did not do as it was told is told again; it doubles to the second one.
PAUSE, LONGEST_PAUSE = 15, 600
READ_BACK_SECONDS = 60
# A silent unit is asked again after so many seconds, then after twice as many: each question costs its line a time-out.
HUSH_SECONDS = 5
# A relay that cuts a customer off is not switched by an order somebody gave an hour ago on a line that was down.
CUT_SECONDS = 600
SILENT, DEAF = "It does not answer.", "It did not follow its last command."


class Unit(Protocol):
    """Something with levels: 0 is off."""

    @property
    def device(self) -> str:
        """Its device id: the `src` of its records."""

    @property
    def levels(self) -> int:
        """The highest level."""

    async def level(self) -> int | None:
        """What it does now, as it says itself; None: it does not answer. Raises LinkDown."""

    async def switch(self, level: int) -> None:
        """Sends the command once. Raises LinkDown."""


class UnitState(msgspec.Struct):
    """One unit as the pages show it. ``level`` None: it has not answered yet."""

    unit: str
    level: int | None = None
    wanted: int | None = None
    why: str = ""
    seen: str = ""
    order_level: int | None = None
    order_by: str = ""
    order_seconds: int | None = None
    trouble: str = ""
    levels: int = 1
    cuts_off: bool = False


class UnknownUnitError(LookupError):
    """No unit of this id is controlled here; the message names those that are."""


class Ordered(msgspec.Struct, frozen=True):
    """The answer to a person's order: taken (no reason), or refused with the reason and a sentence."""

    reason: str = ""
    text: str = ""


class Steered:
    """One unit: its rule, its standing order, what it was read back to do."""

    def __init__(self, control: Control, unit: Unit) -> None:
        self.control = control
        self.unit = unit
        self.order: Order | None = None
        self.running: Running | None = None
        self.state = UnitState(control.unit, levels=unit.levels, cuts_off=control.cuts_off)
        self.owed: tuple[int, str] | None = None
        self.begun: int | None = None
        self.look = self.again = 0
        self.pause, self.hush = PAUSE, HUSH_SECONDS
        self.failed = self.answered = self.lapsed = False
        self.turn = asyncio.Lock()


class Controls:
    """All controlled units. ``run`` steers them by rule; ``order`` is a person's word."""

    def __init__(
        self,
        steered: Mapping[str, Steered],
        values: Mapping[Source, Value],
        journal: Journal,
        clock: Clock,
        desired: DesiredSource,
        switchers: frozenset[str] = frozenset({"supplier"}),
    ) -> None:
        self._steered = dict(steered)
        self._values = values
        self._journal = journal
        self._clock = clock
        self._desired = desired
        self._switchers = switchers

    def states(self) -> list[UnitState]:
        """Every unit as it is now."""
        return [one.state for one in self._steered.values()]

    async def run(self) -> None:
        """Steers until cancelled; each unit for itself, since one that is silent takes its time."""
        async with asyncio.TaskGroup() as group:
            for unit, one in self._steered.items():
                group.create_task(self._keep(one), name=f"control {unit}")

    async def _keep(self, one: Steered) -> None:
        if one.lapsed:
            await self._try_to_tell(one, "control_order_ended", {})
        while True:
            await self.steer(one)
            await self._clock.sleep(LOOK_SECONDS)

    async def order(self, unit: str, badge: str, level: int | None, reason: str = "", seconds: int = 0) -> Ordered:
        """A person wants this level for so many seconds (0: the rule's own length); None takes an order back.

        Raises UnknownUnitError; NotStored when it cannot be written down, and then nothing is switched.
        """
        one = self._steered.get(unit)
        if one is None:
            raise UnknownUnitError(f"There is no unit {unit!r} here; there are: {', '.join(self._steered) or 'none'}.")
        holder = self._desired.current.badges.get(badge)
        switcher = holder is not None and bool(self._switchers.intersection(holder.groups))
        refusal = may_order(one.control, known=holder is not None, switcher=switcher, reason=reason)
        if refusal is None and level is not None and not 0 <= level <= one.unit.levels:
            return Ordered("level", f"This unit knows the levels 0 to {one.unit.levels}.")
        if refusal is not None or holder is None:
            return Ordered(refusal.reason if refusal else "", refusal.text if refusal else "")
        async with one.turn:
            await self._take(one, holder.person, level, reason, seconds)
            # What it did a minute ago is not what it does: somebody may have switched it on the spot.
            one.look = 0
            await self._steer(one)
        return Ordered()

    async def steer(self, one: Steered) -> None:
        """One look at one unit: read back, decide, command, read back. Who comes meanwhile waits."""
        async with one.turn:
            await self._steer(one)

    async def _steer(self, one: Steered) -> None:
        now = self._clock.mono_ms()
        one.begun = now if one.begun is None else one.begun
        if one.order is not None and one.order.until is not None and now >= one.order.until:
            one.order = None
            await self._try_to_tell(one, "control_order_ended", {})
        if now >= one.look:
            await self._read_back(one)
        now = self._clock.mono_ms()
        wall = self._clock.wall_ms() if self._clock.state() == "S" else None
        decision = decide(one.control, one.running, self._values, one.order, Now(now, wall), one.begun)
        self._show(one, decision, now)
        if decision is None or (one.running is not None and decision.level == one.running.level):
            self._settled(one)
        elif now >= one.again:
            await self._command(one, decision)

    async def _take(self, one: Steered, who: str, level: int | None, reason: str, seconds: int) -> None:
        lasts = CUT_SECONDS if one.control.cuts_off else seconds or one.control.override_seconds
        lasts = 0 if level is None else lasts
        data: dict[str, Scalar] = {"level": -1 if level is None else level, "seconds": lasts, "reason": reason[:200]}
        await self._tell(one, "control_ordered", data, who)
        until = self._clock.mono_ms() + lasts * 1000 if lasts else None
        one.order = None if level is None else Order(level, who, until, reason)
        one.again, one.pause = 0, PAUSE

    async def _command(self, one: Steered, decision: Decision) -> None:
        was = one.running.level if one.running else -1
        data: dict[str, Scalar] = {"level": decision.level, "was": was, "why": decision.why}
        if decision.seen is not None:
            data["seen"] = str(decision.seen)
        if not await self._try_to_tell(one, "control_commanded", data, decision.who):
            return
        one.owed, words = (decision.level, decision.who), ""
        try:
            await one.unit.switch(decision.level)
        except LinkDown as error:
            log.warning("unit %s was not told: %s", one.control.unit, error)
            words = str(error)[:200]
        answered = await self._read_back(one)
        if answered and one.running is not None and one.running.level == decision.level:
            self._show(one, decision, self._clock.mono_ms())
            self._settled(one)
            return
        one.again = self._clock.mono_ms() + one.pause * 1000
        one.pause = min(one.pause * 2, LONGEST_PAUSE)
        # Before it is told again it is asked: a valve may have been on its way.
        one.look = min(one.look, one.again)
        if not one.failed:
            read = one.running.level if one.running and answered else -1
            failed: dict[str, Scalar] = {"level": decision.level, "read": read}
            one.failed = await self._try_to_tell(one, "control_failed", {**failed, "error": words} if words else failed)
        if answered:
            one.state.trouble = DEAF

    def _settled(self, one: Steered) -> None:
        """The unit does what it should: nothing is owed, and a one-time order of a relay is done."""
        one.again, one.pause, one.failed = 0, PAUSE, False
        one.state.trouble = "" if one.answered else one.state.trouble
        order, running = one.order, one.running
        if one.control.cuts_off and one.answered and order and running and running.level == order.level:
            one.order = None

    async def _read_back(self, one: Steered) -> bool:
        """Asks the unit; whether it answered."""
        trouble = SILENT
        try:
            level = await one.unit.level()
        except LinkDown as error:
            level, trouble, one.hush = None, str(error), HUSH_SECONDS
        now = self._clock.mono_ms()
        one.answered = level is not None
        if level is None:
            one.state.trouble = trouble
            one.look = now + one.hush * 1000
            one.hush = min(one.hush * 2, READ_BACK_SECONDS)
            return False
        one.look, one.hush = now + READ_BACK_SECONDS * 1000, HUSH_SECONDS
        await self._followed(one, level, now)
        return True

    async def _followed(self, one: Steered, level: int, now: int) -> None:
        """What the unit was read back to do: what it was told, or what somebody did on the spot."""
        before = one.running
        if before is None or (before.level > 0) is not (level > 0):
            one.running = Running(level, now)
        elif before.level != level:
            one.running = Running(level, before.since)
        if one.owed is not None and level == one.owed[0]:
            who, one.owed = one.owed[1], None
            await self._try_to_tell(one, "control_confirmed", {"level": level}, who)
        elif before is not None and level != before.level:
            await self._try_to_tell(one, "control_moved", {"level": level, "was": before.level})

    def _show(self, one: Steered, decision: Decision | None, now: int) -> None:
        state, order = one.state, one.order
        state.level = one.running.level if one.running else None
        state.wanted = decision.level if decision else None
        state.why = decision.why if decision else ""
        state.seen = str(decision.seen) if decision and decision.seen is not None else ""
        state.order_level = order.level if order else None
        state.order_by = order.who if order else ""
        state.order_seconds = (order.until - now) // 1000 if order and order.until is not None else None

    async def _tell(self, one: Steered, event: str, data: Mapping[str, Scalar], who: str = "") -> None:
        await self._journal.append([happened(event, stamp(self._clock), one.control.unit, data=data, who=who)])

    async def _try_to_tell(self, one: Steered, event: str, data: Mapping[str, Scalar], who: str = "") -> bool:
        try:
            await self._tell(one, event, data, who)
        except NotStored as error:
            log.warning("unit %s: %s was not written down: %s", one.control.unit, event, error)
            return False
        return True
