"""Money: exact until it is rounded once, half away from zero."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.money import (
    EXPONENTS,
    Money,
    MoneyError,
    RoundingPolicy,
    minor_digits,
    parse_amount,
    payable,
    plain,
    rounded,
    unrounded_text,
)

HALF_UP = RoundingPolicy()


@pytest.mark.parametrize(
    ("exact", "currency", "due"),
    [
        (Fraction(1005, 1000), "EUR", "1.01"), (Fraction(-1005, 1000), "EUR", "-1.01"), (Fraction(5, 2), "JPY", "3"),
        (Fraction(10005, 10000), "KWD", "1.001"), (Fraction(1, 3), "CLF", "0.3333"), (Fraction(0), "CNY", "0.00"),
        (Fraction(-1, 1000), "EUR", "0.00"), (Fraction(300 * 10, 31), "EUR", "96.77"),
    ],
)  # fmt: skip
def test_an_amount_is_rounded_to_the_currencys_minor_unit(exact: Fraction, currency: str, due: str) -> None:
    assert plain(payable(exact, currency, HALF_UP)) == due


@given(st.integers(-(10**12), 10**12), st.integers(0, 4))
def test_rounding_agrees_with_decimal(numerator: int, places: int) -> None:
    exact, quantum = Fraction(numerator, 10**5), Decimal(1).scaleb(-places)
    number = Decimal(numerator).scaleb(-5)

    assert rounded(exact, places, "half_up") == number.quantize(quantum, ROUND_HALF_UP)
    assert rounded(exact, places, "half_even") == number.quantize(quantum, ROUND_HALF_EVEN)


@given(st.fractions(min_value=-(10**9), max_value=10**9))
def test_a_reversal_mirrors_its_original(exact: Fraction) -> None:
    assert payable(-exact, "EUR", HALF_UP) == -payable(exact, "EUR", HALF_UP)


def test_minor_units_are_those_of_iso_4217() -> None:
    assert {minor_digits(code) for code in ("JPY", "KRW", "VND", "XAF")} == {0}
    assert {minor_digits(code) for code in ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")} == {3}
    assert len(EXPONENTS) > 160
    with pytest.raises(MoneyError, match="write for example"):
        minor_digits("XXX")


@pytest.mark.parametrize(
    "text", ["1e3", "1,20", "+1", "01", ".5", "5.", "", " 1", "-0", "-0.00", "1" * 16, "0.1234567890123"]
)
def test_only_plain_decimal_numbers_are_amounts(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_amount(text)


def test_two_currencies_are_not_added() -> None:
    with pytest.raises(MoneyError, match="EUR and CNY"):
        Money(Decimal(1), "EUR").plus(Money(Decimal(1), "CNY"))


def test_the_unrounded_amount_shows_all_digits_or_twelve() -> None:
    shown = [unrounded_text(exact) for exact in (Fraction(17, 8), Fraction(3000, 31), Fraction(0), Fraction(100))]

    assert shown == ["2.125", "96.774193548387", "0", "100"]
