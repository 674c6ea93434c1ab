"""A least or a most for several charges of a period together: minimum spend with true-up, and a cap. PURE.

The surprise: it prices lines, not usage. The terms in force at the period's end decide, over all lines of the period;
the true-up is the difference to what was rounded, so that the total is the minimum to the cent.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from cloud.calendar import Proration
from cloud.rating.bounds import bound_line, share_of
from cloud.rating.conventions import of_bounds
from cloud.rating.limits import Bound, refuse_crossed
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing, exact_of, exact_price
from cloud.rating.terms_fields import is_stored

KIND = "commitment"
MEASURE = "lines"


class Terms(ChargeTerms):
    """``covers``: positions of the charges it is for, counted from 0; all of them when left out."""

    kind: Literal["commitment"]
    minimum: Bound | None = None
    maximum: Bound | None = None
    covers: Annotated[list[Annotated[int, Field(ge=0)]] | None, Field(max_length=100)] = None
    proration: Proration = Proration()

    @model_validator(mode="after")
    def _says_something(self, info: ValidationInfo) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("a commitment has a minimum, a maximum or both")
        if not is_stored(info):
            refuse_crossed(self.minimum, self.maximum)
            if self.covers == [] or len(set(self.covers or [])) != len(self.covers or []):
                raise ValueError("covers: positions of charges, each once; leave it out for all of them")
        return self

    def options(self) -> list[str]:
        """The conventions in words."""
        covered = "all charges of the period"
        if self.covers is not None:
            covered = f"the charges {', '.join(map(str, self.covers))}, counted from 0"
        return [
            f"over {covered}",
            *of_bounds(self.minimum, self.maximum),
            f"part of a period: {self.proration.in_words()}",
        ]


def refuse_unknown_positions(charges: Sequence[ChargeTerms]) -> None:
    """Raises ValueError where a commitment covers a charge that is not there, or itself."""
    for position, charge in enumerate(charges):
        for covered in (charge.covers if isinstance(charge, Terms) else None) or ():
            if covered >= len(charges) or covered == position:
                raise ValueError(f"charges[{position}]: covers {covered}, which is no other charge; count from 0")


def charge_lines(measured: Measured, terms: Terms, pricing: Pricing, lines: Sequence[Line]) -> list[Line]:
    """The line that brings the covered lines up to the minimum, or down to the maximum; none when they lie between."""
    covered = [line for line in lines if terms.covers is None or line.charge in terms.covers]
    by_line = pricing.rounding.place == "line"
    due = sum((Fraction(line.amount) if by_line else exact_of(line) for line in covered), Fraction(0))
    found = []
    for effect, bound in (("minimum", terms.minimum), ("maximum", terms.maximum)):
        if bound is None:
            continue
        ratio = share_of(measured, terms.proration, pricing).ratio if bound.prorated else Fraction(1)
        limit = exact_price(bound.amount) * ratio
        if (limit > due) if effect == "minimum" else (limit < due):
            found.append(bound_line(effect, measured, limit, limit - due, pricing))
    return found


def charge(_: Measured, __: Terms, ___: Pricing) -> list[Line]:
    """Nothing: a commitment needs the lines (``charge_lines``)."""
    return []
