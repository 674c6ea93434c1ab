"""Paper to PDF/A-3b, by typst: the same paper gives the same bytes, on every machine.

The surprise is the font: no font of the machine is ever used, because a page that looks right here and shows boxes
there is worse than none. Noto Sans SC comes as a package; it has the Latin letters too. What neither it nor typst's own
fonts can show (a name in Hangul or Thai, an emoji, a control character) is spelt by its code, as [U+D55C]: PDF/A takes
no page with a character that cannot be seen, and a bill must be printed whatever an item is called.
Source: typst 0.15; ISO 19005-3 (PDF/A-3b), which e-invoices need for the XML they carry.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Any, Final

import msgspec
import pylopdf_fonts_zh_cn
import typst

from cloud.documents.paper import Paper

STANDARD: Final = "a-3b"
FONTS: Final = '#set text(font: ("Noto Sans SC", "DejaVu Sans Mono"))\n#json(bytes(sys.inputs.view)).join(" ")'
NOT_SHOWN: Final = re.compile(r'the text `"(.*?)"` could not be displayed', re.DOTALL)
CODE: Final = re.compile(r"\\u\{([0-9a-f]+)\}")
CONTROL: Final = frozenset(map(chr, range(32))) - {*"\t\n\r"}
# A character that is shown alone may not be beside another: each such pair is met one by one.
TRIES: Final = 20
# One compiler keeps its fonts and its cache warm; it serves one page at a time.
_TURN = Lock()
_known: dict[str, bool] = {}


def render(paper: Paper) -> bytes:
    """The PDF. Raises typst's TypstError for nothing a paper can contain: all of it arrives as data."""
    view = msgspec.to_builtins(paper)
    with _TURN:
        for _ in range(TRIES):
            try:
                return _compiled(_template(), view, paper.made_at)
            except typst.TypstError as error:
                hidden = _hidden(error, view)
                if not hidden:
                    raise
                view = _spelt(view, {ord(one): f"[U+{ord(one):04X}]" for one in hidden})
        return _compiled(_template(), view, paper.made_at)


def _compiled(template: bytes, view: object, made_at: int) -> bytes:
    data = msgspec.json.encode(view).decode()
    made = _compiler().compile(
        template, format="pdf", sys_inputs={"view": data}, pdf_standards=STANDARD, timestamp=made_at
    )
    if not isinstance(made, bytes):
        raise TypeError("typst gave pages where one document was asked for")
    return made


def _hidden(error: typst.TypstError, view: object) -> frozenset[str]:
    """The characters that no font shows, when it is that what typst complains of."""
    found = NOT_SHOWN.search(str(error))
    if found is None:
        return frozenset()
    named = CODE.sub(lambda code: chr(int(code[1], 16)), found[1])
    said = {one for one in msgspec.json.encode(view).decode() if not one.isascii()}
    _look(sorted(said - _known.keys()))
    beside = {one for one in named if not (one.isascii() and one.isprintable())}
    return CONTROL | beside | {one for one in said if not _known[one]}


def _look(characters: Sequence[str]) -> None:
    """Which of these are shown, by halves: most pages have one that is not, and some hundreds that are."""
    if not characters:
        return
    try:
        _compiled(FONTS.encode(), list(characters), 0)
    except typst.TypstError:
        if len(characters) == 1:
            _known[characters[0]] = False
            return
        middle = len(characters) // 2
        _look(characters[:middle])
        _look(characters[middle:])
    else:
        _known.update(dict.fromkeys(characters, True))


def _spelt(view: Any, codes: dict[int, str]) -> Any:  # noqa: ANN401 - a document of any shape
    if isinstance(view, str):
        return view.translate(codes)
    if isinstance(view, dict):
        return {name: _spelt(value, codes) for name, value in view.items()}
    if isinstance(view, list | tuple):
        return [_spelt(one, codes) for one in view]
    return view


@cache
def _template() -> bytes:
    return resources.files("cloud.documents").joinpath("statement.typ").read_bytes()


@cache
def _compiler() -> typst.Compiler:
    folder = Path(pylopdf_fonts_zh_cn.__file__).parent
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[folder])
    return typst.Compiler(font_paths=fonts, ignore_system_fonts=True)
