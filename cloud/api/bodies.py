"""Reading a request's raw body with a limit, so that nobody fills the memory by sending for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from cloud.api.problems import Problem

DIGITS = 18


async def limited(request: Request, limit: int) -> bytes:
    """The body, at most ``limit`` bytes of it as it travels (compressed or not); Problem ``too-large`` on more."""
    return await _gathered(request.stream(), request.headers.get("content-length", ""), limit)


async def arriving(receive: Receive, announced: str, limit: int) -> bytes:
    """The same of a request of which nobody has read anything; ClientDisconnect when its sender goes away."""
    return await _gathered(_parts(receive), announced, limit)


async def _gathered(body: AsyncIterator[bytes], announced: str, limit: int) -> bytes:
    if announced.isascii() and announced.isdigit() and (len(announced) > DIGITS or int(announced) > limit):
        raise Problem("too-large", f"A body has at most {limit} bytes.")
    parts: list[bytes] = []
    size = 0
    async for part in body:
        size += len(part)
        if size > limit:
            raise Problem("too-large", f"A body has at most {limit} bytes.")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        yield message.get("body", b"")
