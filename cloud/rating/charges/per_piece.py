"""A price for each piece drawn, by item. PURE.

The surprise: a reversal is priced at the price of the draw it takes back, so it mirrors the original to the cent. An
item without a price is no line: it is listed as unpriced, never billed at nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cloud.rating.line_amounts import multiplied_line
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing
from cloud.rating.terms_fields import Id, Price

KIND = "per_piece"
MEASURE = "pieces"


class Terms(ChargeTerms):
    """Prices by item, each for one ``unit``."""

    kind: Literal["per_piece"]
    prices: Annotated[dict[Id, Price], Field(min_length=1, description="item id -> price of one unit")]
    unit: str = "pc"


def charge(measured: Measured, terms: Terms, pricing: Pricing) -> list[Line]:
    """One line: quantity x unit price; none when the item has no price in this unit."""
    price = terms.prices.get(measured.subject)
    if price is None or measured.unit != terms.unit:
        return []
    return [multiplied_line(measured, KIND, price, pricing)]
