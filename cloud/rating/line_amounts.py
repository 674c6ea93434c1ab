"""A measured quantity and its exact amount become a line, by integers alone. PURE.

The surprise: a line is made of fields in their order, without their names, which takes a tenth of the time. Most lines
are quantity x price, and their price as an integer is worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import gcd

import msgspec

from cloud.money import (
    EXPONENTS,
    POWERS,
    UNROUNDED_PLACES,
    ending,
    rounded_units,
    short_text,
    trimmed_text,
    units_text,
)
from cloud.rating.lines import Amount, Line, Measured, Pricing, Step, exact_price, number


def price_line(measured: Measured, kind: str, unit_price: str, exact: Fraction, pricing: Pricing) -> Line:
    """The line of a measured quantity whose exact amount is ``exact``; ``no`` is given by the statement."""
    return ratio_line(measured, kind, unit_price, exact.as_integer_ratio(), pricing)


def multiplied_line(measured: Measured, kind: str, unit_price: str, pricing: Pricing) -> Line:
    """The line of quantity x price, which most lines are: by integers alone, without making fractions."""
    numerator, denominator = measured.quantity.as_integer_ratio()
    scaled = _scaled(denominator, unit_price)
    if scaled is None:
        price, parts = exact_price(unit_price).as_integer_ratio()
        return ratio_line(measured, kind, unit_price, (numerator * price, denominator * parts), pricing)
    to_units, places, price, exact_places = scaled
    units = numerator * to_units
    unrounded, amount = _due(units * price, exact_places, pricing)
    return _line(measured, kind, unit_price, units_text(units, places), unrounded, amount, pricing)


@lru_cache(maxsize=16_384)
def _scaled(denominator: int, unit_price: str) -> tuple[int, int, int, int] | None:
    """How a quantity with this denominator is multiplied by a price: what makes it an integer, of how many places; the
    price as an integer, and the places of the product. None where that has more places than a line shows.
    """
    price, parts = exact_price(unit_price).as_integer_ratio()
    quantity, of_price = ending(denominator), ending(parts)
    if quantity is None or of_price is None or quantity[1] + of_price[1] > UNROUNDED_PLACES:
        return None
    return quantity[0], quantity[1], price * of_price[0], quantity[1] + of_price[1]


def scaled_line(
    measured: Measured, kind: str, unit_price: str, exact: tuple[int, int], pricing: Pricing, steps: Sequence[Step]
) -> Line:
    """As ``price_line``, for an exact amount of ``units * 10**-places``, at most twelve; and with its steps."""
    unrounded, amount = _due(*exact, pricing)
    line = _line(measured, kind, unit_price, number(measured.quantity), unrounded, amount, pricing)
    return msgspec.structs.replace(line, steps=[*steps]) if steps else line


def ratio_line(
    measured: Measured, kind: str, unit_price: str, exact: tuple[int, int], pricing: Pricing, steps: Sequence[Step] = ()
) -> Line:
    """As ``price_line``, for an exact amount as numerator and denominator, reduced or not."""
    common = gcd(*exact)
    numerator, denominator = exact[0] // common, exact[1] // common
    decimal = ending(denominator)
    if decimal is not None:
        return scaled_line(measured, kind, unit_price, (numerator * decimal[0], decimal[1]), pricing, steps)
    digits, mode = EXPONENTS[pricing.currency], pricing.rounding.mode
    unrounded = short_text(numerator, denominator, UNROUNDED_PLACES)
    amount = units_text(rounded_units(numerator, denominator, digits, mode), digits)
    line = _line(measured, kind, unit_price, number(measured.quantity), unrounded, amount, pricing)
    return msgspec.structs.replace(line, exact=f"{numerator}/{denominator}", steps=[*steps])


def _due(units: int, places: int, pricing: Pricing) -> tuple[str, str]:
    """The texts of an exact amount of ``units * 10**-places``: unrounded, and payable."""
    digits = EXPONENTS[pricing.currency]
    if places <= digits:
        due = units * POWERS[digits - places]
    elif units > 0 and pricing.rounding.mode == "half_up":
        # As ``rounded_units``, for what comes most.
        unit = POWERS[places - digits]
        due = (units + unit // 2) // unit
    else:
        due = rounded_units(units, POWERS[places - digits], 0, pricing.rounding.mode)
    return trimmed_text(units, places), units_text(due, digits)


def _line(
    measured: Measured, kind: str, unit_price: str, quantity: str, unrounded: str, amount: str, pricing: Pricing
) -> Line:
    # In the order of the fields: names would cost more than everything else here.
    line = Line(
        amount, measured.belongs_to, pricing.charge, measured.days, measured.device, measured.effect, measured.end,
        measured.first, kind, [*measured.leaves], measured.level, measured.modulus, measured.month_days, 0,
        Amount(measured.unit, quantity), [*measured.registers], measured.rollovers, pricing.rounding.mode,
        measured.subject, unit_price, unrounded, pricing.version, None, measured.evidence,
    )  # fmt: skip
    if not (measured.instants or measured.window or measured.group or measured.quality):
        return line
    return msgspec.structs.replace(
        line,
        from_=measured.from_ms if measured.instants else 0,
        to=measured.to_ms if measured.instants else 0,
        window=measured.window,
        group=dict(measured.group),
        quality=measured.quality,
        steps=list(measured.rows),
    )
