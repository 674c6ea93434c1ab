"""A measured quantity and its exact amount become a line, by integers alone. PURE.

The surprise: a line is made of fields in their order, without their names, which takes a tenth of the time. Most lines
are quantity x price, and what a price and a currency do to a quantity is worked out once, as are the texts of a fee.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import gcd

from cloud.money import (
    DECIMALS,
    EXPONENTS,
    POWERS,
    UNROUNDED_PLACES,
    ending,
    rounded_units,
    short_text,
    units_text,
)
from cloud.rating.lines import Amount, Line, Measured, Pricing, Step, exact_price, number


def price_line(
    measured: Measured, kind: str, unit_price: str, exact: Fraction, pricing: Pricing, steps: Sequence[Step] = ()
) -> Line:
    """The line of a measured quantity whose exact amount is ``exact``; ``no`` is given by the statement."""
    return ratio_line(measured, kind, unit_price, exact.as_integer_ratio(), pricing, steps)


def multiplied_line(measured: Measured, kind: str, unit_price: str, pricing: Pricing) -> Line:
    """The line of quantity x price, which most lines are: by integers alone, without making fractions."""
    numerator, denominator = measured.quantity.as_integer_ratio()
    scaled = _scales(unit_price)[denominator]
    if scaled is None:
        price, parts = exact_price(unit_price).as_integer_ratio()
        return ratio_line(measured, kind, unit_price, (numerator * price, denominator * parts), pricing)
    to_units, places, price, exact_places = scaled
    units = numerator * to_units
    unrounded, amount = scaled_texts(units * price, exact_places, pricing)
    return written_line(measured, kind, unit_price, units_text(units, places), unrounded, amount, pricing)


class _Scales(dict[int, tuple[int, int, int, int] | None]):
    """By denominator, how a quantity is multiplied by a price: what makes it an integer, of how many places; the price
    as an integer, and the places of the product. None where that has more places than a line shows.
    """

    def __init__(self, unit_price: str) -> None:
        super().__init__()
        self._price, self._parts = exact_price(unit_price).as_integer_ratio()

    def __missing__(self, denominator: int) -> tuple[int, int, int, int] | None:
        quantity, price = ending(denominator), ending(self._parts)
        if quantity is None or price is None or quantity[1] + price[1] > UNROUNDED_PLACES:
            return None
        found = self[denominator] = (*quantity, self._price * price[0], quantity[1] + price[1])
        return found


_scales = lru_cache(maxsize=16_384)(_Scales)


def ratio_line(
    measured: Measured, kind: str, unit_price: str, exact: tuple[int, int], pricing: Pricing, steps: Sequence[Step] = ()
) -> Line:
    """As ``price_line``, for an exact amount as numerator and denominator, reduced or not."""
    unrounded, amount, endless = _ratio_texts(*exact, EXPONENTS[pricing.currency], pricing.rounding.mode)
    quantity = number(measured.quantity)
    return written_line(measured, kind, unit_price, quantity, unrounded, amount, pricing, steps, endless)


@lru_cache(maxsize=4096)
def _ratio_texts(numerator: int, denominator: int, digits: int, mode: str) -> tuple[str, str, str]:
    """The texts of a fraction: unrounded, payable, and the fraction itself where its digits never end. Remembered,
    because fees are the same for many customers.
    """
    common = gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    due = units_text(rounded_units(numerator, denominator, digits, mode), digits)
    unrounded = short_text(numerator, denominator, UNROUNDED_PLACES)
    return unrounded, due, ("" if ending(denominator) else f"{numerator}/{denominator}")


def scaled_texts(units: int, places: int, pricing: Pricing) -> tuple[str, str]:
    """The texts of an exact amount of ``units * 10**-places``, at most twelve: unrounded, and payable."""
    digits = EXPONENTS[pricing.currency]
    if places > digits and units > 0 and pricing.rounding.mode == "half_up":
        # As ``rounded_units`` and ``units_text``, for what comes most.
        unit = POWERS[places - digits]
        due = (units + unit // 2) // unit
        amount = DECIMALS[digits] % divmod(due, POWERS[digits]) if digits else str(due)
        unrounded = DECIMALS[places] % divmod(units, POWERS[places])
        return unrounded.rstrip("0").rstrip(".") if unrounded[-1] == "0" else unrounded, amount
    unrounded = units_text(units, places)
    if places == digits:
        amount = unrounded
    elif places > digits:
        amount = units_text(rounded_units(units, POWERS[places - digits], 0, pricing.rounding.mode), digits)
    else:
        amount = units_text(units * POWERS[digits - places], digits)
    return unrounded.rstrip("0").rstrip(".") if places and unrounded[-1] == "0" else unrounded, amount


def written_line(
    measured: Measured, kind: str, unit_price: str, quantity: str, unrounded: str, amount: str, pricing: Pricing,
    steps: Sequence[Step] = (), endless: str = "",
) -> Line:  # fmt: skip
    """The line of a quantity and an amount that are texts already, with ``steps`` or the measured rows under it;
    ``endless``: the exact amount as a fraction where its digits never end.
    """
    # In the order of the fields: names would cost more than everything else here.
    more = measured.instants or measured.window or measured.group or measured.quality
    if not (more or endless):
        return Line(
            amount, measured.belongs_to, pricing.charge, measured.days, measured.device, measured.effect,
            measured.end, measured.first, kind, [*measured.leaves], measured.level, measured.modulus,
            measured.month_days, 0, Amount(measured.unit, quantity), [*measured.registers], measured.rollovers,
            pricing.rounding.mode, measured.subject, unit_price, unrounded, pricing.version, measured.evidence,
            [*steps],
        )  # fmt: skip
    from_ms, to_ms = (measured.from_ms, measured.to_ms) if measured.instants else (0, 0)
    if more and not (steps or endless):
        steps = measured.rows
    return Line(
        amount, measured.belongs_to, pricing.charge, measured.days, measured.device, measured.effect,
        measured.end, measured.first, kind, [*measured.leaves], measured.level, measured.modulus, measured.month_days,
        0, Amount(measured.unit, quantity), [*measured.registers], measured.rollovers, pricing.rounding.mode,
        measured.subject, unit_price, unrounded, pricing.version, measured.evidence, [*steps], None, endless, from_ms,
        dict(measured.group), "", measured.quality, to_ms, measured.window,
    )  # fmt: skip
