"""A gateway's log: its head, its growth, its mirror. The content is signed, so no other credentials are asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.types import Receive

from cloud.api.bodies import arriving
from cloud.api.context import Context, Parts
from cloud.api.log_paths import LogId, log_of
from cloud.api.problems import Problem, define, responses
from cloud.api.signed import NONCE_HEADER, AcceptSignature, bound_signature, gateway_of
from cloud.database import Tx
from cloud.ingest import repository
from cloud.ingest.incoming import LogIdentity
from cloud.witnesses import repository as witnesses
from wire import batch
from wire.batch import MAX_BODY, MAX_LEAVES, Head, Receipt
from wire.seal import MAX_SIGNATURES

define("bad-batch", 400, "The body is not a batch", "Send it again; if it stays, the gateway's program is at fault.")
define("stale-size", 409, "The log has another size here", "Send on from the size in the field 'size'.")
define("wrong-root", 422, "The leaves do not give the signed root", "Send the same bytes again; nothing was stored.")
define(
    "log-damaged",
    503,
    "The cloud's copy of this log is damaged",
    "Keep the records and try again later; an operator has been told.",
)
define("retired-key", 403, "Another key has followed this one", "Sign with the newest key of this log.")
define("revoked-key", 403, "This key was revoked", "Enrol the gateway anew: its key may be in other hands.")
define("stale-keys", 409, "The log's keys have just changed", "Send the same batch again.")
define("fork", 422, "The log contradicts itself", "Both notes are kept and the log is frozen; a person must decide.")

router = APIRouter(prefix="/v1/logs", tags=["logs"])


@router.get("/{log}/head", response_model=None, responses=responses("unknown-log", "malformed"))
async def head(log: LogId, request: Request, context: Parts, _: AcceptSignature = "") -> Response:
    """The checkpoint cosigned last, how far backups reach, and a nonce. The answer is signed by the cloud; where the
    request says so, together with its path and the asker's own nonce.
    """
    found = await log_of(context, log)
    stored, checkpoint = await context.store.read(lambda tx: _head(tx, found))
    nonce = context.nonces.issue(found.log_id)
    body = batch.encode_answer(Head(stored.size, checkpoint, stored.backed_up_size, nonce))
    signature = bound_signature(context, request, body)
    return Response(body, media_type="application/json", headers=signature | {"Cache-Control": "no-store"})


@router.post(
    "/{log}/entries",
    response_model=None,
    responses=responses(
        "unknown-log",
        "bad-signature",
        "retired-key",
        "revoked-key",
        "stale-keys",
        "bad-batch",
        "stale-size",
        "wrong-root",
        "fork",
        "log-frozen",
        "log-damaged",
        "too-large",
        "busy",
    ),
    openapi_extra={"requestBody": {"content": {"text/plain": {"schema": {"type": "string"}}}, "required": True}},
)
async def grow(request: Request, log: str) -> Response:
    """Takes a batch (old size, checkpoint note, leaves); its cosignature is the acknowledgement."""
    headers = request.headers
    encoding, length = headers.get("content-encoding", ""), headers.get("content-length", "")
    return Response(await take(request.app, log, encoding, length, request.receive), media_type="application/json")


async def take(app: FastAPI, log: str, encoding: str, length: str, receive: Receive) -> bytes:
    """The same from the parts of a request that matter, for the fast lane: the receipt as JSON."""
    context: Context = app.state.context
    if encoding not in ("", "identity", "gzip"):
        raise Problem("bad-batch", f"The content encoding {encoding!r} is not known here; send gzip or none.")
    body = await arriving(receive, length, MAX_BODY)
    answer = await context.intake.take(log, body, gzipped=encoding == "gzip")
    if isinstance(answer, Receipt):
        return batch.encode_answer(answer)
    headers = {"Retry-After": "1"} if answer.problem == "busy" else None
    fields = {} if answer.size is None else {"size": answer.size}
    raise Problem(answer.problem, answer.detail, headers=headers, **fields)


@router.get("/{log}/checkpoint", response_class=PlainTextResponse, responses=responses("unknown-log"))
async def checkpoint(log: LogId, context: Parts) -> Response:
    """The checkpoint cosigned last, as a signed note (C2SP tlog-checkpoint), with its witnesses' cosignatures; empty
    while the log is.
    """
    found = await log_of(context, log)
    note = await context.store.read(lambda tx: _published(tx, found))
    return Response(note, media_type="text/plain; charset=utf-8")


@router.get(
    "/{log}/entries",
    response_class=Response,
    responses=responses("unknown-log", "bad-signature", "stale-nonce", "log-frozen", "malformed")
    | {200: {"content": {"application/x-ndjson": {}}}},
)
async def mirror(
    log: LogId,
    request: Request,
    context: Parts,
    start: Annotated[int, Query(alias="from", ge=0, description="First index.")],
    end: Annotated[int, Query(alias="to", ge=0, description="One behind the last; at most 4096 leaves are sent.")],
) -> Response:
    """The leaves ``[from, to)`` as they were stored, one a line: for the log's own gateway, which signs the request."""
    signer = await gateway_of(request, context)
    if signer.log_id != log:
        raise Problem("bad-signature", "A gateway may read its own log only.")
    until = min(end, start + MAX_LEAVES)
    stored = await context.store.read(lambda tx: repository.leaves(tx, signer.place, start, until))
    body = b"".join(leaf.leaf + b"\n" for leaf in stored)
    headers = {NONCE_HEADER: context.nonces.issue(log)}
    return Response(body, media_type="application/x-ndjson", headers=headers)


def _published(tx: Tx, log: LogIdentity) -> str:
    stored, note = _head(tx, log)
    seen = witnesses.at_size(tx, log.place, stored.size)[: MAX_SIGNATURES - 2] if note else []
    return note + "".join(one.cosignature for one in seen)


def _head(tx: Tx, log: LogIdentity) -> tuple[repository.Head, str]:
    stored = repository.head(tx, log)
    piece = repository.piece_until(tx, log.place, stored.size)
    return stored, piece.note + piece.cosignature if piece else ""
