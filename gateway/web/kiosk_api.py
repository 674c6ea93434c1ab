"""`/kiosk/v1`: everything that may be done at a cabinet, as JSON, for the kiosk page and for scripts on this machine.

The surprise: a refusal is no error. It is an answer (200) with a reason for machines, a sentence in the person's
language and whom to ask. Only a session that is over (401), an unknown cabinet (404), an id that was used for something
else (409) and a malformed request (422) are.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from gateway.kiosk_desk import KioskDesk
from gateway.kiosk_view import mine, tiles
from gateway.open_questions import questions
from gateway.repeats import UsedAgainError
from gateway.status import Status
from gateway.take_draw import DrawResult
from gateway.visitors import SessionOverError, Visitor
from gateway.web import kiosk_bodies as bodies
from gateway.web.kiosk_deeds import Gateway, NotReadyError, Teller, add_deeds, desk_of
from gateway.web.languages import Words
from gateway.web.problems import problem
from gateway.web.sentences import ask_whom, say, sentence

Speaker = Callable[[Request], tuple[str, Words]]
LOCAL = ("127.0.0.1", "::1", "localhost", "testclient")
# The cloud was heard of late, in seconds.
FRESH = 120


def add_kiosk_api(pages: FastAPI, gateway: Gateway, words: Speaker) -> None:
    """All of it."""
    told = _teller(gateway, words)
    _sessions(pages, gateway, words)
    _views(pages, gateway, words)
    add_deeds(pages, gateway, told)
    _problems(pages)


def _teller(gateway: Gateway, words: Speaker) -> Teller:
    def told(request: Request, result: DrawResult, *, slot: str = "", session: str = "") -> JSONResponse:
        key = f"{result.key.src}/{result.key.ep}/{result.key.n}" if result.key else ""
        language = words(request)[1]
        helps = result.outcome in ("not_dispensed", "jammed", "refused", "reported", "unverified") and session
        offered = gateway.kiosk.offer(session, slot) if helps and slot and gateway.kiosk else []
        body = {
            "outcome": result.outcome, "qty": result.qty, "reason": result.reason, "record": key, "slot": slot,
            "sentence": sentence(result, language), "ask": ask_whom(result, language), "offer": offered,
        }  # fmt: skip
        return JSONResponse(body)

    return told


def _sessions(pages: FastAPI, gateway: Gateway, words: Speaker) -> None:
    @pages.post("/kiosk/v1/sessions")
    async def open_one(request: Request, body: bodies.SessionBody) -> Response:
        desk, language = desk_of(gateway), words(request)[1]
        found = await desk.open(body.cabinet, badge=body.badge, code=body.code, pin=body.pin)
        if isinstance(found, DrawResult):
            said = {"reason": found.reason, "sentence": sentence(found, language), "ask": ask_whom(found, language)}
            return JSONResponse({"outcome": found.outcome, "session": "", "cabinet": body.cabinet, **said})
        return JSONResponse(session_of(desk, found))

    @pages.get("/kiosk/v1/sessions/{token}")
    async def one(token: str) -> Response:
        desk = desk_of(gateway)
        return JSONResponse(session_of(desk, desk.visitor(token)))

    @pages.post("/kiosk/v1/sessions/{token}/alive")
    async def alive(token: str) -> Response:
        return JSONResponse({"seconds": desk_of(gateway).visitor(token).seconds})

    @pages.delete("/kiosk/v1/sessions/{token}")
    async def leave(token: str) -> Response:
        await desk_of(gateway).leave(token)
        return JSONResponse({"outcome": "closed"})

    @pages.get("/kiosk/v1/sessions/{token}/mine")
    async def own(token: str) -> Response:
        desk = desk_of(gateway)
        return JSONResponse(mine(desk.premises, desk.visitor(token)))


def session_of(desk: KioskDesk, visitor: Visitor) -> dict[str, object]:
    """A session as the page sees it."""
    desired, age = desk.premises.desired.current, desk.premises.desired.age_seconds
    book, person = desired.book, visitor.person
    centres = [
        {"id": one.id, "name": one.name or one.id}
        for one in book.cost_centres
        if one.open and (not person.cost_centres or one.id in (*person.cost_centres, person.cost_centre))
    ]
    jobs = [
        {"id": one.id, "name": one.name or one.id, "cost_centre": one.cost_centre}
        for one in book.jobs
        if one.open and (not person.jobs or one.id in person.jobs)
    ]
    old = desk.premises.policy.too_old(book.cabinet(visitor.cabinet), age)
    return {
        "outcome": "open", "session": visitor.token, "cabinet": visitor.cabinet, "person": person.person,
        "name": person.name, "language": person.language, "roles": sorted(visitor.roles), "seconds": visitor.seconds,
        "cost_centre": person.cost_centre, "cost_centres": centres, "jobs": jobs, "visit": visitor.visit,
        "rules": {"version": book.version or desired.version, "age_seconds": age, "old": old},
        "reason": "", "sentence": "", "ask": "",
    }  # fmt: skip


def _views(pages: FastAPI, gateway: Gateway, words: Speaker) -> None:
    @pages.get("/kiosk/v1/cabinets")
    async def cabinets() -> Response:
        desk = desk_of(gateway)
        return JSONResponse({"cabinets": [{"cabinet": one, "state": desk.state(one).state} for one in desk.cabinets]})

    @pages.get("/kiosk/v1/cabinets/{cabinet}/slots")
    async def slots(request: Request, cabinet: str, session: str = "") -> Response:
        desk, language = desk_of(gateway), words(request)[1]
        desk.cabinet(cabinet)
        visitor = desk.visitor(session) if session else None
        planogram = desk.premises.desired.current.planograms.get(cabinet)
        shown = [msgspec.to_builtins(one) for one in tiles(desk.premises, cabinet, visitor)]
        for one in shown:
            limit = one["limit"] or {}
            facts = {"used": limit.get("used", 0), "allowed": limit.get("quantity", 0)}
            one["sentence"] = say(one["reason"], facts, language) or one["sentence"]
            asks = one["ask"]
            one["ask"] = language.gettext(asks)
        return JSONResponse({"cabinet": cabinet, "planogram": planogram.version if planogram else 0, "slots": shown})

    @pages.get("/kiosk/v1/questions")
    async def open_questions() -> Response:
        found = [msgspec.to_builtins(one) for one in questions(desk_of(gateway).premises)]
        return JSONResponse({"questions": found})

    @pages.get("/kiosk/v1/cabinets/{cabinet}/state")
    async def state(request: Request, cabinet: str, after: int = 0) -> Response:
        desk = desk_of(gateway)
        now = await desk.watch(cabinet, after) if after else desk.state(cabinet)
        local = request.client is not None and request.client.host in LOCAL
        told = msgspec.structs.replace(now, session=now.session if local else "")
        return JSONResponse({**msgspec.to_builtins(told), **around(desk, gateway.status(), cabinet)})


def around(desk: KioskDesk, now: Status, cabinet: str) -> dict[str, object]:
    """What the line of status at the foot of the page needs: link, what waits, rules, clock."""
    age = desk.premises.desired.age_seconds
    stopped = next((one.text for one in now.alarms if one.code in ("journal_full", "journal_down")), "")
    heard = age is not None and age < FRESH and not now.desired.trouble
    link = "online" if heard else "offline" if now.enrolled and now.desired.version else "never"
    book = desk.premises.desired.current.book
    told: dict[str, object] = {
        "link": link, "pending": now.pending, "rules_age_seconds": age, "clock": now.clock, "now_ms": now.wall_ms,
        "rules_old": desk.premises.policy.too_old(book.cabinet(cabinet), age), "help": book.help, "zone": book.zone,
        "why": stopped,
    }  # fmt: skip
    return {**told, "state": "stopped"} if stopped else told


def _problems(pages: FastAPI) -> None:
    @pages.exception_handler(SessionOverError)
    async def over(_request: Request, error: SessionOverError) -> Response:
        return problem(401, "session-over", str(error))

    @pages.exception_handler(UsedAgainError)
    async def used_again(_request: Request, error: UsedAgainError) -> Response:
        return problem(409, "request-used", str(error))

    @pages.exception_handler(NotReadyError)
    async def starting(_request: Request, error: NotReadyError) -> Response:
        return problem(503, "starting", str(error))
