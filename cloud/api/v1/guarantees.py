"""Verdicts on guaranteed outcomes: proposed with a statement, accepted or disputed, settled, credited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.agreements import repository as agreements
from cloud.api.access import Reading, Writing
from cloud.api.problems import Problem, define, responses
from cloud.billing.guarantee_spells import Agreed
from cloud.database import Tx
from cloud.guarantees import repository
from cloud.guarantees.repository import VerdictRow
from cloud.guarantees.settle_verdict import NotNow, VerdictUnknown, accept, dispute, settle, settle_due
from cloud.invoices.view import money
from cloud.rating.terms_fields import Percent

router = APIRouter(tags=["guarantees"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
define("verdict-state", 409, "The verdict is past that", "'detail' says in which state it is.")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    who: str = Field(min_length=1, max_length=200)


class AcceptIn(_Body):
    """Who accepts."""


class DisputeIn(_Body):
    """Who objects, and why."""

    reason: str = Field(min_length=1, max_length=1000)


class SettleIn(_Body):
    """Who settles; ``credit_percent`` is what both sides agreed on after a dispute."""

    reason: str = Field("", max_length=1000)
    credit_percent: Percent | None = None


class ExclusionIn(_Body):
    """Time that both sides agree not to count for a guarantee: ``[from_ms, to_ms)`` in ms UTC."""

    from_ms: int = Field(ge=0)
    to_ms: int = Field(gt=0)
    cause: str = Field(min_length=1, max_length=200)


@router.get("/v1/verdicts")
async def listed(call: Reading, agreement_id: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The verdicts with their states, oldest first."""
    return await call.read(
        lambda tx: {"items": [_shown(row) for row in repository.page(tx, call.tenant, agreement_id)]}
    )


@router.post("/v1/verdicts/{verdict_id}/accept", responses=responses("not-found", "verdict-state"))
async def accepted(verdict_id: Id, body: AcceptIn, call: Writing) -> Response:
    """The customer accepts the verdict."""
    return await call.write(_doing(lambda tx: accept(tx, call.tenant, verdict_id, who=body.who, now_ms=call.now_ms)))


@router.post("/v1/verdicts/{verdict_id}/dispute", responses=responses("not-found", "verdict-state"))
async def disputed(verdict_id: Id, body: DisputeIn, call: Writing) -> Response:
    """The customer objects, within the days that were agreed on."""
    said = {"who": body.who, "reason": body.reason}
    return await call.write(_doing(lambda tx: dispute(tx, call.tenant, verdict_id, **said, now_ms=call.now_ms)))


@router.post("/v1/verdicts/{verdict_id}/settle", responses=responses("not-found", "verdict-state"))
async def settled(verdict_id: Id, body: SettleIn, call: Writing) -> Response:
    """Settles the verdict with all windows known now, or at an agreed percentage; its credit waits for an invoice."""
    said = {"who": body.who, "reason": body.reason, "credit_percent": body.credit_percent or ""}
    return await call.write(_doing(lambda tx: settle(tx, call.tenant, verdict_id, **said, now_ms=call.now_ms)))


@router.post("/v1/verdict-runs", status_code=201)
async def due(call: Writing) -> Response:
    """Settles every verdict that is accepted, or that nobody objected to in time."""

    def work(tx: Tx) -> dict[str, object]:
        return {"items": [_shown(row) for row in settle_due(tx, call.tenant, call.now_ms)]}

    return await call.write(work, 201)


@router.post(
    "/v1/agreements/{agreement_id}/guarantees/{name}/exclusions",
    status_code=201,
    responses=responses("not-found", "conflict", "malformed"),
)
async def exclude(agreement_id: Id, name: Id, body: ExclusionIn, call: Writing) -> Response:
    """Time that both sides agree not to count, such as maintenance."""
    if body.to_ms <= body.from_ms:
        raise Problem("malformed", "body/to_ms: must be after from_ms")

    def work(tx: Tx) -> Agreed:
        agreement = agreements.find(tx, call.tenant, agreement_id)
        known = [] if agreement is None else agreement.terms.guarantees or []
        if name not in [one.name for one in known]:
            raise Problem("not-found", f"The agreement {agreement_id} has no guarantee {name}.")
        one = Agreed(body.from_ms, body.to_ms, body.cause, body.who)
        if not repository.add_exclusion(tx, call.tenant, agreement_id, name, one):
            raise Problem("conflict", "An exclusion that begins then is there already.")
        return one

    return await call.write(work, 201)


def _doing(change: Callable[[Tx], VerdictRow]) -> Callable[[Tx], dict[str, object]]:
    def work(tx: Tx) -> dict[str, object]:
        try:
            return _shown(change(tx))
        except VerdictUnknown as error:
            raise Problem("not-found", str(error)) from error
        except NotNow as error:
            raise Problem("verdict-state", str(error)) from error

    return work


def _shown(row: VerdictRow) -> dict[str, object]:
    return {
        "verdict_id": row.verdict_id,
        "agreement_id": row.agreement_id,
        "statement_id": row.statement_id,
        "name": row.name,
        "first": row.first,
        "end": row.end_day,
        "state": row.state,
        "proposed_credit": money(row.proposed_minor, row.currency),
        "credit": money(row.credit_minor, row.currency),
        "objections_until": row.deadline,
        "who": row.who,
        "reason": row.reason,
        "proposed": msgspec.Raw(row.proposed.encode()),
        "final": msgspec.Raw((row.final or "null").encode()),
    }
