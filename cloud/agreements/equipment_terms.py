"""Meters that an agreement names, and equipment that is lent free: serials, keys, owners, terms of removal. PURE.

The surprise: a key printed on a bill proves nothing. The fingerprint stands here, in terms that both sides sign, and a
bill can be checked against it. Equipment lent free costs nothing in rent; what it may cost is its removal before the
minimum term is over, and the deposit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.calendar import Day
from cloud.rating.terms_fields import Id, Positive, Price
from cloud.rating.transformers import Ratios

Serial = Annotated[str, Field(min_length=1, max_length=64)]


class DeclaredMeter(BaseModel):
    """One register of a meter: its maker's serial, the fingerprint of the key that signs its readings (the meter's own,
    level A, or its gateway's, level B), and what is known of the register. Without ``modulus`` and ``max_kw`` a falling
    register is never called a rollover.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    device: Id
    register_: Annotated[Id, Field(alias="register")] = "import_wh"
    serial: Serial | None = None
    key: Annotated[str | None, Field(max_length=128, description="fingerprint of the signing key")] = None
    level: Literal["A", "B", "C"] = "B"
    modulus: Annotated[Positive | None, Field(description="kWh at which the register wraps to 0")] = None
    max_kw: Annotated[Positive | None, Field(description="the most this meter can carry, in kW")] = None
    ratios: Ratios = None


class Equipment(BaseModel):
    """Something the supplier (or another owner) leaves at the site without rent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    serial: Serial
    name: Annotated[str, Field(max_length=120)]
    owner: Id
    device: Id | None = None
    lent_from: Day | None = None
    minimum_months: Annotated[int, Field(ge=0, le=240)] = 0
    removal: Literal["by_owner", "by_customer"] = "by_owner"
    removal_fee: Price = "0"
    removal_before_term_fee: Price = "0"
    deposit: Price = "0"
