"""Rules about pages: every word a person reads can be translated, and is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2 import Environment

from tests.house.tree import Source, Tree

WEB = ("cloud/web", "gateway/web")
LANGUAGES = ("zh_CN",)
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uff01-\uff60]")
WORD = re.compile(r"[^\W\d_]{2,}")
READ_ALOUD = {"title", "placeholder", "alt", "aria-label", "aria-description", "content"}
UNREAD = {"script", "style", "code", "svg"}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}")
# Names and units are the same in every language.
SAME_EVERYWHERE = {"Tallystick", "kWh", "Wh", "kW", "UTC", "CSV", "JSON", "API", "PDF", "µg", "ppm", "HTML", "ID"}
EXTRACTED = {"html": ("jinja2.ext:babel_extract", {"extensions": "jinja2.ext.i18n"}), "py": ("python", {})}


def templates_say_nothing_untranslated(tree: Tree) -> Iterator[str]:
    """Prevents the page that is half Chinese: text in a template stands inside `_()` or `{% trans %}`."""
    for source in _templates(tree):
        reader = _Reader(source)
        reader.feed(_with_blanks(source.text))
        yield from reader.findings


def sources_speak_one_language(tree: Tree) -> Iterator[str]:
    """Prevents words that no translator ever sees: other languages live in the catalogues."""
    for source in tree.matching(*WEB):
        if source.path.suffix in {".html", ".py", ".js"}:
            for number, line in enumerate(source.lines, 1):
                if CJK.search(line):
                    yield source.at(number, "CJK text outside a catalogue: write English and translate it in the .po")


def catalogues_are_complete(tree: Tree) -> Iterator[str]:
    """Prevents the English line in the middle of a Chinese page, and the placeholder that lost its value."""
    for web in WEB:
        wanted = set(_messages(tree, web))
        for language in LANGUAGES if wanted else ():
            path = f"{web}/locale/{language}/LC_MESSAGES/messages.po"
            if path not in tree.files:
                yield f"{path}:1: missing, and {len(wanted)} texts of {web} want it"
                continue
            catalogue = read_po(BytesIO(tree.files[path].text.encode()))
            yield from _gaps(tree.files[path], catalogue, wanted)


def _gaps(file: Source, catalogue: Catalog, wanted: set[str]) -> Iterator[str]:
    known = {_first(message.id): message for message in catalogue if message.id}
    for text in sorted(wanted - known.keys()):
        yield file.at(1, f"{text!r} is not in the catalogue")
    for text in sorted(known.keys() - wanted):
        yield file.at(known[text].lineno or 1, f"{text!r} is on no page any more: take it out")
    for text, message in known.items():
        yield from _faults(file, text, message)


def _faults(file: Source, text: str, message: Message) -> Iterator[str]:
    translations = [message.string] if isinstance(message.string, str) else list(message.string or [""])
    line = message.lineno or 1
    if not all(translations) or message.fuzzy:
        yield file.at(line, f"{text!r} has no translation, or an uncertain one")
    for translation in translations:
        if translation and sorted(PLACEHOLDER.findall(translation)) != sorted(PLACEHOLDER.findall(text)):
            yield file.at(line, f"{text!r} and its translation do not have the same placeholders")


def _messages(tree: Tree, web: str) -> Iterator[str]:
    for source in tree.matching(web):
        method, options = EXTRACTED.get(source.path.suffix[1:], (None, {}))
        if method and any(mark in source.text for mark in ("_(", "gettext(", "trans")):
            for found in extract(method, BytesIO(source.text.encode()), options=options):
                yield _first(found[1])


def _first(text: str | tuple[str, ...] | list[str]) -> str:
    return text if isinstance(text, str) else text[0]


def _templates(tree: Tree) -> Iterator[Source]:
    return (source for source in tree.matching(*WEB) if source.path.suffix == ".html")


def _with_blanks(template: str) -> str:
    """The template with every expression, statement and translated block blanked, lines kept in place."""
    kept: list[str] = []
    translated = False
    statement: list[str] = []
    for _, kind, value in Environment(extensions=["jinja2.ext.i18n"]).lex(template):
        if kind == "block_begin":
            statement = []
        if kind == "name":
            statement.append(value)
        if kind == "block_end":
            translated = (translated or statement[:1] == ["trans"]) and statement[:1] != ["endtrans"]
        visible = kind == "data" and not translated
        kept.append(
            value if visible else re.sub(r"[^\n]", "0", value) if kind != "data" else re.sub(r"[^\n]", " ", value)
        )
    return "".join(kept)


class _Reader(HTMLParser):
    """Collects what a person would read, or have read aloud."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.findings: list[str] = []
        self.unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.unread += tag in UNREAD
        for name, value in attrs:
            if name in READ_ALOUD and tag != "meta":
                self._read(value or "")
        if tag == "meta" and given.get("name") == "description":
            self._read(given.get("content") or "")

    def handle_endtag(self, tag: str) -> None:
        self.unread -= tag in UNREAD

    def handle_data(self, data: str) -> None:
        if not self.unread:
            self._read(data)

    def _read(self, text: str) -> None:
        words = [word for word in WORD.findall(text) if word not in SAME_EVERYWHERE]
        if words:
            self.findings.append(self.source.at(self.getpos()[0], f"{' '.join(words)!r} is not inside _() or trans"))
