"""Reading a request's raw body with a limit, so that nobody fills the memory by sending for ever."""

from __future__ import annotations

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from cloud.api.problems import Problem

DIGITS = 18


async def limited(request: Request, limit: int) -> bytes:
    """The body, at most ``limit`` bytes of it as it travels (compressed or not); Problem ``too-large`` on more."""
    return await arriving(request.receive, request.headers.get("content-length", ""), limit)


async def arriving(receive: Receive, announced: str, limit: int) -> bytes:
    """The same of a request that nobody has looked at yet; ClientDisconnect when its sender goes away."""
    if announced.isascii() and announced.isdigit() and (len(announced) > DIGITS or int(announced) > limit):
        raise Problem("too-large", f"A body has at most {limit} bytes.")
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size, more = size + len(part), message.get("more_body", False)
        if size > limit:
            raise Problem("too-large", f"A body has at most {limit} bytes.")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
