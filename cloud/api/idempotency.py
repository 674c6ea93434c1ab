"""A write that may be repeated: the first answer is stored with the write, and a repeat gets that answer back.

The key is claimed, the work done and the answer kept in one transaction, so there is no moment in which the work is
done and the answer unknown. A request that failed leaves nothing, and its key may be used again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel

from cloud.api import repository
from cloud.api.problems import Problem
from cloud.database import Tx

_KEY = re.compile(r"[\x21-\x7e]{1,128}\Z")


class Repeatable(NamedTuple):
    """A request that may come again under the same key."""

    key: str
    request_hash: str


def repeatable(key: str, method: str, target: str, body: bytes) -> Repeatable | None:
    """The repeatable request behind an Idempotency-Key header; None when there is no key."""
    if not key:
        return None
    if not _KEY.match(key):
        raise Problem("bad-request", "An Idempotency-Key has 1 to 128 printable ASCII characters and no spaces.")
    return Repeatable(key, hashlib.sha256(f"{method} {target}\n".encode() + body).hexdigest())


def once(
    tx: Tx, tenant_id: str, request: Repeatable | None, work: Callable[[Tx], object], *, now_ms: int, status: int
) -> tuple[int, str]:
    """Does the work, or finds that it was done: status and JSON body of the one answer."""
    if request is None:
        return status, to_json(work(tx))
    if not repository.claim_key(tx, tenant_id, request.key, request.request_hash, now_ms):
        kept = repository.find_answer(tx, tenant_id, request.key)
        if kept is None:
            raise Problem("conflict", "The same request is under way; repeat it in a moment.")
        if kept.request_hash != request.request_hash:
            raise Problem("idempotency-conflict", f"The key {request.key!r} belongs to another request.")
        return kept.status, kept.body
    body = to_json(work(tx))
    repository.keep_answer(tx, tenant_id, request.key, status, body)
    return status, body


def to_json(result: object) -> str:
    """What a use case returned, as JSON: pydantic models, msgspec structs, dicts, lists of them; Decimal as string."""
    if isinstance(result, BaseModel):
        return result.model_dump_json(by_alias=True)
    return msgspec.json.encode(result, enc_hook=_plain).decode()


def _plain(value: object) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"{type(value).__name__} has no JSON form")
