"""What limits a charge: units that are free, the least and the most that is due; and for how much of a period. PURE.

The surprise: a price may change inside a period. Whether a limit then holds once for the whole period or anew for each
price is a named option of every limit (``holds``). Terms that come in and leave it out get it written in: once for the
period, and where a limit is prorated each price its part. Terms agreed on before there was the option keep none, which
is anew for each price.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.rating.lines import exact_price
from cloud.rating.terms_fields import Positive, Price

Holds = Literal["for_the_period", "for_each_price"]
HOLDS = Field(description="when the price changes inside a period: once for all of it, or anew for each price")
HeldFor = Annotated[Holds | None, HOLDS]


class Limit(BaseModel):
    """A limit of a charge: unknown fields refused, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FreeUnits(Limit):
    """Units that cost nothing. ``when``: taken off before, or after conversion and rounding."""

    quantity: Positive
    when: Literal["before_conversion", "after_conversion"] = "after_conversion"
    prorated: bool = False
    holds: HeldFor = None


class Bound(Limit):
    """The least or most that is due in a period; ``prorated`` by the part of the period."""

    amount: Price
    prorated: bool = False


class HeldBound(Bound):
    """The least or most of one charge."""

    holds: HeldFor = None


def refuse_crossed(minimum: Bound | None, maximum: Bound | None) -> None:
    """Raises ValueError where no amount can be at least the one and at most the other in a whole period."""
    if minimum is not None and maximum is not None and exact_price(minimum.amount) > exact_price(maximum.amount):
        raise ValueError(f"the minimum ({minimum.amount}) is above the maximum ({maximum.amount})")


def with_holds(told: object) -> object:
    """Terms as they came in, with ``holds`` written into every limit that leaves it out."""
    if not isinstance(told, Mapping):
        return told
    found = dict(told)
    for name in ("free_units", "minimum", "maximum"):
        if name in found:
            goes_on = name == "free_units" and found.get("across_versions") == "continue"
            found[name] = _said(found[name], once=goes_on)
    if isinstance(found.get("discounts"), list):
        found["discounts"] = [_said(one) if _amount(one) else one for one in found["discounts"]]
    if (found.get("free_events") or found.get("free_amount") is not None) and found.get("free_holds") is None:
        found["free_holds"] = "for_the_period"
    return found


def _amount(discount: object) -> bool:
    told = discount.get("amount") if isinstance(discount, Mapping) else getattr(discount, "amount", None)
    return told is not None


def _said(limit: object, *, once: bool = False) -> object:
    if isinstance(limit, Mapping):
        if limit.get("holds") is not None:
            return limit
        return {**limit, "holds": "for_each_price" if limit.get("prorated") and not once else "for_the_period"}
    if isinstance(limit, BaseModel) and getattr(limit, "holds", "") is None:
        prorated = getattr(limit, "prorated", False)
        return limit.model_copy(update={"holds": "for_each_price" if prorated and not once else "for_the_period"})
    return limit
