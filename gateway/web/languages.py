"""The two languages of the local pages. English is the source; the Chinese catalogue is a .po file, read at start."""

from __future__ import annotations

from importlib import resources
from io import BytesIO
from typing import Protocol

SOURCE = "en"
TRANSLATED = ("zh_CN",)


class Words(Protocol):
    """A language: gettext's own two methods."""

    def gettext(self, message: str) -> str:
        """The text in this language, or the English one."""

    def ngettext(self, singular: str, plural: str, num: int) -> str:
        """The text for a count."""


def read_languages() -> dict[str, Words]:
    """Every language by its code."""
    # Imported where it is used: only a gateway with pages pays for it.
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415
    from babel.support import Translations  # noqa: PLC0415

    languages: dict[str, Words] = {SOURCE: Translations()}
    for code in TRANSLATED:
        file = resources.files("gateway.web").joinpath("locale", code, "LC_MESSAGES", "messages.po")
        compiled = BytesIO()
        write_mo(compiled, read_po(BytesIO(file.read_bytes()), locale=code))
        compiled.seek(0)
        languages[code] = Translations(compiled)
    return languages


def choose(asked: str, accept_language: str) -> str:
    """The language of `?lang=`, else the first of the browser's that we have, else English."""
    for wish in [asked, *(part.partition(";")[0].strip() for part in accept_language.split(","))]:
        folded = wish.replace("-", "_").lower()
        for code in (SOURCE, *TRANSLATED):
            if folded and (folded == code.lower() or folded.partition("_")[0] == code.lower().partition("_")[0]):
                return code
    return SOURCE
