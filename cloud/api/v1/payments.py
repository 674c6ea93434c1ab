"""Payments: the bank's file or by hand, what they settle, what comes back; and dunning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.agreements import repository as agreements
from cloud.agreements.terms import Currency, Day
from cloud.api.access import Reading, Writing
from cloud.api.bodies import limited
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, define, responses
from cloud.database import Tx
from cloud.invoices.minor import to_minor
from cloud.invoices.view import payment_document
from cloud.money import MoneyError
from cloud.payments import bank_csv, camt053, repository
from cloud.payments.allocate import AllocationRefused, allocate, prepay, return_payment
from cloud.payments.bank_entry import MAX_BYTES, BankFileError, Entry
from cloud.payments.csv_shape import Days, Encoding, Numbers, Shape, columns_in
from cloud.payments.dun import dun
from cloud.payments.import_bank_file import import_entries

router = APIRouter(tags=["payments"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
define("bank-file", 422, "The bank's file cannot be read", "'detail' says where it stops being a bank statement.")
define("allocation-refused", 409, "The payment cannot settle that", "'detail' says how much is free or open.")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PaymentIn(_Body):
    """A payment that came otherwise than by a bank's file. ``reference`` is its key: the same one counts once."""

    reference: str = Field(min_length=1, max_length=64)
    amount: str = Field(max_length=32)
    currency: Currency
    booked_on: Day
    payer: str = Field("", max_length=200)
    payer_account: str = Field("", max_length=64)
    remittance: str = Field("", max_length=500)


class AllocationIn(_Body):
    """Settles a document with so much of the payment; left out: as much as fits."""

    document_id: str = Field(max_length=64)
    amount: str = Field("", max_length=32)


class PrepaymentIn(_Body):
    """The agreement whose customer has paid in advance."""

    agreement_id: str = Field(max_length=64)


class AccountIn(_Body):
    """Whose account money comes from."""

    payer_account: str = Field(min_length=4, max_length=64)
    customer_id: str = Field(max_length=64)


@router.post("/v1/payments/imports", status_code=201, responses=responses("bank-file", "too-large"))
async def imported(
    request: Request,
    call: Writing,
    form: Annotated[Literal["camt.053", "csv"], Query(alias="format", description="What the body is.")],
    account: Annotated[str, Query(max_length=64, description="Our account, where a CSV does not say it.")] = "",
    numbers: Annotated[Numbers, Query(description="How a CSV writes amounts.")] = "1234.56",
    days: Annotated[Days, Query(description="How a CSV writes days.")] = "YYYY-MM-DD",
    encoding: Annotated[Encoding, Query(description="How a CSV is encoded; gb18030 also for GBK.")] = "utf-8",
    columns: Annotated[
        str,
        Query(
            max_length=1000,
            description="A CSV's names of our columns: date=Buchungstag;amount=Betrag; its others are left out.",
        ),
    ] = "",
    currency: Annotated[str, Query(max_length=3, description="Of a CSV that does not say it.")] = "",
) -> Response:
    """Reads a bank statement. The same file twice, or two that overlap, count once."""
    raw = await limited(request, MAX_BYTES)
    try:
        shape = Shape(numbers, days, encoding, columns_in(columns, bank_csv.KNOWN), currency)
        entries = camt053.read(raw) if form == "camt.053" else bank_csv.read(raw, account, shape)
    except BankFileError as error:
        raise Problem("bank-file", str(error)) from error

    def work(tx: Tx) -> dict[str, object]:
        try:
            return {"items": import_entries(tx, call.tenant, entries, now_ms=call.now_ms)}
        except BankFileError as error:
            raise Problem("bank-file", str(error)) from error

    return await call.write(work, 201)


@router.post("/v1/payments", status_code=201, responses=responses("bank-file", "malformed"))
async def by_hand(body: PaymentIn, call: Writing) -> Response:
    """A payment entered by hand; matched like one from the bank."""
    entry = Entry(
        account="by_hand",
        bank_ref=body.reference,
        booked_on=body.booked_on,
        amount=body.amount,
        currency=body.currency,
        payer=body.payer,
        payer_account=body.payer_account,
        remittance=body.remittance,
        references=(),
    )

    def work(tx: Tx) -> dict[str, object]:
        try:
            return dict(import_entries(tx, call.tenant, [entry], now_ms=call.now_ms)[0])
        except BankFileError as error:
            raise Problem("bank-file", str(error)) from error

    return await call.write(work, 201)


