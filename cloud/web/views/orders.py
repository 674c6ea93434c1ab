"""Open orders, each with its reason as a sentence. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from cloud.web.facts import OrderLine
from cloud.web.figures import number, quantity
from cloud.web.languages import Words
from cloud.web.views.state import State

_KNOWN = {"on_hand", "on_order", "min", "max", "pack", "packs"}


class OrderRow(NamedTuple):
    """What to bring, where, and why."""

    order_id: str
    cabinet: str
    slot: str
    item: str
    quantity: str
    state: State
    reason: str


def order_rows(words: Words, lines: tuple[OrderLine, ...]) -> list[OrderRow]:
    """All open orders, in the order given."""
    _ = words.gettext
    return [
        OrderRow(
            order_id=line.order_id,
            cabinet=line.cabinet,
            slot=line.slot,
            item=line.item,
            quantity=quantity(words, line.quantity, line.unit),
            state=State(_("Ordered"), "good") if line.state == "ordered" else State(_("Proposed"), "warn"),
            reason=reason_of(words, line.reason, line.numbers),
        )
        for line in lines
    ]


def reason_of(words: Words, reason: str, numbers: Mapping[str, Decimal]) -> str:
    """The reason in sentences of this language; a code that has none here is shown with its numbers."""
    _ = words.gettext
    shown = {name: number(words, value) for name, value in numbers.items()}
    if not reason.startswith("position_at_or_below_min") or not shown.keys() >= _KNOWN:
        return f"{reason}: " + ", ".join(f"{name} {value}" for name, value in sorted(shown.items()))
    if numbers["on_order"]:
        cause = _("%(on_hand)s on hand and %(on_order)s on order: not more than the minimum of %(min)s.", **shown)
    else:
        cause = _("%(on_hand)s on hand: not more than the minimum of %(min)s.", **shown)
    packs = _("%(packs)s packs of %(pack)s", **shown) if numbers["pack"] != 1 else shown["packs"]
    if "capacity" in shown:
        remedy = _("Order %(packs)s: the slot holds %(capacity)s.", packs=packs, capacity=shown["capacity"])
    else:
        remedy = _("Order %(packs)s to reach the maximum of %(max)s.", packs=packs, max=shown["max"])
    return _("%(cause)s %(remedy)s", cause=cause, remedy=remedy)
