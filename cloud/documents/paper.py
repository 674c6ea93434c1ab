"""What a statement or invoice says on paper, in words: the one view that PDF and CSV are made of. PURE.

The surprise: there is nothing here to work out. Every amount arrives as the text the page shows, so paper and page
cannot disagree; whoever fills it (`cloud.web.views.paper`) has chosen language, format and order.
"""

from __future__ import annotations

import msgspec


class Party(msgspec.Struct, frozen=True):
    """Who sells or buys: its role, name, and lines of address and tax numbers."""

    role: str
    name: str
    lines: list[str] = []


class Named(msgspec.Struct, frozen=True):
    """A fact with its name."""

    name: str
    value: str


class Share(msgspec.Struct, frozen=True):
    """A service's part of the total."""

    name: str
    share: str
    amount: str


class Chart(msgspec.Struct, frozen=True):
    """A picture, its title, and the same in words for who cannot see it."""

    title: str
    svg: str
    alt: str


class PaperLine(msgspec.Struct, frozen=True):
    """A line: never without quantity and price."""

    no: int
    what: str
    quantity: str
    price: str
    amount: str
    notes: list[str] = []


class Sum(msgspec.Struct, frozen=True):
    """A row under the lines: a net, a tax, the total."""

    name: str
    amount: str
    strong: bool = False


class RegisterRow(msgspec.Struct, frozen=True):
    """A meter's register over the period: device, opening, closing, difference, evidence level, time quality."""

    cells: list[str]


class LogRow(msgspec.Struct, frozen=True):
    """A gateway's log: origin, the range of records, the root at its end; always plain ASCII."""

    origin: str
    range: str
    root: str


class Headings(msgspec.Struct, frozen=True, kw_only=True):
    """The words of the layout."""

    glance: str
    service: str
    share: str
    amount: str
    charts: str
    lines: str
    no: str
    what: str
    quantity: str
    price: str
    nothing: str
    asides: str
    worked: str
    registers: str
    register_columns: list[str]
    evidence: str
    log_columns: list[str]


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A whole document. ``made_at``: seconds UTC, the PDF's date: the same paper gives the same bytes."""

    title: str
    lang: str
    region: str
    made_at: int
    total: str
    seller: Party
    buyer: Party
    words: Headings
    state: str = ""
    due: str = ""
    facts: list[Named] = []
    glance: list[Share] = []
    charts: list[Chart] = []
    lines: list[PaperLine] = []
    totals: list[Sum] = []
    asides: list[str] = []
    worked: list[str] = []
    registers: list[RegisterRow] = []
    evidence: list[str] = []
    logs: list[LogRow] = []
    hashes: list[Named] = []
