"""Min/max: when the position is at or below min, order up to max, in whole packs. PURE.

The surprise: it looks at the *position* (on hand and on order), not at the shelf, so that an order on its way is not
ordered again. Min and max are what people type; they know nothing of variability (replenishment.md 1).
"""

from __future__ import annotations

import msgspec

KIND = "min_max"
MILLION = 1_000_000


class Levels(msgspec.Struct, frozen=True):
    """What is known of a slot, in units; ``pack``: units in a package; ``capacity``: what fits, 0 for not known."""

    minimum: int
    maximum: int
    capacity: int
    pack: int


class Decision(msgspec.Struct, frozen=True):
    """How many units to order, and why: a code that pages translate, with the numbers that go into the sentence."""

    quantity: int
    reason: str
    facts: dict[str, int]


def decide(on_hand: int, on_order: int, levels: Levels) -> Decision | None:
    """The order for a slot, or None. ``on_hand`` and ``on_order`` are millionths of a unit."""
    position = on_hand + on_order
    if levels.maximum <= 0 or position > levels.minimum * MILLION:
        return None
    missing = levels.maximum * MILLION - position
    packs = -(-missing // (levels.pack * MILLION))
    room = levels.capacity * MILLION - position
    if levels.capacity and packs * levels.pack * MILLION > room:
        packs = max(1, room // (levels.pack * MILLION))
    facts = {
        "on_hand_micro": on_hand,
        "on_order_micro": on_order,
        "min": levels.minimum,
        "max": levels.maximum,
        "pack": levels.pack,
        "packs": packs,
    }
    if packs * levels.pack * MILLION >= missing:
        return Decision(packs * levels.pack, "position_at_or_below_min", facts)
    facts["capacity"] = levels.capacity
    return Decision(packs * levels.pack, "position_at_or_below_min_room_for_fewer", facts)
