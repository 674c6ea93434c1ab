"""Goods put into a slot: a person's claim, kept as such; the next count is its check."""

from __future__ import annotations

from gateway.ports import NotStored, RecordRefused
from gateway.premises import Cabinet, Premises
from gateway.reasons import SENTENCES
from gateway.recording import stamp
from gateway.take_count import not_trusted
from gateway.take_draw import DrawResult, not_stored
from wire.records import Refill


async def take_refill(
    premises: Premises, cabinet: Cabinet, slot: str, quantity: int, badge: str, request: str = ""
) -> DrawResult:
    """Records `quantity` pieces as put in. Refused for an unknown slot or badge, and while someone is being served."""
    if cabinet.device in premises.busy or cabinet.device in premises.service:
        return DrawResult("busy", reason="busy", sentence="Someone is being served. Wait until the door is closed.")
    if no := not_trusted(premises, cabinet.device, badge):
        return no
    desired = premises.desired.current
    place, _ = premises.place(cabinet.device, slot)
    if place is None:
        return DrawResult("refused", reason="unknown_slot", sentence=SENTENCES["unknown_slot"])
    if quantity < 1:
        return DrawResult("refused", reason="quantity", sentence="Say how many pieces were put in, at least one.")
    at = stamp(premises.clock)
    before = premises.lies_in(cabinet.device, slot).on_hand
    over = place.capacity and (before or 0) + quantity > place.capacity
    q = ["manual", *(["over_capacity"] if over else []), *([request] if request else [])]
    record = Refill(
        v=1, z="", src=cabinet.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        who=desired.badges[badge].person, q=q,
        slot=slot, item=place.item, qty=quantity, before={} if before is None else {"on_hand": before},
        order=desired.order(cabinet.device, place),
    )  # fmt: skip
    try:
        (key,) = await premises.keep(record)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return DrawResult("refilled", quantity, sentence="Written down. Thank you.", key=key)
