"""Money: a Decimal with its currency, and rounding as a rule that is printed on the bill. PURE.

The surprise: there is no default number of minor digits. JPY has none, KWD has three, CLF four; a currency that is not
in the table of ISO 4217 (Amendment 178) is refused. Amounts are worked out as exact fractions and rounded once, on the
line; "half up" means half away from zero, so that a reversal mirrors its original (DIN 1333).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
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
POWERS: Sequence[int] = [10**places for places in range(64)]
# The whole units and the rest of a text of digits, by places: texts of amounts are what a line costs most, and to cut
# one takes half as long as to write two numbers.
HEADS: Sequence[slice] = [slice(None, -places) for places in range(64)]
TAILS: Sequence[slice] = [slice(-places, None) for places in range(64)]
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?\Z")


class MoneyError(ValueError):
    """An amount or currency that cannot be billed; the message says what is accepted."""


Mode = Literal["half_up", "half_even", "half_down", "up", "down", "ceiling", "floor"]
Place = Literal["line", "rate", "total"]
MODE_WORDS: Mapping[str, str] = {
    "half_up": "half away from zero",
    "half_even": "half to the even digit",
    "half_down": "half towards zero",
    "up": "away from zero",
    "down": "towards zero",
    "ceiling": "towards plus infinity",
    "floor": "towards minus infinity",
}
PLACE_WORDS: Mapping[str, str] = {
    "line": "each line is rounded once, {mode}; the total is the sum of the rounded lines",
    "rate": (
        "the exact lines of each tax rate are added up and rounded once, {mode}; the rounded sum is shared out to the "
        "lines by largest remainder"
    ),
    "total": (
        "all exact lines are added up and rounded once, {mode}; the rounded total is shared out to the lines by "
        "largest remainder"
    ),
}


class RoundingPolicy(BaseModel):
    """How and where an amount becomes payable. ``place``: ``line`` each line once, the total is their sum; ``rate`` the
    exact lines of a tax rate together; ``total`` all of them together. The lines always add up to what was rounded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = "half_up"
    place: Place = "line"

    def in_words(self) -> str:
        """The sentence a statement prints."""
        return PLACE_WORDS[self.place].format(mode=MODE_WORDS[self.mode])


def policy_in(words: str) -> RoundingPolicy | None:
    """The policy that a statement printed in words; None for words of another edition."""
    policies = (
        RoundingPolicy.model_validate({"mode": mode, "place": place}) for mode in MODE_WORDS for place in PLACE_WORDS
    )
    return next((policy for policy in policies if policy.in_words() == words), None)


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


def rounded_units(numerator: int, denominator: int, places: int, mode: str) -> int:
    """``numerator / denominator`` in units of ``10**-places``, rounded once by integer arithmetic alone."""
    whole: int
    whole, rest = divmod(abs(numerator) * POWERS[places], denominator)
    if rest:
        if mode == "half_up":
            up = 2 * rest >= denominator
        elif mode == "down":
            up = False
        elif mode == "up":
            up = True
        elif mode == "half_even":
            up = 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1)
        elif mode == "half_down":
            up = 2 * rest > denominator
        elif mode in ("ceiling", "floor"):
            up = (mode == "ceiling") == (numerator > 0)
        else:
            raise MoneyError(f"{mode!r} is no way to round; write one of {', '.join(MODE_WORDS)}")
        if up:
            whole += 1
    return -whole if numerator < 0 else whole


@lru_cache(maxsize=4096)
def ending(denominator: int) -> tuple[int, int] | None:
    """(multiplier, places) that make a fraction of this denominator a decimal; None when its digits do not end within
    ``UNROUNDED_PLACES``.
    """
    places, power = 0, 1
    while places <= UNROUNDED_PLACES:
        if not power % denominator:
            return power // denominator, places
        places, power = places + 1, power * 10
    return None


def units_text(units: int, places: int) -> str:
    """``units * 10**-places`` in plain digits with all its places: ``1230, 2`` is ``12.30``."""
    text = str(units)
    if not places:
        return text
    if units < 0:
        return "-" + units_text(-units, places)
    if len(text) > places:
        return f"{text[HEADS[places]]}.{text[TAILS[places]]}"
    return f"0.{text.zfill(places)}"


def trimmed_text(units: int, places: int) -> str:
    """``units * 10**-places`` in plain digits without trailing zeros: ``1230, 2`` is ``12.3``."""
    text = str(units)
    if not places:
        return text
    plain_digits = units > 0 and len(text) > places
    text = f"{text[HEADS[places]]}.{text[TAILS[places]]}" if plain_digits else units_text(units, places)
    return text.rstrip("0").rstrip(".") if text[-1] == "0" else text


