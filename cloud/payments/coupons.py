"""Coupons: a code that takes a percentage or an amount off the next invoices of an agreement, so many times in all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from cloud.agreements.terms import Currency, Day
from cloud.calendar import local_day, month_after
from cloud.database import Tx
from cloud.invoices import repository as documents
from cloud.invoices.document import Item
from cloud.payments import repository
from cloud.rating.terms_fields import STORED, Id, Percent, Price, exact, is_stored


class CouponRefused(ValueError):
    """The code is unknown, used up, out of its days, or was redeemed for this agreement before."""


class Coupon(BaseModel):
    """``percent`` of the lines of kinds ``of`` (empty: all), or ``amount`` in ``currency``; on ``invoices`` invoices of
    an agreement, at most one a month and on each once; all coupons of an invoice together leave no rate of tax below
    nothing. ``rest``: what of an amount is more than an invoice is carried on to the next one, or lost. It is redeemed
    at most ``redemptions`` times in all (0: any number), from ``first`` until before ``end``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    code: Annotated[str, Field(pattern=r"^[A-Z0-9-]{3,32}$")]
    percent: Percent = "0"
    amount: Price = "0"
    currency: Currency | None = None
    of: Annotated[list[Id], Field(max_length=50)] = []
    invoices: Annotated[int, Field(ge=1, le=120)] = 1
    redemptions: Annotated[int, Field(ge=0)] = 0
    first: Day | None = None
    end: Day | None = None
    rest: Annotated[
        Literal["carried", "lost"] | None,
        Field(description="of an amount that is more than the invoice; carried on to the next one when left out"),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _rest_said(cls, told: object, info: ValidationInfo) -> object:
        if not isinstance(told, Mapping) or is_stored(info) or told.get("rest") is not None or not told.get("amount"):
            return told
        return {**told, "rest": "carried"}

    @model_validator(mode="after")
    def _one_way(self, info: ValidationInfo) -> Self:
        if bool(exact(self.percent)) == bool(exact(self.amount)):
            raise ValueError("a coupon takes off either a percentage or an amount")
        if exact(self.amount) and self.currency is None:
            raise ValueError("an amount needs its currency")
        if not is_stored(info):
            if self.rest is not None and not exact(self.amount):
                raise ValueError("rest: a percentage leaves none; it is for an amount")
            if self.first is not None and self.end is not None and self.end <= self.first:
                raise ValueError(f"end ({self.end}) must be after first ({self.first})")
        return self


def redeem(tx: Tx, tenant: str, agreement: tuple[str, str, str], code: str, *, who: str, now_ms: int) -> Coupon:
    """Lets a coupon wait for an agreement's (id, currency, zone) next invoices; raises CouponRefused."""
    agreement_id, currency, zone = agreement
    found = repository.coupon(tx, tenant, code, lock=True)
    if found is None:
        raise CouponRefused(f"There is no coupon {code}.")
    coupon, redeemed = Coupon.model_validate_json(found[0], context=STORED), found[1]
    today = local_day(now_ms, zone)
    if coupon.redemptions and redeemed >= coupon.redemptions:
        raise CouponRefused(f"The coupon {code} is used up.")
    if (coupon.first or "") > today.isoformat() or (coupon.end or "9999") <= today.isoformat():
        raise CouponRefused(f"The coupon {code} is not valid today.")
    if coupon.currency not in (None, currency):
        raise CouponRefused(f"The coupon {code} is in {coupon.currency}, the agreement in {currency}.")
    due = today.replace(day=1)
    for number in range(coupon.invoices):
        item = Item(
            item_id=f"coupon:{code}:{number + 1}", kind="coupon", text=f"coupon {code}", why=f"coupon {code}", who=who,
            amount=f"-{coupon.amount}" if exact(coupon.amount) else "0",
            percent=coupon.percent if exact(coupon.percent) else "", of=list(coupon.of), about=f"coupon:{code}",
            rest=coupon.rest or "",
        )  # fmt: skip
        if not documents.add_item(tx, tenant, agreement_id, item, due_first=due.isoformat(), now_ms=now_ms):
            raise CouponRefused(f"The coupon {code} was redeemed for this agreement before.")
        due = month_after(due)
    repository.count_redemption(tx, tenant, code)
    return coupon
