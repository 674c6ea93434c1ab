"""Quarantine: leaves that are stored and proven but could not be used, and the button that tries again."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.ingest import quarantine
from cloud.ingest.quarantine import Waiting
from cloud.ingest.retry_quarantined import retry

router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])
_ID = re.compile(r"q_(\d{1,15})_(\d{1,16})\Z")


class QuarantineOut(BaseModel):
    """A leaf that waits, or waited."""

    id: str
    log: str
    index: int
    gateway_id: str
    device_id: str = Field(description="Empty when the leaf could not even be read.")
    reason: str = Field(description="unknown-device, not-canonical, duplicate-key, unknown-item, ...")
    detail: str
    state: str = Field(description="open or resolved.")
    tries: int = Field(description="How often it was tried again.")
    since: str
    resolved_at: str


class QuarantineList(BaseModel):
    """One piece of the list."""

    items: list[QuarantineOut]
    next: str


@router.get("", response_model=QuarantineList)
async def listed(
    call: Reading, page: Paged, state: Annotated[Literal["open", "resolved"], Query()] = "open"
) -> Response:
    """The leaves that could not be used, oldest first."""
    after = tuple(int(part) for part in page.after) if page.after else (0, 0, -1)
    if len(after) != 3:
        raise Problem("malformed", "query/after: this cursor belongs to another list")

    def work(tx: Tx) -> Piece[Any]:
        rows = quarantine.waiting(tx, call.tenant, state, (after[0], after[1], after[2]), page.fetch)
        return page.piece(rows, lambda row: (row.since_ms, row.log_no, row.idx), _shown)

    return await call.read(work)


@router.get("/{quarantine_id}", response_model=QuarantineOut, responses=responses("not-found"))
async def one(quarantine_id: str, call: Reading) -> Response:
    """One leaf that could not be used."""
    log_no, index = _parts(quarantine_id)
    return await call.read(lambda tx: _found(quarantine.find(tx, call.tenant, log_no, index), quarantine_id))


@router.post("/{quarantine_id}/retry", response_model=QuarantineOut, responses=responses("not-found"))
async def again(quarantine_id: str, call: Writing) -> Response:
    """Tries a leaf again after its cause was mended; it ends resolved, or open with the reason of now."""
    log_no, index = _parts(quarantine_id)
    desk = call.context.intake.desk
    return await call.write(lambda tx: _found(retry(tx, call.tenant, log_no, index, desk), quarantine_id))


def _parts(quarantine_id: str) -> tuple[int, int]:
    match = _ID.match(quarantine_id)
    if match is None:
        raise Problem("not-found", f"There is no quarantined leaf {quarantine_id}.")
    return int(match[1]), int(match[2])


def _found(row: Waiting | None, quarantine_id: str) -> QuarantineOut:
    if row is None:
        raise Problem("not-found", f"There is no quarantined leaf {quarantine_id}.")
    return _shown(row)


def _shown(row: Waiting) -> QuarantineOut:
    return QuarantineOut(
        id=f"q_{row.log_no}_{row.idx}",
        log=row.log_id,
        index=row.idx,
        gateway_id=row.gateway_id,
        device_id=row.src,
        reason=row.reason,
        detail=row.detail,
        state=row.state,
        tries=row.tries,
        since=rfc3339(row.since_ms),
        resolved_at=rfc3339(row.resolved_ms) if row.resolved_ms else "",
    )
