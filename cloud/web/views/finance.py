"""The finance pages' tables: statements, invoices, payments, dunning, credit, books, agreements. PURE.

The surprise: the customer's people see the same pages, with his own rows alone and without what is the supplier's
business; who may see what is decided where the rows are read, never here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from cloud.agreements.repository import Agreement
from cloud.agreements.signatures import AgreementSignature, is_countersigned
from cloud.agreements.terms import AgreementTerms
from cloud.billing.statement import Head
from cloud.credit.exposure import Exposure
from cloud.credit.repository import CreditLine, Delegation
from cloud.invoices.document import Document, DocumentLine
from cloud.invoices.document_row import DocumentRow
from cloud.payments.repository import Allocation, Payment
from cloud.rating.lines import Line
from cloud.web.figures import money, number
from cloud.web.languages import Words
from cloud.web.views import line_words
from cloud.web.views.convention_words import convention
from cloud.web.views.ledgers import Cell, Column, Table, day_of, state_of, sum_of

Names = Mapping[str, str]
CURRENCY_LETTERS = 3
DASH = "\N{EN DASH}"


def statements_table(words: Words, heads: Sequence[Head], names: Names) -> Table:
    """Statements, the newest first."""
    _ = words.gettext
    rows = [
        [
            Cell(_("Statement %(number)s", number=one.number), one.agreement_id, f"/statements/{one.statement_id}"),
            Cell(names.get(one.customer_id, one.customer_id)),
            Cell(f"{day_of(words, one.period.first)} {DASH} {day_of(words, one.period.end)}", one.zone),
            Cell(money(words, Decimal(one.total), one.currency)),
        ]
        for one in heads
    ]
    columns = [Column(_("Statement")), Column(_("For")), Column(_("Period")), Column(_("Total"), number=True)]
    return Table("statements", _("Statements"), columns, rows, _("No period has been closed yet."))


def standing_of(one: DocumentRow, today: str) -> str:
    """A document's state in one word."""
    if one.state == "void":
        return "void"
    if one.open_minor == 0:
        return "paid"
    if one.open_minor < 0 or one.kind != "invoice":
        return "credit"
    if one.disputed:
        return "disputed"
    return "overdue" if one.due_on < today else "open"


def documents_table(words: Words, found: Sequence[DocumentRow], names: Names, today: str) -> Table:
    """Invoices, credit notes and cancellations, the newest first."""
    _ = words.gettext
    rows = []
    for one in found:
        state = state_of(words, standing_of(one, today))
        rows.append(
            [
                Cell(one.number_text, names.get(one.customer_id, one.customer_id), f"/invoices/{one.document_id}"),
                Cell(day_of(words, one.issued_on)),
                Cell(day_of(words, one.due_on)),
                Cell(sum_of(words, one.gross_minor, one.currency)),
                Cell(sum_of(words, one.open_minor, one.currency)),
                state._replace(sub=one.step),
            ]
        )
    columns = [
        Column(_("Number")),
        Column(_("Issued")),
        Column(_("Due")),
        Column(_("Gross"), number=True),
        Column(_("Still open"), number=True),
        Column(_("State")),
    ]
    return Table("documents", _("Invoices and credit notes"), columns, rows, _("Nothing has been invoiced yet."))


def document_lines(words: Words, document: Document, billed: Mapping[int, Line], names: Names) -> Table:
    """A document's lines; those of a statement in the words of that statement's lines (``billed``, by number)."""
    _ = words.gettext
    rows = [
        [
            _named(words, line, billed, names),
            Cell(f"{number(words, Decimal(line.quantity.value))} {line.quantity.unit}"),
            Cell(f"{number(words, Decimal(line.percent))} %"),
            Cell(money(words, Decimal(line.net), document.currency)),
        ]
        for line in document.lines
    ]
    columns = [
        Column(_("What")),
        Column(_("Quantity"), number=True),
        Column(_("Tax"), number=True),
        Column(_("Net"), number=True),
    ]
    return Table("lines", _("Lines"), columns, rows, _("This document has no lines."))


def _named(words: Words, line: DocumentLine, billed: Mapping[int, Line], names: Names) -> Cell:
    known = billed.get(line.statement_line)
    if known is None:
        return Cell(f"{line.no}. {convention(words, line.text)}", convention(words, line.why))
    notes = [names.get(known.device, known.device), line_words.basis(words, known)]
    return Cell(f"{line.no}. {line_words.what(words, known, names)}", ", ".join(note for note in notes if note))


