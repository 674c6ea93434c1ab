"""Goods put into a slot: a person's claim, kept as such; the next count is its check."""

from __future__ import annotations

from gateway.ports import NotStored, RecordRefused
from gateway.premises import Cabinet, Premises
from gateway.recording import stamp
from gateway.take_draw import DrawResult, not_stored
from wire.records import Refill


async def take_refill(premises: Premises, cabinet: Cabinet, slot: str, quantity: int, badge: str) -> DrawResult:
    """Records `quantity` pieces as put in. Refused for an unknown slot or badge, and while someone is being served."""
    if cabinet.device in premises.busy or cabinet.device in premises.service:
        return DrawResult("busy", reason="busy", sentence="Someone is being served. Wait until the door is closed.")
    decision = premises.decide(cabinet.device, badge, slot, 1)
    if decision.slot is None or not decision.person:
        return DrawResult("refused", reason=decision.reason, sentence=decision.sentence)
    if quantity < 1:
        return DrawResult("refused", reason="quantity", sentence="Say how many pieces were put in, at least one.")
    at = stamp(premises.clock)
    before = premises.shelf.look(cabinet.device, slot).on_hand
    over = decision.slot.capacity and (before or 0) + quantity > decision.slot.capacity
    record = Refill(
        v=1, z="", src=cabinet.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        who=decision.person, q=["manual", "over_capacity"] if over else ["manual"],
        slot=slot, item=decision.slot.item, qty=quantity, before={} if before is None else {"on_hand": before},
        order=premises.desired.current.order(cabinet.device, decision.slot),
    )  # fmt: skip
    try:
        (key,) = await premises.keep(record)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return DrawResult("refilled", quantity, sentence="Written down. Thank you.", key=key)
