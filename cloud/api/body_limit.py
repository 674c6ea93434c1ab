"""A limit for every request's body, counted as it travels: nobody fills the memory by sending for ever.

Routes that take files or batches have their own, smaller or larger limits (``bodies.py``); this one stands before all
that read JSON. A body that says its length too large is refused before a byte of it is read.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_JSON = 4 * 1024 * 1024
MAX_OTHER = 24 * 1024 * 1024  # above what any route lets through by itself
TOO_LARGE = 413
DIGITS = 18


class BodyLimit:
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks for it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        kind, announced = headers.get(b"content-type", b""), headers.get(b"content-length", b"")
        limit = MAX_JSON if not kind or kind.startswith(b"application/json") else MAX_OTHER
        read, too_long = 0, announced.isdigit() and int(announced[:DIGITS]) > limit

        async def counted() -> Message:
            nonlocal read
            message: Message = {} if too_long else await receive()
            read += len(message.get("body", b""))
            if too_long or read > limit:
                raise HTTPException(TOO_LARGE, f"A body of this kind has at most {limit} bytes.")
            return message

        await self._app(scope, counted, send)