def taxes_table(words: Words, document: Document) -> Table:
    """What each rate comes to, and the sum."""
    _ = words.gettext
    shown = [(f"{number(words, Decimal(one.percent))} %", one.reason, one.net, one.tax) for one in document.taxes]
    rows = [
        [
            Cell(rate, why),
            Cell(money(words, Decimal(net), document.currency)),
            Cell(money(words, Decimal(tax), document.currency)),
        ]
        for rate, why, net, tax in shown
    ]
    columns = [Column(_("Rate")), Column(_("Net"), number=True), Column(_("Tax"), number=True)]
    return Table("taxes", _("Tax"), columns, rows, _("No tax is due."))


def settled_table(words: Words, settled: Sequence[Allocation], currency: str, numbers: Names) -> Table:
    """What settles a document, or what a payment settles."""
    _ = words.gettext
    rows = [
        [
            Cell(numbers.get(one.document_id, one.document_id), one.source_id),
            Cell(sum_of(words, one.minor, currency)),
            state_of(words, "matched" if one.undone_ms is None else "returned"),
        ]
        for one in settled
    ]
    columns = [Column(_("Document")), Column(_("Amount"), number=True), Column(_("State"))]
    return Table("settled", _("Settled by payments and credit notes"), columns, rows, _("Nothing has come in for it."))


def payments_table(words: Words, found: Sequence[Payment], names: Names) -> Table:
    """Payments, those first that wait for a person."""
    _ = words.gettext
    rows = [
        [
            Cell(one.payer or one.bank_ref, one.remittance, f"/payments/{one.payment_id}"),
            Cell(day_of(words, one.booked_on), names.get(one.customer_id, one.customer_id)),
            Cell(sum_of(words, one.amount_minor, one.currency)),
            Cell(sum_of(words, one.free_minor, one.currency)),
            state_of(words, one.state)._replace(sub=how_placed(words, one.matched_by)),
        ]
        for one in found
    ]
    columns = [
        Column(_("Payer")),
        Column(_("Booked")),
        Column(_("Amount"), number=True),
        Column(_("Not used yet"), number=True),
        Column(_("State")),
    ]
    return Table("payments", _("Payments"), columns, rows, _("No payment has come in yet. Import a file of your bank."))


def how_placed(words: Words, by: str) -> str:
    """How a payment found its documents."""
    _ = words.gettext
    said = {
        "number": _("by the number it names"),
        "amount": _("by the only amount that fits"),
        "oldest": _("by what was due first"),
        "by_hand": _("by a person"),
        "return": _("as a return"),
        "refund": _("as a repayment"),
    }
    return said.get(by, by)


def overdue_table(words: Words, found: Sequence[DocumentRow], names: Names) -> Table:
    """What is overdue, with the step it has reached."""
    _ = words.gettext
    rows = [
        [
            Cell(one.number_text, names.get(one.customer_id, one.customer_id), f"/invoices/{one.document_id}"),
            Cell(day_of(words, one.due_on)),
            Cell(sum_of(words, one.open_minor, one.currency)),
            Cell(_("disputed: not reminded") if one.disputed else one.step or _("no step yet")),
        ]
        for one in found
    ]
    columns = [Column(_("Number")), Column(_("Due")), Column(_("Still open"), number=True), Column(_("Step"))]
    return Table("overdue", _("Overdue"), columns, rows, _("Nothing is overdue."))


def credit_table(words: Words, lines: Sequence[tuple[CreditLine, Exposure]], names: Names) -> Table:
    """Credit lines: what is owed in all, against the limit."""
    _ = words.gettext
    rows = [
        [
            Cell(names.get(line.customer_id, line.customer_id), line.reason),
            state_of(words, line.state),
            Cell(sum_of(words, owed.limit, line.currency)),
            Cell(sum_of(words, owed.receivable, line.currency)),
            Cell(sum_of(words, owed.unbilled, line.currency)),
            Cell(sum_of(words, owed.reserved, line.currency)),
            Cell(sum_of(words, owed.available, line.currency)),
        ]
        for line, owed in lines
    ]
    columns = [
        Column(_("Customer")),
        Column(_("State")),
        Column(_("Limit"), number=True),
        Column(_("Invoiced"), number=True),
        Column(_("Not yet invoiced"), number=True),
        Column(_("Reserved"), number=True),
        Column(_("Available"), number=True),
    ]
    return Table("credit", _("Credit lines"), columns, rows, _("No customer has a credit line."))


