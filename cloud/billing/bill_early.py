"""An early bill of the open period, when what was used in it has passed a threshold of the terms.

The surprise: it is an invoice without a statement. The statement of the period says what the period came to, as if
nothing had been asked for before; what early bills asked for is taken off its invoice, at the same rates of tax. A void
statement lets go of that, so the next revision takes it off again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Literal

from cloud.agreements.repository import Agreement
from cloud.agreements.terms import version_at
from cloud.billing.close_period import so_far
from cloud.calendar import Period, local_day
from cloud.credit import repository as credit_lines
from cloud.credit.accrue import asked_early
from cloud.credit.recount import recount
from cloud.database import Tx
from cloud.invoices import repository
from cloud.invoices.build import ONE_TIME, document_of, due_day, rule_key
from cloud.invoices.document import Document, DocumentLine, Item, Place
from cloud.invoices.issue import place_of
from cloud.invoices.minor import from_minor, to_minor
from cloud.invoices.taxes import NO_TERMS, TaxBook, Taxed, tax_totals
from cloud.payments.allocate import apply_prepaid
from cloud.rating.charges import progressive_billing
from cloud.rating.lines import Line
from cloud.rating.terms_fields import exact

KIND: Literal["progressive_billing"] = "progressive_billing"
Rate = tuple[str, str]


def bill_early(tx: Tx, tenant: str, agreement: Agreement, span: Period, now_ms: int) -> Document | None:
    """The invoice for what was used since the last one, if a threshold was passed; behind the agreement's lock."""
    version = version_at(now_ms, agreement.versions)
    wanted = [] if version is None else version.terms.charges
    terms = next((one for one in wanted if isinstance(one, progressive_billing.Terms)), None)
    if terms is None or not span.holds(now_ms):
        return None
    currency = agreement.terms.currency
    lines = [line for line in so_far(tx, tenant, agreement, span).lines if not line.belongs_to and terms.counts(line)]
    now = agreement.on(local_day(now_ms, agreement.terms.zone).isoformat())
    tax = TaxBook.of(now.tax, agreement.versions)
    due = _by_rate(lines, tax, currency)
    billed = _billed(repository.items_page(tx, tenant, agreement.agreement_id), span, currency)
    sums = [exact(from_minor(sum(one.values()), currency)) for one in (due, billed)]
    reached = terms.passed(sums[0])
    if reached <= terms.passed(sums[1]):
        return None
    parts = {
        rate: due.get(rate, 0) - billed.get(rate, 0) for rate in [*due, *(one for one in billed if one not in due)]
    }
    text = f"used so far in {span.label}, as {_plain(reached)} {currency} is passed"
    place = place_of(tx, tenant, agreement.terms, "invoice")
    made = _document(tx, tenant, agreement, (span, place), ({k: v for k, v in parts.items() if v}, tax), text, now_ms)
    repository.add(tx, tenant, made, open_minor=to_minor(made.gross, currency), now_ms=now_ms)
    for line in made.lines:
        item = Item(
            item_id=f"{KIND}:{span.first}:{made.document_id}:{line.no}", kind=KIND,
            amount=_negative(line.net, currency),
            text=f"asked for in {made.number_text}", about=made.document_id, category=line.category,
            tax_percent=line.percent,
        )  # fmt: skip
        repository.add_item(tx, tenant, agreement.agreement_id, item, due_first=span.first, now_ms=now_ms)
    apply_prepaid(tx, tenant, made.document_id, now_ms)
    asked_early(tx, tenant, agreement, lines, (span.from_ms, now_ms))
    recount(tx, tenant, (made.supplier_id, made.customer_id, currency))
    return made


def _by_rate(lines: Sequence[Line], tax: TaxBook, currency: str) -> dict[Rate, int]:
    """Minor units by rate of tax."""
    due: dict[Rate, int] = {}
    for line in lines:
        rate = rule_key(tax.of_line(line.version, line.kind))
        due[rate] = due.get(rate, 0) + to_minor(line.amount, currency)
    return due


def _billed(items: Sequence[tuple[Item, str, str]], span: Period, currency: str) -> dict[Rate, int]:
    """What early bills of the period asked for, in minor units by rate of tax."""
    found: dict[Rate, int] = {}
    for item, _, _ in items:
        if item.item_id.startswith(f"{KIND}:{span.first}:"):
            rate = (item.category, item.tax_percent)
            found[rate] = found.get(rate, 0) - to_minor(item.amount, currency)
    return found


def _document(
    tx: Tx,
    tenant: str,
    agreement: Agreement,
    where: tuple[Period, Place],
    asked: tuple[Mapping[Rate, int], TaxBook],
    text: str,
    now_ms: int,
) -> Document:
    (span, place), (parts, tax) = where, asked
    terms = agreement.on(local_day(now_ms, agreement.terms.zone).isoformat())
    known = {rate: tax.known(*rate) for rate in parts}
    rows = [
        DocumentLine(
            no=no, kind=KIND, text=text, statement_line=0, quantity=ONE_TIME, about=f"{KIND}:{span.first}",
            unit_price=from_minor(minor, terms.currency), unrounded=from_minor(minor, terms.currency),
            net=from_minor(minor, terms.currency), category=known[rate].category, percent=known[rate].percent,
        )
        for no, (rate, minor) in enumerate(parts.items(), 1)
    ]  # fmt: skip
    taxed = [Taxed(minor, exact(row.net), known[rate]) for row, (rate, minor) in zip(rows, parts.items(), strict=True)]
    today = local_day(now_ms, terms.zone)
    grade = credit_lines.grade_of(tx, tenant, terms)
    due = due_day(terms.payment, today.isoformat(), due_days=None if grade is None else grade.due_days)
    said = {
        "tenant": tenant, "supplier_id": terms.supplier_id, "customer_id": terms.customer_id,
        "agreement_id": agreement.agreement_id, "statement_id": "", "statement_hash": "", "about": "",
        "period_first": span.first, "period_end": min(span.end, (today + timedelta(days=1)).isoformat()),
        "currency": terms.currency, "issued_on": today.isoformat(), "due_on": due,
        "tax_rule": (terms.tax or NO_TERMS).in_words(),
    }  # fmt: skip
    return document_of("invoice", place, rows, tax_totals(taxed, terms.tax, terms.currency), said)


def _negative(amount: str, currency: str) -> str:
    return from_minor(-to_minor(amount, currency), currency)


def _plain(threshold: Fraction) -> str:
    return f"{threshold.numerator}" if threshold.denominator == 1 else f"{threshold.numerator}/{threshold.denominator}"
