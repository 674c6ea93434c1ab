"""What a person at the cabinet sees: the slots with their stock, what he may take, what is his. No I/O.

The surprise is that a slot which may not be drawn from is shown all the same, with the reason: a tile that has vanished
is a telephone call.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.access import Asked, Decision, is_over
from gateway.open_questions import questions
from gateway.periods import DAY_MS
from gateway.ports import Slot
from gateway.premises import Premises
from gateway.rules import Person, Waiting
from gateway.stock_words import Stock, stock_word
from gateway.take_verdict import owns
from gateway.uses import Use
from gateway.visitors import Visitor

LAST_ITEMS = 5
# Reasons that are answered at the cabinet and refuse nobody.
QUESTIONS = ("needs_job", "needs_cost_centre", "serial_needed")


class LimitSeen(msgspec.Struct, frozen=True):
    """The limit that is nearest."""

    id: str
    period: str
    quantity: int
    used: int
    left: int
    ends_ms: int


class Tile(msgspec.Struct, frozen=True):
    """One slot. `left`: pieces this person may still take; None: no limit. `serials`: the numbers that are known to lie
    here, None where the item has none or the cabinet sees which one leaves. `waiting`: what is put by here for him.
    `used`: so many used pieces lie in the box, to be taken first.
    """

    slot: str
    item: str
    name: str
    unit: str
    pack: int
    capacity: int
    on_hand: int | None
    stock: Stock
    doubtful: bool
    mode: Literal["draw", "loan", "will_call", "off"]
    allowed: bool
    reason: str
    sentence: str
    ask: str
    left: int | None
    limit: LimitSeen | None
    essential: bool
    expires_ms: int | None
    lot: str
    serials: list[str] | None
    waiting: str = ""
    used: int = 0


def tiles(premises: Premises, cabinet: str, visitor: Visitor | None) -> list[Tile]:
    """All slots of a cabinet, in the planogram's order."""
    planogram = premises.desired.current.planograms.get(cabinet)
    return [_tile(premises, cabinet, place, visitor) for place in (planogram.slots if planogram else ())]


def _tile(premises: Premises, cabinet: str, place: Slot, visitor: Visitor | None) -> Tile:
    rules = premises.desired.current.book
    item, held = rules.item(place.item), premises.lies_in(cabinet, place.slot)
    lend = bool(item.loan_days)
    decision = None
    if visitor is not None:
        only = held.serials[0] if item.serial and held.serials else ""
        asked = Asked(
            cabinet, place.slot, 1, serial=only, badge=visitor.badge, person=visitor.person.person,
            for_=visitor.for_ or visitor.person.cost_centre, lend=lend,
        )  # fmt: skip
        decision = premises.judge(asked)
    now = premises.now()
    put_by = any(not is_over(one, now) for one in rules.put_by(cabinet, place.slot))
    off = decision is not None and decision.reason == "slot_off"
    limit = decision.limit if decision else None
    return Tile(
        place.slot, place.item, item.name or place.item, item.unit, item.pack, place.capacity, held.on_hand,
        stock_word(held.on_hand, place), held.doubtful,
        "off" if off else "will_call" if put_by else "loan" if lend else "draw",
        allowed=_may(decision), reason=decision.reason if decision else "",
        sentence=decision.sentence if decision else "",
        ask=decision.ask if decision else "", left=decision.left if decision else None,
        limit=LimitSeen(limit.limit.id, limit.limit.period, limit.allowed, limit.used, limit.left, limit.ends_ms)
        if limit is not None else None,
        essential=item.essential, expires_ms=held.lot.expires if held.lot else None,
        lot=held.lot.lot if held.lot else "",
        serials=held.serials if item.serial and cabinet not in premises.sees_serials else None,
        waiting=_for_him(premises, cabinet, place.slot, visitor),
        used=premises.shelf.used(cabinet, place.item),
    )  # fmt: skip


def _may(decision: Decision | None) -> bool:
    """A job or a cost centre that is still to be chosen is a question and no refusal."""
    return decision is not None and (decision.allowed or decision.reason in QUESTIONS)


def offer(premises: Premises, cabinet: str, slot: str, visitor: Visitor) -> list[str]:
    """Other slots with the same item that would work now."""
    found = {one.slot: one for one in tiles(premises, cabinet, visitor)}
    item = found[slot].item if slot in found else ""
    return [
        one.slot
        for one in found.values()
        if one.item == item and one.slot != slot and one.allowed and not one.doubtful and one.stock != "empty"
    ]


def mine(premises: Premises, visitor: Visitor) -> dict[str, object]:
    """What a person has drawn and may bring back, what he has borrowed, what waits for him."""
    rules, now = premises.desired.current.book, premises.now()
    draws: list[dict[str, object]] = []
    loans: list[dict[str, object]] = []
    last: list[str] = []
    for use in premises.uses.of(visitor.person.person):
        if use.open or not use.qty or use.cabinet != visitor.cabinet:
            continue
        if use.item not in last and len(last) < LAST_ITEMS:
            last.append(use.item)
        if use.lent:
            due = premises.uses.due(use)
            overdue = due is not None and now.ts == "S" and now.t > due
            loans.append({**_named(premises, use), "due_ms": due, "overdue": overdue, "serial": use.serial})
            continue
        at = premises.uses.when(use)
        until = (use.t if at is None else at) + rules.item(use.item).return_days * DAY_MS
        if now.ts != "S" or at is None or now.t <= until:
            draws.append({**_named(premises, use), "at_ms": use.t if at is None else at, "returnable_until_ms": until})
    waiting = [
        {
            "id": one.id,
            "slot": one.slot,
            "item": one.item,
            "name": rules.item(one.item).name or one.item,
            "qty": one.qty,
        }
        for one in rules.waiting
        if one.cabinet == visitor.cabinet and is_for(one, visitor.person)
        if premises.handed.left(one) and not is_over(one, now)
    ]
    return {
        "draws": draws, "loans": loans, "waiting": waiting, "last_items": last,
        "questions": _questions(premises, visitor),
    }  # fmt: skip


def _for_him(premises: Premises, cabinet: str, slot: str, visitor: Visitor | None) -> str:
    """The name of what is put by in a slot for this person and still lies there; empty: nothing."""
    now, here = premises.now(), premises.desired.current.book.put_by(cabinet, slot)
    his = (one for one in here if visitor is not None and is_for(one, visitor.person))
    return next((one.id for one in his if premises.handed.left(one) and not is_over(one, now)), "")


def is_for(one: Waiting, person: Person) -> bool:
    """Whether goods are put by for this person: by name, or by an order that is one of his jobs."""
    return one.person == person.person or bool(one.order and one.order in person.jobs)


def _questions(premises: Premises, visitor: Visitor) -> list[dict[str, object]]:
    """The unproven draws of this cabinet that this person may decide."""
    if not owns(premises, visitor, visitor.cabinet):
        return []
    rules = premises.desired.current.book
    return [
        {
            "record": one.record, "slot": one.slot, "item": one.item, "name": rules.item(one.item).name or one.item,
            "qty": one.qty, "at_ms": one.at_ms, "deadline_ms": one.deadline_ms, "overdue": one.overdue,
        }
        for one in questions(premises)
        if one.cabinet == visitor.cabinet and one.person != visitor.person.person
    ]  # fmt: skip


def _named(premises: Premises, use: Use) -> dict[str, object]:
    name = premises.desired.current.book.item(use.item).name or use.item
    record = f"{use.key.src}/{use.key.ep}/{use.key.n}"
    return {"record": record, "slot": use.slot, "item": use.item, "name": name, "qty": use.qty}
