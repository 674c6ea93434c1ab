"""Who may call: the API key in ``Authorization: Bearer tsk_...``, and the transaction a call runs in.

A route takes ``call: Reading``, ``call: Writing`` or ``call: Administering`` and does its work by
``await call.read(use_case)`` or ``await call.write(use_case)``; both answer with JSON. Everything a use case touches is
keyed by ``call.tenant``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cloud.api import keys
from cloud.api.context import Context, context_of
from cloud.api.idempotency import Repeatable, once, repeatable, to_json
from cloud.api.problems import Problem
from cloud.database import Tx

JSON = "application/json"
_bearer = HTTPBearer(auto_error=False, description="An API key, `tsk_...`, made by `tally-cloud create-key`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class Call:
    """One authorised request."""

    def __init__(self, context: Context, caller: keys.Caller, repeat: Repeatable | None, if_none_match: str) -> None:
        self.context = context
        self.caller = caller
        self.tenant = caller.tenant_id
        self.now_ms = context.clock.now_ms()
        self._repeat = repeat
        self._if_none_match = if_none_match

    async def read(self, work: Callable[[Tx], object]) -> Response:
        """Answers what the use case returns, with an ETag; 304 when the caller has it already."""
        body = await self.context.store.read(lambda tx: to_json(work(tx)))
        tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if tag in [known.strip() for known in self._if_none_match.split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=JSON, headers=headers)

    async def write(self, work: Callable[[Tx], object], status: int = 200) -> Response:
        """Does the use case once for each Idempotency-Key and answers what it returned the first time."""
        answered, body = await self.context.store.run(
            lambda tx: once(tx, self.tenant, self._repeat, work, now_ms=self.now_ms, status=status)
        )
        return Response(body, answered, media_type=JSON)

    async def write_secret(self, work: Callable[[Tx], object], status: int = 200) -> Response:
        """Like ``write``, for an answer that must be stored nowhere; a repeat makes a new secret."""
        body = await self.context.store.run(lambda tx: to_json(work(tx)))
        return Response(body, status, headers={"Cache-Control": "no-store"}, media_type=JSON)


def _needs(scope: str) -> Callable[..., object]:
    async def call(
        request: Request,
        credentials: Credentials,
        idempotency_key: Annotated[
            str, Header(max_length=128, description="Repeat a write safely: same key, same request, same answer.")
        ] = "",
        if_none_match: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Call:
        context = context_of(request)
        caller = None
        if credentials is not None:
            token, now = credentials.credentials, context.clock.now_ms()
            caller = await context.store.read(lambda tx: keys.authenticate(tx, token, now))
        if caller is None:
            detail = "No active API key came with the request."
            raise Problem("unauthorised", detail, headers={"WWW-Authenticate": "Bearer"})
        if scope not in caller.scopes:
            raise Problem("forbidden", f"The key {caller.key_id} lacks the scope '{scope}'.")
        target = str(request.url.path) + "?" + str(request.url.query)
        body = await request.body() if idempotency_key else b""
        return Call(context, caller, repeatable(idempotency_key, request.method, target, body), if_none_match)

    return call


Reading = Annotated[Call, Depends(_needs("read"))]
Writing = Annotated[Call, Depends(_needs("write"))]
Administering = Annotated[Call, Depends(_needs("admin"))]