def shares_table(words: Words, shares: Sequence[tuple[Delegation, str]], names: Names) -> Table:
    """What gateways may give on their own."""
    _ = words.gettext
    rows = [
        [
            Cell(names.get(one.gateway_id, one.gateway_id), one.agreement_id),
            Cell(sum_of(words, one.limit_minor, currency)),
            Cell(sum_of(words, one.next_minor, currency)),
            Cell(sum_of(words, one.left_minor, currency)),
        ]
        for one, currency in shares
    ]
    columns = [
        Column(_("Gateway")),
        Column(_("Agreed"), number=True),
        Column(_("Told to it"), number=True),
        Column(_("Reserved for it"), number=True),
    ]
    return Table("shares", _("Shares of gateways"), columns, rows, _("No gateway may give anything on its own."))


def balance_table(words: Words, balance: Sequence[tuple[str, str, str, str]]) -> Table:
    """The trial balance: account, commodity, debit, credit, as plain digits."""
    _ = words.gettext
    rows = [
        [Cell(account, code=True), Cell(unit), Cell(_digits(words, debit, unit)), Cell(_digits(words, credit, unit))]
        for account, unit, debit, credit in balance
    ]
    columns = [
        Column(_("Ledger account")),
        Column(_("Unit")),
        Column(_("Debit"), number=True),
        Column(_("Credit side"), number=True),
    ]
    return Table("balance", _("Trial balance"), columns, rows, _("Nothing has been booked yet."))


def _digits(words: Words, text: str, unit: str) -> str:
    """So much of a currency or of goods; nothing for nothing."""
    amount = Decimal(text)
    if amount == 0:
        return ""
    return money(words, amount, unit) if len(unit) == CURRENCY_LETTERS else number(words, amount)


def agreements_table(
    words: Words, found: Sequence[tuple[Agreement, Sequence[AgreementSignature]]], names: Names
) -> Table:
    """Agreements with who has signed them."""
    _ = words.gettext
    rows = []
    for one, signatures in found:
        terms, newest = one.terms, one.versions[-1].version
        rows.append(
            [
                Cell(one.agreement_id, f"{terms.currency}, {terms.zone}", f"/agreements/{one.agreement_id}"),
                Cell(names.get(terms.customer_id, terms.customer_id), names.get(terms.supplier_id, terms.supplier_id)),
                Cell(day_of(words, terms.starts), day_of(words, terms.ends or "")),
                Cell(str(newest)),
                state_of(words, signed(terms, newest, signatures)),
            ]
        )
    columns = [
        Column(_("Agreement")),
        Column(_("Customer")),
        Column(_("Begins")),
        Column(_("Version"), number=True),
        Column(_("Signatures")),
    ]
    return Table("agreements", _("Agreements"), columns, rows, _("There is no agreement yet."))


def signed(terms: AgreementTerms, version: int, signatures: Sequence[AgreementSignature]) -> str:
    """How far a version is signed: both sides, one, none."""
    if is_countersigned(terms, version, signatures):
        return "signed"
    return "half" if any(one.version == version for one in signatures) else "unsigned"


def signatures_table(words: Words, agreement: Agreement, signatures: Sequence[AgreementSignature]) -> Table:
    """Each version: from when, its hash, who signed it with which key."""
    _ = words.gettext
    rows = []
    for one in agreement.versions:
        by = [sign for sign in signatures if sign.version == one.version]
        rows.append(
            [
                Cell(_("Version %(number)s", number=one.version), one.terms.hash, code=False),
                Cell(day_of(words, one.first)),
                Cell(", ".join(sign.party_id for sign in by) or DASH, ", ".join(sign.fingerprint for sign in by)),
                state_of(words, signed(one.terms, one.version, by)),
            ]
        )
    columns = [Column(_("Version")), Column(_("Counts from")), Column(_("Signed by")), Column(_("State"))]
    return Table("versions", _("Versions and signatures"), columns, rows, "")


def options_table(words: Words, agreement: Agreement) -> Table:
    """The conventions of the newest version, in words."""
    _ = words.gettext
    rows = [[Cell(convention(words, one))] for one in agreement.versions[-1].terms.options()]
    return Table("options", _("Conventions"), [Column(_("What was agreed on"))], rows, "")
