"""The books: entries, balances, trial balance, exports; what items cost."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict

from cloud.agreements.terms import Currency, Day
from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.books import repository
from cloud.books.beancount import amount, export, to_csv
from cloud.books.book_events import book, trial_balance
from cloud.books.entries import Entry
from cloud.calendar import utc_text
from cloud.database import Tx
from cloud.rating.terms_fields import Price

router = APIRouter(tags=["books"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
MOST = 1_000_000


class CostIn(BaseModel):
    """What a unit of an item costs the supplier from a day on."""

    model_config = ConfigDict(extra="forbid")

    cost: Price
    currency: Currency
    first: Day


@router.put("/v1/items/{item_id}/cost")
async def cost(item_id: Id, body: CostIn, call: Writing) -> Response:
    """Says what a unit of an item costs; cabinets are refilled at it, and draws leave at the average of what is in."""

    def work(tx: Tx) -> CostIn:
        repository.put_cost(tx, call.tenant, item_id, body.first, body.cost, body.currency)
        return body

    return await call.write(work)


@router.post("/v1/books/runs", status_code=201)
async def run(
    call: Writing,
    accrue: Annotated[bool, Query(description="Also what runs up by the day: energy, hours, fees.")] = False,  # noqa: FBT002
) -> Response:
    """Books every event that is not booked yet. Repeat it as you like."""

    def work(tx: Tx) -> dict[str, int]:
        return {"entries": book(tx, call.tenant, call.now_ms, accrue=accrue)}

    return await call.write(work, 201)


@router.get("/v1/books/entries")
async def listed(call: Reading, page: Paged) -> Response:
    """The entries in the order they were booked, each chained to the one before by its hash."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.entries(tx, call.tenant, int(page.after[0]) if page.after else 0, page.fetch)
        return page.piece(rows, lambda row: (row[0],), lambda row: _shown(*row))

    return await call.read(work)


@router.get("/v1/books/trial-balance")
async def balance(call: Reading) -> Response:
    """Every account's balance; debits and credits of a commodity are equal."""

    def work(tx: Tx) -> dict[str, object]:
        rows = trial_balance(repository.balances(tx, call.tenant))
        return {
            "items": [
                {"account": name, "commodity": unit, "debit": amount(debit, unit), "credit": amount(credit, unit)}
                for name, unit, debit, credit in rows
            ]
        }

    return await call.read(work)


@router.get("/v1/books/beancount", response_class=PlainTextResponse)
async def as_beancount(call: Reading) -> Response:
    """The whole books as a beancount file, with balance lines from our own balances."""

    def work(tx: Tx) -> str:
        rows = repository.entries(tx, call.tenant, 0, MOST)
        return export([entry for _, _, entry in rows], repository.balances(tx, call.tenant))

    return Response(await call.context.store.read(work), media_type="text/plain; charset=utf-8")


@router.get("/v1/books/csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def as_csv(call: Reading) -> Response:
    """The whole books as CSV, one row a posting."""
    text = await call.context.store.read(
        lambda tx: to_csv(entry for _, _, entry in repository.entries(tx, call.tenant, 0, MOST))
    )
    return Response(text, media_type="text/csv; charset=utf-8")


def _shown(seq: int, hashed: str, entry: Entry) -> dict[str, object]:
    return {
        "seq": seq,
        "event": entry.entry_id,
        "kind": entry.kind,
        "day": entry.on_day,
        "at": utc_text(entry.at_ms),
        "agreement_id": entry.agreement_id,
        "text": entry.text,
        "postings": [
            {"account": one.account, "amount": amount(one.units, one.commodity), "commodity": one.commodity}
            for one in entry.postings
        ],
        "hash": hashed,
    }
