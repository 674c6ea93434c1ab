"""`/kiosk/CABINET`: the page on the cabinet's touch screen. It lives on `/kiosk/v1`, the same API that scripts use.

The surprise is what it asks after a power cut: the page has outlived the gateway and holds a draw of which it knows
nothing. `/last` answers from the journal, so that the person in front of it reads what became of it and not "error".
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.answered import flag
from gateway.badge_board import BadgeBoard
from gateway.config import Config
from gateway.drivers.badge_numbers import normal
from gateway.premises import Premises
from gateway.take_draw import DrawResult
from gateway.web.guard import is_here
from gateway.web.problems import problem
from gateway.web.rendering import NAMES, Rendering, tag
from gateway.web.sentences import sentence
from gateway.wiring import Site
from wire.records import Draw, Intent

REMEMBERED = 200
SLACK_MS = 2_000


class Served(Protocol):
    """What the page needs of the gateway besides the API."""

    config: Config
    premises: Premises | None
    site: Site
    badges: BadgeBoard


class WedgeBody(BaseModel):
    """What a reader that acts as a keyboard has typed."""

    model_config = ConfigDict(extra="forbid")

    read: Annotated[str, Field(min_length=1, max_length=64)]


class LastBody(BaseModel):
    """The deed whose answer was lost: its slot, when it was asked for, and its `request` by which session or code."""

    model_config = ConfigDict(extra="forbid")

    slot: str = Field(default="", max_length=64)
    since_ms: int = Field(ge=0, le=2**53)
    whose: str = Field(default="", max_length=64)
    request: str = Field(default="", max_length=64)


def add_kiosk_page(pages: FastAPI, gateway: Served, rendering: Rendering) -> None:
    """`/kiosk`, `/kiosk/{cabinet}`, and what only this page asks."""

    @pages.get("/kiosk")
    async def choice(request: Request) -> Response:
        cabinets = sorted(gateway.site.cabinets)
        if len(cabinets) == 1:
            return RedirectResponse(f"/kiosk/{cabinets[0]}")
        return rendering.page("kiosk_choice.html", request, {"cabinets": cabinets})

    @pages.get("/kiosk/{cabinet}")
    async def kiosk(request: Request, cabinet: str) -> Response:
        if cabinet not in gateway.site.cabinets:
            return RedirectResponse("/kiosk")
        views = [
            (tag(code), name, rendering.text("kiosk_views.html", code, {"names": NAMES}))
            for code, name in NAMES.items()
        ]
        values = {"cabinet": cabinet, "views": views, "title": gateway.config.gateway.name}
        return rendering.page("kiosk.html", request, values)

    @pages.post("/kiosk/v1/cabinets/{cabinet}/last")
    async def last(request: Request, cabinet: str, body: LastBody) -> Response:
        if gateway.premises is None:
            return problem(503, "starting", "The gateway is starting. Wait a moment.")
        _, words = rendering.spoken(request)
        name = flag("draw", body.whose, body.request)
        result = await became(gateway.premises, cabinet, body.slot, body.since_ms - SLACK_MS, name)
        key = f"{result.key.src}/{result.key.ep}/{result.key.n}" if result.key else ""
        told: dict[str, Any] = {"outcome": result.outcome, "qty": result.qty, "reason": "", "slot": body.slot}
        return JSONResponse({**told, "record": key, "sentence": sentence(result, words), "ask": "", "offer": []})

    @pages.get("/kiosk/v1/cabinets/{cabinet}/badge")
    async def badge(request: Request, cabinet: str) -> Response:
        if not is_here(request.scope):
            return problem(403, "not-here", "Badges are told to the screen at the cabinet and to nobody else.")
        found = await gateway.badges.wait(cabinet)
        return JSONResponse({"badge": found})

    @pages.post("/kiosk/v1/wedge")
    async def wedge(body: WedgeBody) -> Response:
        web = gateway.config.web
        return JSONResponse({"badge": normal(body.read, web.wedge_reads, web.wedge_gives) or ""})


async def became(premises: Premises, cabinet: str, slot: str, since_ms: int, name: str = "") -> DrawResult:
    """What became of the request of this name (``answered``), else of the last draw from this slot since then, by the
    journal. `pending`: nobody knows yet.
    """
    found = premises.answered.get(name)
    if found is not None:
        return DrawResult(found.outcome or "pending", found.qty, key=found.key)
    said = await premises.journal.said(cabinet, REMEMBERED)
    mine = [one for one in said if isinstance(one, Draw | Intent) and one.slot == slot and one.t >= since_ms]
    if not mine:
        return DrawResult("void")
    newest = mine[-1]
    if isinstance(newest, Intent):
        return DrawResult("pending")
    outcome = "refused" if newest.outcome == "denied" else newest.outcome
    reason = newest.confirmation if newest.outcome == "denied" else ""
    return DrawResult(outcome, newest.qty, reason, key=newest.key)
