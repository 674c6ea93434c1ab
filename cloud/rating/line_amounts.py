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
    EXPONENTS,
    HEADS,
    POWERS,
    TAILS,
    UNROUNDED_PLACES,
    ending,
    rounded_units,
    short_text,
    trimmed_text,
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
    product = _products(unit_price, pricing.currency)[denominator]
    if product is None:
        price, parts = exact_price(unit_price).as_integer_ratio()
        return ratio_line(measured, kind, unit_price, (numerator * price, denominator * parts), pricing)
    to_units, places, price, exact_places, unit, digits = product
    units = numerator * to_units
    exact = units * price
    quantity, unrounded = str(units), str(exact)
    due = "" if not unit or exact <= 0 else str((exact + unit // 2) // unit)
    if len(due) <= digits or len(quantity) <= places or pricing.rounding.mode != "half_up":
        texts = scaled_texts(exact, exact_places, pricing)
        return written_line(measured, kind, unit_price, units_text(units, places), *texts, pricing)
    # The same for what comes most, as ``scaled_texts`` and ``units_text``: to call them takes a fifth of the time.
    if places:
        quantity = f"{quantity[HEADS[places]]}.{quantity[TAILS[places]]}"
    # One unit or more: of nothing but places at the least, where it was rounded up to one.
    unrounded = f"{unrounded[HEADS[exact_places]] or 0}.{unrounded[TAILS[exact_places]]}"
    if unrounded[-1] == "0":
        unrounded = unrounded.rstrip("0").rstrip(".")
    amount = f"{due[HEADS[digits]]}.{due[TAILS[digits]]}"
    return written_line(measured, kind, unit_price, quantity, unrounded, amount, pricing)


# What makes a quantity an integer, of how many places; the price as an integer, and the places of the product; how many
# units of the product are a minor unit of the currency (0: the product is no finer, or there is none); its digits. No
# named tuple, because taking one apart takes twice as long.
_Product = tuple[int, int, int, int, int, int]


class _Products(dict[int, _Product | None]):
    """By denominator, how a quantity is multiplied by a price; None where that has more places than a line shows."""

    def __init__(self, unit_price: str, currency: str) -> None:
        super().__init__()
        self._price, self._parts = exact_price(unit_price).as_integer_ratio()
        self._digits = EXPONENTS[currency]

    def __missing__(self, denominator: int) -> _Product | None:
        quantity, price, digits = ending(denominator), ending(self._parts), self._digits
        if quantity is None or price is None or quantity[1] + price[1] > UNROUNDED_PLACES:
            return None
        places = quantity[1] + price[1]
        unit = POWERS[places - digits] if places > digits > 0 else 0
        found = self[denominator] = (*quantity, self._price * price[0], places, unit, digits)
        return found


_products = lru_cache(maxsize=16_384)(_Products)


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
    unrounded = str(units)
    if len(unrounded) > places > digits > 0 and units > 0 and pricing.rounding.mode == "half_up":
        # As ``rounded_units`` and ``units_text``, for what comes most.
        unit = POWERS[places - digits]
        due = str((units + unit // 2) // unit)
        amount = f"{due[HEADS[digits]]}.{due[TAILS[digits]]}" if len(due) > digits else units_text(int(due), digits)
        unrounded = f"{unrounded[HEADS[places]]}.{unrounded[TAILS[places]]}"
        return unrounded.rstrip("0").rstrip(".") if unrounded[-1] == "0" else unrounded, amount
    if places == digits:
        amount = units_text(units, places)
    elif places > digits:
        amount = units_text(rounded_units(units, POWERS[places - digits], 0, pricing.rounding.mode), digits)
    else:
        amount = units_text(units * POWERS[digits - places], digits)
    return trimmed_text(units, places), amount


def written_line(
    measured: Measured, kind: str, unit_price: str, quantity: str, unrounded: str, amount: str, pricing: Pricing,
    steps: Sequence[Step] = (), endless: str = "",
) -> Line:  # fmt: skip
    """The line of a quantity and an amount that are texts already, with ``steps`` or the measured rows under it;
    ``endless``: the exact amount as a fraction where its digits never end.
    """
    # In the order of the fields, and no more than thirty: names would cost more than everything else here.
    more = measured.instants or measured.window or measured.group or measured.quality
    if not (more or endless):
        return Line(
            amount, measured.belongs_to, pricing.charge, None, measured.days, measured.device, measured.effect,
            measured.end, measured.evidence, "", measured.first, 0, {}, kind, [*measured.leaves], measured.level,
            measured.modulus, measured.month_days, "", 0, "", Amount(measured.unit, quantity), [*measured.registers],
            measured.rollovers, pricing.rounding.mode, [*steps], measured.subject, unit_price, unrounded,
            pricing.version,
        )  # fmt: skip
    from_ms, to_ms = (measured.from_ms, measured.to_ms) if measured.instants else (0, 0)
    if more and not (steps or endless):
        steps = measured.rows
    return Line(
        amount, measured.belongs_to, pricing.charge, None, measured.days, measured.device, measured.effect,
        measured.end, measured.evidence, endless, measured.first, from_ms, dict(measured.group), kind,
        [*measured.leaves], measured.level, measured.modulus, measured.month_days, "", 0, measured.quality,
        Amount(measured.unit, quantity), [*measured.registers], measured.rollovers, pricing.rounding.mode, [*steps],
        measured.subject, unit_price, unrounded, pricing.version, to_ms, measured.window,
    )  # fmt: skip
