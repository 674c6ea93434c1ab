"""Nobody who posts a batch can tell the short way in from the framework's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.types import Receive

from cloud.api import problems
from cloud.api.bodies import arriving
from cloud.api.fast_lane import FastLane
from cloud.api.problems import Problem
from cloud.database import DatabaseAwayError

LOG = "ab" * 32


def refused() -> None:
    raise Problem("busy", "Too many.", headers={"Retry-After": "1"}, size=3)


def away() -> None:
    raise DatabaseAwayError("no route")


def broken() -> None:
    raise ZeroDivisionError


def well() -> None:
    """Nothing is wrong."""


def answered(app: FastAPI, path: str, body: bytes = b"x") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a POST."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
            return await client.post(path, content=body)

    answer = asyncio.run(ask())
    return answer.status_code, dict(answer.headers), answer.content


def application(happens: Callable[[], None], *, short: bool) -> FastAPI:
    """An application of one route, with or without the short way to it."""
    app = FastLane(redirect_slashes=False)
    problems.install(app)

    async def answer(_: FastAPI, log: str, encoding: str, length: str, receive: Receive) -> bytes:
        happens()
        return f"{log} {encoding} {length} ".encode() + await arriving(receive, length, 100)

    async def entries(request: Request, log: str) -> Response:
        headers = request.headers
        encoding, length = headers.get("content-encoding", ""), headers.get("content-length", "")
        return Response(await answer(app, log, encoding, length, request.receive), media_type="application/json")

    app.post("/v1/logs/{log}/entries", response_model=None)(entries)
    if short:
        app.answering = answer
    return app


@pytest.mark.parametrize("happens", [well, refused, away, broken])
def test_an_answer_is_the_same_on_both_ways(happens: Callable[[], None]) -> None:
    path = f"/v1/logs/{LOG}/entries"

    short = answered(application(happens, short=True), path)

    assert short == answered(application(happens, short=False), path)
    assert short[0] == {well: 200, refused: 429, away: 503, broken: 500}[happens]


@pytest.mark.parametrize("path", [f"/v1/logs/{LOG}/more/entries", f"/v1/logs/{LOG}", "/v1/logs/entries"])
def test_another_path_takes_the_long_way(path: str) -> None:
    status, _, _ = answered(application(well, short=True), path)

    assert status == 404


def test_a_caller_who_goes_away_in_the_middle_of_a_body_gets_no_answer() -> None:
    app = application(well, short=True)
    sent: list[object] = []
    messages: list[dict[str, object]] = [
        {"type": "http.request", "body": b"x", "more_body": True},
        {"type": "http.disconnect"},
    ]
    coming = iter(messages)

    async def receive() -> dict[str, object]:
        return next(coming)

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": f"/v1/logs/{LOG}/entries", "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))

    assert sent == []
