"""A slot counted by a person: the evidence that decides unverified draws, if it fits exactly one of the two worlds."""

from __future__ import annotations

from gateway.access import may_look_after
from gateway.ports import NotStored, RecordRefused, Slot
from gateway.premises import Cabinet, Premises
from gateway.reasons import ASK, SENTENCES, WHOM
from gateway.recording import Stamp, stamp
from gateway.shelf import Resolution, ref
from gateway.take_draw import DrawResult, not_stored
from wire.records import Count, DrawResolved


async def take_count(
    premises: Premises, cabinet: Cabinet, slot: str, quantity: int, badge: str, request: str = ""
) -> DrawResult:
    """Records `quantity` pieces as seen, by whose badge it is."""
    if no := not_trusted(premises, cabinet.device, badge):
        return no
    person = premises.desired.current.badges[badge].person
    return await take_count_as(premises, cabinet, slot, quantity, person, request)


def not_trusted(premises: Premises, cabinet: str, badge: str) -> DrawResult | None:
    """Why nobody takes this badge's word about what lies here."""
    reason = may_look_after(premises.desired.current, cabinet, badge)
    ask = WHOM[ASK.get(reason, "")]
    return DrawResult("refused", reason=reason, sentence=SENTENCES[reason], ask=ask) if reason else None


async def take_count_as(
    premises: Premises, cabinet: Cabinet, slot: str, quantity: int, person: str, request: str = ""
) -> DrawResult:
    """The same by name. Resolutions come first, so that the count finds the shelf as it really is."""
    place, _ = premises.place(cabinet.device, slot)
    if place is None:
        return DrawResult("refused", reason="unknown_slot", sentence="There is no such slot in this cabinet.")
    if quantity < 0:
        return DrawResult("refused", reason="quantity", sentence="A count is zero or more.")
    if cabinet.device in premises.busy:
        return DrawResult("busy", reason="busy", sentence="Someone is being served. Count when the door is closed.")
    premises.busy.add(cabinet.device)
    try:
        return await _count(premises, cabinet.device, place, quantity, person, request)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    finally:
        premises.over(cabinet.device)


async def _count(premises: Premises, device: str, slot: Slot, quantity: int, person: str, request: str) -> DrawResult:
    """Two commits: a count names the record it was taken behind, and a resolution has no number before its own."""
    at = stamp(premises.clock)
    decided = premises.decided_by(device, slot.slot, quantity)
    if decided:
        await premises.keep(*(resolved(one, at, f"count of {quantity}") for one in decided))
    count = Count(
        v=1, z="", src=device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        who=person, q=["manual", *((request,) if request else ())], slot=slot.slot, item=slot.item, qty=quantity,
        position=premises.shelf.look(device, slot.slot).last,
    )  # fmt: skip
    (key,) = await premises.keep(count)
    return DrawResult("counted", quantity, sentence="Written down. Thank you.", key=key)


def resolved(one: Resolution, at: Stamp, evidence: str, *, did: str = "") -> DrawResolved:
    """The record that decides an unverified draw."""
    draw = one.draw
    return DrawResolved(
        v=1, z="", src=draw.src, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=draw.who, ref=ref(draw), outcome=one.outcome, qty=one.qty, evidence=evidence,
        unit=draw.unit, scale=draw.scale,
    )  # fmt: skip