@router.get("/v1/payments")
async def listed(
    call: Reading,
    page: Paged,
    state: Annotated[str, Query(pattern="^(unmatched|matched|returned|refund|refunded)?$")] = "",
) -> Response:
    """The payments; ``unmatched`` ones wait for a person, of those in ``refund`` the rest is to be paid back."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.page(tx, call.tenant, state, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (row.payment_id,), payment_document)

    return await call.read(work)


@router.get("/v1/payments/{payment_id}", responses=responses("not-found"))
async def one(payment_id: Id, call: Reading) -> Response:
    """A payment and what it settles."""
    return await call.read(lambda tx: _shown(tx, call.tenant, payment_id))


@router.post(
    "/v1/payments/{payment_id}/allocations",
    status_code=201,
    responses=responses("not-found", "allocation-refused", "malformed"),
)
async def settle(payment_id: Id, body: AllocationIn, call: Writing) -> Response:
    """Settles a document with a payment; from then on the payer's account is known."""

    def work(tx: Tx) -> dict[str, object]:
        found = repository.find(tx, call.tenant, payment_id)
        if found is None:
            raise Problem("not-found", f"There is no payment {payment_id}.")
        try:
            minor = to_minor(body.amount, found.currency) if body.amount else None
            allocate(tx, call.tenant, payment_id, body.document_id, minor, call.now_ms)
        except MoneyError as error:
            raise Problem("malformed", f"body/amount: {error}") from error
        except AllocationRefused as error:
            raise Problem("allocation-refused", str(error)) from error
        return _shown(tx, call.tenant, payment_id)

    return await call.write(work, 201)


@router.post("/v1/payments/{payment_id}/prepayment", responses=responses("not-found", "allocation-refused"))
async def prepaid(payment_id: Id, body: PrepaymentIn, call: Writing) -> Response:
    """Keeps what is free of a payment as the customer's prepaid balance; the payer's account is known from then on."""

    def work(tx: Tx) -> dict[str, object]:
        _shown(tx, call.tenant, payment_id)
        agreement = agreements.find(tx, call.tenant, body.agreement_id)
        if agreement is None:
            raise Problem("not-found", f"There is no agreement {body.agreement_id}.")
        terms = agreement.terms
        try:
            prepay(tx, call.tenant, payment_id, (terms.supplier_id, terms.customer_id, terms.currency))
        except AllocationRefused as error:
            raise Problem("allocation-refused", str(error)) from error
        return _shown(tx, call.tenant, payment_id)

    return await call.write(work)


@router.post("/v1/payments/{payment_id}/return", responses=responses("not-found", "allocation-refused"))
async def returned(payment_id: Id, call: Writing) -> Response:
    """The bank took the payment back: what it settled is open again."""

    def work(tx: Tx) -> dict[str, object]:
        _shown(tx, call.tenant, payment_id)
        try:
            return_payment(tx, call.tenant, payment_id, call.now_ms)
        except AllocationRefused as error:
            raise Problem("allocation-refused", str(error)) from error
        return _shown(tx, call.tenant, payment_id)

    return await call.write(work)


@router.put("/v1/payer-accounts")
async def learn(body: AccountIn, call: Writing) -> Response:
    """Says whose account money comes from, so that payments without a number find their documents."""

    def work(tx: Tx) -> AccountIn:
        repository.learn_account(tx, call.tenant, body.payer_account.replace(" ", ""), body.customer_id)
        return body

    return await call.write(work)


@router.post("/v1/dunning-runs", status_code=201)
async def dunned(call: Writing) -> Response:
    """Takes every overdue document to the step its days have earned; each step once."""
    return await call.write(lambda tx: {"items": dun(tx, call.tenant, call.now_ms)}, 201)


def _shown(tx: Tx, tenant: str, payment_id: str) -> dict[str, object]:
    found = repository.find(tx, tenant, payment_id)
    if found is None:
        raise Problem("not-found", f"There is no payment {payment_id}.")
    return payment_document(found, repository.allocations(tx, tenant, source=payment_id))
