"""Languages: which one is spoken, and that nothing on a page is said outside the catalogues."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from cloud.clock import Clock
from cloud.web.languages import TRANSLATED, Words, choose
from cloud.web.site import Site
from tests.web.shop import ITEMS, Browsing, Shop

WEB = Path(__file__).parents[2] / "cloud" / "web"
OPEN, SHUT = "\u27e6", "\u27e7"
DATA = (
    *(name for name, _ in ITEMS.values()),
    *("Cutting tools", "Protection", "Chiller meter", "Air, welding bay", "Hall 3, north wall", "Hall 3"),
    *("Harbour Gear Works", "Northlight Tools", "Asia/Shanghai", "B0017", "R0002"),
)
SAME_EVERYWHERE = {"Tallystick", "acme", "English", "Jan", "CN", "CNY", "kWh", "B", "C"}
UNREAD = {"script", "style", "code", "svg"}
READ_ALOUD = {"title", "placeholder", "alt", "aria-label", "data-connected", "data-stale", "data-ended"}


class Pseudo:
    """A catalogue that puts every text into brackets."""

    def gettext(self, message: str) -> str:
        return f"{OPEN}{message}{SHUT}"

    def ngettext(self, one: str, many: str, count: int) -> str:
        return f"{OPEN}{one if count == 1 else many}{SHUT}"


class Reader(HTMLParser):
    """Collects what a person reads outside the brackets."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.depth = 0
        self.unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unread += tag in UNREAD
        for name, value in attrs:
            if name in READ_ALOUD:
                self._read(value or "")

    def handle_endtag(self, tag: str) -> None:
        self.unread -= tag in UNREAD

    def handle_data(self, data: str) -> None:
        if not self.unread:
            self._read(data)

    def _read(self, text: str) -> None:
        kept = ""
        for letter in text:
            self.depth += (letter == OPEN) - (letter == SHUT)
            kept += letter if self.depth == 0 else " "
        for name in DATA:
            kept = kept.replace(name, " ")
        self.outside += [word for word in re.findall(r"[^\W\d_]+", kept) if word not in SAME_EVERYWHERE]


def outside(html: str) -> list[str]:
    """The words of a page that came from no catalogue and from no data."""
    reader = Reader()
    reader.feed(html)
    assert reader.depth == 0
    return reader.outside


@pytest.mark.parametrize(
    ("asked", "kept", "header", "spoken"),
    [
        ("zh_CN", "en", "en", "zh_CN"),
        (None, "zh_CN", "en", "zh_CN"),
        (None, None, "zh-CN,zh;q=0.9,en;q=0.8", "zh_CN"),
        (None, None, "zh-TW", "zh_CN"),
        (None, None, "fr;q=0.9, en;q=0.5, zh;q=0.6", "zh_CN"),
        (None, None, "zh;q=0, en", "en"),
        (None, None, "fr", "en"),
        ("xx", "../..", ";;q=,*", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_else_kept_else_the_browsers(
    asked: str | None, kept: str | None, header: str, spoken: str
) -> None:
    assert choose(asked, kept, header) == spoken


def test_a_language_that_was_asked_for_is_kept(shop: Shop) -> None:
    answer = Browsing(shop.cloud).get("/?lang=zh_CN", accept_language="en")

    assert '<html lang="zh-CN">' in answer.text
    assert answer.headers["set-cookie"].startswith("tally_language=zh_CN;")


def test_every_word_of_every_page_comes_from_a_catalogue(shop: Shop) -> None:
    shop.cloud.app.state.site = Site(shop.cloud.app.state.context, Clock(), {"en": Words("en", Pseudo())})
    person = Browsing(shop.cloud)
    live = person.get("/").text
    statement = re.search(r"/statements/\w+", live)
    assert statement is not None

    others = [person.get(path).text for path in (statement[0], "/statements/none", "/enter?code=x")]

    assert [outside(page) for page in (live, *others, shop.cloud.ask("GET", "/sign-in", key="").text)] == [[]] * 5


def test_a_word_outside_the_catalogues_would_be_found() -> None:
    assert outside(f"<p>{OPEN}Total{SHUT} Sum</p>") == ["Sum"]


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_the_placeholders_of_its_source_and_is_there(code: str) -> None:
    catalogue = read_po(BytesIO((WEB / "locale" / code / "LC_MESSAGES" / "messages.po").read_bytes()))

    wrong = []
    for message in catalogue:
        source = message.id if isinstance(message.id, str) else message.id[0]
        told = [message.string] if isinstance(message.string, str) else list(message.string or ())
        marks = [sorted(re.findall(r"%\(\w+\)s|</?\w+>", text)) for text in (source, *told)]
        if source and (not all(told) or any(mark != marks[0] for mark in marks)):
            wrong.append(source)

    assert wrong == []


def test_the_template_for_translators_holds_every_text() -> None:
    pages = "**/templates/**.html"
    found = extract_from_dir(WEB, [("**.py", "python"), (pages, "jinja2")], {pages: {"extensions": "jinja2.ext.i18n"}})
    wanted = {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found}

    template = read_po(BytesIO((WEB / "locale" / "messages.pot").read_bytes()))

    known = {message.id if isinstance(message.id, str) else message.id[0] for message in template}
    assert known - {""} == wanted
