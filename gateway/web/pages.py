"""The pages that the gateway serves itself: kiosk, status, set-up, health, metrics. They work with no network.

Each page is told here what it may ask of the gateway; what stands before all of them is in `guard.py`.
"""

from __future__ import annotations

from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from gateway.kiosk_desk import KioskDesk
from gateway.ports import UnknownCabinetError
from gateway.take_draw import DrawResult
from gateway.web.control_pages import add_control_pages
from gateway.web.guard import Guard
from gateway.web.kind_pages import add_kind_pages
from gateway.web.kiosk_api import add_kiosk_api
from gateway.web.kiosk_page import Served, add_kiosk_page
from gateway.web.problems import problem
from gateway.web.rendering import Rendering, add_static
from gateway.web.setup_deeds import Installed
from gateway.web.setup_pages import add_setup
from gateway.web.status_page import Watched, add_status


class Gateway(Watched, Served, Installed, Protocol):
    """What the pages show and do."""

    kiosk: KioskDesk | None

    async def draw(self, cabinet: str, badge: str, slot: str, quantity: int = 1, for_: str = "") -> DrawResult:
        """Somebody takes something. Raises UnknownCabinetError."""

    async def refill(self, cabinet: str, slot: str, quantity: int, badge: str) -> DrawResult:
        """Somebody put something in."""

    async def count(self, cabinet: str, slot: str, quantity: int, badge: str) -> DrawResult:
        """Somebody counted a slot."""

    def metrics(self) -> bytes:
        """The status for Prometheus."""


def create_pages(gateway: Gateway) -> Any:  # noqa: ANN401 - an ASGI application
    """The application behind its guard. Bind it to the local machine unless the site's network is trusted."""
    pages = FastAPI(title="Tallystick gateway", docs_url=None, redoc_url=None, openapi_url=None)
    rendering = Rendering()
    add_static(pages, rendering)
    add_kiosk_api(pages, gateway, rendering.spoken)
    add_kiosk_page(pages, gateway, rendering)
    add_status(pages, gateway, rendering)
    add_setup(pages, gateway, rendering)
    _machines(pages, gateway)
    add_control_pages(pages, gateway, rendering.spoken)
    add_kind_pages(pages, rendering)
    _problems(pages)
    web = gateway.config.web
    return Guard(pages, names=web.names, kiosk_from_afar=web.kiosk == "network")


def _machines(pages: FastAPI, gateway: Gateway) -> None:
    @pages.get("/healthz")
    async def health() -> Response:
        now = gateway.status()
        alarms = [alarm.text for alarm in now.alarms if alarm.severity == "critical"]
        return JSONResponse({"status": "ok" if now.well else "ill", "alarms": alarms}, 200 if now.well else 503)

    @pages.get("/metrics")
    async def metrics() -> Response:
        return Response(gateway.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _problems(pages: FastAPI) -> None:
    @pages.exception_handler(UnknownCabinetError)
    async def unknown(_request: Request, error: UnknownCabinetError) -> Response:
        return problem(404, "unknown-cabinet", str(error))

    @pages.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return problem(422, "bad-request", wrong)
