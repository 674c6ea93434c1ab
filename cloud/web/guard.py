"""What protects a page in the browser: response headers, and the check that a form was sent from a page of ours.

Nothing inline is ever run: styles and scripts are files of ours, so that a name somebody typed can at worst look odd.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request

_RULES = (
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types tallystick",
)
POLICY = "; ".join(_RULES)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PRIVATE: Mapping[str, str] = {**HEADERS, "Cache-Control": "no-store", "Vary": "Cookie, Accept-Language"}


def is_ours(request: Request) -> bool:
    """Whether a form comes from a page of this very site, or from no browser at all."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or origin == f"{request.url.scheme}://{request.headers.get('host', '')}"


def comes_from_elsewhere(request: Request) -> bool:
    """Whether another site sent the browser here, or it only looks ahead: no place to use up or to change anything."""
    looks_ahead = "prefetch" in request.headers.get("sec-purpose", "") or request.headers.get("purpose") == "prefetch"
    return looks_ahead or request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}


def is_secure(request: Request) -> bool:
    """Whether the page was asked for over HTTPS, so that its cookies may be kept to that."""
    return request.url.scheme == "https"
