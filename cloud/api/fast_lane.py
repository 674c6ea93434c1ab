"""The one path that is asked thousands of times a second, answered before the framework looks at a request.

The surprise is that what a framework does around a function (middleware, routing, dependencies, a request and a
response as objects) costs as much as all that the event loop does for a small batch. Only the good way is short: errors
go to the application's own handlers, so that a caller cannot tell the difference.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

PATH = re.compile(r"/v1/logs/([^/]+)/entries")
# The log, the content encoding and the announced length as the headers say them, where the body comes from: the answer.
Answering = Callable[[FastAPI, str, str, str, Receive], Awaitable[bytes]]
Handler = Callable[[Request, Exception], Awaitable[Response]]


class FastLane(FastAPI):
    """A FastAPI application whose ``POST /v1/logs/{log}/entries`` goes straight to ``answering``, which says JSON."""

    answering: Answering | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks for it."""
        if scope["type"] == "http" and scope["method"] == "POST" and self.answering is not None:
            found = PATH.fullmatch(scope["path"])
            if found is not None and not scope.get("root_path"):
                scope["app"] = self
                await self._answer(self.answering, found[1], scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def _answer(self, answering: Answering, log: str, scope: Scope, receive: Receive, send: Send) -> None:
        encoding = length = b""
        for name, value in scope["headers"]:
            if name == b"content-encoding":
                encoding = encoding or value
            elif name == b"content-length":
                length = length or value
        try:
            body = await answering(self, log, encoding.decode("latin-1"), length.decode("latin-1"), receive)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 -- the handler of its kind decides, as the framework would
            handlers = self.exception_handlers
            handler = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
            response = await cast("Handler", handler)(Request(scope, receive), error)
            await response(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
