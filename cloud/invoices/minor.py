"""Money texts as minor units (cents, fils), as databases add them up, and back. PURE."""

from __future__ import annotations

from fractions import Fraction

from cloud import money
from cloud.money import minor_digits, plain, rounded_units


def to_minor(amount: str, currency: str) -> int:
    """A payable amount in minor units; raises MoneyError when it is none of that currency."""
    return money.to_minor(money.parse_amount(amount), currency)


def from_minor(units: int, currency: str) -> str:
    """The amount that so many minor units are, in plain digits."""
    return plain(money.from_minor(units, currency))


def nearest_minor(exact: Fraction, currency: str) -> int:
    """An exact amount in minor units, rounded half away from zero."""
    return rounded_units(exact.numerator, exact.denominator, minor_digits(currency), "half_up")
