"""The finance pages, each as a ledger: what it is called, what it is for, its tables, its buttons. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from cloud.agreements.repository import Agreement
from cloud.agreements.signatures import AgreementSignature
from cloud.billing.statement import Head
from cloud.credit.exposure import Exposure
from cloud.credit.repository import CreditLine, Delegation
from cloud.invoices.document_row import DocumentRow
from cloud.payments.repository import Payment
from cloud.web.figures import money
from cloud.web.gather_finance import Billed, Received
from cloud.web.languages import Words
from cloud.web.views import finance
from cloud.web.views.ledgers import Action, Cell, Choice, Ledger, day_of, state_of, sum_of


class Known(NamedTuple):
    """What every page needs: the language, what things are called, whether the reader may change anything, today."""

    words: Words
    names: Mapping[str, str]
    writes: bool
    today: str


def statements(known: Known, found: Sequence[Head]) -> Ledger:
    """Every closed period."""
    _ = known.words.gettext
    intro = _("Each closed period with its lines, and the evidence with which you can check them yourself.")
    return Ledger(_("Statements"), intro, [finance.statements_table(known.words, found, known.names)])


def invoices(known: Known, found: Sequence[DocumentRow]) -> Ledger:
    """Invoices and credit notes."""
    _ = known.words.gettext
    intro = _("What was asked for, what was taken back, and what is still open.")
    table = finance.documents_table(known.words, found, known.names, known.today)
    return Ledger(_("Invoices"), intro, [table])


def invoice(known: Known, found: Billed) -> Ledger:
    """One invoice or credit note."""
    row, document, lines, settled, notices = found
    words, names = known.words, known.names
    _ = words.gettext
    kinds = {"invoice": _("Invoice"), "credit_note": _("Credit note"), "cancellation": _("Cancellation")}
    state = state_of(words, finance.standing_of(row, known.today))
    facts = [
        (_("From"), Cell(names.get(row.supplier_id, row.supplier_id))),
        (_("For"), Cell(names.get(row.customer_id, row.customer_id))),
        (_("Issued"), Cell(day_of(words, row.issued_on))),
        (_("Due"), Cell(day_of(words, row.due_on))),
        (_("Net"), Cell(money(words, Decimal(document.net), row.currency))),
        (_("Tax"), Cell(money(words, Decimal(document.tax), row.currency))),
        (_("Gross"), Cell(money(words, Decimal(document.gross), row.currency))),
        (_("Still open"), Cell(sum_of(words, row.open_minor, row.currency))),
        (_("State"), state),
        (_("Agreement"), Cell(row.agreement_id, href=f"/agreements/{row.agreement_id}")),
    ]
    if row.statement_id:
        facts.append((_("Statement"), Cell(_("the statement it bills"), href=f"/statements/{row.statement_id}")))
    facts += [(_("Reminded"), Cell(step, day_of(words, day))) for step, day, _minor in notices]
    facts.append((_("Hash"), Cell(document.hash, code=True)))
    tables = [
        finance.document_lines(words, document, lines, names),
        finance.taxes_table(words, document),
        finance.settled_table(words, settled, row.currency, {row.document_id: row.number_text}),
    ]
    title = f"{kinds[document.kind]} {row.number_text}"
    return Ledger(title, "", tables, facts=facts, back=("/invoices", _("Invoices")))


def payments(known: Known, found: Sequence[Payment]) -> Ledger:
    """What came in."""
    _ = known.words.gettext
    intro = _("Payments find their invoices by the number they name. What nobody can place waits here for a person.")
    return Ledger(
        _("Payments"), intro, [finance.payments_table(known.words, found, known.names)], importing=known.writes
    )


def payment(known: Known, found: Received) -> Ledger:
    """One payment."""
    one, settled, fits = found.payment, found.settled, found.fits
    words = known.words
    _ = words.gettext
    facts = [
        (_("Payer"), Cell(one.payer, one.payer_account)),
        (_("Customer"), Cell(known.names.get(one.customer_id, one.customer_id) or _("not known"))),
        (_("Booked"), Cell(day_of(words, one.booked_on))),
        (_("Amount"), Cell(sum_of(words, one.amount_minor, one.currency))),
        (_("Not used yet"), Cell(sum_of(words, one.free_minor, one.currency))),
        (_("State"), state_of(words, one.state)._replace(sub=finance.how_placed(words, one.matched_by))),
        (_("Reference"), Cell(one.remittance or one.bank_ref)),
    ]
    actions = []
    if known.writes and fits:
        choices = [
            Choice(
                row.document_id,
                _(
                    "%(number)s, %(customer)s, open %(amount)s",
                    number=row.number_text,
                    customer=known.names.get(row.customer_id, row.customer_id),
                    amount=sum_of(words, row.open_minor, row.currency),
                ),
            )
            for row in fits
        ]
        path = f"/payments/{one.payment_id}/allocations"
        ask = _("Amount (empty: as much as fits)")
        actions.append(Action(path, _("Place"), _("Document to settle"), "document_id", choices, ask))
    if known.writes and found.agreements:
        owners = [
            Choice(owner.agreement_id, f"{owner.agreement_id}, {known.names.get(customer, customer)}")
            for owner in found.agreements
            for customer in (owner.terms.customer_id,)
        ]
        path, label = f"/payments/{one.payment_id}/prepayment", _("Paid in advance under")
        actions.append(Action(path, _("Keep for the next invoices"), label, "agreement_id", owners))
    table = finance.settled_table(words, settled, one.currency, found.numbers)
    tables = [table._replace(title=_("What it settles"), empty=_("It settles nothing yet."))]
    title = _("Payment of %(amount)s", amount=sum_of(words, one.amount_minor, one.currency))
    return Ledger(title, "", tables, facts=facts, actions=actions, back=("/payments", _("Payments")))


def dunning(known: Known, found: Sequence[DocumentRow]) -> Ledger:
    """What is overdue."""
    _ = known.words.gettext
    intro = _("Each overdue document goes from step to step by its days alone, and each step is taken once.")
    actions = [Action("/dunning/runs", _("Take the steps that are due"))] if known.writes and found else []
    return Ledger(_("Dunning"), intro, [finance.overdue_table(known.words, found, known.names)], actions=actions)


def credit(known: Known, found: tuple[list[tuple[CreditLine, Exposure]], list[tuple[Delegation, str]]]) -> Ledger:
    """Credit lines and shares."""
    _ = known.words.gettext
    intro = _("What is owed in all, invoiced or not, against the limit. A share of a gateway counts as used.")
    lines, shares = found
    tables = [
        finance.credit_table(known.words, lines, known.names),
        finance.shares_table(known.words, shares, known.names),
    ]
    actions = [Action("/credit/runs", _("Count anew"))] if known.writes and lines else []
    return Ledger(_("Credit"), intro, tables, actions=actions)


def books(known: Known, found: Sequence[tuple[str, str, str, str]]) -> Ledger:
    """The trial balance."""
    _ = known.words.gettext
    intro = _("Every account's balance. Of each unit, debits and credits are equal.")
    return Ledger(_("Books"), intro, [finance.balance_table(known.words, found)])


def agreements(known: Known, found: Sequence[tuple[Agreement, Sequence[AgreementSignature]]]) -> Ledger:
    """Agreements."""
    _ = known.words.gettext
    intro = _("What both sides agreed on. A version that both have signed cannot be exchanged unnoticed.")
    return Ledger(_("Agreements"), intro, [finance.agreements_table(known.words, found, known.names)])


def agreement(known: Known, found: tuple[Agreement, list[AgreementSignature]]) -> Ledger:
    """One agreement."""
    one, signatures = found
    words, names, terms = known.words, known.names, found[0].terms
    _ = words.gettext
    facts = [
        (_("From"), Cell(names.get(terms.supplier_id, terms.supplier_id))),
        (_("For"), Cell(names.get(terms.customer_id, terms.customer_id))),
        (_("Begins"), Cell(day_of(words, terms.starts))),
        (_("Ends"), Cell(day_of(words, terms.ends or "") or _("no end agreed"))),
        (_("Currency"), Cell(terms.currency)),
        (_("Time zone"), Cell(terms.zone)),
        (_("Devices"), Cell(", ".join(names.get(device, device) for device in terms.devices))),
    ]
    tables = [finance.signatures_table(words, one, signatures), finance.options_table(words, one)]
    title = _("Agreement %(name)s", name=one.agreement_id)
    return Ledger(title, "", tables, facts=facts, back=("/agreements", _("Agreements")))
