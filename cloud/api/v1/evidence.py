"""Evidence: checkpoint notes that contradict one another, kept for the dispute, both halves of each."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from cloud.api.access import Reading
from cloud.api.cursor import Paged, Part, Piece
from cloud.api.problems import Problem
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.ingest import repository
from cloud.ingest.repository import EvidenceRow

router = APIRouter(prefix="/v1/evidence", tags=["logs"])


class EvidenceOut(BaseModel):
    """One kept note."""

    log: str
    gateway_id: str
    kind: str = Field(description="fork, refused (its leaves could not prove it), ahead (of what the cloud has).")
    size: int = Field(description="The note's size; for 'ahead' the cloud's.")
    note: str = Field(description="The gateway's signed note.")
    ours: str = Field(description="The note it contradicts, signed by the same key; empty unless a fork is proven.")
    seen_at: str


class EvidenceList(BaseModel):
    """One piece of the list."""

    items: list[EvidenceOut]
    next: str


@router.get("", response_model=EvidenceList)
async def listed(call: Reading, page: Paged) -> Response:
    """The kept notes, by log."""
    after = _after(page.after) if page.after else (0, "", 0, b"")

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.evidence(tx, call.tenant, after, page.fetch)
        return page.piece(rows, lambda row: (row.log_no, row.kind, row.size, row.root.hex()), _shown)

    return await call.read(work)


def _after(key: tuple[Part, ...]) -> tuple[int, str, int, bytes]:
    try:
        log_no, kind, size, root = key
        return int(log_no), str(kind), int(size), bytes.fromhex(str(root))
    except ValueError as error:
        raise Problem("malformed", "query/after: this cursor belongs to another list") from error


def _shown(row: EvidenceRow) -> EvidenceOut:
    return EvidenceOut(
        log=row.log_id,
        gateway_id=row.gateway_id,
        kind=row.kind,
        size=row.size,
        note=row.note,
        ours=row.ours,
        seen_at=rfc3339(row.seen_ms),
    )
