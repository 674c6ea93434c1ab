"""A slot counted by a person: the evidence that decides unverified draws, if it fits exactly one of the two worlds."""

from __future__ import annotations

from gateway.ports import NotStored, RecordRefused
from gateway.premises import Cabinet, Premises
from gateway.recording import Stamp, stamp
from gateway.shelf import Resolution, ref
from gateway.take_draw import DrawResult, not_stored
from wire.records import Count, DrawResolved, Record


async def take_count(premises: Premises, cabinet: Cabinet, slot: str, quantity: int, badge: str) -> DrawResult:
    """Records `quantity` pieces as seen. Resolutions come first, so that the count finds the shelf as it really is."""
    decision = premises.decide(cabinet.device, badge, slot, 1)
    if decision.slot is None or not decision.person:
        return DrawResult("refused", reason=decision.reason, sentence=decision.sentence)
    if quantity < 0:
        return DrawResult("refused", reason="quantity", sentence="A count is zero or more.")
    if cabinet.device in premises.busy:
        return DrawResult("busy", reason="busy", sentence="Someone is being served. Count when the door is closed.")
    at = stamp(premises.clock)
    count = Count(
        v=1, z="", src=cabinet.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        who=decision.person, q=["manual"], slot=slot, item=decision.slot.item, qty=quantity,
        position=premises.shelf.look(cabinet.device, slot).last,
    )  # fmt: skip
    decided = premises.shelf.resolutions(cabinet.device, slot, quantity)
    records: list[Record] = [resolved(one, at, f"count of {quantity}") for one in decided]
    try:
        keys = await premises.keep(*records, count)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return DrawResult("counted", quantity, sentence="Written down. Thank you.", key=keys[-1])


def resolved(one: Resolution, at: Stamp, evidence: str, *, did: str = "") -> DrawResolved:
    """The record that decides an unverified draw."""
    draw = one.draw
    return DrawResolved(
        v=1, z="", src=draw.src, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=draw.who, ref=ref(draw), outcome=one.outcome, qty=one.qty, evidence=evidence,
        unit=draw.unit, scale=draw.scale,
    )  # fmt: skip