def rounded(exact: Fraction, places: int, mode: str) -> Decimal:
    """The fraction with ``places`` decimals (negative: tens, hundreds), rounded once by integer arithmetic."""
    if places < 0:
        step = 10**-places
        return Decimal(rounded_units(exact.numerator, exact.denominator * step, 0, mode) * step)
    return Decimal(rounded_units(exact.numerator, exact.denominator, places, mode)).scaleb(-places)


def payable(exact: Fraction, currency: str, policy: RoundingPolicy) -> Decimal:
    """The amount that is due for an exact one: rounded to the currency's minor unit by the agreement's policy."""
    return rounded(exact, minor_digits(currency), policy.mode)


def payable_units(exact: Fraction, currency: str, policy: RoundingPolicy) -> int:
    """As ``payable``, in minor units: what a database adds up."""
    return rounded_units(exact.numerator, exact.denominator, minor_digits(currency), policy.mode)


def to_minor(amount: Decimal, currency: str) -> int:
    """A payable amount in minor units (cents, fils); raises MoneyError when it has finer digits than the currency."""
    scaled = amount.scaleb(minor_digits(currency))
    if scaled != scaled.to_integral_value():
        raise MoneyError(
            f"{plain(amount)} is no amount of {currency}: it has more than {minor_digits(currency)} places"
        )
    return int(scaled)


def from_minor(units: int, currency: str) -> Decimal:
    """The amount that so many minor units are."""
    return Decimal(units).scaleb(-minor_digits(currency))


def split(units: int, weights: Sequence[Fraction]) -> list[int]:
    """``units`` shared out in proportion to weights (not negative) by largest remainder: the shares always add up.

    Equal remainders go to the earlier one. With no weight at all everything goes to the first.
    """
    total = sum(weights, Fraction(0))
    if not weights:
        return []
    if not total:
        return [units, *[0] * (len(weights) - 1)]
    exact = [abs(units) * weight / total for weight in weights]
    shares = [share.numerator // share.denominator for share in exact]
    by_rest = sorted(range(len(weights)), key=lambda at: (shares[at] - exact[at], at))
    for at in by_rest[: abs(units) - sum(shares)]:
        shares[at] += 1
    return [-share for share in shares] if units < 0 else shares


def share_out(units: int, exacts: Sequence[Fraction], places: int) -> list[int]:
    """A rounded sum given back to the exact amounts it came from (of either sign), by largest remainder.

    Each amount is taken down to the unit below it; the units that are then missing go to the largest rests, so no
    amount ends a whole unit away from its exact one unless the sum itself was rounded away from theirs.
    """
    floors = [exact.numerator * 10**places // exact.denominator for exact in exacts]
    rests = [exact * 10**places - floor for exact, floor in zip(exacts, floors, strict=True)]
    by_rest = sorted(range(len(exacts)), key=lambda at: (-rests[at], at))
    missing = units - sum(floors)
    for turn in range(abs(missing)):
        at = by_rest[turn % len(by_rest)] if missing > 0 else by_rest[-1 - turn % len(by_rest)]
        floors[at] += 1 if missing > 0 else -1
    return floors


def payables(exacts: Sequence[Fraction], rates: Sequence[str], currency: str, policy: RoundingPolicy) -> list[Decimal]:
    """What is due for each of these exact amounts (``rates``: the tax rate of each) by the policy's place and mode."""
    digits = minor_digits(currency)
    if policy.place == "line":
        return [payable(exact, currency, policy) for exact in exacts]
    groups: dict[str, list[int]] = {}
    for at, rate in enumerate(rates):
        groups.setdefault(rate if policy.place == "rate" else "", []).append(at)
    units = [0] * len(exacts)
    for members in groups.values():
        amounts = [exacts[at] for at in members]
        total = sum(amounts, Fraction(0))
        due = rounded_units(total.numerator, total.denominator, digits, policy.mode)
        for at, share in zip(members, share_out(due, amounts, digits), strict=True):
            units[at] = share
    return [Decimal(unit).scaleb(-digits) for unit in units]


def unrounded_text(exact: Fraction) -> str:
    """The exact amount as a statement shows it: all digits, or 12 decimals (half up) when they never end. Only shown:
    the payable amount is rounded from the fraction itself.
    """
    return short_text(exact.numerator, exact.denominator, UNROUNDED_PLACES)


def short_text(numerator: int, denominator: int, places: int) -> str:
    """At most ``places`` decimals (half up), without trailing zeros."""
    if denominator == 1:
        return str(numerator)
    decimal = ending(denominator)
    if decimal is not None and decimal[1] <= places:
        return units_text(numerator * decimal[0], decimal[1])
    return trimmed_text(rounded_units(numerator, denominator, places, "half_up"), places)
