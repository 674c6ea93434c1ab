"""Witnesses: keys of others that may cosign our logs' checkpoints, so that a bill can show somebody else saw them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import Reading, Writing
from cloud.api.context import Parts
from cloud.api.cursor import Paged, Piece
from cloud.api.log_paths import LogId, log_of, note_in, refused
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.witnesses import repository
from cloud.witnesses.repository import Witness
from cloud.witnesses.take_cosignatures import NobodyKnown, NotOurs, take, witness_key
from wire.seal import SealError

router = APIRouter(prefix="/v1", tags=["logs"])


class WitnessIn(BaseModel):
    """A witness to be known."""

    model_config = ConfigDict(extra="forbid")

    vkey: str = Field(max_length=300, description="Its cosigner key (C2SP vkey, algorithm 4).")
    party_id: str = Field("", max_length=64, description="Whose it is; empty: nobody's here.")


class WitnessOut(BaseModel):
    """A registered witness."""

    name: str
    vkey: str
    party_id: str
    added_at: str


class WitnessList(BaseModel):
    """One piece of the list."""

    items: list[WitnessOut]
    next: str


@router.post("/witnesses", status_code=201, response_model=WitnessOut, responses=responses("conflict", "malformed"))
async def register(body: WitnessIn, call: Writing) -> Response:
    """Registers a witness; its cosignatures are taken from then on."""
    try:
        witness = Witness(witness_key(body.vkey), body.vkey.strip(), body.party_id, call.now_ms)
    except SealError as error:
        raise Problem("malformed", f"vkey: {error.detail}.") from error

    def work(tx: Tx) -> WitnessOut:
        if not repository.add(tx, call.tenant, witness):
            raise Problem("conflict", f"There is a witness {witness.name} already.")
        return _shown(witness)

    return await call.write(work, 201)


@router.get("/witnesses", response_model=WitnessList)
async def listed(call: Reading, page: Paged) -> Response:
    """The registered witnesses, by name."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.listed(tx, call.tenant, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (row.name,), _shown)

    return await call.read(work)


@router.post(
    "/logs/{log}/cosignatures",
    response_model=None,
    responses=responses("unknown-log", "bad-signature", "conflict", "malformed", "too-large"),
    openapi_extra={"requestBody": {"content": {"text/plain": {"schema": {"type": "string"}}}, "required": True}},
)
async def cosign(log: LogId, request: Request, context: Parts) -> Response:
    """Takes a checkpoint note of ours with a registered witness's cosignature line. The line is the credential."""
    note = await note_in(request)
    found = await log_of(context, log)
    try:
        seen = await context.store.run(lambda tx: take(tx, found, note))
    except SealError as error:
        raise refused(error) from error
    except NotOurs as error:
        raise Problem("conflict", str(error)) from error
    except NobodyKnown as error:
        raise Problem("bad-signature", str(error)) from error
    return Response("".join(one.cosignature for one in seen), media_type="text/plain; charset=utf-8")


def _shown(row: Witness) -> WitnessOut:
    return WitnessOut(name=row.name, vkey=row.vkey, party_id=row.party_id, added_at=rfc3339(row.added_ms))
