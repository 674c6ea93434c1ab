"""May this badge take this, now? Decided from the cached list, so the answer is the same with no network. PURE.

The surprise is that the age of the list is part of the answer: a list nobody confirmed for too long decides by the
stated policy, and every draw keeps the version it was allowed by. A refusal always says why, in a word for machines and
a sentence for the person in front of the cabinet.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.ports import Badge, Desired, Planogram, Slot

Reason = Literal[
    "",
    "no_list",
    "unknown_cabinet",
    "unknown_slot",
    "unknown_badge",
    "list_too_old",
    "empty",
    "one_at_a_time",
    "quantity",
    "busy",
    "too_late",
]

SENTENCES: dict[str, str] = {
    "no_list": "This gateway has no list of badges yet. Connect it to the network once.",
    "unknown_cabinet": "This cabinet has no planogram. Ask the operator to set it up.",
    "unknown_slot": "There is no such slot in this cabinet.",
    "unknown_badge": "This badge is not known here. Ask your supervisor.",
    "list_too_old": "The list of badges is too old to be used. Connect the gateway to the network.",
    "empty": "This slot is empty.",
    "one_at_a_time": "This slot gives one piece at a time.",
    "busy": "Someone is being served. Wait a moment.",
    "too_late": "The request came too late. Please ask again.",
    "quantity": "Ask for at least one piece and not more than the slot holds.",
}


class AccessPolicy(msgspec.Struct, frozen=True):
    """How long the list is good without the cloud, and what then. 0 days: for ever."""

    max_age_days: int = 30
    when_old: Literal["deny", "allow"] = "deny"
    refuse_empty: bool = False


class Decision(msgspec.Struct, frozen=True):
    """Yes or no, for whom, by which versions. `q` are quality flags for the records that follow."""

    allowed: bool
    reason: Reason = ""
    person: str = ""
    slot: Slot | None = None
    planogram: int = 0
    rules: int = 0
    age_seconds: int | None = None
    q: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Why not, for the person who asked."""
        return SENTENCES.get(self.reason, "")


def decide(
    desired: Desired,
    age_seconds: int | None,
    policy: AccessPolicy,
    *,
    cabinet: str,
    badge: str,
    slot: str,
    quantity: int,
    on_hand: int | None = None,
) -> Decision:
    """The decision for one request. `age_seconds` None: the age is not known, which alone refuses nobody."""
    planogram = desired.planograms.get(cabinet)
    place = planogram.find(slot) if planogram else None
    holder = desired.badges.get(badge)
    old = bool(policy.max_age_days and age_seconds is not None and age_seconds > policy.max_age_days * 86_400)
    reason = _refusal(desired, planogram, place, holder, quantity)
    if not reason and old and policy.when_old == "deny":
        reason = "list_too_old"
    if not reason and policy.refuse_empty and on_hand is not None and on_hand < quantity:
        reason = "empty"
    return Decision(
        allowed=not reason,
        reason=reason,
        person=holder.person if holder else "",
        slot=place,
        planogram=planogram.version if planogram else 0,
        rules=desired.rules or desired.version,
        age_seconds=age_seconds,
        q=("old_list",) if old else (),
    )


def _refusal(
    desired: Desired, planogram: Planogram | None, place: Slot | None, holder: Badge | None, quantity: int
) -> Reason:
    if not desired.version:
        return "no_list"
    if planogram is None:
        return "unknown_cabinet"
    if place is None:
        return "unknown_slot"
    if holder is None:
        return "unknown_badge"
    if quantity < 1 or (place.capacity and quantity > place.capacity):
        return "quantity"
    return "one_at_a_time" if place.confirm == "door" and quantity > 1 else ""
