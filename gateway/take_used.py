"""Used goods go first: what was brought back used lies in the box beside the cabinet, for whoever needs it again.

The surprise is that this is no draw. These pieces were billed when they were new and are the customer's own; no limit
and no bill counts them again, and the supplier's stock does not move. What is kept is who took what, in the log. Nobody
watches the box: who finds less in it than the books say, says so, and the books follow.
Source: vending.md section 4, *burn stock*: store of used goods, drawn first.
"""

from __future__ import annotations

from gateway.access import Asked
from gateway.ports import NotStored, RecordRefused
from gateway.premises import Premises
from gateway.recording import happened, stamp
from gateway.shelf import BURN
from gateway.take_draw import DrawResult, not_stored, refused
from gateway.visitors import Visitor
from wire.records import USED_MISSING, USED_TAKEN

# What keeps somebody from the goods themselves, new or used.
FORBIDDEN = frozenset({
    "no_list", "unknown_cabinet", "unknown_slot", "unknown_badge", "badge_blocked", "person_blocked", "person_inactive",
    "pin_needed", "item_blocked", "not_your_item", "list_too_old", "not_essential",
})  # fmt: skip
NONE = "There is no used piece of this here."


async def take_used(premises: Premises, visitor: Visitor, slot: str, quantity: int, request: str = "") -> DrawResult:
    """So many used pieces of what the slot holds new, out of the box."""
    place, _ = premises.place(visitor.cabinet, slot)
    person = visitor.person.person
    decision = premises.judge(Asked(visitor.cabinet, slot, 1, badge=visitor.badge, person=person))
    if place is None or decision.reason in FORBIDDEN:
        return refused(decision)
    if not 0 < quantity <= premises.shelf.used(visitor.cabinet, place.item):
        return DrawResult("refused", reason="no_used", sentence=NONE)
    data: dict[str, int | str | bool] = {"item": place.item, "quantity": quantity, "slot": slot}
    return await _say(premises, visitor, USED_TAKEN, data, request, DrawResult("used_taken", quantity))


async def miss_used(premises: Premises, visitor: Visitor, slot: str, request: str = "") -> DrawResult:
    """There is no used piece of this in the box, whatever the books say."""
    place, _ = premises.place(visitor.cabinet, slot)
    known = premises.shelf.used(visitor.cabinet, place.item) if place else 0
    if place is None or not known:
        return DrawResult("refused", reason="no_used", sentence=NONE)
    data: dict[str, int | str | bool] = {"item": place.item, "quantity": known, "slot": slot}
    return await _say(premises, visitor, USED_MISSING, data, request, DrawResult("used_missing"))


async def _say(
    premises: Premises, visitor: Visitor, event: str, data: dict[str, int | str | bool], request: str, done: DrawResult
) -> DrawResult:
    told = happened(
        event, stamp(premises.clock), visitor.cabinet, slot=BURN, who=visitor.person.person, data=data, did=request
    )
    try:
        (key,) = await premises.keep(told)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return DrawResult(done.outcome, done.qty, sentence=SENTENCES[done.outcome], key=key)


SENTENCES = {
    "used_taken": "Take it out of the box for used goods. It costs nothing.",
    "used_missing": "Written down: the box holds no used piece of this.",
}
