"""What stands before every local page: who may ask, from which page a deed may come, and what a browser may load.

The surprise is the host's name. A page of the internet can have its own name point at 127.0.0.1 and then ask us as if
it were ours (DNS rebinding); so a name with dots is answered only when it is a local one or `[web] names` has it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from gateway.web.problems import problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 64 * 1024
_DIGITS = re.compile(r"[0-9]{1,18}\Z")
SAFE = {"GET", "HEAD", "OPTIONS"}
LOCAL_ENDS = (".local", ".lan", ".home.arpa", ".internal", ".localhost")
_RULES = (
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types tallystick",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(_RULES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """An ASGI application around the pages. `names`: more host names; `kiosk_from_afar`: from other machines too."""

    def __init__(self, app: App, *, names: Collection[str] = (), kiosk_from_afar: bool = False) -> None:
        self._app = app
        self._names = {name.lower() for name in names}
        self._afar = kiosk_from_afar

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers itself where the request may not pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await problem(*refusal)(scope, receive, with_headers)
            return
        await self._app(scope, _limited(receive), with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_our_name(host):
            return (
                421,
                "unknown-host",
                "This gateway has another name. Use its address, or add this one to [web] names.",
            )
        announced = headers.get("content-length", "")
        if announced and not (_DIGITS.match(announced) and int(announced) <= MAX_BODY):
            return 413, "too-large", f"A request to these pages has at most {MAX_BODY} bytes."
        if scope["method"] not in SAFE and not is_ours(headers, scope["scheme"]):
            return 403, "foreign-page", "This was sent from a page that is not ours, so nothing was done."
        if scope["path"].startswith("/kiosk") and not self._afar and not is_here(scope):
            return 403, "not-here", 'The kiosk is used at the cabinet. To allow the network: [web] kiosk = "network".'
        return None

    def _is_our_name(self, host: str) -> bool:
        name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        name = name.lower().removesuffix(".")
        if "." not in name and ":" not in name:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names or name.endswith(LOCAL_ENDS)
        return True


def _limited(receive: Receive) -> Receive:
    """Nobody fills a Pi's memory by sending for ever: a body that did not say its length is cut off at the limit."""
    read = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY:
            raise HTTPException(413, f"A request to these pages has at most {MAX_BODY} bytes.")
        return message

    return counted


def is_ours(headers: Headers, scheme: str) -> bool:
    """Whether a deed comes from a page of this very gateway, or from no browser at all."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or origin == f"{scheme}://{headers.get('host', '')}"


def is_here(scope: Scope) -> bool:
    """Whether the request comes from this very machine."""
    client = scope.get("client")
    if client is None:
        return True
    try:
        return ipaddress.ip_address(client[0].partition("%")[0]).is_loopback
    except ValueError:
        return False
