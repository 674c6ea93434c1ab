"""The one path that is asked thousands of times a second, answered before the framework looks at a request.

The surprise is that what a framework does around a function (middleware, routing, dependencies, a stack of closers)
costs as much as all that the event loop does for a small batch. Only the way in is short: errors go to the
application's own handlers, so that a caller cannot tell the difference.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

PATH = re.compile(r"/v1/logs/([^/]+)/entries")
Answering = Callable[[Request, str], Awaitable[Response]]
Handler = Callable[[Request, Exception], Awaitable[Response]]


class FastLane(FastAPI):
    """A FastAPI application whose ``POST /v1/logs/{log}/entries`` goes straight to ``answering``."""

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
        request = Request(scope, receive)
        try:
            response = await answering(request, log)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 -- the handler of its kind decides, as the framework would
            handlers = self.exception_handlers
            handler = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
            response = await cast("Handler", handler)(request, error)
        await response(scope, receive, send)
