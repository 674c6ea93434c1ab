"""Tables of the finance pages: a title, columns, rows of cells, and what an empty one says. PURE.

The surprise: one shape for all of them. A page differs by what it reads and by its words, so a template has nothing to
decide, and every table is as readable on a phone, by keyboard and by voice as every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from cloud.invoices.minor import from_minor
from cloud.web.figures import long_day, money
from cloud.web.languages import Words

Tone = Literal["", "good", "warn", "bad", "off"]


class Cell(NamedTuple):
    """One value: its text, a line under it, where it leads; ``code`` for ids and hashes; a tone for a state."""

    text: str
    sub: str = ""
    href: str = ""
    code: bool = False
    tone: Tone = ""


class Column(NamedTuple):
    """A column's name; ``number``: its values stand at the line's end."""

    name: str
    number: bool = False


class Table(NamedTuple):
    """A table under a title; the first cell of a row names the row."""

    id: str
    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    empty: str


class Choice(NamedTuple):
    """One of several things to choose from in a form."""

    value: str
    text: str


class Action(NamedTuple):
    """A form with one button; with ``choices`` the person chooses one of them, with ``amount`` also how much."""

    path: str
    button: str
    label: str = ""
    name: str = ""
    choices: Sequence[Choice] = ()
    amount: str = ""


class Ledger(NamedTuple):
    """A page: its title, what it is for, facts, tables, what can be done, files; ``back`` is the list it comes from."""

    title: str
    intro: str
    tables: list[Table]
    facts: Sequence[tuple[str, Cell]] = ()
    actions: Sequence[Action] = ()
    files: Sequence[tuple[str, str]] = ()
    back: tuple[str, str] | None = None
    importing: bool = False
    said: str = ""


def sum_of(words: Words, minor: int, currency: str) -> str:
    """An amount of the smallest unit, as people write it."""
    return money(words, Decimal(from_minor(minor, currency)), currency)


def day_of(words: Words, text: str) -> str:
    """A local day; "" for none."""
    return long_day(words, date.fromisoformat(text)) if text else ""


def state_of(words: Words, state: str) -> Cell:
    """What a document, payment, verdict or credit line is in, as a word with a shape and a colour."""
    _ = words.gettext
    said: dict[str, tuple[str, Tone]] = {
        "final": (_("final"), "good"),
        "void": (_("void"), "off"),
        "paid": (_("paid"), "good"),
        "open": (_("not paid yet"), "warn"),
        "overdue": (_("overdue"), "bad"),
        "disputed": (_("disputed"), "warn"),
        "credit": (_("credit"), "off"),
        "matched": (_("placed"), "good"),
        "unmatched": (_("waits for a person"), "warn"),
        "returned": (_("taken back by the bank"), "bad"),
        "refund": (_("rest to be paid back"), "warn"),
        "refunded": (_("paid back"), "off"),
        "active": (_("active"), "good"),
        "suspended": (_("suspended"), "bad"),
        "stopped": (_("stopped"), "bad"),
        "signed": (_("signed by both"), "good"),
        "half": (_("signed by one side"), "warn"),
        "unsigned": (_("not signed"), "off"),
    }
    text, tone = said.get(state, (state, ""))
    return Cell(text, tone=tone)
