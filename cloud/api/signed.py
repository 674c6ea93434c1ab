"""Requests that a gateway signs with its log's key, because they carry no checkpoint."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Request

from cloud.api.context import Context
from cloud.api.problems import Problem, define
from cloud.ingest import repository
from cloud.ingest.incoming import LogIdentity
from wire.http_signature import SignatureError, asked_nonce, claimed, sign_answer, verify_request
from wire.ids import log_id
from wire.seal import verifier

NONCE_HEADER = "tally-nonce"
AcceptSignature = Annotated[
    str,
    Header(
        alias="accept-signature",
        description='RFC 9421 5.1: `tally=("@status" "content-digest" "@path";req);nonce="..."` binds the answer\'s '
        "signature to this question; anything else is passed over.",
    ),
]

define("bad-signature", 403, "The signature is not this log's", "Sign with the key the gateway was enrolled with.")
define(
    "stale-nonce",
    401,
    "The request's nonce is used up or too old",
    f"Sign again with the nonce in the answer's {NONCE_HEADER} header.",
)
define(
    "log-frozen",
    423,
    "This log takes nothing any more",
    "A fork was proven, or the gateway was enrolled anew: a person must decide and open a new log epoch.",
)


async def gateway_of(request: Request, context: Context) -> LogIdentity:
    """The log whose gateway signed this request; Problem ``bad-signature`` or ``stale-nonce``."""
    headers = dict(request.headers.items())
    try:
        keyid = claimed(headers).keyid
    except SignatureError as error:
        raise Problem("bad-signature", f"{error}.") from error
    log = await context.intake.log(log_id(keyid))
    if log is None:
        raise Problem("bad-signature", f"No gateway is enrolled as {keyid}.")
    newest = log.keys[-1]
    if newest.code:
        raise Problem("revoked-key", "This log's key was revoked; enrol the gateway anew.")
    try:
        signed = verify_request(
            verifier(newest.vkey),
            headers,
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            body=await request.body(),
        )
    except SignatureError as error:
        raise Problem("bad-signature", f"{error}.") from error
    if not context.nonces.spend(log.log_id, signed.nonce):
        fresh = {NONCE_HEADER: context.nonces.issue(log.log_id)}
        raise Problem("stale-nonce", "Sign the request again with the nonce in this answer.", headers=fresh)
    head = await context.store.read(lambda tx: repository.head(tx, log))
    if head.state == "closed":
        raise Problem("log-frozen", "The gateway was enrolled anew; this key is not used any more.")
    return log


def bound_signature(context: Context, request: Request, body: bytes) -> dict[str, str]:
    """The headers that sign this 200, bound to the request's path and nonce where it brought one."""
    nonce = asked_nonce(request.headers.get("accept-signature", ""))
    return sign_answer(context.cosigner, status=200, body=body, path=request.url.path, nonce=nonce)
