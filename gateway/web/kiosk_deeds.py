"""What may be done at a cabinet through `/kiosk/v1`: draws, loans, pick-ups, returns, reports, counts, visits.

The surprise is that each is done once for one `request`, however often it is sent: browsers send again what was not
answered, fingers touch twice, and a power cut takes the answer away.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, time, timedelta
from typing import Any, Protocol

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from gateway.fill_slot import Filled
from gateway.kiosk_desk import KioskDesk
from gateway.periods import zone_of
from gateway.status import Status
from gateway.take_draw import DrawResult
from gateway.take_visit import picks
from gateway.web import kiosk_bodies as bodies


class Gateway(Protocol):
    """What the kiosk needs of it."""

    kiosk: KioskDesk | None

    async def draw(
        self, cabinet: str, badge: str, slot: str, quantity: int = 1, for_: str = "", serial: str = "",
        request: str = "",
    ) -> DrawResult:  # fmt: skip
        """Somebody takes something, in one go."""

    async def refill(self, cabinet: str, slot: str, quantity: int, badge: str, request: str = "") -> DrawResult:
        """Somebody put something in."""

    async def count(self, cabinet: str, slot: str, quantity: int, badge: str, request: str = "") -> DrawResult:
        """Somebody counted a slot."""

    def status(self) -> Status:
        """How it is now."""


class NotReadyError(Exception):
    """The gateway is still starting."""


def desk_of(gateway: Gateway) -> KioskDesk:
    """The desk. Raises NotReadyError."""
    if gateway.kiosk is None:
        raise NotReadyError("The gateway is starting. Wait a moment.")
    return gateway.kiosk


Teller = Callable[..., JSONResponse]


def add_deeds(pages: FastAPI, gateway: Gateway, told: Teller) -> None:
    """All of them."""
    _draws(pages, gateway, told)
    _counts(pages, gateway, told)
    _returns(pages, gateway, told)
    _visits(pages, gateway, told)


async def once(
    gateway: Gateway, word: str, whose: str, body: bodies.Deed, deed: Callable[[str], Coroutine[Any, Any, DrawResult]]
) -> DrawResult:
    """The deed, done once however often it is asked for under one id."""
    return await desk_of(gateway).repeats.once(word, whose, body.request, body, deed)


def _draws(pages: FastAPI, gateway: Gateway, told: Teller) -> None:
    @pages.post("/kiosk/v1/draws")
    async def draw(request: Request, body: bodies.DrawBody) -> Response:
        async def deed(name: str) -> DrawResult:
            if not body.session:
                return await gateway.draw(
                    body.cabinet, body.badge, body.slot, body.quantity, body.for_, body.serial, name
                )
            return await desk_of(gateway).draw(
                body.session, body.slot, body.quantity, cost_centre=body.cost_centre or body.for_, job=body.job,
                serial=body.serial, request=name,
            )  # fmt: skip

        result = await once(gateway, "draw", body.session or body.badge, body, deed)
        return told(request, result, slot=body.slot, session=body.session)

    @pages.post("/kiosk/v1/loans")
    async def lend(request: Request, body: bodies.LoanBody) -> Response:
        async def deed(name: str) -> DrawResult:
            return await desk_of(gateway).draw(
                body.session, body.slot, 1, cost_centre=body.cost_centre, job=body.job, lend=True, days=body.days,
                serial=body.serial, request=name,
            )  # fmt: skip

        result = await once(gateway, "draw", body.session, body, deed)
        return told(request, result, slot=body.slot, session=body.session)

    @pages.post("/kiosk/v1/used")
    async def use_again(request: Request, body: bodies.UsedBody) -> Response:
        async def deed(name: str) -> DrawResult:
            return await desk_of(gateway).use_again(body.session, body.slot, body.quantity, name)

        result = await once(gateway, "used", body.session, body, deed)
        return told(request, result, slot=body.slot, session=body.session)

    @pages.post("/kiosk/v1/pickups")
    async def pick_up(request: Request, body: bodies.PickUpBody) -> Response:
        async def deed(name: str) -> DrawResult:
            desk = desk_of(gateway)
            if body.session:
                return await desk.pick_up(body.session, body.id, body.serial, name)
            return await desk.pick_up_by_code(body.cabinet, body.code, body.serial, name)

        result = await once(gateway, "draw", body.session or body.code, body, deed)
        return told(request, result, session=body.session)


def _counts(pages: FastAPI, gateway: Gateway, told: Teller) -> None:
    @pages.post("/kiosk/v1/refills")
    async def refill(request: Request, body: bodies.GoodsBody) -> Response:
        async def deed(name: str) -> DrawResult:
            return await gateway.refill(body.cabinet, body.slot, body.quantity, body.badge, name)

        return told(request, await once(gateway, "fill", body.badge, body, deed), slot=body.slot)

    @pages.post("/kiosk/v1/counts")
    async def count(request: Request, body: bodies.GoodsBody) -> Response:
        async def deed(name: str) -> DrawResult:
            if body.session:
                return await desk_of(gateway).count(body.session, body.slot, body.quantity, name)
            return await gateway.count(body.cabinet, body.slot, body.quantity, body.badge, name)

        result = await once(gateway, "count", body.session or body.badge, body, deed)
        return told(request, result, slot=body.slot, session=body.session)


def _returns(pages: FastAPI, gateway: Gateway, told: Teller) -> None:
    @pages.post("/kiosk/v1/reports")
    async def report(request: Request, body: bodies.ReportBody) -> Response:
        async def deed(_: str) -> DrawResult:
            return await desk_of(gateway).report(body.session, body.record, body.what, body.words)

        result = await once(gateway, "report", body.session, body, deed)
        return told(request, result, slot=desk_of(gateway).slot_of(body.record), session=body.session)

    @pages.post("/kiosk/v1/verdicts")
    async def decide(request: Request, body: bodies.VerdictBody) -> Response:
        async def deed(_: str) -> DrawResult:
            return await desk_of(gateway).decide(body.session, body.record, body.outcome, body.evidence)

        return told(request, await once(gateway, "verdict", body.session, body, deed))

    @pages.post("/kiosk/v1/returns")
    async def give_back(request: Request, body: bodies.ReturnBody) -> Response:
        async def deed(name: str) -> DrawResult:
            desk = desk_of(gateway)
            return await desk.bring_back(body.session, body.record, body.quantity, body.condition, name)

        return told(request, await once(gateway, "return", body.session, body, deed), session=body.session)

    @pages.post("/kiosk/v1/loan-returns")
    async def loan_back(request: Request, body: bodies.LoanBackBody) -> Response:
        async def deed(name: str) -> DrawResult:
            return await desk_of(gateway).bring_loan(body.session, body.record, body.condition, name)

        return told(request, await once(gateway, "loan_back", body.session, body, deed), session=body.session)


def _visits(pages: FastAPI, gateway: Gateway, told: Teller) -> None:
    @pages.post("/kiosk/v1/visits")
    async def begin(request: Request, body: bodies.VisitBody) -> Response:
        desk = desk_of(gateway)
        visit = await desk.begin_visit(body.session)
        if isinstance(visit, DrawResult):
            return told(request, visit, session=body.session)
        visitor = desk.visitor(body.session)
        pick = [msgspec.to_builtins(one) for one in picks(desk.premises, visitor.cabinet)]
        return JSONResponse({"outcome": "open", "visit": visit, "session": body.session, "pick": pick})

    @pages.post("/kiosk/v1/visits/{ep}/{n}/slots")
    async def fill(request: Request, ep: str, n: str, body: bodies.FilledBody) -> Response:
        async def deed(name: str) -> DrawResult:
            desk = desk_of(gateway)
            done = Filled(
                body.slot, body.found, body.filled, body.removed, body.spoiled, body.full, body.lot,
                ends_ms(desk, body), tuple(one for one in (body.serial, *body.serials) if one), name,
            )  # fmt: skip
            return await desk.fill(body.session, f"{ep}/{n}", done)

        result = await once(gateway, "fill", body.session, body, deed)
        return told(request, result, slot=body.slot, session=body.session)

    @pages.post("/kiosk/v1/visits/{ep}/{n}/doors")
    async def door(request: Request, ep: str, n: str, body: bodies.DoorBody) -> Response:
        async def deed(_: str) -> DrawResult:
            return await desk_of(gateway).open_door(body.session, f"{ep}/{n}", body.slot)

        return told(request, await once(gateway, "door", body.session, body, deed), slot=body.slot)

    @pages.delete("/kiosk/v1/visits/{ep}/{n}")
    async def end(ep: str, n: str, session: str) -> Response:
        return JSONResponse({"outcome": "closed", "slots": await desk_of(gateway).end_visit(session, f"{ep}/{n}")})


def ends_ms(desk: KioskDesk, body: bodies.FilledBody) -> int | None:
    """The end of the day a package names, on the site's clock; ms UTC."""
    if body.expires is None:
        return None
    zone = zone_of(desk.premises.desired.current.book.zone)
    over = datetime.combine(body.expires + timedelta(days=1), time(), tzinfo=zone)
    return int(over.astimezone(UTC).timestamp()) * 1000
