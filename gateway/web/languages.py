"""The two languages of the local pages. English is the source; the Chinese catalogue is a .po file, read at start.

Read here and not by a library: the one that reads all of gettext's format brings 3.5 MB of the world's locales along,
and a Pi has better uses for them. Texts with a plural are not needed yet; a file that has one is refused.
"""

from __future__ import annotations

import json
from importlib import resources

SOURCE = "en"
TRANSLATED = ("zh_CN",)
# What the pages say, and what the drivers say of themselves.
PARTS = ("messages", "devices")


class Words:
    """A language: the texts that are translated into it. Placeholders are the caller's business."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def gettext(self, message: str) -> str:
        """The text in this language, or the English one."""
        return self._texts.get(message) or message

    def ngettext(self, singular: str, plural: str, num: int) -> str:
        """The text for a count; by English rules."""
        return self.gettext(singular if num == 1 else plural)


def read_languages() -> dict[str, Words]:
    """Every language by its code."""
    languages = {SOURCE: Words({})}
    for code in TRANSLATED:
        folder = resources.files("gateway.web").joinpath("locale", code, "LC_MESSAGES")
        texts = (read_po(folder.joinpath(f"{part}.po").read_text("utf-8")) for part in PARTS)
        languages[code] = Words({key: text for part in texts for key, text in part.items()})
    return languages


def read_po(text: str) -> dict[str, str]:
    """Message -> translation of a .po file without plurals and contexts; raises ValueError naming the line."""
    texts: dict[str, str] = {}
    parts = {"msgid": "", "msgstr": ""}
    key = "msgstr"
    for number, line in enumerate([*text.splitlines(), 'msgid ""'], 1):
        word, _, quoted = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word.startswith('"'):
            quoted = line.strip()
        elif word in parts:
            if word == "msgid":
                texts[parts["msgid"]] = parts["msgstr"]
            key, parts[word] = word, ""
        else:
            raise ValueError(f"line {number}: {word} is not understood here")
        parts[key] += json.loads(quoted)
    texts.pop("", None)
    return texts


def choose(asked: str, accept_language: str) -> str:
    """The language of `?lang=`, else the first of the browser's that we have, else English."""
    for wish in [asked, *(part.partition(";")[0].strip() for part in accept_language.split(","))]:
        folded = wish.replace("-", "_").lower()
        for code in (SOURCE, *TRANSLATED):
            if folded and (folded == code.lower() or folded.partition("_")[0] == code.lower().partition("_")[0]):
                return code
    return SOURCE
