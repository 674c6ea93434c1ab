"""The running bill and a statement's lines: never a line without quantity and price. PURE.

One view for both, so that the same line reads the same before and after its period is closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cloud.calendar import Period
from cloud.rating.lines import Line
from cloud.web.facts import Bill, ClosedBill
from cloud.web.figures import Moment, border, long_day, money, price
from cloud.web.languages import Words
from cloud.web.views import line_words


class BillRow(NamedTuple):
    """A line: what, where, how much at which price, and what it rests on. ``notes``: what is unusual about it."""

    no: int
    what: str
    where: str
    quantity: str
    price: str
    amount: str
    basis: str
    notes: list[str]
    leaves: int


class Span(NamedTuple):
    """A period by its two borders, the second one exclusive, told in one zone."""

    first: Moment
    end: Moment

    @property
    def zone(self) -> str:
        """The zone both borders are told in."""
        return self.first.zone


class BillView(NamedTuple):
    """An agreement's period under way."""

    agreement_id: str
    customer: str
    span: Span
    total: str
    currency: str
    rows: list[BillRow]
    unbilled: str
    problem: str


class ClosedRow(NamedTuple):
    """A statement in a list."""

    statement_id: str
    number: int
    customer: str
    period: str
    total: str


def bill_views(words: Words, bills: tuple[Bill, ...], names: Mapping[str, str]) -> list[BillView]:
    """All agreements' running bills."""
    return [
        BillView(
            agreement_id=bill.agreement_id,
            customer=bill.customer,
            span=span(words, bill.period, bill.zone),
            total=money(words, bill.total, bill.currency),
            currency=bill.currency,
            rows=line_rows(words, bill.lines, bill.currency, bill.period, names),
            unbilled=_unbilled(words, bill.unbilled),
            problem=_problem(words) if bill.broken else "",
        )
        for bill in bills
    ]


def closed_rows(words: Words, statements: tuple[ClosedBill, ...]) -> list[ClosedRow]:
    """The statements that were closed."""
    return [
        ClosedRow(
            one.statement_id, one.number, one.customer, days(words, one.period), money(words, one.total, one.currency)
        )
        for one in statements
    ]


def line_rows(
    words: Words, lines: Sequence[Line], currency: str, period: Period, names: Mapping[str, str]
) -> list[BillRow]:
    """The rows of a bill's lines."""
    return [
        BillRow(
            no=line.no,
            what=line_words.what(words, line, names),
            where=names.get(line.device, line.device),
            quantity=line_words.amount_of(words, line),
            price=price(words, line.unit_price, currency),
            amount=money(words, Decimal(line.amount), currency),
            basis=line_words.basis(words, line),
            notes=line_words.notes(words, line, period, currency),
            leaves=len(line.leaves),
        )
        for line in lines
    ]


def span(words: Words, period: Period, zone_name: str) -> Span:
    """A period with both borders to the minute."""
    return Span(border(words, period.from_ms, zone_name), border(words, period.to_ms, zone_name))


def days(words: Words, period: Period) -> str:
    """A period by its local days, the first and the first no longer in it."""
    first, end = date.fromisoformat(period.first), date.fromisoformat(period.end)
    return words.gettext("%(first)s up to %(end)s", first=long_day(words, first), end=long_day(words, end))


def _problem(words: Words) -> str:
    return words.gettext("This bill cannot be worked out just now. The reason is in the server's log.")


def _unbilled(words: Words, count: int) -> str:
    if not count:
        return ""
    return words.ngettext(
        "%(count)s record is kept aside and not billed.", "%(count)s records are kept aside and not billed.", count
    )
