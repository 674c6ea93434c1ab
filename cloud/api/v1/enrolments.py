"""Enrolment: what a gateway sends once, with its one-time code, to become known."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.context import Context, the_context
from cloud.api.idempotency import to_json
from cloud.api.problems import Problem, define, responses
from cloud.fleet import enrol_gateway
from cloud.fleet.enrol_gateway import Refused
from wire import enrolment

define("enrolment-refused", 403, "The enrolment was not accepted", "Ask the operator for a new code.")

router = APIRouter(prefix="/v1/enrolments", tags=["gateways"])


class EnrolmentIn(BaseModel):
    """A gateway's request to be known."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=64, description="The one-time code.", examples=["7H2K9-XXXXX-XXXXX-XXXXX-XXXXX"])
    vkey: str = Field(max_length=300, description="The gateway's new public key (C2SP vkey), under any name.")
    proof: str = Field(max_length=200, description="Base64 Ed25519 signature over code and key by that key.")


class EnrolmentOut(BaseModel):
    """What the gateway learns."""

    gateway_id: str
    tenant_id: str
    origin: str = Field(description="The new log's origin; from now on the name of the gateway's key.")
    cosigner_vkey: str = Field(description="The cloud's key: it cosigns checkpoints and signs answers.")
    fingerprint: str = Field(description="Of the gateway's key: compare it with what the gateway shows.")


@router.post("", status_code=201, response_model=EnrolmentOut, responses=responses("enrolment-refused", "malformed"))
async def enrol(body: EnrolmentIn, context: Annotated[Context, Depends(the_context)]) -> Response:
    """Opens a log for the gateway whose code this is. The same request gets the same answer while the code is fresh."""
    sent = enrolment.Request(body.code, body.vkey, body.proof)
    now_ms = context.clock.now_ms()
    answer = await context.store.run(lambda tx: enrol_gateway.enrol(tx, sent, context.cosigner, now_ms))
    if isinstance(answer, Refused):
        raise Problem("enrolment-refused", answer.detail)
    return Response(to_json(answer), 201, media_type="application/json")
