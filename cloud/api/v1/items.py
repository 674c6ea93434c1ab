"""Items: what is stocked, drawn and ordered."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.goods import repository
from cloud.goods.repository import ItemRow

router = APIRouter(prefix="/v1/items", tags=["items"])
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class ItemIn(BaseModel):
    """Something that is stocked."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"item_id": "drill-8", "name": "Drill bit 8 mm", "sku": "HSS-0800", "unit": "pc", "pack": 5}]
        },
    )

    item_id: str = Field(
        "", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$", description="Left out: the cloud gives one."
    )
    name: str = Field(min_length=1, max_length=200)
    sku: str = Field("", max_length=100, description="The supplier's number.")
    unit: str = Field("pc", pattern=r"^[A-Za-z0-9%/]{1,16}$", description="What is counted.")
    pack: int = Field(1, ge=1, le=1_000_000, description="Units in a package; orders are whole packages.")


class ItemOut(BaseModel):
    """An item."""

    item_id: str
    name: str
    sku: str
    unit: str
    pack: int
    created_at: str


class ItemList(BaseModel):
    """One piece of the list."""

    items: list[ItemOut]
    next: str


@router.post("", status_code=201, response_model=ItemOut, responses=responses("conflict", "malformed"))
async def create(body: ItemIn, call: Writing) -> Response:
    """Adds an item."""
    item_id = body.item_id or call.context.entropy.new_id("item")
    new = ItemRow(item_id, body.name, body.sku, body.unit, body.pack, call.now_ms)

    def work(tx: Tx) -> ItemOut:
        if not repository.add_item(tx, call.tenant, new):
            raise Problem("conflict", f"There is an item {item_id} already.")
        return _shown(new)

    return await call.write(work, 201)


@router.get("", response_model=ItemList)
async def listed(call: Reading, page: Paged) -> Response:
    """The items, in order of their ids."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.items(tx, call.tenant, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (row.item_id,), _shown)

    return await call.read(work)


@router.get("/{item_id}", response_model=ItemOut, responses=responses("not-found"))
async def one(item_id: Annotated[str, Path(pattern=ID)], call: Reading) -> Response:
    """One item."""

    def work(tx: Tx) -> ItemOut:
        row = repository.item(tx, call.tenant, item_id)
        if row is None:
            raise Problem("not-found", f"There is no item {item_id}.")
        return _shown(row)

    return await call.read(work)


def _shown(row: ItemRow) -> ItemOut:
    shown = row._asdict()
    return ItemOut(created_at=rfc3339(shown.pop("created_ms")), **shown)
