"""A log's keys: shown, handed over by the gateway itself, revoked by an operator; and the cloud's own keys."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import Administering
from cloud.api.context import Parts
from cloud.api.idempotency import to_json
from cloud.api.log_paths import LogId, log_of, note_in, own_log, refused
from cloud.api.problems import Problem, define, responses
from cloud.database import Tx
from cloud.fleet.change_keys import KeyRefused, revoke, rotate
from wire.seal import SealError, verifier

define("key-refused", 409, "The key cannot be changed so", "'detail' says what does not fit.")

router = APIRouter(prefix="/v1", tags=["logs"])


class KeyOut(BaseModel):
    """One key of a log."""

    vkey: str
    fingerprint: str
    state: str = Field(description="newest, retired or revoked.")
    size: int = Field(description="The last size it may sign; 0 for the newest.")


class LogKeysOut(BaseModel):
    """A log's keys, oldest first, and the notes that tie them together."""

    keys: list[KeyOut]
    hand_overs: list[str]


class CloudKeysOut(BaseModel):
    """The cloud's keys: the newest in its two forms, and the notes that lead to it."""

    cosigner: str
    signer: str
    hand_overs: list[str]
    revocations: list[str]


class RevokeIn(BaseModel):
    """Which key, from when, who says so and why."""

    model_config = ConfigDict(extra="forbid")

    since_ms: int = Field(ge=0, le=2**53 - 1, description="From this instant (ms UTC) on it is not trusted.")
    who: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    fingerprint: str = Field("", max_length=40, description="Of the key; empty: the newest.")


class RevokedOut(BaseModel):
    """What the revocation did."""

    fingerprint: str
    size: int = Field(description="The last size that counts.")
    disputed: int = Field(description="Leaves behind it; where there are any, the log is on hold.")


@router.get("/keys", response_model=CloudKeysOut)
async def cloud_keys(context: Parts) -> CloudKeysOut:
    """The keys that cosign and sign in this cloud's name; public."""
    keys = context.keys
    return CloudKeysOut(
        cosigner=keys.cosigner, signer=keys.signer, hand_overs=keys.hand_overs, revocations=keys.revocations
    )


@router.get("/logs/{log}/keys", response_model=LogKeysOut, responses=responses("unknown-log"))
async def log_keys(log: LogId, context: Parts) -> LogKeysOut:
    """A log's keys; public, as its checkpoints are."""
    found = await log_of(context, log)
    words = {"": "newest", "retired_key": "retired", "revoked_key": "revoked"}
    return LogKeysOut(
        keys=[
            KeyOut(vkey=key.vkey, fingerprint=verifier(key.vkey).fingerprint, state=words[key.code], size=key.size)
            for key in found.keys
        ],
        hand_overs=list(found.hand_overs),
    )


@router.post(
    "/logs/{log}/keys",
    response_model=None,
    responses=responses("unknown-log", "bad-signature", "key-refused", "malformed", "too-large"),
    openapi_extra={"requestBody": {"content": {"text/plain": {"schema": {"type": "string"}}}, "required": True}},
)
async def hand_over(log: LogId, request: Request, context: Parts) -> Response:
    """Takes a hand-over note that the old and the new key signed. The signatures are the credential."""
    note = await note_in(request)
    found = await log_of(context, log)
    try:
        fingerprint = await context.store.run(lambda tx: rotate(tx, found, note, context.clock.now_ms()))
    except SealError as error:
        raise refused(error) from error
    except KeyRefused as error:
        raise Problem("key-refused", str(error)) from error
    context.intake.forget(log)
    return Response(to_json({"fingerprint": fingerprint}), media_type="application/json")


@router.post(
    "/logs/{log}/revocations",
    status_code=201,
    response_model=RevokedOut,
    responses=responses("unknown-log", "key-refused", "malformed"),
)
async def take_back(log: LogId, body: RevokeIn, call: Administering) -> Response:
    """Revokes a key from an instant on; what it signed before stays good."""
    found = await own_log(call, log)

    def work(tx: Tx) -> RevokedOut:
        try:
            done = revoke(
                tx, found, call.context.cosigner, since_ms=body.since_ms, who=body.who, reason=body.reason,
                now_ms=call.now_ms, fingerprint=body.fingerprint,
            )  # fmt: skip
        except (KeyRefused, SealError) as error:
            raise Problem("key-refused", str(error)) from error
        return RevokedOut(fingerprint=done.fingerprint, size=done.size, disputed=done.disputed)

    answer = await call.write(work, 201)
    call.context.intake.forget(log)
    return answer
