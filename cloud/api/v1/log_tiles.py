"""A log for monitors and witnesses: tiles, proofs, all below the log's own URL (C2SP tlog-tiles, tlog-proof).

Hashes are shown to whoever knows the log's id, like its checkpoint: leaves are salted, so a hash tells nothing. The
leaves themselves are for holders of an API key of the supplier.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from cloud.api.access import Reading
from cloud.api.context import Context, Parts
from cloud.api.log_paths import LogId, log_of, own_log
from cloud.api.problems import Problem, responses
from cloud.database import Tx
from cloud.ingest import repository
from cloud.ingest.incoming import LogIdentity
from cloud.ingest.tiles import complete
from wire.log import ProofError
from wire.proof import proof
from wire.tiles import WIDTH, Asked, bundle, parse

router = APIRouter(prefix="/v1/logs", tags=["logs"])
Size = Annotated[int, Query(ge=0, le=2**53 - 1)]
TILES = responses("unknown-log", "not-found") | {200: {"content": {"application/octet-stream": {}}}}
PROOFS = responses("unknown-log", "not-found", "malformed")
FULL, PART = "public, max-age=31536000, immutable", "public, max-age=60"


@router.get("/{log}/tile/entries/{path:path}", response_class=Response, responses=TILES)
async def entry_bundle(log: LogId, path: str, call: Reading) -> Response:
    """The leaves under a tile of level 0, each behind its length (two bytes, big-endian); needs an API key."""
    asked = _asked(f"tile/entries/{path}")
    found = await own_log(call, log)

    def work(tx: Tx) -> bytes:
        _held(tx, found, asked)
        start = asked.tile.number * WIDTH
        rows = repository.leaves(tx, found.place, start, start + asked.tile.width)
        return bundle([row.leaf for row in rows])

    data = await call.context.store.read(work)
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": "private, no-cache"})


@router.get("/{log}/tile/{path:path}", response_class=Response, responses=TILES)
async def tile(log: LogId, path: str, context: Parts) -> Response:
    """A hash tile, such as ``tile/0/x001/234`` or ``tile/1/000.p/7``: 32 bytes a hash."""
    asked = _asked(f"tile/{path}")
    found = await log_of(context, log)

    def work(tx: Tx) -> bytes:
        _held(tx, found, asked)
        return context.tiles.read(tx, found.place, asked.tile)

    data = await context.store.read(work)
    lasting = FULL if asked.tile.width == WIDTH else PART
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": lasting})


@router.get("/{log}/inclusion", response_class=PlainTextResponse, responses=PROOFS)
async def inclusion(
    log: LogId, context: Parts, index: Size, size: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0
) -> Response:
    """A ``c2sp.org/tlog-proof@v1`` of a leaf, to the newest checkpoint or to the one at ``size``."""
    found = await log_of(context, log)

    def work(tx: Tx) -> str:
        wanted = size or repository.head(tx, found).size
        piece = repository.pieces_at(tx, found.place, (wanted, wanted)).get(wanted)
        if piece is None:
            raise Problem("not-found", f"There is no checkpoint at size {wanted}.")
        path = context.tiles.tree(tx, found.place, wanted).inclusion(index)
        return proof(index, path, piece.note + piece.cosignature).text

    return Response(await _proved(context, work), media_type="text/plain; charset=utf-8")


@router.get("/{log}/consistency", response_class=PlainTextResponse, responses=PROOFS)
async def consistency(log: LogId, context: Parts, old: Size, size: Size) -> Response:
    """RFC 9162's proof that the log of ``size`` begins with the log of ``old``: a base64 hash a line."""
    found = await log_of(context, log)

    def work(tx: Tx) -> str:
        if size > repository.head(tx, found).size:
            raise Problem("not-found", f"The log has no {size} leaves yet.")
        path = context.tiles.tree(tx, found.place, size).consistency(old)
        return "".join(base64.b64encode(node).decode() + "\n" for node in path)

    return Response(await _proved(context, work), media_type="text/plain; charset=utf-8")


def _asked(path: str) -> Asked:
    try:
        return parse(path)
    except ProofError as error:
        raise Problem("not-found", f"{error}.") from error


def _held(tx: Tx, log: LogIdentity, asked: Asked) -> None:
    size = repository.head(tx, log).size
    if not complete(asked.tile, size):
        raise Problem("not-found", f"The log has {size} leaves; {asked.tile.path} is not there yet.")


async def _proved(context: Context, work: Callable[[Tx], str]) -> str:
    try:
        return await context.store.read(work)
    except ProofError as error:
        raise Problem("not-found", f"{error}.") from error
