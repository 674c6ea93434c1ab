"""Orders: what is proposed for which slot, and why; a person orders it or lets it be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.api.v1.stock import Evidence, Quantity
from cloud.database import Tx
from cloud.replenishment import repository
from cloud.replenishment.propose_orders import in_words
from cloud.replenishment.publish_orders import publish_orders

router = APIRouter(prefix="/v1/orders", tags=["orders"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
State = Literal["", "proposed", "ordered", "received", "cancelled", "withdrawn"]


class Reason(BaseModel):
    """Why: a code that pages translate, the numbers behind it, and the English sentence."""

    code: str
    facts: dict[str, int]
    text: str


class OrderOut(BaseModel):
    """An order for one slot."""

    order_id: str
    device_id: str
    slot: str
    item_id: str
    state: str
    quantity: Quantity
    reason: Reason
    evidence: Evidence
    proposed_at: str
    changed_at: str


class OrderList(BaseModel):
    """One piece of the list."""

    items: list[OrderOut]
    next: str


@router.get("", response_model=OrderList)
async def listed(
    call: Reading, page: Paged, state: Annotated[State, Query(description="Only these; all when left out.")] = ""
) -> Response:
    """The orders, in order of their ids."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.page(tx, call.tenant, state, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (str(row["order_id"]),), _shown)

    return await call.read(work)


@router.post("/{order_id}/confirmation", response_model=OrderOut, responses=responses("not-found", "conflict"))
async def confirm(order_id: Id, call: Writing) -> Response:
    """A person has ordered it: from now on it counts as on order."""
    return await call.write(lambda tx: _move(tx, call.tenant, order_id, "ordered", call.now_ms))


@router.post("/{order_id}/cancellation", response_model=OrderOut, responses=responses("not-found", "conflict"))
async def cancel(order_id: Id, call: Writing) -> Response:
    """A person lets it be; the slot's next draw may propose a new one."""
    return await call.write(lambda tx: _move(tx, call.tenant, order_id, "cancelled", call.now_ms))


def _move(tx: Tx, tenant: str, order_id: str, state: str, now_ms: int) -> dict[str, Any]:
    found = repository.find(tx, tenant, order_id)
    if found is None:
        raise Problem("not-found", f"There is no order {order_id}.")
    before = found["state"]
    if before != state:
        if before not in ("proposed", "ordered") or (before, state) == ("ordered", "proposed"):
            raise Problem("conflict", f"The order is {before} already.")
        repository.set_state(tx, tenant, order_id, state, now_ms)
        publish_orders(tx, tenant, [str(found["device_id"])])
        found = repository.find(tx, tenant, order_id) or found
    return _shown(found)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    reason = row["reason"]
    text = in_words(row["item_id"], reason["code"], reason["facts"])
    return {**row, "reason": {**reason, "text": text}}
