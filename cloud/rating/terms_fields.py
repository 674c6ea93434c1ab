"""Fields a person types into charge terms: ids and prices, as texts, with errors that say what to write. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints, ValidationInfo

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


def _percent(text: str) -> str:
    if not 0 <= parse_amount(text) <= 100:
        raise ValueError(f"{text!r} is not a percentage between 0 and 100")
    return text


def _number(text: str) -> str:
    parse_amount(text)
    return text


STORED: Mapping[str, bool] = {"stored": True}
"""The context in which terms are read again that were agreed on before, maybe under an earlier version."""


def is_stored(info: ValidationInfo) -> bool:
    """Whether terms are read that were agreed on before. What has become known as a contradiction since then is refused
    where terms come in, and never here: they are rated as they were agreed on.
    """
    context: Any = info.context
    return isinstance(context, Mapping) and bool(context.get("stored"))


Percent = Annotated[str, AfterValidator(_percent)]
Number = Annotated[str, AfterValidator(_number)]


@lru_cache(maxsize=65_536)
def exact(text: str) -> Fraction:
    """A number of the terms or of a document, as a fraction."""
    return Fraction(parse_amount(text))
