"""Paper to PDF/A-3b, by typst: the same paper gives the same bytes, on every machine.

The surprise is the font: no font of the machine is ever used, because a page that looks right here and shows boxes
there is worse than none. Noto Sans SC comes as a package; it has the Latin letters too.
Source: typst 0.15; ISO 19005-3 (PDF/A-3b), which e-invoices need for the XML they carry.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec
import pylopdf_fonts_zh_cn
import typst

from cloud.documents.paper import Paper

STANDARD: Final = "a-3b"
# One compiler keeps its fonts and its cache warm; it serves one page at a time.
_TURN = Lock()


def render(paper: Paper) -> bytes:
    """The PDF. Raises typst's TypstError for nothing a paper can contain: all of it arrives as data."""
    view = msgspec.json.encode(paper).decode()
    with _TURN:
        made = _compiler().compile(
            _template(), format="pdf", sys_inputs={"view": view}, pdf_standards=STANDARD, timestamp=paper.made_at
        )
    if not isinstance(made, bytes):
        raise TypeError("typst gave pages where one document was asked for")
    return made


@cache
def _template() -> bytes:
    return resources.files("cloud.documents").joinpath("statement.typ").read_bytes()


@cache
def _compiler() -> typst.Compiler:
    folder = Path(pylopdf_fonts_zh_cn.__file__).parent
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[folder])
    return typst.Compiler(font_paths=fonts, ignore_system_fonts=True)
