"""A statement, or the invoice made of it, as paper: the page's own view, laid out for print. PURE.

The surprise: it takes the page's texts as they are. What is on paper and not on the page are parties in full, taxes and
due day (an invoice's), the meters' registers, and how to check it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cloud.billing.statement import Statement
from cloud.documents.paper import (
    Chart,
    Headings,
    LogRow,
    Named,
    Paper,
    PaperLine,
    Party,
    RegisterRow,
    Share,
    Sum,
)
from cloud.invoices.document import Document
from cloud.parties.details import PartyDetails
from cloud.rating.lines import Line, plain_register
from cloud.web.figures import long_day, money, number, quantity
from cloud.web.languages import Words
from cloud.web.views.convention_words import convention
from cloud.web.views.line_words import charge_words, what
from cloud.web.views.statement import StatementView, statement_view


class Parties(NamedTuple):
    """Both sides' details."""

    seller: PartyDetails
    buyer: PartyDetails


def paper_of(
    words: Words,
    statement: Statement,
    names: Mapping[str, str],
    parties: Parties,
    *,
    invoice: Document | None = None,
    options: Sequence[str] = (),
    charts: Sequence[Chart] = (),
) -> Paper:
    """The paper of a statement; of its invoice, where there is one."""
    _ = words.gettext
    view = statement_view(words, statement, names)
    title = invoice.number_text if invoice else _("Statement %(number)s", number=view.number)
    due = ""
    if invoice and invoice.due_on:
        due = _("due on %(day)s", day=long_day(words, date.fromisoformat(invoice.due_on)))
    return Paper(
        title=title,
        lang=words.locale.language,
        region=(words.locale.territory or ("cn" if words.locale.language == "zh" else "gb")).lower(),
        made_at=statement.head.cutoff_at // 1000,
        due=due,
        total=money(words, Decimal(invoice.gross if invoice else statement.head.total), view.currency),
        seller=_party(words, _("Supplier"), view.supplier, parties.seller),
        buyer=_party(words, _("Customer"), view.customer, parties.buyer),
        facts=_facts(words, view, invoice),
        glance=_glance(words, statement, names),
        charts=list(charts),
        words=headings_of(words),
        lines=_lines(words, view, invoice, statement),
        totals=_totals(words, statement, invoice),
        asides=[f"{one.reason}: {one.device}, {one.subject}" for one in view.asides],
        worked=_worked(words, view, invoice, options),
        registers=_registers(words, statement.lines, names),
        evidence=_evidence(words, view),
        logs=[LogRow(log.origin, f"[{log.first}, {log.end})", log.root) for log in view.logs],
        hashes=_hashes(words, view, invoice),
    )


def _party(words: Words, role: str, name: str, details: PartyDetails) -> Party:
    _ = words.gettext
    place = " ".join(part for part in (details.postcode, details.city, details.country) if part)
    numbers = (
        (_("VAT number"), details.vat_id), (_("Tax number"), details.tax_id), (_("Register number"), details.legal_id),
        (_("Account"), details.iban), (_("E-mail"), details.email),
    )  # fmt: skip
    lines = [line for line in (details.street, place) if line]
    lines += [f"{called} {value}" for called, value in numbers if value]
    return Party(role, details.legal_name or name, lines)


def _facts(words: Words, view: StatementView, invoice: Document | None) -> list[Named]:
    _ = words.gettext
    period = f"{view.span.first.text} \N{EN DASH} {view.span.end.text} ({view.span.zone})"
    found = [
        Named(_("Period"), period),
        Named(_("Closed"), f"{view.closed.text} ({view.closed.zone})"),
        Named(_("Agreement"), view.agreement_id),
        Named(_("Currency"), view.currency),
    ]
    if invoice is not None:
        issued = long_day(words, date.fromisoformat(invoice.issued_on))
        found += [Named(_("Issued"), issued), Named(_("Statement"), f"{view.number} ({view.statement_id})")]
    return found


def _glance(words: Words, statement: Statement, names: Mapping[str, str]) -> list[Share]:
    """The total by service: what each kind of charge comes to, the greatest first."""
    sums: dict[str, Decimal] = {}
    for line in statement.lines:
        called = what(words, line, names) if line.kind != "per_piece" else words.gettext("Goods")
        sums[called] = sums.get(called, Decimal(0)) + Decimal(line.amount)
    total = sum(sums.values(), Decimal(0))
    if len(sums) < 2:
        return []
    currency = statement.head.currency
    ordered = sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    return [
        Share(name, f"{number(words, (100 * amount / total).quantize(Decimal(1)))} %" if total > 0 else "",
              money(words, amount, currency))
        for name, amount in ordered
    ]  # fmt: skip


def _lines(words: Words, view: StatementView, invoice: Document | None, statement: Statement) -> list[PaperLine]:
    """The statement's lines, then what only the invoice has: credits, coupons, deposits, fees."""
    found = []
    for one in view.rows:
        row = one.row
        notes = [text for text in (row.where, row.basis, *row.notes) if text]
        notes.append(f"{one.level} \N{MIDDLE DOT} {one.level_words}")
        found.append(PaperLine(row.no, row.what, row.quantity, row.price, row.amount, notes))
    currency = statement.head.currency
    for line in invoice.lines if invoice else []:
        if not line.statement_line:
            amounts = (money(words, Decimal(text), currency) for text in (line.unit_price, line.net))
            price, amount = amounts
            much = quantity(words, Decimal(line.quantity.value), line.quantity.unit)
            why = line.why and f"{convention(words, line.why)} ({line.who})"
            notes = [text for text in (line.about, why) if text]
            found.append(PaperLine(line.no, convention(words, line.text), much, price, amount, notes))
    return found


