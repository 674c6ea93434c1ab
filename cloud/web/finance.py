"""The pages of those who look after the money: statements, invoices, payments, dunning, credit, books, agreements.

The surprise: a customer's people come in with a key of their own (scope ``customer:ID``) and see the same pages with
his rows alone, without books and without a button. Whoever may write imports the bank's file and places payments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from cloud.agreements import repository as contracts
from cloud.calendar import local_day
from cloud.credit.accrue import accrue_all
from cloud.database import Tx
from cloud.invoices.minor import to_minor
from cloud.money import MoneyError
from cloud.payments import bank_csv, camt053
from cloud.payments import repository as payments
from cloud.payments.allocate import AllocationRefused, allocate, prepay
from cloud.payments.bank_entry import MAX_BYTES, BankFileError
from cloud.payments.dun import dun
from cloud.payments.import_bank_file import import_entries
from cloud.web import forms, gather_finance
from cloud.web.repository import overview
from cloud.web.sessions import Visitor
from cloud.web.site import Visit
from cloud.web.views import finance_pages as views
from cloud.web.views.finance_pages import Known
from cloud.web.views.ledgers import Ledger

router = APIRouter(include_in_schema=False)
Read = TypeVar("Read")


@router.get("/statements")
async def statements(request: Request) -> Response:
    """Every closed period."""
    return await _page(request, gather_finance.heads, views.statements)


@router.get("/invoices")
async def invoices(request: Request) -> Response:
    """Invoices and credit notes."""
    return await _page(request, gather_finance.rows, views.invoices)


@router.get("/invoices/{document_id}")
async def invoice(request: Request, document_id: str) -> Response:
    """One invoice or credit note."""
    return await _page(request, lambda tx, who: gather_finance.document(tx, who, document_id), views.invoice)


@router.get("/payments")
async def payments_in(request: Request) -> Response:
    """What came in, and where to import a bank's file."""
    return await _page(request, gather_finance.money_in, views.payments)


@router.get("/payments/{payment_id}")
async def payment(request: Request, payment_id: str) -> Response:
    """One payment: what it settles, and where a person places it."""
    return await _page(request, lambda tx, who: gather_finance.payment(tx, who, payment_id), views.payment)


@router.get("/dunning")
async def dunning(request: Request) -> Response:
    """What is overdue."""
    visit = Visit(request)
    today = local_day(visit.site.now().shown, "UTC").isoformat()
    return await _page(request, lambda tx, who: gather_finance.overdue(tx, who, today), views.dunning)


@router.get("/credit")
async def credit(request: Request) -> Response:
    """Credit lines and the shares of gateways."""
    now = Visit(request).site.now().shown
    return await _page(request, lambda tx, who: gather_finance.credit_lines(tx, who, now), views.credit)


@router.get("/books")
async def books(request: Request) -> Response:
    """The trial balance; the supplier's alone."""
    return await _page(request, lambda tx, who: None if who.party else gather_finance.balance(tx, who), views.books)


@router.get("/agreements")
async def agreements(request: Request) -> Response:
    """Agreements and who has signed them."""
    return await _page(request, gather_finance.contracts, views.agreements)


@router.get("/agreements/{agreement_id}")
async def agreement(request: Request, agreement_id: str) -> Response:
    """One agreement: versions, signatures, conventions."""
    return await _page(request, lambda tx, who: gather_finance.contract(tx, who, agreement_id), views.agreement)


@router.post("/payments/import")
async def take_bank_file(request: Request, name: str = "") -> Response:
    """A bank's file as the browser read it; answers in words, and the page is then asked for anew."""
    visit, visitor = await forms.writer(request)
    if visitor is None:
        return forms.refused(visit)
    raw = await forms.body(request, MAX_BYTES)
    _ = visit.words.gettext
    try:
        entries = bank_csv.read(raw, "") if name.lower().endswith(".csv") else camt053.read(raw)
        now = visit.site.now().shown
        done = await visit.site.context.store.run(lambda tx: import_entries(tx, visitor.tenant_id, entries, now_ms=now))
    except BankFileError as error:
        return visit.said(_("The file cannot be read: %(why)s", why=str(error)), 422)
    kinds = [str(one["outcome"]) for one in done]
    sentence = _(
        "%(placed)s placed, %(waiting)s wait for a person, %(known)s were known already.",
        placed=kinds.count("matched") + kinds.count("returned") + kinds.count("refunded"),
        waiting=kinds.count("unmatched"),
        known=kinds.count("known"),
    )
    return visit.said(sentence, 200)


