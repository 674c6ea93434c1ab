"""The terms of any charge: one union of every model's ``Terms``, told apart by ``kind``. PURE."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from cloud.rating.lines import ChargeTerms
from cloud.rating.rate_usage import charge_models

if TYPE_CHECKING:
    AnyCharge = ChargeTerms
else:
    AnyCharge = Annotated[reduce(or_, (model.Terms for model in charge_models().values())), Field(discriminator="kind")]