def _totals(words: Words, statement: Statement, invoice: Document | None) -> list[Sum]:
    _ = words.gettext
    currency = statement.head.currency
    if invoice is None:
        return [Sum(_("Total"), money(words, Decimal(statement.head.total), currency), strong=True)]
    found = [Sum(_("Net"), money(words, Decimal(invoice.net), currency))]
    for tax in invoice.taxes:
        base = money(words, Decimal(tax.net), currency)
        called = _("Tax %(percent)s %% on %(net)s", percent=tax.percent, net=base)
        found.append(
            Sum(f"{called} ({tax.reason})" if tax.reason else called, money(words, Decimal(tax.tax), currency))
        )
    return [*found, Sum(_("To pay"), money(words, Decimal(invoice.gross), currency), strong=True)]


def _worked(words: Words, view: StatementView, invoice: Document | None, options: Sequence[str]) -> list[str]:
    _ = words.gettext
    found = [view.worked] if view.worked else []
    found.append(view.rounding)
    zone, edition = view.span.zone, view.tzdata
    found.append(
        _(
            "The period begins and ends at midnight in %(zone)s (time zone database %(tzdata)s).",
            zone=zone,
            tzdata=edition,
        )
    )
    if invoice is not None and invoice.tax_rule:
        found.append(_("Tax, as agreed: %(rule)s.", rule=invoice.tax_rule))
    return [*found, *_options(words, options)]


def _options(words: Words, options: Sequence[str]) -> list[str]:
    """What was agreed on, a paragraph for the whole and one for each charge or guarantee that has several."""
    _ = words.gettext
    about = [one.partition(": ")[0] if ": " in one else "" for one in options]
    several = {name for name in about if name and about.count(name) > 1 and name != "periods"}
    whole = [convention(words, one) for one, name in zip(options, about, strict=True) if name not in several]
    found = [_("Options of the agreement, as agreed: %(options)s.", options="; ".join(whole))] if whole else []
    for name in dict.fromkeys(name for name in about if name in several):
        said = (convention(words, one.partition(": ")[2]) for one in options if one.startswith(f"{name}: "))
        found.append(_("%(about)s: %(options)s.", about=charge_words(words, name), options="; ".join(said)))
    return found


def _zone(view: StatementView) -> dict[str, str]:
    return {"zone": view.span.zone, "tzdata": view.tzdata}


def _registers(words: Words, lines: Sequence[Line], names: Mapping[str, str]) -> list[RegisterRow]:
    found = []
    for line in lines:
        if len(line.registers) == 2:
            opening, closing = line.registers
            difference = Decimal(plain_register(closing)) - Decimal(plain_register(opening))
            qualities = sorted({opening.leaf.quality, closing.leaf.quality})
            cells = [
                f"{names.get(line.device, line.device)} {closing.register}",
                number(words, Decimal(plain_register(opening))),
                number(words, Decimal(plain_register(closing))),
                quantity(words, difference, closing.unit),
                line.level,
                ", ".join(quality_words(words, one) for one in qualities),
            ]
            found.append(RegisterRow(cells))
    return found


def quality_words(words: Words, quality: str) -> str:
    """Where a time comes from, in the reader's language."""
    _ = words.gettext
    known = {
        "synchronised": _("clock synchronised"),
        "repaired": _("time repaired"),
        "received_time": _("time of arrival"),
    }
    return known.get(quality, quality)


def _evidence(words: Words, view: StatementView) -> list[str]:
    _ = words.gettext
    return [
        _(
            "Check this statement yourself, without network and without us: take the bundle, and the gateway's key from its label."  # noqa: E501 - the page's own sentence
        ),
        f"tally-verify {view.file_name} --key GATEWAY_KEY",
    ]


def _hashes(words: Words, view: StatementView, invoice: Document | None) -> list[Named]:
    _ = words.gettext
    found = [
        Named(_("Hash of this statement"), view.hash),
        Named(_("Hash of the one before"), view.prev_hash or _("this is the first")),
    ]
    return [*found, Named(_("Hash of this invoice"), invoice.hash)] if invoice else found


def headings_of(words: Words) -> Headings:
    """The words of the layout, in the reader's language."""
    _ = words.gettext
    return Headings(
        glance=_("At a glance"),
        service=_("Service"),
        share=_("Share"),
        amount=_("Amount"),
        charts=_("Day by day"),
        lines=_("Lines"),
        no=_("No."),
        what=_("What"),
        quantity=_("Quantity"),
        price=_("Price"),
        nothing=_("Nothing was used in this period."),
        asides=_("Not billed"),
        worked=_("How this was worked out"),
        registers=_("Meters"),
        register_columns=[_("Meter"), _("Opening"), _("Closing"), _("Difference"), _("Evidence"), _("Time")],
        evidence=_("Evidence"),
        log_columns=[_("Log"), _("Records"), _("Root at the end")],
    )
