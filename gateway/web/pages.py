"""The pages that the gateway serves itself: kiosk, status, set-up, health, metrics. They work with no network.

The surprise is that none of them is there at the start. They come in rooms, by the first word of a path, and a room is
built when somebody first comes in: what nobody looks at (the set-up, after the first day) takes no memory of a Pi.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gateway.web.guard import App, Guard, Receive, Scope, Send

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import Response

    from gateway.web.rendering import Rendering
    from gateway.web.shown import Shown


def create_pages(gateway: Shown) -> Any:  # noqa: ANN401 - an ASGI application
    """The application behind its guard. Bind it to the local machine unless the site's network is trusted."""
    web = gateway.config.web
    return Guard(Rooms(gateway), names=web.names, kiosk_from_afar=web.kiosk == "network")


class Rooms:
    """An ASGI application of several, each built when it is first asked for."""

    def __init__(self, gateway: Shown) -> None:
        self._gateway = gateway
        self._rendering: Rendering | None = None
        self._built: dict[str, App] = {}
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks for it."""
        name = scope["path"].split("/")[1] if scope["type"] == "http" else ""
        room = name if name in ROOMS else ""
        app = self._built[room] if room in self._built else await self._open(room)
        await app(scope, receive, send)

    async def _open(self, room: str) -> App:
        async with self._building:
            # Beside the loop: it takes half a second of a Pi, and devices do not wait for pages.
            if room not in self._built:
                await asyncio.to_thread(self._build, room)
            return self._built[room]

    def _build(self, room: str) -> None:
        from fastapi import FastAPI  # noqa: PLC0415 - as all below, only where somebody looks

        from gateway.web.rendering import Rendering  # noqa: PLC0415

        self._rendering = self._rendering or Rendering()
        pages = FastAPI(title="Tallystick gateway", docs_url=None, redoc_url=None, openapi_url=None)
        ROOMS[room](pages, self._gateway, self._rendering)
        _problems(pages)
        self._built[room] = pages


def _kiosk(pages: FastAPI, gateway: Shown, rendering: Rendering) -> None:
    from gateway.web.kiosk_api import add_kiosk_api  # noqa: PLC0415
    from gateway.web.kiosk_page import add_kiosk_page  # noqa: PLC0415

    add_kiosk_api(pages, gateway, rendering.spoken)
    add_kiosk_page(pages, gateway, rendering)


def _setup(pages: FastAPI, gateway: Shown, rendering: Rendering) -> None:
    from gateway.web.kind_pages import add_kind_pages  # noqa: PLC0415
    from gateway.web.setup_pages import add_setup  # noqa: PLC0415

    add_setup(pages, gateway, rendering)
    add_kind_pages(pages, rendering)


def _hall(pages: FastAPI, gateway: Shown, rendering: Rendering) -> None:
    """Everything else."""
    from gateway.web.control_pages import add_control_pages  # noqa: PLC0415
    from gateway.web.rendering import add_static  # noqa: PLC0415
    from gateway.web.status_page import add_status  # noqa: PLC0415

    add_static(pages, rendering)
    add_status(pages, gateway, rendering)
    _machines(pages, gateway)
    add_control_pages(pages, gateway, rendering.spoken)


ROOMS: dict[str, Callable[[FastAPI, Shown, Rendering], None]] = {"kiosk": _kiosk, "setup": _setup, "": _hall}


def _machines(pages: FastAPI, gateway: Shown) -> None:
    from fastapi.responses import JSONResponse, Response  # noqa: PLC0415

    @pages.get("/healthz", response_model=None)
    async def health() -> Response:
        now = gateway.status()
        alarms = [alarm.text for alarm in now.alarms if alarm.severity == "critical"]
        return JSONResponse({"status": "ok" if now.well else "ill", "alarms": alarms}, 200 if now.well else 503)

    @pages.get("/metrics", response_model=None)
    async def metrics() -> Response:
        return Response(gateway.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _problems(pages: FastAPI) -> None:
    from fastapi.exceptions import RequestValidationError  # noqa: PLC0415
    from starlette.exceptions import HTTPException  # noqa: PLC0415

    from gateway.ports import UnknownCabinetError  # noqa: PLC0415
    from gateway.web.problems import problem  # noqa: PLC0415

    @pages.exception_handler(UnknownCabinetError)
    async def unknown(_request: Request, error: UnknownCabinetError) -> Response:
        return problem(404, "unknown-cabinet", str(error))

    @pages.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        plain = error.detail == HTTPStatus(error.status_code).phrase
        said = f"{request.method} {request.url.path} leads nowhere here." if plain else error.detail
        slug = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(error.status_code, "bad-request")
        return problem(error.status_code, slug, said)

    @pages.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return problem(422, "bad-request", wrong)
