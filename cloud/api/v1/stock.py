"""Stock: what every slot holds by the ledger, the moves that made it so, and what does not fit."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from cloud.api.access import Reading
from cloud.api.cursor import Paged, Piece
from cloud.database import Tx
from cloud.metering import repository as meters
from cloud.stock import repository

router = APIRouter(prefix="/v1", tags=["stock"])
Device = Annotated[str, Query(max_length=64, description="Of one device.")]


class Quantity(BaseModel):
    """An exact number as a text, with its unit."""

    value: str = Field(examples=["12"])
    unit: str = Field(examples=["pc"])


class Evidence(BaseModel):
    """The leaf that says so."""

    log: str
    index: int


class StockOut(BaseModel):
    """What a slot holds: on the shelf, of unverified draws, and what the customer has used."""

    device_id: str
    slot: str
    item_id: str
    on_hand: Quantity
    doubtful: Quantity
    consumed: Quantity


class StockList(BaseModel):
    """One piece of the list."""

    items: list[StockOut]
    next: str


class LotOut(BaseModel):
    """So much of one lot."""

    lot: str
    quantity: Quantity


class MoveOut(BaseModel):
    """A move from one place to another, with what its leaf says of lot, serial numbers (spaces between) and order.
    `lots`: where not all of it is known to be of `lot`, how much is of which.
    """

    device_id: str
    slot: str
    item_id: str
    quantity: Quantity
    source: str
    target: str
    reason: str
    evidence: Evidence
    at: str
    lot: str
    lots: list[LotOut]
    serial: str
    order: str


class MoveList(BaseModel):
    """One piece of the list."""

    items: list[MoveOut]
    next: str


@router.get("/stock", response_model=StockList)
async def stock(call: Reading, page: Paged, device_id: Device = "") -> Response:
    """What every slot holds, by device, slot and item."""

    def work(tx: Tx) -> Piece[Any]:
        after = [str(part) for part in page.after] if len(page.after) == 3 else ["", "", ""]
        rows = repository.stock_page(tx, call.tenant, device_id, after, page.fetch)
        return page.piece(rows, lambda row: (str(row["device_id"]), str(row["slot"]), str(row["item_id"])), dict)

    return await call.read(work)


@router.get("/stock-moves", response_model=MoveList)
async def moves(call: Reading, page: Paged, device_id: Device = "") -> Response:
    """Every move, by device and in the order of posting."""

    def work(tx: Tx) -> Piece[Any]:
        after = page.after if len(page.after) == 4 else ("", -1, -1, -1)
        key = (str(after[0]), int(after[1]), int(after[2]), int(after[3]))
        rows = repository.moves_page(tx, call.tenant, device_id, key, page.fetch)
        return page.piece(rows, lambda row: row[0], lambda row: row[1])

    return await call.read(work)


@router.get("/discrepancies")
async def discrepancies(call: Reading, page: Paged) -> Response:
    """Facts that do not fit the books: slots below nothing, counts that differ, readings that are not believed."""

    def work(tx: Tx) -> Piece[Any]:
        after = page.after if len(page.after) == 4 else ("", "", -1, "")
        key = (str(after[0]), str(after[1]), int(after[2]), str(after[3]))
        rows = repository.discrepancies_page(tx, call.tenant, key, page.fetch)
        return page.piece(rows, repository.discrepancy_key, dict)

    return await call.read(work)


@router.get("/registers")
async def registers(call: Reading, page: Paged) -> Response:
    """The last good reading of every energy register."""

    def work(tx: Tx) -> Piece[Any]:
        after = (str(page.after[0]), str(page.after[1])) if len(page.after) == 2 else ("", "")
        rows = meters.registers_page(tx, call.tenant, after, page.fetch)
        return page.piece(rows, lambda row: (str(row["device_id"]), str(row["register"])), dict)

    return await call.read(work)
