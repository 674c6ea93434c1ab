"""The pages that the gateway serves itself: kiosk, status, set-up, health, metrics. They work with no network.

Each page is told here what it may ask of the gateway; what stands before all of them is in `guard.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Protocol

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.ports import UnknownCabinetError
from gateway.take_draw import DrawResult
from gateway.web.control_pages import add_control_pages
from gateway.web.guard import Guard
from gateway.web.kind_pages import add_kind_pages
from gateway.web.languages import Words
from gateway.web.problems import problem
from gateway.web.rendering import Rendering, add_static
from gateway.web.sentences import sentence
from gateway.web.status_page import Watched, add_status

Name = Annotated[str, Field(min_length=1, max_length=64)]
Speaker = Callable[[Request], tuple[str, Words]]


class Gateway(Watched, Protocol):
    """What the pages show and do."""

    async def draw(self, cabinet: str, badge: str, slot: str, quantity: int = 1, for_: str = "") -> DrawResult:
        """Somebody takes something. Raises UnknownCabinetError."""

    async def refill(self, cabinet: str, slot: str, quantity: int, badge: str) -> DrawResult:
        """Somebody put something in."""

    async def count(self, cabinet: str, slot: str, quantity: int, badge: str) -> DrawResult:
        """Somebody counted a slot."""

    def metrics(self) -> bytes:
        """The status for Prometheus."""


class DrawBody(BaseModel):
    """A badge, a slot, and how many pieces for which job."""

    model_config = ConfigDict(extra="forbid")

    cabinet: Name
    badge: Name
    slot: Name
    quantity: int = Field(default=1, ge=1, le=99)
    for_: str = Field(default="", max_length=100, alias="for")


class GoodsBody(BaseModel):
    """A slot, how many pieces were put in or counted, and by whom."""

    model_config = ConfigDict(extra="forbid")

    cabinet: Name
    badge: Name
    slot: Name
    quantity: int = Field(ge=0, le=100_000)


def create_pages(gateway: Gateway) -> Any:  # noqa: ANN401 - an ASGI application
    """The application behind its guard. Bind it to the local machine unless the site's network is trusted."""
    pages = FastAPI(title="Tallystick gateway", docs_url=None, redoc_url=None, openapi_url=None)
    rendering = Rendering()
    add_static(pages, rendering)
    _kiosk(pages, gateway, rendering.spoken)
    add_status(pages, gateway, rendering)
    _machines(pages, gateway)
    add_control_pages(pages, gateway, rendering.spoken)
    add_kind_pages(pages, rendering)
    _problems(pages)
    web = gateway.config.web
    return Guard(pages, names=web.names, kiosk_from_afar=web.kiosk == "network")


def _kiosk(pages: FastAPI, gateway: Gateway, words: Speaker) -> None:
    def told(request: Request, result: DrawResult) -> JSONResponse:
        key = f"{result.key.src}/{result.key.ep}/{result.key.n}" if result.key else ""
        text = sentence(result, words(request)[1])
        body = {"outcome": result.outcome, "qty": result.qty, "reason": result.reason, "sentence": text, "record": key}
        return JSONResponse(body)

    @pages.post("/kiosk/v1/draws")
    async def draw(request: Request, body: DrawBody) -> Response:
        result = await gateway.draw(body.cabinet, body.badge, body.slot, body.quantity, body.for_)
        return told(request, result)

    @pages.post("/kiosk/v1/refills")
    async def refill(request: Request, body: GoodsBody) -> Response:
        return told(request, await gateway.refill(body.cabinet, body.slot, body.quantity, body.badge))

    @pages.post("/kiosk/v1/counts")
    async def count(request: Request, body: GoodsBody) -> Response:
        return told(request, await gateway.count(body.cabinet, body.slot, body.quantity, body.badge))


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
