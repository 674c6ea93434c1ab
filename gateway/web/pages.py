"""The pages that the gateway serves itself: kiosk, status, health, metrics. They work with no network.

`/status` is a page for a browser and JSON for everything else, so that a technician and a script ask the same thing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import BaseLoader, Environment, TemplateNotFound, select_autoescape
from pydantic import BaseModel, ConfigDict, Field

from gateway.ports import UnknownCabinetError
from gateway.premises import Premises
from gateway.run_controls import Ordered, UnitState
from gateway.status import Status
from gateway.take_draw import DrawResult
from gateway.web.control_pages import add_control_pages, shown, why
from gateway.web.kind_pages import add_kind_pages
from gateway.web.languages import Words, choose, read_languages
from gateway.web.problems import problem
from gateway.web.sentences import sentence, title

Name = Annotated[str, Field(min_length=1, max_length=64)]
Speaker = Callable[[Request], tuple[str, Words]]
NAMES = {"en": "English", "zh_CN": "\u4e2d\u6587"}


class Gateway(Protocol):
    """What the pages show and do."""

    premises: Premises | None

    async def draw(self, cabinet: str, badge: str, slot: str, quantity: int = 1, for_: str = "") -> DrawResult:
        """Somebody takes something. Raises UnknownCabinetError."""

    async def refill(self, cabinet: str, slot: str, quantity: int, badge: str) -> DrawResult:
        """Somebody put something in."""

    async def count(self, cabinet: str, slot: str, quantity: int, badge: str) -> DrawResult:
        """Somebody counted a slot."""

    def controlled(self) -> Sequence[UnitState]:
        """Air units and relays as they are now."""

    async def order_level(self, unit: str, badge: str, level: int | None, reason: str, seconds: int) -> Ordered:
        """A person's order. Raises UnknownUnitError, NotStored."""

    def status(self) -> Status:
        """How it is now."""

    def metrics(self) -> bytes:
        """The same for Prometheus."""


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


def create_pages(gateway: Gateway) -> FastAPI:
    """The application. Bind it to the local machine unless the site's network is trusted."""
    pages = FastAPI(title="Tallystick gateway", docs_url=None, redoc_url=None, openapi_url=None)
    languages = read_languages()

    def words(request: Request) -> tuple[str, Words]:
        code = choose(request.query_params.get("lang", ""), request.headers.get("accept-language", ""))
        return code, languages[code]

    _kiosk(pages, gateway, words)
    _views(pages, gateway, words)
    add_control_pages(pages, gateway, words)
    add_kind_pages(pages, _templates().get_template("kinds.html"), NAMES, words)
    _problems(pages)
    return pages


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


def _views(pages: FastAPI, gateway: Gateway, words: Speaker) -> None:
    template = _templates().get_template("status.html")

    @pages.get("/")
    async def home() -> Response:
        return RedirectResponse("/status")

    @pages.get("/status")
    async def status(request: Request) -> Response:
        now, doubtful = gateway.status(), _doubtful(gateway)
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({**msgspec.to_builtins(now), "doubtful": doubtful, "units": shown(gateway)})
        code, language = words(request)
        tag, _ = code.replace("_", "-"), language.gettext
        called = functools.partial(title, words=language)
        told = functools.partial(why, words=language)
        units = gateway.controlled()
        page = template.render(
            now=now, doubtful=doubtful, units=units, tag=tag, languages=NAMES, title=called, why=told, _=_
        )
        return HTMLResponse(page)

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


def _doubtful(gateway: Gateway) -> list[dict[str, Any]]:
    """Slots that someone should count."""
    if gateway.premises is None:
        return []
    return [{"cabinet": cabinet, "slot": slot} for cabinet, slot in gateway.premises.shelf.doubtful()]


class _Packaged(BaseLoader):
    """Templates out of the installed package."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, None, None]:  # noqa: ARG002
        file = resources.files("gateway.web").joinpath("templates", template)
        if not file.is_file():
            raise TemplateNotFound(template)
        return file.read_text("utf-8"), None, None


def _templates() -> Environment:
    return Environment(loader=_Packaged(), autoescape=select_autoescape(["html"]), trim_blocks=True)
