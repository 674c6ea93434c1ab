"""Papers: a statement of three pages to PDF/A-3, beside the same compiler setting three pages of plain words.

`./run python benchmarks/paper.py [--quick] [--json]`. The limit is the bare compiler with the same font: what three
pages cost when nothing of ours is on them. Every page is another one, so that no cache can answer.
"""

from __future__ import annotations

import itertools
import sys
import time
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec
import pylopdf_fonts_zh_cn
import typst

from benchmarks.measure import Goal, Options, Report, alternate, run
from cloud.documents.bars import Bar, draw
from cloud.documents.paper import Chart, Headings, Paper, PaperLine, Party, RegisterRow, Sum
from cloud.documents.pdf import render
from cloud.web.languages import read_languages
from cloud.web.views.paper import headings_of

MOST_MS = 100
LINES, REGISTERS, DAYS = 40, 44, 31
NUMBERS = itertools.count(1)
PLAIN = b"""#set page(paper: "a4", margin: 18mm)
#set text(font: "Noto Sans SC", size: 8.8pt)
#for page in range(3) [#sys.inputs.words #parbreak() #lorem(500) #pagebreak(weak: true)]
"""


def benchmark(options: Options, report: Report) -> None:
    """One row a language; milliseconds a paper, after one that warms up."""
    for code, words in read_languages().items():
        headings = headings_of(words)
        render(a_paper(0, headings))
        product = partial(product_ms, headings)
        turn = alternate(options, lambda: options.size(20, 2), product, limit_ms)
        goal = Goal("max", MOST_MS, "value")
        report.add_turn(f"statement of three pages to PDF/A-3b, {code}", turn, "ms", goal)


def product_ms(headings: Headings, count: int) -> float:
    """Milliseconds a paper."""
    papers = [a_paper(next(NUMBERS), headings) for _ in range(count)]
    begun = time.perf_counter()
    for paper in papers:
        render(paper)
    return 1000 * (time.perf_counter() - begun) / count


def limit_ms(count: int) -> float:
    """Milliseconds for three plain pages by the bare compiler."""
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[Path(pylopdf_fonts_zh_cn.__file__).parent])
    compiler = typst.Compiler(font_paths=fonts, ignore_system_fonts=True)
    compiler.compile(PLAIN, format="pdf", sys_inputs={"words": "0"}, pdf_standards="a-3b", timestamp=0)
    begun = time.perf_counter()
    for _ in range(count):
        words = {"words": str(next(NUMBERS))}
        compiler.compile(PLAIN, format="pdf", sys_inputs=words, pdf_standards="a-3b", timestamp=0)
    return 1000 * (time.perf_counter() - begun) / count


def a_paper(number: int, headings: Headings) -> Paper:
    """Three pages: a chart of a month, forty lines, a table of registers."""
    bars = [Bar(str(day + 1), (Decimal(day + number % 7), Decimal(day))) for day in range(DAYS)]
    picture = draw(bars, unit="kWh", title="kWh", parts=["peak", "valley"])
    return Paper(
        title=f"INV-{number:06d}",
        lang="zh",
        region="cn",
        made_at=1_793_000_000 + number,
        total="12,345.67",
        seller=Party("Supplier", "Northlight Tools", ["88 Harbour Road", "315000 Ningbo"]),
        buyer=Party("Customer", "Harbour Gear Works"),
        words=headings,
        charts=[Chart("kWh", picture, "kWh")],
        lines=[PaperLine(at, f"M6 {number}-{at}", "3 pc", "1.20", "3.60", ["B"]) for at in range(1, LINES)],
        totals=[Sum("Total", "12,345.67", strong=True)],
        registers=[
            RegisterRow([f"meter-{at}", "1,204,310", "1,286,847", "82,537", "B", "S"]) for at in range(REGISTERS)
        ],
        worked=[msgspec.json.encode(number).decode()],
    )


if __name__ == "__main__":
    sys.exit(run("Papers against the bare compiler", benchmark))
