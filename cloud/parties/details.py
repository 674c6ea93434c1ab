"""A party's address, tax numbers and account: what papers print and e-invoices demand.

The surprise: they are not part of an agreement's hash. A customer that moves house changes no price; but a document
that was made keeps the text it was made with, because papers are made from it anew only until they are sent.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_COUNTRY = re.compile(r"[A-Z]{2}")


def _iban(text: str) -> str:
    """ISO 13616: the check digits over letters as numbers, modulo 97."""
    plain = text.replace(" ", "").upper()
    if plain and not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", plain):
        raise ValueError("an IBAN has two letters, two check digits and 11 to 30 letters or digits")
    if plain and int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 != 1:
        raise ValueError("the IBAN's check digits are wrong: a digit is mistyped")
    return plain


def _country(text: str) -> str:
    if text and not _COUNTRY.fullmatch(text):
        raise ValueError("a country is two capital letters, such as CN or DE (ISO 3166-1)")
    return text


Short = Annotated[str, Field(max_length=100)]


class PartyDetails(BaseModel):
    """Everything may be left out; what an e-invoice cannot do without is named when one is asked for."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"street": "Weg 1", "postcode": "10115", "city": "Berlin", "country": "DE", "vat_id": "DE123456789"}
            ]
        },
    )

    legal_name: Annotated[str, Field(max_length=200, description="Where it differs from the party's name.")] = ""
    street: Annotated[str, Field(max_length=200)] = ""
    postcode: Short = ""
    city: Short = ""
    country: Annotated[str, AfterValidator(_country), Field(description="ISO 3166-1 alpha-2.")] = ""
    vat_id: Annotated[str, Field(max_length=40, description="With its country's prefix.")] = ""
    tax_id: Annotated[str, Field(max_length=40, description="A tax number that is no VAT number, as China's.")] = ""
    legal_id: Annotated[str, Field(max_length=40, description="Number in the register of companies.")] = ""
    email: Annotated[str, Field(max_length=200)] = ""
    iban: Annotated[str, AfterValidator(_iban), Field(max_length=42, description="Where a supplier is paid.")] = ""
