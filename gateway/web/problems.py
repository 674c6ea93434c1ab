"""What a local page answers when it cannot do as asked: RFC 9457."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response


def problem(status: int, name: str, detail: str) -> Response:
    """A problem document with its status."""
    body = {"type": f"about:blank#{name}", "title": name, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
