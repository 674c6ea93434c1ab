"""Draws that nothing proved: what is open, until when and whose; and the owner's verdict, with what it stands on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.api.v1.stock import Evidence
from cloud.database import Tx
from cloud.unproven import repository
from cloud.unproven.decide import NoSuchDrawError, NotOpenError, OwnDrawError, decide
from cloud.unproven.repository import Unproven

router = APIRouter(prefix="/v1/unproven-draws", tags=["stock"])
EVER = 2**62


class UnprovenOut(BaseModel):
    """A draw off the shelf and off the bill until somebody proves or decides it. ``said``: a verdict on its way."""

    record: str = Field(examples=["locker-1/9f3c.../17"])
    device_id: str
    slot: str
    item_id: str
    quantity: int
    scale: int
    unit: str
    at: str
    deadline: str
    overdue: bool
    owner: str = Field(description="Whose it is to decide; empty: anybody who may count.")
    said: str
    said_because: str
    said_by: str
    evidence: Evidence


class UnprovenList(BaseModel):
    """One piece of the list, the most urgent first."""

    items: list[UnprovenOut]
    next: str


class VerdictIn(BaseModel):
    """Who decides, what, and on what it stands; without that there is no verdict."""

    model_config = ConfigDict(extra="forbid")

    record: str = Field(max_length=300, pattern=r"^[^/]+/[^/]+/[0-9]{1,15}$")
    outcome: Literal["confirmed", "not_dispensed"]
    evidence: str = Field(min_length=1, max_length=500, pattern=r"\S")
    who: str = Field(min_length=1, max_length=200, pattern=r"\S")


@router.get("", response_model=UnprovenList)
async def listed(
    call: Reading, page: Paged, *, overdue: Annotated[bool, Query(description="Only past their deadline.")] = False
) -> Response:
    """What waits for evidence or a verdict."""
    place = page.after if len(page.after) == 4 else (-1, "", "", 0)
    after = (int(place[0]), str(place[1]), str(place[2]), int(place[3]))

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.page(tx, call.tenant, call.now_ms if overdue else EVER, after, page.fetch)
        return page.piece(rows, _place, lambda row: _shown(row, call.now_ms))

    return await call.read(work)


@router.post("/verdicts", response_model=UnprovenOut, responses=responses("not-found", "conflict", "malformed"))
async def verdict(body: VerdictIn, call: Writing) -> Response:
    """Decides one. The gateway hears it, writes it into its log, and with that record it takes effect."""
    device, ep, n = body.record.split("/")

    def work(tx: Tx) -> UnprovenOut:
        try:
            made = decide(tx, call.tenant, (device, ep, int(n)), body.outcome, body.evidence, body.who)
        except NoSuchDrawError as error:
            raise Problem("not-found", str(error)) from error
        except (NotOpenError, OwnDrawError) as error:
            raise Problem("conflict", str(error)) from error
        return _shown(made, call.now_ms)

    return await call.write(work)


def _place(row: Unproven) -> tuple[int, str, str, int]:
    return row.deadline_ms, row.device_id, row.ep, row.n


def _shown(row: Unproven, now_ms: int) -> UnprovenOut:
    return UnprovenOut(
        record=row.record, device_id=row.device_id, slot=row.slot, item_id=row.item_id, quantity=row.qty,
        scale=row.scale, unit=row.unit, at=rfc3339(row.at_ms), deadline=rfc3339(row.deadline_ms),
        overdue=row.deadline_ms < now_ms, owner=row.owner, said=row.said, said_because=row.said_because,
        said_by=row.said_by, evidence=Evidence(log=row.log_id, index=row.idx),
    )  # fmt: skip
