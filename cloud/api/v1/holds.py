"""Holds: logs of which nothing is billed, because their books contradict themselves; released by a named decision."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import Administering, Reading
from cloud.api.cursor import Paged, Piece
from cloud.api.log_paths import LogId
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.invariants import repository
from cloud.invariants.broken import KINDS
from cloud.invariants.repository import Hold

router = APIRouter(prefix="/v1/holds", tags=["logs"])
Kind = Annotated[str, Path(pattern="^[a-z-]{1,40}$", description="Which invariant.")]


class HoldOut(BaseModel):
    """A log on hold, or one that was."""

    log: str
    gateway_id: str
    kind: str
    what: str = Field(description="The broken invariant in words.")
    detail: str = Field(description="The facts.")
    state: str = Field(description="open or released.")
    since: str
    seen_at: str = Field(description="When a check found it last.")
    released_at: str
    released_by: str
    reason: str


class HoldList(BaseModel):
    """One piece of the list."""

    items: list[HoldOut]
    next: str


class ReleaseIn(BaseModel):
    """Who decides that the log is billed again, and why."""

    model_config = ConfigDict(extra="forbid")

    who: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=400)


@router.get("", response_model=HoldList)
async def listed(
    call: Reading,
    page: Paged,
    state: Annotated[str, Query(alias="state", pattern="^(open|all)$", description="open, or all.")] = "open",
) -> Response:
    """The holds, by log."""
    after = (int(page.after[0]), str(page.after[1]), int(page.after[2])) if len(page.after) == 3 else (0, "", 0)

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.holds(tx, call.tenant, after, page.fetch, all_states=state == "all")
        return page.piece(rows, lambda row: (row.log_no, row.kind, row.since_ms), _shown)

    return await call.read(work)


@router.post("/{log}/{kind}/release", response_model=HoldOut, responses=responses("not-found", "malformed"))
async def release(log: LogId, kind: Kind, body: ReleaseIn, call: Administering) -> Response:
    """Bills the log again: a person has looked and answers for it with name and reason. Both are kept for ever."""

    def work(tx: Tx) -> HoldOut:
        found = logs.identity(tx, log)
        if found is None or found.tenant != call.tenant:
            raise Problem("not-found", "There is no such log.")
        held = [one for one in repository.open_holds(tx, call.tenant, [found.log_no]) if one.kind == kind]
        if not held:
            raise Problem("not-found", f"This log is not on hold for {kind}.")
        repository.release(tx, found.place, kind, who=body.who, reason=body.reason, now_ms=call.now_ms)
        decided = held[0]._replace(state="released", released_ms=call.now_ms, released_by=body.who, reason=body.reason)
        return _shown(decided)

    return await call.write(work)


def _shown(row: Hold) -> HoldOut:
    return HoldOut(
        log=row.log_id,
        gateway_id=row.gateway_id,
        kind=row.kind,
        what=KINDS.get(row.kind, row.kind),
        detail=row.detail,
        state=row.state,
        since=rfc3339(row.since_ms),
        seen_at=rfc3339(row.seen_ms),
        released_at="" if row.released_ms is None else rfc3339(row.released_ms),
        released_by=row.released_by,
        reason=row.reason,
    )