@router.post("/payments/{payment_id}/allocations")
async def place(request: Request, payment_id: str) -> Response:
    """A person says which document a payment settles, and how much of it."""
    visit, visitor = await forms.writer(request)
    if visitor is None:
        return forms.refused(visit)
    form = await forms.form(request)
    now = visit.site.now().shown

    def work(tx: Tx) -> None:
        found = payments.find(tx, visitor.tenant_id, payment_id)
        if found is None:
            raise AllocationRefused("There is no such payment.")
        minor = to_minor(form["amount"], found.currency) if form.get("amount") else None
        allocate(tx, visitor.tenant_id, payment_id, form.get("document_id", ""), minor, now)

    try:
        await visit.site.context.store.run(work)
    except (AllocationRefused, MoneyError) as error:
        _ = visit.words.gettext
        return visit.message(_("This payment cannot settle that"), str(error), 409)
    return visit.onward(f"/payments/{quote(payment_id)}")


@router.post("/payments/{payment_id}/prepayment")
async def keep(request: Request, payment_id: str) -> Response:
    """A person says under which agreement money was paid in advance."""
    visit, visitor = await forms.writer(request)
    if visitor is None:
        return forms.refused(visit)
    form = await forms.form(request)

    def work(tx: Tx) -> None:
        found = contracts.find(tx, visitor.tenant_id, form.get("agreement_id", ""))
        if found is None:
            raise AllocationRefused("There is no such agreement.")
        terms = found.terms
        prepay(tx, visitor.tenant_id, payment_id, (terms.supplier_id, terms.customer_id, terms.currency))

    try:
        await visit.site.context.store.run(work)
    except AllocationRefused as error:
        _ = visit.words.gettext
        return visit.message(_("This payment cannot be kept for that"), str(error), 409)
    return visit.onward(f"/payments/{quote(payment_id)}")


@router.post("/dunning/runs")
async def remind(request: Request) -> Response:
    """Takes every overdue document to the step its days have earned."""
    visit, visitor = await forms.writer(request)
    if visitor is None:
        return forms.refused(visit)
    now = visit.site.now().shown
    await visit.site.context.store.run(lambda tx: dun(tx, visitor.tenant_id, now))
    return visit.onward("/dunning")


@router.post("/credit/runs")
async def recount_credit(request: Request) -> Response:
    """Counts anew what services have run up; fills or takes back shares."""
    visit, visitor = await forms.writer(request)
    if visitor is None:
        return forms.refused(visit)
    now = visit.site.now().shown
    await visit.site.context.store.run(lambda tx: accrue_all(tx, visitor.tenant_id, now))
    return visit.onward("/credit")


async def _page(
    request: Request, read: Callable[[Tx, Visitor], Read | None], show: Callable[[Known, Read], Ledger]
) -> Response:
    """Reads for whoever is behind the session, and shows it in his language."""
    visit = Visit(request)
    visitor = await visit.visitor()
    if visitor is None:
        return visit.stranger()
    now = visit.site.now().shown

    def work(tx: Tx) -> tuple[Read | None, Mapping[str, str]]:
        return read(tx, visitor), overview.names(tx, visitor.tenant_id)

    found, names = await visit.site.context.store.read(work)
    if found is None:
        return forms.nothing_here(visit)
    known = Known(visit.words, names, visitor.writes, local_day(now, "UTC").isoformat())
    return visit.page("ledger.html", {"ledger": show(known, found), "restricted": bool(visitor.party)})
