"""Numbers, money and times as a reader of one language writes them. PURE.

The surprise: nothing is rounded here. Money arrives with exactly the digits that are due and quantities with exactly
the digits that were measured; Babel only groups and places them. A time is always shown with the zone it is told in.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal

from cloud.calendar import instant, zone
from cloud.web.languages import Words

_WEIGHTED = re.compile(r"(\d+(?:\.\d+)?) x (\d+(?:\.\d+)?) / 3600")


class Moment(NamedTuple):
    """An instant as a page shows it: ``iso`` for machines, ``day`` and ``clock`` for people, told in ``zone``."""

    iso: str
    day: str
    clock: str
    zone: str

    @property
    def text(self) -> str:
        """Day and clock in one."""
        return f"{self.day} {self.clock}"


def number(words: Words, value: Decimal | int) -> str:
    """A number with all its digits."""
    return format_decimal(value, locale=words.locale, decimal_quantization=False)


def quantity(words: Words, value: Decimal | int, unit: str) -> str:
    """A number with its unit."""
    return words.gettext("%(number)s %(unit)s", number=number(words, value), unit=unit_name(words, unit))


def unit_name(words: Words, unit: str) -> str:
    """A unit as people write it; physical units are the same in every language."""
    _ = words.gettext
    if unit == "pc":
        return _("pc")
    if unit == "d":
        return _("days")
    named = {"period": _("period"), "unit": _("unit"), "event": _("event"), "package": _("package")}
    return named.get(unit, unit)


def money(words: Words, amount: Decimal, currency: str) -> str:
    """An amount with its currency, all digits kept."""
    return format_currency(amount, currency, locale=words.locale, decimal_quantization=False)


def price(words: Words, text: str, currency: str) -> str:
    """A price as a line or row states it: an amount, a percentage, or a sum (``0.6 x 0.5 / 3600``: of a weighted hour
    for each second).
    """
    weighted = _WEIGHTED.fullmatch(text)
    if weighted:
        each = money(words, Decimal(weighted[2]), currency)
        return f"{number(words, Decimal(weighted[1]))} \N{MULTIPLICATION SIGN} {each} / {number(words, 3600)}"
    return text if text.endswith("%") else money(words, Decimal(text), currency)


def moment(words: Words, at_ms: int, zone_name: str) -> Moment:
    """Day and time of an instant, to the second."""
    local = local_time(at_ms, zone_name)
    day = format_skeleton("MMMd", local, locale=words.locale)
    clock = format_time(local, "HH:mm:ss", locale=words.locale)
    return Moment(local.isoformat(timespec="seconds"), day, clock, zone_name)


def border(words: Words, at_ms: int, zone_name: str) -> Moment:
    """The border of a period: day with its year, and time to the minute."""
    local = local_time(at_ms, zone_name)
    clock = format_time(local, "HH:mm", locale=words.locale)
    return Moment(local.isoformat(timespec="seconds"), long_day(words, local.date()), clock, zone_name)


def long_day(words: Words, day: date) -> str:
    """A day with its year."""
    return format_date(day, "medium", locale=words.locale)


def local_time(at_ms: int, zone_name: str) -> datetime:
    """The instant on a zone's clock; what a wrong clock put beyond all calendars is shown at their edge."""
    return instant(at_ms).astimezone(zone(zone_name))
