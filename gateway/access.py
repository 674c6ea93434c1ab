"""May this person take this, now? Decided from cached rules, so the answer is the same with no network. PURE.

The surprise is that the age of the rules is part of the answer: rules that nobody confirmed for too long decide by the
stated policy of the cabinet (deny, essentials, allow), and every draw keeps the version it was allowed by. A refusal
always says why, in a word for machines, in a sentence for the person in front of the cabinet, and whom to ask.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.handed_out import flag
from gateway.ports import Badge, Desired, Planogram, Slot
from gateway.reasons import ASK, SENTENCES, WHOM, Reason
from gateway.rules import CabinetRules, Item, Person, Rules, Share, Waiting, WhenOld, account
from gateway.uses import Left, Now, Uses, price_of


class AccessPolicy(msgspec.Struct, frozen=True):
    """How long the rules are good without the cloud, and what then, where the cabinet's own say nothing. 0 days: for
    ever.
    """

    max_age_days: int = 30
    when_old: WhenOld = "deny"
    refuse_empty: bool = False

    def too_old(self, cabinet: CabinetRules, age_seconds: int | None) -> bool:
        """Whether rules of this age decide by the policy; an age that nobody knows refuses nobody."""
        longest = self.max_age_days * 86_400 if cabinet.max_age_hours is None else cabinet.max_age_hours * 3600
        return bool(longest and age_seconds is not None and age_seconds > longest)


class Asked(msgspec.Struct, frozen=True):
    """What is asked for. `person` names who identified himself without a badge; `for_` is the account to charge;
    `lend`: as a loan; `waiting`: the goods put by that are picked up; `request`: the flag of who asks (``answered``).
    """

    cabinet: str
    slot: str
    quantity: int = 1
    badge: str = ""
    person: str = ""
    for_: str = ""
    lend: bool = False
    waiting: str = ""
    serial: str = ""
    request: str = ""


class Situation(msgspec.Struct, frozen=True):
    """What holds at the moment of asking, besides the rules. `off`: the slot is out of order; `serials` are known to
    lie there; `sees`: the cabinet itself sees which one leaves; `handed`: goods put by that are gone (``handed_out``).
    """

    uses: Uses | None = None
    now: Now | None = None
    on_hand: int | None = None
    off: bool = False
    expired: bool = False
    serials: tuple[str, ...] = ()
    sees: bool = False
    handed: frozenset[str] = frozenset()


NOTHING_KNOWN = Situation()
# Who may refill, count, and decide what nobody has proven, where the rules name nobody else.
LOOK_AFTER = frozenset({"restocker", "counter", "supplier", "supervisor"})


class Decision(msgspec.Struct, frozen=True):
    """Yes or no, for whom, by which versions. `q` are quality flags for the records that follow; `limit` is the one
    that is nearest; `left` how many may be drawn (None: no limit).
    """

    allowed: bool
    reason: Reason = ""
    person: str = ""
    slot: Slot | None = None
    planogram: int = 0
    rules: int = 0
    age_seconds: int | None = None
    q: tuple[str, ...] = ()
    for_: str = ""
    limit: Left | None = None
    left: int | None = None
    asks: str = ""

    @property
    def sentence(self) -> str:
        """Why not, for the person who asked."""
        return SENTENCES.get(self.reason, "")

    @property
    def ask(self) -> str:
        """Whom to ask, as a sentence; the site's own words where it has some."""
        return "" if self.allowed else self.asks or WHOM[ASK.get(self.reason, "")]


class Verdict(msgspec.Struct):
    """A decision in the making: the first reason stands."""

    reason: Reason = ""
    q: list[str] = []
    limit: Left | None = None
    left: int | None = None
    asks: str = ""

    def no(self, reason: Reason) -> None:
        """Refused, unless it is already."""
        self.reason = self.reason or reason


