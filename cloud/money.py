"""Money: a Decimal with its currency, and rounding as a rule that is printed on the bill. PURE.

The surprise: there is no default number of minor digits. JPY has none, KWD has three, CLF four; a currency that is not
in the table of ISO 4217 (Amendment 178) is refused. Amounts are worked out as exact fractions and rounded once, on the
line; "half up" means half away from zero, so that a reversal mirrors its original (DIN 1333).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

_TWO_DIGITS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU
CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR
NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_NO_DIGITS = """
BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
"""
_THREE_DIGITS = """
BHD IQD JOD KWD LYD OMR TND
"""
EXPONENTS: Mapping[str, int] = {
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
    "CLF": 4,
    "UYW": 4,
}
UNROUNDED_PLACES = 12
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?\Z")


class MoneyError(ValueError):
    """An amount or currency that cannot be billed; the message says what is accepted."""


class RoundingPolicy(BaseModel):
    """How and where an amount becomes payable. ``place`` ``line``: each line once, the total is their sum."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["half_up", "half_even", "up", "down"] = "half_up"
    place: Literal["line"] = "line"

    def in_words(self) -> str:
        """The sentence a statement prints."""
        words = {
            "half_up": "half away from zero",
            "half_even": "half to the even digit",
            "up": "away from zero",
            "down": "towards zero",
        }
        return f"each line is rounded once, {words[self.mode]}; the total is the sum of the rounded lines"


class Money(NamedTuple):
    """An exact amount of one currency; adding two currencies is refused."""

    amount: Decimal
    currency: str

    def plus(self, other: Money) -> Money:
        """The sum; raises MoneyError when the currencies differ."""
        if other.currency != self.currency:
            raise MoneyError(f"{self.currency} and {other.currency} cannot be added")
        return Money(self.amount + other.amount, self.currency)

    def as_json(self) -> dict[str, str]:
        """``{"amount": "12.30", "currency": "CNY"}``."""
        return {"amount": plain(self.amount), "currency": self.currency}


def minor_digits(currency: str) -> int:
    """ISO 4217 exponent of a currency; raises MoneyError for a code that is not a currency in use."""
    digits = EXPONENTS.get(currency)
    if digits is None:
        raise MoneyError(f"{currency!r} is not an ISO 4217 currency in use; write for example EUR, CNY or JPY")
    return digits


def parse_amount(text: str) -> Decimal:
    """The number in a plain decimal text such as ``"-12.30"``; no exponent, no plus, no leading zeros, no spaces."""
    if not _AMOUNT.match(text) or (text.startswith("-") and not text.strip("-0.")):
        raise MoneyError(f"{text!r} is not a plain decimal number such as 12.30")
    return Decimal(text)


def plain(number: Decimal) -> str:
    """A Decimal in plain digits, never in exponent form, and never ``-0``."""
    return format(number or abs(number), "f")


def rounded(exact: Fraction, places: int, mode: str) -> Decimal:
    """The fraction with ``places`` decimals, rounded once by integer arithmetic."""
    scaled = abs(exact) * 10**places
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    twice = 2 * rest
    up = {
        "half_up": twice >= scaled.denominator,
        "half_even": twice > scaled.denominator or (twice == scaled.denominator and whole % 2 == 1),
        "up": rest > 0,
        "down": False,
    }[mode]
    digits = whole + int(up)
    return Decimal(-digits if exact < 0 else digits).scaleb(-places) if digits else Decimal(0).scaleb(-places)


def payable(exact: Fraction, currency: str, policy: RoundingPolicy) -> Decimal:
    """The amount that is due for an exact one: rounded to the currency's minor unit by the agreement's policy."""
    return rounded(exact, minor_digits(currency), policy.mode)


def unrounded_text(exact: Fraction) -> str:
    """The exact amount as a statement shows it: all digits, or 12 decimals (half up) when they never end. Only shown:
    the payable amount is rounded from the fraction itself.
    """
    return plain(rounded(exact, UNROUNDED_PLACES, "half_up")).rstrip("0").rstrip(".")
