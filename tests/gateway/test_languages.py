"""The catalogue of the local pages, read without a library, says what the library says."""

from __future__ import annotations

from importlib import resources
from io import BytesIO

import pytest
from babel.messages import pofile

from gateway import drivers
from gateway.web.languages import PARTS, TRANSLATED, read_languages, read_po


@pytest.mark.parametrize("code", TRANSLATED)
def test_what_drivers_say_of_themselves_is_translated(code: str) -> None:
    words = read_languages()[code]
    said = {drivers.about(driver) for driver in drivers.discover().values()}
    for driver in drivers.discover().values():
        fields = driver.Settings.model_json_schema().get("properties", {})
        said |= {one["description"] for one in fields.values()}

    assert sorted(text for text in said if words.gettext(text) == text) == []


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("code", TRANSLATED)
def test_our_catalogues_read_as_gettext_reads_them(code: str, part: str) -> None:
    raw = resources.files("gateway.web").joinpath("locale", code, "LC_MESSAGES", f"{part}.po").read_bytes()

    theirs = {message.id: message.string for message in pofile.read_po(BytesIO(raw), locale=code) if message.id}

    assert read_po(raw.decode()) == theirs


def test_texts_over_several_lines_and_with_quotes_are_one_text() -> None:
    text = '# a comment\nmsgid ""\n"one \\"two\\" "\n"three\\n"\nmsgstr "eins"\n"zwei"\n'

    assert read_po(text) == {'one "two" three\n': "einszwei"}


def test_a_plural_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match="line 2: msgid_plural"):
        read_po('msgid "one"\nmsgid_plural "many"\n')
