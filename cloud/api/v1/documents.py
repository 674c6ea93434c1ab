"""Invoices, credit notes and cancellations; what waits for the next invoice; coupons; drafts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.agreements import repository as agreements
from cloud.agreements.terms import Day
from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, define, responses
from cloud.database import Tx
from cloud.invoices import repository
from cloud.invoices.credit_note import CreditRefused, Wanted
from cloud.invoices.document import Item
from cloud.invoices.issue import DocumentUnknown, credit
from cloud.invoices.minor import from_minor, to_minor
from cloud.invoices.view import document_document, item_document, row_document
from cloud.money import MoneyError
from cloud.payments import repository as payments
from cloud.payments.coupons import Coupon, CouponRefused, redeem

router = APIRouter(tags=["documents"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Who = Annotated[str, Field(min_length=1, max_length=200, description="The person who decides.")]
define("credit-refused", 409, "So much cannot be credited", "'detail' says what of the line can still be credited.")
define("coupon-refused", 409, "The coupon cannot be used", "'detail' says why.")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CreditedLine(_Body):
    """A line of the invoice: a net amount of it, a quantity of it, or (neither) all that is left."""

    line: int = Field(ge=1)
    reason: str = Field(min_length=1, max_length=400)
    amount: str = Field("", max_length=32)
    quantity: str = Field("", max_length=32)


class CreditNoteIn(_Body):
    """What is credited, and by whom."""

    lines: Annotated[list[CreditedLine], Field(min_length=1, max_length=1000)]
    who: Who


class DisputeIn(_Body):
    """Whether the customer objects; a disputed document is not dunned."""

    disputed: bool


class WaitingItemIn(_Body):
    """Something that is charged (or, negative, credited) on the next invoice, agreed on by people: evidence level C."""

    item_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    kind: Literal["deposit", "deposit_return", "agreed"]
    text: str = Field(min_length=1, max_length=200)
    amount: str = Field(max_length=32, description="Net; negative for a credit.")
    of: list[str] = Field([], max_length=10, description="The kind of charge whose tax rate counts.")
    due_first: Day | None = Field(None, description="On an invoice of a period that ends after this day.")
    who: Who
    why: str = Field(min_length=1, max_length=400)


class RedeemIn(_Body):
    """A coupon's code, and who enters it."""

    code: str = Field(pattern=r"^[A-Z0-9-]{3,32}$")
    who: Who


@router.get("/v1/documents")
async def listed(
    call: Reading,
    page: Paged,
    agreement_id: Annotated[str, Query(max_length=64)] = "",
    kind: Annotated[str, Query(pattern="^(invoice|credit_note|cancellation)?$")] = "",
    only_open: Annotated[bool, Query(description="Only what is not settled.")] = False,  # noqa: FBT002
) -> Response:
    """Invoices, credit notes and cancellations, with what is open of each."""

    def work(tx: Tx) -> Piece[Any]:
        after = str(page.after[0]) if page.after else ""
        rows = repository.page(tx, call.tenant, agreement_id, kind, after, page.fetch, only_open=only_open)
        return page.piece(rows, lambda row: (row.document_id,), row_document)

    return await call.read(work)


@router.get("/v1/documents/{document_id}", responses=responses("not-found"))
async def one(document_id: Id, call: Reading) -> Response:
    """A document with its lines, taxes, payments and reminders."""
    return await call.read(lambda tx: _shown(tx, call.tenant, document_id))


@router.post(
    "/v1/documents/{document_id}/credit-notes", status_code=201, responses=responses("not-found", "credit-refused")
)
async def credit_note(document_id: Id, body: CreditNoteIn, call: Writing) -> Response:
    """Credits lines of an invoice with their tax; never more than was billed."""
    wanted = [Wanted(one.line, one.reason, one.amount, one.quantity) for one in body.lines]

    def work(tx: Tx) -> dict[str, object]:
        try:
            made = credit(tx, call.tenant, document_id, wanted, who=body.who, now_ms=call.now_ms)
        except DocumentUnknown as error:
            raise Problem("not-found", str(error)) from error
        except CreditRefused as error:
            raise Problem("credit-refused", str(error)) from error
        return _shown(tx, call.tenant, made.document_id)

    return await call.write(work, 201)


@router.put("/v1/documents/{document_id}/dispute", responses=responses("not-found"))
async def dispute(document_id: Id, body: DisputeIn, call: Writing) -> Response:
    """The customer objects to a document, or no longer does."""

    def work(tx: Tx) -> dict[str, object]:
        repository.set_disputed(tx, call.tenant, document_id, disputed=body.disputed)
        return _shown(tx, call.tenant, document_id)

    return await call.write(work)


