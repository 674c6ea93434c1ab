"""From slots that were touched to proposed orders, each with its reason in words and numbers.

The surprise: a slot never has two open orders. While an order is only proposed it follows the stock: a further draw
makes it larger, a piece that came back withdraws it. Once a person has ordered it, it counts as on order. A refill of
the slot closes it: what the restocker did not bring is decided anew from what now lies in the slot. The id follows from
the leaf that caused it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from cloud.database import Tx
from cloud.ingest.posted import Posted
from cloud.replenishment import repository
from cloud.replenishment.policies import min_max
from cloud.replenishment.publish_orders import publish_orders
from cloud.replenishment.repository import SlotPlan

Slot = tuple[str, str]

SENTENCES = {
    "position_at_or_below_min": (
        "{item}: {on_hand} on hand and {on_order} on order are not more than the minimum of {min}; "
        "{packs} x {pack} bring it to the maximum of {max}."
    ),
    "position_at_or_below_min_room_for_fewer": (
        "{item}: {on_hand} on hand and {on_order} on order are not more than the minimum of {min}; "
        "the slot holds {capacity}, so {packs} x {pack} are ordered although the maximum is {max}."
    ),
}


def propose(
    tx: Tx,
    tenant: str,
    touched: Mapping[Slot, Posted],
    refilled: set[Slot],
    plans: Mapping[Slot, SlotPlan],
    on_hand: Callable[[SlotPlan], int],
) -> None:
    """Decides again for every touched (device, slot); the Posted is the record that touched it last.

    ``plans`` are as they were before this posting; ``on_hand`` says what a planned slot holds after it, in millionths.
    """
    if not touched:
        return
    changed = repository.close_refilled(tx, tenant, sorted(refilled), _latest(touched))
    proposals = []
    for place in sorted(touched):
        slot = plans.get(place)
        if slot is None:
            continue
        cause = touched[place]
        opened = None if place in refilled else slot.open_order
        if opened is not None and opened.state == "ordered":
            continue
        decision = min_max.decide(on_hand(slot), 0, slot.levels)
        if decision is None:
            if opened is not None:
                repository.set_state(tx, tenant, opened.order_id, "withdrawn", cause.at_ms)
                changed.add(slot.device)
            continue
        if opened is None:
            changed.add(slot.device)
        order_id = opened.order_id if opened is not None else _order_id(tenant, slot, cause)
        proposals.append(repository.Proposal(order_id, slot, decision, cause))
    repository.save_proposals(tx, tenant, proposals)
    publish_orders(tx, tenant, changed)


def in_words(item: str, reason: str, facts: Mapping[str, int]) -> str:
    """The reason as an English sentence; pages translate ``SENTENCES``."""
    shown: dict[str, str | int] = {}
    for name, value in facts.items():
        shown[name.removesuffix("_micro")] = _units(value) if name.endswith("_micro") else value
    return SENTENCES[reason].format(item=item, **shown)


def _units(micro: int) -> str:
    whole, rest = divmod(abs(micro), min_max.MILLION)
    text = f"{whole}.{rest:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if micro < 0 else text


def _latest(touched: Mapping[Slot, Posted]) -> int:
    return max(posted.at_ms for posted in touched.values())


def _order_id(tenant: str, slot: SlotPlan, cause: Posted) -> str:
    text = "\n".join((tenant, slot.device, slot.slot, slot.item, *map(str, cause.key)))
    return f"ord_{hashlib.sha256(text.encode()).hexdigest()[:20]}"
