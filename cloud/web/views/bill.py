"""The running bill and a statement's lines: never a line without quantity and price. PURE.

One view for both, so that the same line reads the same before and after its period is closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cloud.calendar import Period
from cloud.rating.lines import Line, plain_register
from cloud.web.facts import Bill, ClosedBill
from cloud.web.figures import Moment, border, long_day, money, number, quantity
from cloud.web.languages import Words


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
            what=_what(words, line, names),
            where=names.get(line.device, line.device),
            quantity=_quantity(words, line),
            price=money(words, Decimal(line.unit_price), currency),
            amount=money(words, Decimal(line.amount), currency),
            basis=_basis(words, line),
            notes=_notes(words, line, period),
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


def _what(words: Words, line: Line, names: Mapping[str, str]) -> str:
    _ = words.gettext
    if line.kind == "energy":
        return _("Energy")
    if line.kind == "monthly_fee":
        return _("Monthly fee")
    return names.get(line.subject, line.subject) or line.kind


def _quantity(words: Words, line: Line) -> str:
    if line.month_days:
        return words.gettext("%(days)s of %(month_days)s days", days=line.days, month_days=line.month_days)
    return quantity(words, Decimal(line.quantity.value), line.quantity.unit)


def _basis(words: Words, line: Line) -> str:
    """The registers a metered line lies between."""
    if len(line.registers) != 2:
        return ""
    opening, closing = (number(words, Decimal(plain_register(point))) for point in line.registers)
    unit = line.registers[1].unit
    return words.gettext("register %(opening)s to %(closing)s %(unit)s", opening=opening, closing=closing, unit=unit)


def _notes(words: Words, line: Line, period: Period) -> list[str]:
    _ = words.gettext
    notes = []
    if line.effect == "credit":
        notes.append(_("taken back: this line is a credit"))
    if line.belongs_to:
        notes.append(_("arrived late, belongs to %(period)s", period=line.belongs_to))
    elif (line.first, line.end) != (period.first, period.end) and not line.month_days:
        first, end = date.fromisoformat(line.first), date.fromisoformat(line.end)
        notes.append(_("%(first)s up to %(end)s", first=long_day(words, first), end=long_day(words, end)))
    if line.rollovers:
        notes.append(_("the register wrapped at %(modulus)s", modulus=line.modulus))
    if line.registers and any(point.leaf.quality != "synchronised" for point in line.registers):
        notes.append(_("time repaired or taken from its arrival"))
    return notes


def _problem(words: Words) -> str:
    return words.gettext("This bill cannot be worked out just now. The reason is in the server's log.")


def _unbilled(words: Words, count: int) -> str:
    if not count:
        return ""
    return words.ngettext(
        "%(count)s record is kept aside and not billed.", "%(count)s records are kept aside and not billed.", count
    )
