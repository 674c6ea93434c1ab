"""Gateways: registered by an operator, enrolled by a code, told what they should be like."""

from __future__ import annotations

from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import Reading, Writing
from cloud.api.context import Context, the_context
from cloud.api.cursor import Paged, Piece, decode, encode
from cloud.api.problems import Problem, responses
from cloud.api.signed import NONCE_HEADER, AcceptSignature, bound_signature, gateway_of
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.fleet import desired, enrol_gateway, inheritance, repository
from cloud.fleet.repository import GatewayRow
from wire.ids import log_id
from wire.seal import Verifier

router = APIRouter(prefix="/v1/gateways", tags=["gateways"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
MAX_WAIT = 60


class GatewayIn(BaseModel):
    """A gateway to be registered."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, examples=["Workshop, north wall"])
    gateway_id: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$", description="Empty: one is made.")
    site_id: str = Field("", max_length=64, description="The site it stands at.")


class GatewayOut(BaseModel):
    """A gateway and its log."""

    gateway_id: str
    name: str
    site_id: str
    created_at: str
    log: str = Field(description="Id of its present log; empty before it is enrolled.")
    origin: str
    fingerprint: str = Field(description="Of its key: compare it with what the gateway shows.")
    state: str = Field(description="new, open, frozen or closed.")
    size: int = Field(description="Leaves in its present log.")
    heard_at: str = Field(description="When its log grew last; empty: never.")


class GatewayList(BaseModel):
    """One piece of the list."""

    items: list[GatewayOut]
    next: str


class CodeOut(BaseModel):
    """A one-time code; shown once."""

    code: str
    expires_at: str


@router.post("", status_code=201, response_model=GatewayOut, responses=responses("conflict", "malformed"))
async def create(body: GatewayIn, call: Writing) -> Response:
    """Registers a gateway; enrol it with a code afterwards."""
    gateway_id = body.gateway_id or call.context.entropy.new_id("gw")

    def work(tx: Tx) -> GatewayOut:
        if not repository.add_gateway(
            tx, call.tenant, gateway_id, name=body.name, site_id=body.site_id, now_ms=call.now_ms
        ):
            raise Problem("conflict", f"There is a gateway {gateway_id} already.")
        return _gateway(tx, call.tenant, gateway_id)

    return await call.write(work, 201)


@router.get("", response_model=GatewayList)
async def listed(call: Reading, page: Paged) -> Response:
    """The gateways, in order of their ids."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.gateways(tx, call.tenant, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (row.gateway_id,), _shown)

    return await call.read(work)


@router.get("/{gateway_id}", response_model=GatewayOut, responses=responses("not-found"))
async def one(gateway_id: Id, call: Reading) -> Response:
    """One gateway."""
    return await call.read(lambda tx: _gateway(tx, call.tenant, gateway_id))


@router.post("/{gateway_id}/enrolment-codes", status_code=201, response_model=CodeOut, responses=responses("not-found"))
async def enrolment_code(gateway_id: Id, call: Writing) -> Response:
    """A one-time code: 15 minutes, one use, five attempts. Each request makes another; none is kept readable."""

    def work(tx: Tx) -> CodeOut:
        _gateway(tx, call.tenant, gateway_id)
        new = enrol_gateway.create_code(tx, call.context.entropy, call.tenant, gateway_id, call.now_ms)
        return CodeOut(code=new.code, expires_at=rfc3339(new.expires_ms))

    return await call.write_secret(work, 201)


@router.get(
    "/{gateway_id}/desired",
    response_model=None,
    responses=responses("bad-signature", "stale-nonce", "log-frozen", "malformed"),
)
async def get_desired(
    gateway_id: Id,
    request: Request,
    context: Annotated[Context, Depends(the_context)],
    wait: Annotated[
        int, Query(ge=0, description="Seconds to wait for a newer version; more than 60 are taken for 60.")
    ] = 0,
    if_none_match: Annotated[str, Header()] = "",
    _: AcceptSignature = "",
) -> Response:
    """What the gateway should be like (long poll). The gateway signs the request, the cloud the answer."""
    log = await gateway_of(request, context)
    if log.gateway != gateway_id:
        raise Problem("bad-signature", "A gateway may read what is meant for itself only.")
    version, body = await context.store.read(lambda tx: desired.document(tx, log.tenant, gateway_id))
    if if_none_match == f'"{version}"' and wait:
        await context.changes.newer((log.tenant, gateway_id), version, min(wait, MAX_WAIT))
        version, body = await context.store.read(lambda tx: desired.document(tx, log.tenant, gateway_id))
    headers = {"ETag": f'"{version}"', NONCE_HEADER: context.nonces.issue(log.log_id)}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    signature = bound_signature(context, request, body)
    return Response(body, media_type="application/json", headers=headers | signature)


@router.get(
    "/{gateway_id}/inheritance",
    response_model=None,
    responses=responses("bad-signature", "stale-nonce", "log-frozen", "malformed"),
)
async def inherited(
    gateway_id: Id,
    request: Request,
    context: Annotated[Context, Depends(the_context)],
    after: Annotated[str, Query(max_length=512, description="The `next` of the piece before.")] = "",
    _: AcceptSignature = "",
) -> Response:
    """The movements of goods that cards before this one recorded at the gateway's cabinets, for a card that begins
    anew; `next` is empty at the end. The gateway signs the request, the cloud the answer.
    """
    log = await gateway_of(request, context)
    if log.gateway != gateway_id:
        raise Problem("bad-signature", "A gateway may read what is meant for itself only.")
    key = inheritance.FIRST if not after else cast("inheritance.Key", decode(after, (str, str, int)))
    piece = await context.store.read(lambda tx: inheritance.inheritance(tx, log.tenant, gateway_id, log.log_no, key))
    told = {"after": after, "next": encode(piece.last) if piece.last else "", "records": piece.records}
    body = msgspec.json.encode(told)
    headers = {NONCE_HEADER: context.nonces.issue(log.log_id)} | bound_signature(context, request, body)
    return Response(body, media_type="application/json", headers=headers)


def _gateway(tx: Tx, tenant: str, gateway_id: str) -> GatewayOut:
    row = repository.gateway(tx, tenant, gateway_id)
    if row is None:
        raise Problem("not-found", f"There is no gateway {gateway_id}.")
    return _shown(row)


def _shown(row: GatewayRow) -> GatewayOut:
    return GatewayOut(
        gateway_id=row.gateway_id,
        name=row.name,
        site_id=row.site_id,
        created_at=rfc3339(row.created_ms),
        log=log_id(row.origin) if row.origin else "",
        origin=row.origin,
        fingerprint=Verifier(row.vkey).fingerprint if row.vkey else "",
        state=row.state or "new",
        size=row.size,
        heard_at=rfc3339(row.heard_ms) if row.heard_ms else "",
    )
