"""How a bank writes its CSV: numbers, days, bytes and the names of columns, as whoever imports it says. PURE.

The surprise: even now nothing is guessed. ``1.234`` is a thousand and some in Berlin and one and some in London, so a
number that is not written in the way that was named is refused, and so is a day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from cloud.money import plain
from cloud.payments.bank_entry import BankFileError

Numbers = Literal["1234.56", "1,234.56", "1.234,56"]
Days = Literal["YYYY-MM-DD", "YYYY/MM/DD", "YYYYMMDD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY"]
Encoding = Literal["utf-8", "gb18030", "windows-1252"]
_NUMBERS: Mapping[Numbers, re.Pattern[str]] = {
    "1,234.56": re.compile(r"[+-]?([0-9]{1,3}(,[0-9]{3})+|[0-9]{1,15})(\.[0-9]{1,12})?"),
    "1.234,56": re.compile(r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]{1,15})(,[0-9]{1,12})?"),
}
_DAYS: Mapping[Days, re.Pattern[str]] = {
    "YYYY/MM/DD": re.compile(r"(?P<y>[0-9]{4})/(?P<m>[0-9]{1,2})/(?P<d>[0-9]{1,2})"),
    "YYYYMMDD": re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"),
    "DD.MM.YYYY": re.compile(r"(?P<d>[0-9]{1,2})\.(?P<m>[0-9]{1,2})\.(?P<y>[0-9]{4})"),
    "DD/MM/YYYY": re.compile(r"(?P<d>[0-9]{1,2})/(?P<m>[0-9]{1,2})/(?P<y>[0-9]{4})"),
    "MM/DD/YYYY": re.compile(r"(?P<m>[0-9]{1,2})/(?P<d>[0-9]{1,2})/(?P<y>[0-9]{4})"),
}


class Shape(NamedTuple):
    """``columns``: the bank's names of the columns we know, lower case (empty: they have our names, and no others are
    there); ``currency``: of a file whose rows do not say it.
    """

    numbers: Numbers = "1234.56"
    days: Days = "YYYY-MM-DD"
    encoding: Encoding = "utf-8"
    columns: Mapping[str, str] = {}
    currency: str = ""

    def text(self, raw: bytes) -> str:
        """The file as text, without a byte order mark; raises BankFileError."""
        try:
            return raw.decode("utf-8-sig" if self.encoding == "utf-8" else self.encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise BankFileError(
                f"the file is not in {self.encoding}; say how it is encoded, or export it again"
            ) from error

    def number(self, text: str) -> str:
        """An amount in plain digits; raises BankFileError."""
        pattern = _NUMBERS.get(self.numbers)
        if pattern is None:
            return text
        if not pattern.fullmatch(text):
            raise BankFileError(f"{text!r} is no number written like {self.numbers}")
        bare = text.replace("." if self.numbers == "1.234,56" else ",", "")
        return plain(Decimal(bare.replace(",", ".")))

    def day(self, text: str) -> str:
        """An ISO date; raises BankFileError."""
        pattern = _DAYS.get(self.days)
        if pattern is None:
            return text
        found = pattern.fullmatch(text)
        try:
            if found is not None:
                return date(int(found["y"]), int(found["m"]), int(found["d"])).isoformat()
        except ValueError:
            pass
        raise BankFileError(f"{text!r} is no day written like {self.days}")


PLAIN = Shape()


def columns_in(text: str, known: tuple[str, ...]) -> dict[str, str]:
    """The bank's names in a text such as ``date=Buchungstag;amount=Betrag``, as bank's name -> ours. Raises
    BankFileError.
    """
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(";"))):
        ours, _, theirs = (piece.strip() for piece in part.partition("="))
        if ours not in known or not theirs or theirs.lower() in found or ours in found.values():
            raise BankFileError(f"columns: {part!r}; write for example date=Buchungstag;amount=Betrag, each once")
        found[theirs.lower()] = ours
    return found
