"""Fields a person types into charge terms: ids and prices, as texts, with errors that say what to write. PURE."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from cloud.money import MoneyError, parse_amount

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]


def _price(text: str) -> str:
    try:
        number = parse_amount(text)
    except MoneyError as error:
        raise ValueError(str(error)) from error
    if number < 0:
        raise ValueError("a price is not negative; a discount is a document of its own")
    return text


def _positive(text: str) -> str:
    if parse_amount(_price(text)) <= 0:
        raise ValueError("must be more than 0")
    return text


Price = Annotated[str, AfterValidator(_price)]
Positive = Annotated[str, AfterValidator(_positive)]
