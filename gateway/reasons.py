"""Why somebody is refused: each reason as a word for machines, a sentence for him, and whom to ask. Tables only; PURE.

The surprise is what is no reason: an empty slot, as long as the policy does not say so; the shelf may be wrong, and the
person in front of it sees.
"""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "",
    "no_list",
    "unknown_cabinet",
    "unknown_slot",
    "unknown_badge",
    "badge_blocked",
    "person_blocked",
    "person_inactive",
    "pin_needed",
    "role_needed",
    "item_blocked",
    "not_your_item",
    "needs_job",
    "unknown_job",
    "needs_cost_centre",
    "unknown_cost_centre",
    "list_too_old",
    "not_essential",
    "limit_quantity",
    "limit_value",
    "credit",
    "empty",
    "one_at_a_time",
    "quantity",
    "slot_off",
    "slot_reserved",
    "pickup_over",
    "picked_up_before",
    "lot_expired",
    "is_a_loan",
    "serial_needed",
    "serial_unknown",
    "busy",
    "door_open",
    "service_mode",
    "recovering",
    "too_late",
]
Whom = Literal["", "supervisor", "supplier", "restocker"]

SENTENCES: dict[str, str] = {
    "no_list": "This gateway has no list of badges yet. Connect it to the network once.",
    "unknown_cabinet": "This cabinet has no planogram yet.",
    "unknown_slot": "There is no such slot in this cabinet.",
    "unknown_badge": "This badge is not known here.",
    "badge_blocked": "This badge is blocked.",
    "person_blocked": "You are blocked from drawing at present.",
    "person_inactive": "This person is not active any more.",
    "pin_needed": "Type your PIN.",
    "role_needed": "This is for whoever looks after the cabinet.",
    "item_blocked": "This item is called back and not given out.",
    "not_your_item": "This item is not for your group.",
    "needs_job": "Say for which job it is.",
    "unknown_job": "This job is not open, or not yours.",
    "needs_cost_centre": "Say for which cost centre it is.",
    "unknown_cost_centre": "This cost centre is not open, or not yours.",
    "list_too_old": "The list of badges is too old to be used. Connect the gateway to the network.",
    "not_essential": "The rules are too old; until they are confirmed only essential items are given.",
    "limit_quantity": "The limit for this period is reached.",
    "limit_value": "The limit of money for this period is reached.",
    "credit": "The credit agreed for this cabinet is used up.",
    "empty": "This slot is empty.",
    "one_at_a_time": "This slot gives one piece at a time.",
    "quantity": "Ask for at least one piece and not more than the slot holds.",
    "slot_off": "This slot is out of order. Take another one.",
    "slot_reserved": "What lies here is put by for somebody.",
    "pickup_over": "The time for picking this up is over.",
    "picked_up_before": "This was picked up before.",
    "lot_expired": "What lies here is past its date.",
    "is_a_loan": "This is a tool to borrow: take it as a loan.",
    "serial_needed": "Say which one you take: its serial number.",
    "serial_unknown": "By the books this serial number does not lie here. Take one that does.",
    "busy": "Someone is being served. Wait a moment.",
    "door_open": "A door is still open. Close it first.",
    "service_mode": "The cabinet is being refilled. Wait until that is done.",
    "recovering": "The cabinet has just started and looks at what it gave last. Wait a moment.",
    "too_late": "The request came too late. Please ask again.",
}

ASK: dict[str, Whom] = {
    "unknown_badge": "supervisor", "badge_blocked": "supervisor", "person_blocked": "supervisor",
    "person_inactive": "supervisor", "not_your_item": "supervisor", "limit_quantity": "supervisor",
    "limit_value": "supervisor", "unknown_job": "supervisor", "unknown_cost_centre": "supervisor",
    "slot_reserved": "supervisor", "pickup_over": "supervisor",
    "picked_up_before": "supervisor", "credit": "supplier", "list_too_old": "supplier", "not_essential": "supplier",
    "no_list": "supplier", "unknown_cabinet": "supplier", "item_blocked": "supplier", "lot_expired": "restocker",
    "empty": "restocker", "slot_off": "restocker", "serial_unknown": "restocker", "unknown_slot": "supplier",
}  # fmt: skip
WHOM: dict[Whom, str] = {
    "": "",
    "supervisor": "Ask your supervisor.",
    "supplier": "Ask the supplier of this cabinet.",
    "restocker": "Ask whoever refills this cabinet.",
}