def decide(
    desired: Desired, age_seconds: int | None, policy: AccessPolicy, asked: Asked, at: Situation = NOTHING_KNOWN
) -> Decision:
    """The decision for one request. `age_seconds` None: the age is not known, which alone refuses nobody."""
    rules = desired.book
    planogram = desired.planograms.get(asked.cabinet)
    place = _lies_there(desired, asked, planogram.find(asked.slot) if planogram else None)
    holder = desired.badges.get(asked.badge)
    name = asked.person or (holder.person if holder else "")
    person = rules.person(name)
    groups = frozenset((*person.groups, *(holder.groups if holder else ())))
    found = Verdict(q=[])
    for_ = _charge(rules, asked.for_, person)
    found.no(_known(desired, planogram, place, name))
    found.no(_barred(desired, asked.badge, person))
    found.no("" if asked.person else _badge_alone(desired, asked.cabinet, person))
    if place is not None:
        found.no(_piece(place, asked, at))
        item = rules.item(place.item)
        found.no(_reserved(desired, asked, at))
        if (item.groups and not groups & frozenset(item.groups)) or (place.item in rules.blocked.items):
            found.no("item_blocked" if place.item in rules.blocked.items else "not_your_item")
        if item.loan_days and not asked.lend:
            found.no("is_a_loan")
        if item.serial:
            found.no(_number(asked, at))
        found.no(_account(desired, item, person, for_))
        _age(found, policy, desired, asked, item, age_seconds)
        if name:
            _limits(found, desired, asked, place, (name, groups, for_), at)
            if not asked.lend:
                _credit(found, desired, asked, place.item, at)
        if policy.refuse_empty and at.on_hand is not None and at.on_hand < asked.quantity:
            found.no("empty")
    return Decision(
        allowed=not found.reason,
        reason=found.reason,
        person=name,
        slot=place,
        planogram=planogram.version if planogram else 0,
        rules=rules.version or desired.rules or desired.version,
        age_seconds=age_seconds,
        q=tuple(found.q),
        for_=for_,
        limit=found.limit,
        left=found.left,
        asks=found.asks or (rules.help if ASK.get(found.reason) == "supervisor" else ""),
    )


def _lies_there(desired: Desired, asked: Asked, place: Slot | None) -> Slot | None:
    """The slot as it is asked for: goods put by in it are what was put by, whatever lies there otherwise."""
    waiting = desired.book.put_by(asked.cabinet, asked.slot) if asked.waiting and place else ()
    item = next((one.item for one in waiting if one.id == asked.waiting), "")
    return msgspec.structs.replace(place, item=item) if place and item else place


def _known(desired: Desired, planogram: Planogram | None, place: Slot | None, person: str) -> Reason:
    if not desired.version:
        return "no_list"
    if planogram is None:
        return "unknown_cabinet"
    if place is None:
        return "unknown_slot"
    return "" if person else "unknown_badge"


def may_look_after(desired: Desired, cabinet: str, badge: str) -> Reason:
    """Why this badge alone may not refill or count here. Where nobody has such a role, everybody on the list may."""
    holder = desired.badges.get(badge)
    if holder is None:
        return "unknown_badge"
    person = desired.book.person(holder.person)
    trusted = not desired.has_roles(LOOK_AFTER) or roles(desired, holder, person.person) & LOOK_AFTER
    return (
        _barred(desired, badge, person) or _badge_alone(desired, cabinet, person) or ("" if trusted else "role_needed")
    )


def _barred(desired: Desired, badge: str, person: Person) -> Reason:
    blocked = desired.book.blocked
    if badge and badge in blocked.badges:
        return "badge_blocked"
    if person.person in blocked.persons:
        return "person_blocked"
    return "" if person.active else "person_inactive"


def _badge_alone(desired: Desired, cabinet: str, person: Person) -> Reason:
    """Whether a badge by itself is enough here; a session has asked for the rest before."""
    need = person.identify or desired.book.cabinet(cabinet).identify
    return "pin_needed" if need in ("pin", "badge_and_pin") else ""


def _piece(place: Slot, asked: Asked, at: Situation) -> Reason:
    if asked.quantity < 1 or (place.capacity and asked.quantity > place.capacity):
        return "quantity"
    if place.confirm == "door" and asked.quantity > 1 and not asked.waiting:
        return "one_at_a_time"
    if at.expired:
        return "lot_expired"
    return "slot_off" if at.off else ""


def _number(asked: Asked, at: Situation) -> Reason:
    """Goods with serial numbers leave one by one, each by its name; one that is nowhere cannot be what is taken."""
    if at.sees:
        return ""
    if asked.quantity > 1:
        return "one_at_a_time"
    if not asked.serial:
        return "serial_needed"
    all_known = bool(at.serials) and at.on_hand is not None and len(at.serials) >= at.on_hand
    return "serial_unknown" if all_known and asked.serial not in at.serials else ""


def _reserved(desired: Desired, asked: Asked, at: Situation) -> Reason:
    """Goods put by are for whom they are put by, once, and as long as they are."""
    here = desired.book.put_by(asked.cabinet, asked.slot)
    if asked.waiting:
        mine = next((one for one in here if one.id == asked.waiting), None)
        if mine is not None and flag(mine) in at.handed:
            return "picked_up_before"
        return "" if mine is not None and not is_over(mine, at.now) else "pickup_over"
    # Also when they were fetched: what nobody has put there since is an empty compartment, and a door that is opened
    # in front of it would count as a piece.
    return "slot_reserved" if any(not is_over(one, at.now) for one in here) else ""


def is_over(one: Waiting, now: Now | None) -> bool:
    """Whether goods are put by no longer; a clock that is not sure ends nothing."""
    return bool(one.until_ms and now is not None and now.ts == "S" and now.t >= one.until_ms)