@router.get("/v1/number-series")
async def series(call: Reading) -> Response:
    """Every series with its newest number and how many documents it holds: without a gap the two are equal."""

    def work(tx: Tx) -> dict[str, object]:
        rows = repository.series_of_tenant(tx, call.tenant)
        return {"items": [{"series": name, "last": last, "documents": count} for name, last, count in rows]}

    return await call.read(work)


@router.get("/v1/agreements/{agreement_id}/drafts")
async def drafts(agreement_id: Id, call: Reading) -> Response:
    """Periods that are over and still in their days of grace, as they would be closed now."""

    def work(tx: Tx) -> dict[str, object]:
        return {"items": [msgspec.Raw(body.encode()) for body in repository.drafts(tx, call.tenant, agreement_id)]}

    return await call.read(work)


@router.get("/v1/agreements/{agreement_id}/items")
async def items(agreement_id: Id, call: Reading) -> Response:
    """What waits for the next invoice of an agreement, and what stands on earlier ones."""

    def work(tx: Tx) -> dict[str, object]:
        rows = repository.items_page(tx, call.tenant, agreement_id)
        return {"items": [item_document(*row) for row in rows]}

    return await call.read(work)


@router.post(
    "/v1/agreements/{agreement_id}/items", status_code=201, responses=responses("not-found", "conflict", "malformed")
)
async def add_item(agreement_id: Id, body: WaitingItemIn, call: Writing) -> Response:
    """Charges or credits something on the next invoice: a deposit, its return, or what was agreed on."""
    item = Item(
        item_id=body.item_id, kind=body.kind, text=body.text, amount=body.amount, of=body.of, who=body.who, why=body.why
    )

    def work(tx: Tx) -> dict[str, object]:
        agreement = agreements.find(tx, call.tenant, agreement_id)
        if agreement is None:
            raise Problem("not-found", f"There is no agreement {agreement_id}.")
        _check_amount(tx, call.tenant, agreement_id, item, agreement.terms.currency)
        due = body.due_first or agreement.terms.starts
        if not repository.add_item(tx, call.tenant, agreement_id, item, due_first=due, now_ms=call.now_ms):
            raise Problem("conflict", f"There is an item {body.item_id} already.")
        return item_document(item, due, "")

    return await call.write(work, 201)


@router.post("/v1/coupons", status_code=201, responses=responses("conflict", "malformed"))
async def add_coupon(body: Coupon, call: Writing) -> Response:
    """Adds a coupon."""

    def work(tx: Tx) -> Coupon:
        if not payments.add_coupon(tx, call.tenant, body.code, body.model_dump_json()):
            raise Problem("conflict", f"There is a coupon {body.code} already.")
        return body

    return await call.write(work, 201)


@router.post(
    "/v1/agreements/{agreement_id}/coupons", status_code=201, responses=responses("not-found", "coupon-refused")
)
async def redeem_coupon(agreement_id: Id, body: RedeemIn, call: Writing) -> Response:
    """Redeems a coupon for the agreement's next invoices."""

    def work(tx: Tx) -> Coupon:
        agreement = agreements.find(tx, call.tenant, agreement_id)
        if agreement is None:
            raise Problem("not-found", f"There is no agreement {agreement_id}.")
        known = (agreement_id, agreement.terms.currency, agreement.terms.zone)
        try:
            return redeem(tx, call.tenant, known, body.code, who=body.who, now_ms=call.now_ms)
        except CouponRefused as error:
            raise Problem("coupon-refused", str(error)) from error

    return await call.write(work, 201)


def _check_amount(tx: Tx, tenant: str, agreement_id: str, item: Item, currency: str) -> None:
    """A deposit is taken, its return given, and never more given back than is held."""
    try:
        minor = to_minor(item.amount, currency)
    except MoneyError as error:
        raise Problem("malformed", f"body/amount: {error}") from error
    if item.kind == "deposit" and minor <= 0:
        raise Problem("malformed", "body/amount: a deposit is above 0; to give it back, write a deposit_return.")
    if item.kind == "deposit_return":
        every = [one for one, _, _ in repository.items_page(tx, tenant, agreement_id)]
        held = sum(to_minor(one.amount, currency) for one in every if one.kind in ("deposit", "deposit_return"))
        known = item.item_id in {one.item_id for one in every}
        if not known and not -held <= minor < 0:
            shown = from_minor(held, currency)
            raise Problem(
                "malformed", f"body/amount: {shown} {currency} of deposits is held; write what of it returns, negative."
            )


def _shown(tx: Tx, tenant: str, document_id: str) -> dict[str, object]:
    found, row = repository.find(tx, tenant, document_id), repository.row(tx, tenant, document_id)
    if found is None or row is None:
        raise Problem("not-found", f"There is no document {document_id}.")
    settled = payments.allocations(tx, tenant, document=document_id)
    return document_document(found, row, settled, payments.notices(tx, tenant, document_id))
