"""Measured air -> level of an air unit, and who may switch a relay. PURE: everything comes in, one decision goes out.

The surprise is how often the answer is "leave it": a value that is old, flagged or missing decides nothing, a machine
that has just been switched rests, and an hour nobody can trust (no clock) shuts nothing off. A person's order goes
before every rule; only the rest a compressor needs before it starts again goes before a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from gateway.control_rules import DAYS, Control, Hours, Source


class Value(msgspec.Struct, frozen=True):
    """A measured value with the monotonic ms at which it came, and what its driver doubts about it.

    ``positive_at``: when it was last above 0, which is what an occupancy is held by.
    """

    value: Decimal
    at: int
    q: tuple[str, ...] = ()
    positive_at: int | None = None


class Order(msgspec.Struct, frozen=True):
    """A person's order: this level until ``until`` (monotonic ms; None: until it is taken back)."""

    level: int
    who: str
    until: int | None
    reason: str = ""


class Running(msgspec.Struct, frozen=True):
    """What the unit itself was read back to do; ``since``: monotonic ms of its last change between off and on."""

    level: int
    since: int


class Now(msgspec.Struct, frozen=True):
    """The moment: monotonic ms, and the wall clock in ms UTC (None while nobody trusts it)."""

    mono: int
    wall: int | None


class Decision(msgspec.Struct, frozen=True):
    """The level to be at now, and why in a word: rule, order, hours, empty_room, blind, resting, held."""

    level: int
    why: str
    who: str = ""
    seen: Decimal | None = None


class Refusal(msgspec.Struct, frozen=True):
    """Why somebody may not switch this unit; ``text`` is for that person."""

    reason: str
    text: str


# Flags that only say when a value was taken, not that it may be wrong.
HARMLESS = frozenset({"received", "late"})


def decide(
    control: Control,
    running: Running | None,
    values: Mapping[Source, Value],
    order: Order | None,
    now: Now,
    begun: int = 0,
) -> Decision | None:
    """Where the unit should be now; None: nothing is known and nothing is ordered, so it is left alone.

    ``running`` None: the unit has not answered yet. Whether it runs is then unknown, and since when: as if it had been
    switched at ``begun`` (monotonic ms), when it was looked at first.
    """
    wanted = _wanted(control, running, values, order, now)
    if wanted is None:
        return None
    return _rested(control, running, wanted, now, begun)


def may_order(control: Control, *, known: bool, switcher: bool, reason: str) -> Refusal | None:
    """May this person switch this unit by hand. ``switcher``: the badge is in a group that may cut a customer off."""
    if not known:
        return Refusal("unknown_badge", "This badge is not known here. Ask your supervisor.")
    if control.cuts_off and not switcher:
        return Refusal("not_allowed", "Only the supplier's own staff may switch this relay. Call the supplier.")
    if control.cuts_off and not reason.strip():
        return Refusal("no_reason", "Say why: switching this relay stops a customer's supply, and the reason is kept.")
    return None


def by_rule(control: Control) -> bool:
    """Whether a program may ever move this unit: never one that cuts a customer off."""
    return control.follows and not control.cuts_off


def _wanted(
    control: Control, running: Running | None, values: Mapping[Source, Value], order: Order | None, now: Now
) -> Decision | None:
    if order is not None and (order.until is None or now.mono < order.until):
        return Decision(order.level, "order", order.who)
    if not by_rule(control) or control.air is None:
        return None
    if not _inside(control, now):
        return Decision(control.outside_level, "hours")
    value = _fresh(values.get(control.air), control, now)
    if value is None:
        return _blind(control, running)
    level = _level(control, value.value, running.level if running else 0)
    if not _occupied(control, values, now) and control.occupancy and level > control.occupancy.level:
        return Decision(control.occupancy.level, "empty_room", seen=value.value)
    return Decision(level, "rule", seen=value.value)


def _blind(control: Control, running: Running | None) -> Decision | None:
    if control.when_blind != "hold":
        return Decision(control.when_blind, "blind")
    return Decision(running.level, "blind") if running else None


def _rested(control: Control, running: Running | None, wanted: Decision, now: Now, begun: int) -> Decision | None:
    """A unit that was switched on or off a moment ago stays so; a person may always switch it off."""
    if running is not None and (running.level > 0) is (wanted.level > 0):
        return wanted
    least = control.min_off_seconds if wanted.level else control.min_on_seconds
    since = running.since if running is not None else begun
    if now.mono - since >= least * 1000 or (wanted.why == "order" and not wanted.level):
        return wanted
    return Decision(running.level, "resting", wanted.who, wanted.seen) if running is not None else None


def _level(control: Control, value: Decimal, held: int) -> int:
    """Up at a threshold, down only when the value is ``hysteresis`` below the threshold that was passed."""
    reached = max((step.level for step in control.steps if value > step.above), default=0)
    kept = max((step.level for step in control.steps if value > step.above - control.hysteresis), default=0)
    return max(reached, min(held, kept))


def _fresh(value: Value | None, control: Control, now: Now) -> Value | None:
    doubted = value is None or bool(set(value.q) - HARMLESS)
    return None if doubted or value is None or now.mono - value.at > control.blind_seconds * 1000 else value


def _occupied(control: Control, values: Mapping[Source, Value], now: Now) -> bool:
    """A presence sensor that is silent for too long proves nothing: then somebody is taken to be there.

    Many speak only when it changes: one that said "somebody" and nothing since means it still.
    """
    rule = control.occupancy
    seen = values.get(rule.source) if rule else None
    if rule is None or seen is None or now.mono - seen.at > rule.blind_seconds * 1000:
        return True
    if seen.value > 0:
        return True
    return seen.positive_at is not None and now.mono - seen.positive_at <= rule.hold_seconds * 1000


def _inside(control: Control, now: Now) -> bool:
    if not control.hours or now.wall is None:
        return True
    local = (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=now.wall)).astimezone(ZoneInfo(control.zone))
    return any(_within(hours, local) for hours in control.hours)


def _within(hours: Hours, local: datetime) -> bool:
    clock, today, yesterday = local.time(), DAYS[local.weekday()], DAYS[local.weekday() - 1]
    if hours.begin < hours.end:
        return today in hours.days and hours.begin <= clock < hours.end
    return (today in hours.days and clock >= hours.begin) or (yesterday in hours.days and clock < hours.end)
