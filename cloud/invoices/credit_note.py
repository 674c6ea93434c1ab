"""What is taken back of a document, line by line with its tax: a credit note, or the whole of it: a cancellation. PURE.

The surprise: crediting a document bit by bit gives back exactly what it asked for. The bit that credits the last of a
rate takes what is left of that rate's tax, so no cent stays behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from cloud.agreements.tax_terms import TaxRule, TaxTerms
from cloud.invoices.build import document_of
from cloud.invoices.document import Document, DocumentLine, Place
from cloud.invoices.minor import from_minor, nearest_minor, to_minor
from cloud.invoices.taxes import Taxed, TaxTotal, tax_totals
from cloud.money import MoneyError, parse_amount, plain, unrounded_text
from cloud.rating.lines import Amount
from cloud.rating.terms_fields import exact


class CreditRefused(ValueError):
    """More would be credited than was billed, or a line that is not there."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a line is to be credited: a net ``amount``, a ``quantity`` of it, or (neither) all that is left.
    ``kind``: of the line on the credit note, where it is not that of the line it credits.
    """

    line: int
    reason: str
    amount: str = ""
    quantity: str = ""
    kind: str = ""


def credit_note_of(
    about: Document,
    before: Sequence[Document],
    wanted: Sequence[Wanted],
    tax: TaxTerms | None,
    place: Place,
    *,
    issued_on: str,
    who: str,
) -> Document:
    """The credit note for parts of a document; ``before``: the credit notes it already has. Raises CreditRefused."""
    if about.kind != "invoice":
        raise CreditRefused(f"{about.number_text} is no invoice; only invoices are credited.")
    rows: list[DocumentLine] = []
    exacts: list[Fraction] = []
    credited = credited_by_line(about, before)
    for one in wanted:
        line = next((line for line in about.lines if line.no == one.line), None)
        if line is None:
            raise CreditRefused(f"{about.number_text} has no line {one.line}.")
        exactly = _exact(line, one, credited.get(one.line, 0), about.currency)
        net = nearest_minor(exactly, about.currency)
        left = to_minor(line.net, about.currency) - credited.get(one.line, 0)
        if net == 0 or (net > 0) != (left > 0) or abs(net) > abs(left):
            shown = from_minor(left, about.currency)
            raise CreditRefused(f"Line {one.line}: {shown} {about.currency} net can still be credited.")
        credited[one.line] = credited.get(one.line, 0) + net
        rows.append(_row(len(rows) + 1, line, one, net, exactly, about, who))
        exacts.append(exactly)
    if not rows:
        raise CreditRefused("A credit note names at least one line.")
    taxes = _taxes(about, before, rows, exacts, tax)
    return document_of("credit_note", place, rows, taxes, _said(about, issued_on))


def cancellation_of(
    about: Document, before: Sequence[Document], place: Place, *, issued_on: str, why: tuple[str, str]
) -> Document:
    """Takes back all that is left of an invoice; ``why``: reason and person."""
    credited = credited_by_line(about, before)
    rows: list[DocumentLine] = []
    exacts: list[Fraction] = []
    for line in about.lines:
        left = to_minor(line.net, about.currency) - credited.get(line.no, 0)
        exactly = exact(from_minor(left, about.currency))
        rows.append(_row(len(rows) + 1, line, Wanted(line.no, why[0]), left, exactly, about, why[1]))
        exacts.append(exactly)
    taxes = _taxes(about, before, rows, exacts, None)
    return document_of("cancellation", place, rows, taxes, _said(about, issued_on))


def credited_by_line(about: Document, before: Sequence[Document]) -> dict[int, int]:
    """What earlier credit notes took back of each line, in minor units."""
    credited: dict[int, int] = {}
    for note in before:
        for line in note.lines:
            number = int(line.about.rpartition("#")[2])
            credited[number] = credited.get(number, 0) - to_minor(line.net, about.currency)
    return credited


def _exact(line: DocumentLine, wanted: Wanted, credited: int, currency: str) -> Fraction:
    try:
        if wanted.amount and wanted.quantity:
            raise CreditRefused(f"Line {line.no}: name an amount or a quantity, not both.")
        if wanted.amount:
            return exact(from_minor(to_minor(wanted.amount, currency), currency))
        if wanted.quantity:
            return exact(line.unrounded) * exact(wanted.quantity) / (exact(line.quantity.value) or 1)
    except (MoneyError, ArithmeticError) as error:
        raise CreditRefused(f"Line {line.no}: {error}") from error
    return exact(from_minor(to_minor(line.net, currency) - credited, currency))


def _row(
    no: int, line: DocumentLine, wanted: Wanted, net: int, exactly: Fraction, about: Document, who: str
) -> DocumentLine:
    quantity = (
        Amount(value=plain(-parse_amount(wanted.quantity)), unit=line.quantity.unit)
        if wanted.quantity
        else Amount(value="-1", unit="x")
    )
    unit_price = line.unit_price if wanted.quantity else unrounded_text(exactly)
    return msgspec.structs.replace(
        line,
        no=no,
        kind=wanted.kind or line.kind,
        text=f"{about.number_text} line {line.no}: {line.text}",
        quantity=quantity,
        unit_price=unit_price,
        unrounded=unrounded_text(-exactly),
        net=from_minor(-net, about.currency),
        about=f"{about.document_id}#{line.no}",
        who=who,
        why=wanted.reason,
    )


def _taxes(
    about: Document,
    before: Sequence[Document],
    rows: Sequence[DocumentLine],
    exacts: Sequence[Fraction],
    tax: TaxTerms | None,
) -> list[TaxTotal]:
    """Tax by rate; what completes a rate takes the rest of its tax, and cents that were rounded up before never turn
    what is left of the tax against what is left of the net.
    """
    currency = about.currency
    reasons = {(one.category, one.percent): one.reason for one in about.taxes}
    taxed = [
        Taxed(
            to_minor(row.net, currency),
            -exactly,
            TaxRule.model_construct(
                category=row.category, percent=row.percent, of=[], reason=reasons[row.category, row.percent]
            ),
        )
        for row, exactly in zip(rows, exacts, strict=True)
    ]
    totals = []
    for total in tax_totals(taxed, tax, currency, credit=True):
        billed_net, billed_tax = _sums([about], total, currency)
        earlier_net, earlier_tax = _sums(before, total, currency)
        net, due = to_minor(total.net, currency), to_minor(total.tax, currency)
        left_net, left_tax = billed_net + earlier_net + net, billed_tax + earlier_tax
        # The same sign on both sides: an invoice of charges and credits may be smaller than one of its lines.
        if left_net == 0 or (left_tax + due) * left_net < 0:
            due = -left_tax
        totals.append(msgspec.structs.replace(total, tax=from_minor(due, currency)))
    return totals


def _sums(documents: Sequence[Document], total: TaxTotal, currency: str) -> tuple[int, int]:
    same = [
        one
        for document in documents
        for one in document.taxes
        if (one.category, one.percent) == (total.category, total.percent)
    ]
    return sum(to_minor(one.net, currency) for one in same), sum(to_minor(one.tax, currency) for one in same)


def _said(about: Document, issued_on: str) -> dict[str, str]:
    names = (
        "tenant", "supplier_id", "customer_id", "agreement_id", "statement_id", "statement_hash", "period_first",
        "period_end", "currency", "tax_rule",
    )  # fmt: skip
    said = {name: str(getattr(about, name)) for name in names}
    return said | {"about": about.document_id, "issued_on": issued_on, "due_on": issued_on}
