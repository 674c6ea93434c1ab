"""A statement and what waited for it become an invoice. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction

import msgspec

from cloud.agreements.payment_terms import USUAL, PaymentTerms
from cloud.agreements.tax_terms import TaxRule
from cloud.billing.statement import Statement
from cloud.calendar import month_after
from cloud.invoices.document import FORMAT, Document, DocumentLine, Item, Kind, Place, document_id, number_text
from cloud.invoices.minor import from_minor, nearest_minor, to_minor
from cloud.invoices.taxes import NO_TERMS, TaxBook, Taxed, TaxTotal, rule_of, tax_totals
from cloud.money import unrounded_text
from cloud.rating.lines import Amount, describe
from cloud.rating.terms_fields import exact

NO_SUPPLY: Mapping[str, TaxRule] = {
    "deposit": TaxRule(category="O", percent="0", reason="a deposit is no supply"),
    "deposit_return": TaxRule(category="O", percent="0", reason="a deposit is no supply"),
    "late_fee": TaxRule(category="O", percent="0", reason="damages for delay are no supply"),
    "interest": TaxRule(category="O", percent="0", reason="damages for delay are no supply"),
}
Rate = tuple[str, str]
"""Category and percentage of a tax."""
ONE_TIME = Amount(value="1", unit="x")


def due_day(terms: PaymentTerms | None, issued_on: str, *, due_days: int | None = None) -> str:
    """The local day on which a document of this day is due; ``due_days`` is a grade's own."""
    wanted = terms or USUAL
    day = date.fromisoformat(issued_on)
    if wanted.due == "end_of_month":
        day = month_after(day) - timedelta(days=1)
    return (day + timedelta(days=wanted.due_days if due_days is None else due_days)).isoformat()


def invoice_of(
    statement: Statement, items: Sequence[Item], tax: TaxBook, place: Place, *, days: tuple[str, str]
) -> Document:
    """The invoice of a statement, with the items that waited for it; ``days``: issued on, due on."""
    head = statement.head
    rows = [
        DocumentLine(
            no=line.no,
            kind=line.kind,
            text=describe(line),
            statement_line=line.no,
            quantity=line.quantity,
            unit_price=line.unit_price,
            unrounded=line.unrounded,
            net=line.amount,
            category=(rule := tax.of_line(line.version, line.kind)).category,
            percent=rule.percent,
        )
        for line in statement.lines
    ]
    usage = list(rows)
    rules = {rule_key(rule): rule for rule in (tax.of_line(line.version, line.kind) for line in statement.lines)}
    off: dict[Rate, Fraction] = {}
    for item in items:
        shares = _shares(item, usage, (tax, rules), off)
        said = _said(item, -sum((amount for _, amount in shares), Fraction(0)), head.currency)
        for rule, amount in shares:
            rules[rule_key(rule)] = rule
            if item.kind == "coupon":
                off[rule_key(rule)] = off.get(rule_key(rule), Fraction(0)) - amount
            rows.append(_item_line(len(rows) + 1, said, rule, amount, head.currency))
    taxed = [
        Taxed(to_minor(row.net, head.currency), exact(row.unrounded), rules[row.category, row.percent]) for row in rows
    ]
    return document_of(
        "invoice",
        place,
        rows,
        tax_totals(taxed, tax.now, head.currency),
        {
            "tenant": head.tenant, "supplier_id": head.supplier_id, "customer_id": head.customer_id,
            "agreement_id": head.agreement_id, "statement_id": head.statement_id, "statement_hash": statement.hash,
            "about": "", "period_first": head.period.first, "period_end": head.period.end, "currency": head.currency,
            "issued_on": days[0], "due_on": days[1], "tax_rule": (tax.now or NO_TERMS).in_words(),
        },
    )  # fmt: skip


def _said(item: Item, used: Fraction, currency: str) -> Item:
    """A coupon that says what was agreed on about its rest, and how much that is."""
    if item.kind != "coupon" or item.percent or not item.rest:
        return item
    left = f"{_plain(-exact(item.amount) - used, currency)} of {item.amount.removeprefix('-')}"
    what = "carried on to the next invoice" if item.rest == "carried" else "not carried on"
    return msgspec.structs.replace(item, why=f"what is left of the coupon is {what} ({left})")


def _plain(amount: Fraction, currency: str) -> str:
    """An amount with the currency's own places, or with all that it has where these are more."""
    minor = nearest_minor(amount, currency)
    payable = from_minor(minor, currency)
    return payable if exact(payable) == amount else unrounded_text(amount)


