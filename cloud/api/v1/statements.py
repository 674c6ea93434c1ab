"""Statements: closed periods, and the evidence bundles with which anybody can check them offline."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response

from cloud.agreements import repository as agreements
from cloud.api.access import Reading
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.billing import event_proof as event_proofs
from cloud.billing import repository
from cloud.billing.bundle import dump
from cloud.billing.evidence import bundle_of, events_under
from cloud.billing.statement import Statement
from cloud.billing.view import head_document, state_document, statement_document
from cloud.database import Tx

router = APIRouter(prefix="/v1/statements", tags=["statements"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


@router.get("")
async def listed(
    call: Reading, page: Paged, agreement_id: Annotated[str, Query(max_length=64, description="Of one agreement.")] = ""
) -> Response:
    """The statements without their lines, by agreement and number; ``state`` says which were taken back."""

    def work(tx: Tx) -> Piece[Any]:
        after = (str(page.after[0]), int(page.after[1])) if len(page.after) == 2 else ("", 0)
        rows = repository.statement_heads(tx, call.tenant, agreement_id, after, page.fetch)
        voids = repository.voids(tx, call.tenant, [row.statement_id for row in rows])
        return page.piece(
            rows,
            lambda row: (row.agreement_id, row.number),
            lambda row: head_document(row) | state_document(voids.get(row.statement_id)),
        )

    return await call.read(work)


@router.get("/{statement_id}", responses=responses("not-found"))
async def one(statement_id: Id, call: Reading) -> Response:
    """A statement with its lines; each line leads to the leaves that prove it."""

    def work(tx: Tx) -> dict[str, object]:
        found = _statement(tx, call.tenant, statement_id)
        agreement = agreements.find(tx, call.tenant, found.head.agreement_id)
        versions = agreement.versions if agreement else ()
        void = repository.voids(tx, call.tenant, [statement_id]).get(statement_id)
        return statement_document(found, versions) | state_document(void)

    return await call.read(work)


@router.get("/{statement_id}/bundle", responses=responses("not-found"))
async def bundle(statement_id: Id, call: Reading) -> Response:
    """The evidence bundle: save it and run ``tally-verify`` on it. Its form is in docs/api/bundle.md."""
    keys = call.context.keys

    def work(tx: Tx) -> msgspec.Raw:
        return msgspec.Raw(dump(bundle_of(tx, call.tenant, _statement(tx, call.tenant, statement_id), keys)))

    return await call.read(work)


@router.get("/{statement_id}/event-proof", responses=responses("not-found"))
async def event_proof(
    statement_id: Id,
    call: Reading,
    source: Annotated[str, Query(max_length=200, description="Where the event came from.")],
    event_id: Annotated[str, Query(alias="id", max_length=200, description="The event's id there.")],
) -> Response:
    """That a counted event is among those the statement stands on: save it and run ``tally-verify`` on it."""
    signer = call.context.cosigner.vkey

    def work(tx: Tx) -> msgspec.Raw:
        statement = _statement(tx, call.tenant, statement_id)
        events = events_under(tx, call.tenant, statement)
        try:
            return msgspec.Raw(event_proofs.dump(event_proofs.prove(statement, events, (source, event_id), signer)))
        except event_proofs.NotCounted as error:
            raise Problem("not-found", str(error)) from error

    return await call.read(work)


def _statement(tx: Tx, tenant: str, statement_id: str) -> Statement:
    found = repository.statement(tx, tenant, statement_id)
    if found is None:
        raise Problem("not-found", f"There is no statement {statement_id}.")
    return found
