"""The languages of the pages. The source strings are the English ones; other languages are .po files, read as they are.

The surprise: nothing is compiled. A catalogue is parsed once at start, so a translation that was edited is live after a
restart, and no binary file has to be kept in step with its source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib import resources
from io import BytesIO
from typing import Protocol

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

SOURCE = "en"
TRANSLATED = ("zh_CN",)
OFFERED = (SOURCE, *TRANSLATED)
_WEIGHT = re.compile(r"(?:q=([01](?:\.\d{0,3})?))?\Z")


class Catalogue(Protocol):
    """Where translations come from: gettext's own two methods."""

    def gettext(self, message: str) -> str:
        """The translation of a text, or the text itself."""

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The translation for a count."""


class Words:
    """One language: its translated texts, and the locale that numbers and dates follow.

    Placeholders are named, ``%(name)s``, so that a translator may put them in another order.
    """

    def __init__(self, code: str, catalogue: Catalogue) -> None:
        self.code = code
        self.locale = Locale.parse(code)
        self.catalogue = catalogue

    @property
    def tag(self) -> str:
        """The language as HTML's ``lang`` writes it: ``zh-CN``."""
        return self.code.replace("_", "-")

    @property
    def name(self) -> str:
        """What the language calls itself."""
        return self.locale.get_language_name(self.code) or self.code

    def gettext(self, message: str, **values: object) -> str:
        """The text in this language, with its placeholders filled."""
        return self.catalogue.gettext(message) % values

    def ngettext(self, one: str, many: str, count: int, **values: object) -> str:
        """The text for a count; ``%(count)s`` is filled with the count unless another value is given."""
        return self.catalogue.ngettext(one, many, count) % {"count": count, **values}


def read_catalogue(code: str) -> Translations:
    """The texts of a language from its .po file."""
    file = resources.files("cloud.web").joinpath("locale", code, "LC_MESSAGES", "messages.po")
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(file.read_bytes()), locale=code))
    compiled.seek(0)
    return Translations(compiled)


def read_languages() -> Mapping[str, Words]:
    """Every language on offer, by its code; the source language needs no catalogue."""
    languages = {SOURCE: Words(SOURCE, Translations())}
    languages.update({code: Words(code, read_catalogue(code)) for code in TRANSLATED})
    return languages


def choose(asked: str | None, kept: str | None, accept_language: str, offered: Sequence[str] = OFFERED) -> str:
    """Which language to speak: the one asked for by ``?lang=``, else the one kept in the cookie, else the browser's."""
    for wish in (asked, kept):
        found = _offered(wish or "", offered)
        if found:
            return found
    for wish in _by_preference(accept_language):
        found = _offered(wish, offered) or _same_language(wish, offered)
        if found:
            return found
    return SOURCE


def _by_preference(header: str) -> list[str]:
    """The languages of an Accept-Language header, most wanted first; what is malformed or unwanted is left out."""
    wishes = []
    for position, part in enumerate(header[:1000].split(",")):
        tag, _, parameter = part.replace(" ", "").partition(";")
        weight = _WEIGHT.match(parameter)
        if tag and weight and Decimal(weight.group(1) or 1):
            wishes.append((-Decimal(weight.group(1) or 1), position, tag))
    return [wish[-1] for wish in sorted(wishes)]


def _offered(wish: str, offered: Sequence[str]) -> str | None:
    folded = wish.replace("-", "_").lower()
    return next((code for code in offered if code.lower() == folded), None)


def _same_language(wish: str, offered: Sequence[str]) -> str | None:
    language = wish.replace("-", "_").lower().partition("_")[0]
    return next((code for code in offered if code.lower().partition("_")[0] == language), None)
