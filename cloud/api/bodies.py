"""Reading a request's raw body with a limit, so that nobody fills the memory by sending for ever."""

from __future__ import annotations

from fastapi import Request

from cloud.api.problems import Problem

DIGITS = 18


async def limited(request: Request, limit: int) -> bytes:
    """The body, at most ``limit`` bytes of it as it travels (compressed or not); Problem ``too-large`` on more."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > DIGITS or int(announced) > limit):
        raise Problem("too-large", f"A body has at most {limit} bytes.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Problem("too-large", f"A body has at most {limit} bytes.")
        parts.append(part)
    return b"".join(parts)
