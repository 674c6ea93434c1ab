"""A price for each kWh that a cumulative register has moved on. PURE.

The surprise: nothing is billed from power or from intervals. The quantity is closing minus opening register, the
opening being the closing of the last statement; where the declared modulus was passed, it is added and said.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.rating.conventions import LATER_READING, OVER_EDGES
from cloud.rating.line_amounts import multiplied_line
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing
from cloud.rating.terms_fields import Id, Positive, Price
from cloud.rating.transformers import Ratios

KIND = "energy"
MEASURE = "energy"


class Meter(BaseModel):
    """One register of one meter. Without ``modulus`` and ``max_kw`` a falling register is never called a rollover."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    device: Id
    register_: Annotated[Id, Field(alias="register")] = "import_wh"
    modulus: Annotated[Positive | None, Field(description="kWh at which the register wraps to 0")] = None
    max_kw: Annotated[Positive | None, Field(description="the most this meter can carry, in kW")] = None
    ratios: Ratios = None


def _spelled_out(entry: object) -> object:
    return {"device": entry} if isinstance(entry, str) else entry


class Terms(ChargeTerms):
    """A price for one kWh, and the meters it is for: device ids, or objects that say more about the register."""

    kind: Literal["energy"]
    unit_price: Price
    devices: Annotated[
        list[Annotated[Meter, BeforeValidator(_spelled_out, json_schema_input_type=Id | Meter)]], Field(min_length=1)
    ]

    def options(self) -> list[str]:
        """The conventions in words."""
        return [OVER_EDGES["at_end"], LATER_READING]

    def metered_devices(self) -> list[str]:
        """The devices named here."""
        return [meter.device for meter in self.devices]


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: kWh x unit price."""
    return [multiplied_line(measured, KIND, terms.unit_price, pricing)]