def carried_on(items: Sequence[Item], made: Document) -> tuple[list[Item], list[Item]]:
    """The items that are on an invoice, and the rests of coupons that wait for the next one. A coupon that could take
    nothing off and is carried on stays as it is.
    """
    taken, rests = [], []
    for item in items:
        if item.kind != "coupon" or item.percent or item.rest != "carried":
            taken.append(item)
            continue
        mine = [line for line in made.lines if not line.statement_line and line.about == item.about]
        used = -sum((exact(line.unrounded) for line in mine), Fraction(0))
        rest = -exact(item.amount) - used
        if used:
            taken.append(item)
        if used and rest > 0:
            rests.append(
                msgspec.structs.replace(
                    item, item_id=f"{item.item_id.partition(':rest:')[0]}:rest:{made.document_id}",
                    amount=f"-{_plain(rest, made.currency)}", text=f"rest of {item.text.removeprefix('rest of ')}",
                    rest_of=made.document_id,
                )
            )  # fmt: skip
    return taken, rests


def taken_now(items: Sequence[Item], *, billed: bool) -> list[Item]:
    """What of the waiting items comes on an invoice: of a coupon one, whatever number of months the invoice is for, and
    none where nothing is ``billed``.
    """
    found: dict[str, Item] = {}
    for item in items:
        found.setdefault(item.about if item.kind == "coupon" else f"item {item.item_id}", item)
    return [item for item in found.values() if billed or item.kind != "coupon"]


def rule_key(rule: TaxRule) -> Rate:
    """What tells tax rules apart on a document."""
    return rule.category, rule.percent


def document_of(
    kind: Kind, place: Place, rows: list[DocumentLine], taxes: list[TaxTotal], said: Mapping[str, str]
) -> Document:
    """The document with its sums; ``said``: everything that is not worked out here."""
    currency = said["currency"]
    net = sum(to_minor(row.net, currency) for row in rows)
    tax = sum(to_minor(total.tax, currency) for total in taxes)
    return Document(
        format=FORMAT,
        document_id=document_id(said["tenant"], place),
        kind=kind,
        series=place.series,
        number=place.number,
        number_text=number_text(place),
        lines=rows,
        taxes=taxes,
        net=from_minor(net, currency),
        tax=from_minor(tax, currency),
        gross=from_minor(net + tax, currency),
        prev_hash=place.prev_hash,
        **said,
    )


def _shares(
    item: Item,
    usage: Sequence[DocumentLine],
    known: tuple[TaxBook, Mapping[Rate, TaxRule]],
    off: Mapping[Rate, Fraction],
) -> list[tuple[TaxRule, Fraction]]:
    """An item's amount at the tax it belongs to; a percentage is taken of each rate's lines. ``known``: the tax terms,
    and the rules of the lines; ``off``: what coupons took off each rate already, for all of them together leave no rate
    below nothing.
    """
    tax, rules = known
    if item.kind in NO_SUPPLY:
        return [(NO_SUPPLY[item.kind], exact(item.amount))]
    if item.category:
        return [(tax.known(item.category, item.tax_percent), exact(item.amount))]
    base: dict[tuple[str, str], Fraction] = {}
    for row in usage:
        if not item.of or row.kind in item.of:
            rate = row.category, row.percent
            base[rate] = base.get(rate, Fraction(0)) + exact(row.net)
    if item.kind == "coupon":
        left = {key: amount - off.get(key, Fraction(0)) for key, amount in base.items()}
        shares = _coupon(item, base, {key: amount for key, amount in left.items() if amount > 0})
        return [(rules[key], -amount) for key, amount in shares]
    largest = max(base, key=lambda key: (base[key], key), default=None)
    rule = rule_of(tax.now, item.of[0] if item.of else "") if largest is None else rules[largest]
    return [(rule, exact(item.amount))]


def _coupon(item: Item, base: Mapping[Rate, Fraction], left: Mapping[Rate, Fraction]) -> list[tuple[Rate, Fraction]]:
    """What a coupon takes off each rate: its percentage of what was billed; or its amount, off the largest first."""
    if item.percent:
        return [(key, min(base[key] * exact(item.percent) / 100, left[key])) for key in sorted(left)]
    rest, found = -exact(item.amount), []
    for key in sorted(left, key=lambda key: (left[key], key), reverse=True):
        if rest > 0:
            found.append((key, min(rest, left[key])))
            rest -= found[-1][1]
    return found


def _item_line(no: int, item: Item, rule: TaxRule, amount: Fraction, currency: str) -> DocumentLine:
    return DocumentLine(
        no=no,
        kind=item.kind,
        text=item.text,
        statement_line=0,
        quantity=ONE_TIME,
        unit_price=unrounded_text(amount),
        unrounded=unrounded_text(amount),
        net=from_minor(nearest_minor(amount, currency), currency),
        category=rule.category,
        percent=rule.percent,
        about=item.about or item.item_id,
        who=item.who,
        why=item.why,
    )