def _charge(rules: Rules, for_: str, person: Person) -> str:
    """What a record says is charged: what was asked for; a job without an account of its own is on the person's."""
    centre, job = rules.charged(for_)
    return for_ if centre or not person.cost_centre else account(person.cost_centre, job)


def _account(desired: Desired, item: Item, person: Person, for_: str) -> Reason:
    """Whether what is to be charged is there, open, and this person's to charge."""
    rules = desired.book
    centre, job = rules.charged(for_)
    if item.needs_job and not job:
        return "needs_job"
    if item.needs_cost_centre and not centre:
        return "needs_cost_centre"
    if rules.jobs and job:
        known = rules.job(job)
        if known is None or not known.open or (person.jobs and job not in person.jobs):
            return "unknown_job"
    if rules.cost_centres and centre:
        known_centre = rules.cost_centre(centre)
        mine = not person.cost_centres or centre in (*person.cost_centres, person.cost_centre)
        if known_centre is None or not known_centre.open or not mine:
            return "unknown_cost_centre"
    return ""


def _age(
    found: Verdict, policy: AccessPolicy, desired: Desired, asked: Asked, item: Item, age_seconds: int | None
) -> None:
    cabinet = desired.book.cabinet(asked.cabinet)
    if not policy.too_old(cabinet, age_seconds):
        return
    found.q.append("old_list")
    when = cabinet.when_old or policy.when_old
    if when == "deny":
        found.no("list_too_old")
    elif when == "essentials" and not item.essential:
        found.no("not_essential")


def _limits(
    found: Verdict,
    desired: Desired,
    asked: Asked,
    place: Slot,
    who: tuple[str, frozenset[str], str],
    at: Situation,
) -> None:
    """All limits that this request meets; the one that leaves least is shown."""
    rules, (person, groups, for_) = desired.book, who
    if at.uses is None or at.now is None or not rules.limits:
        return
    if at.now.ts not in ("S", "R"):
        found.q.append("limit_unsure")
    centre, job = rules.charged(for_)
    prices = _prices(desired, asked.cabinet)
    worth = price_of(place.item, rules, prices)
    for limit in rules.limits_on(place.item):
        mine = (
            (not limit.cabinets or asked.cabinet in limit.cabinets)
            and (not limit.persons or person in limit.persons)
            and (not limit.groups or bool(groups & frozenset(limit.groups)))
            and (not limit.cost_centres or centre in limit.cost_centres)
            and (not limit.jobs or job in limit.jobs)
        )
        if not mine or (limit.quantity is None and limit.value_minor is None):
            continue
        stands = at.uses.standing(
            limit, rules, at.now, person=person, for_=for_, prices=prices,
            members=desired.members(groups.intersection(limit.groups or groups)) if limit.each == "group" else (),
        )  # fmt: skip
        by_value = limit.value_minor is not None
        if by_value and not worth:
            found.q.append("unpriced")
            continue
        left = stands.left // (worth or 1) if by_value else stands.left
        if found.left is None or left < found.left:
            found.left, found.limit = left, stands
        if asked.quantity > left and not found.reason:
            found.no("limit_value" if by_value else "limit_quantity")
            found.asks, found.left, found.limit = limit.ask, left, stands
            return


def _credit(found: Verdict, desired: Desired, asked: Asked, item: str, at: Situation) -> None:
    """What the cloud lets this gateway give away on its own."""
    for share in desired.credit.values():
        if asked.cabinet not in share.devices:
            continue
        worth = price_of(item, desired.book, share.prices)
        if worth is None:
            found.q.append("unpriced")
            continue
        left = _share_left(share, desired, at) // worth if worth else None
        if left is not None and (found.left is None or left < found.left):
            found.left = left
        if left is not None and asked.quantity > left:
            spared = share.when_spent == "essentials" and desired.book.item(item).essential
            if share.when_spent == "allow" or spared:
                found.q.append("over_credit")
            else:
                found.no("credit")


def _share_left(share: Share, desired: Desired, at: Situation) -> int:
    over = bool(share.until_ms and at.now is not None and at.now.ts == "S" and at.now.t >= share.until_ms)
    spent = at.uses.spent(share, desired.book) if at.uses is not None else 0
    return 0 if over else max(0, share.limit_minor - share.used_minor - spent)


def _prices(desired: Desired, cabinet: str) -> Mapping[str, int]:
    return next((one.prices for one in desired.credit.values() if cabinet in one.devices), {})


def roles(desired: Desired, badge: Badge | None, person: str) -> frozenset[str]:
    """The groups of whoever stands there, by badge and by rules."""
    return frozenset((*desired.book.person(person).groups, *(badge.groups if badge else ())))
