"""One table of everything that can be wrong with a request, answered as RFC 9457 problem documents, always.

``type`` is a URL this server answers with a page that says what to do. A module that has problems of its own adds them
to the table with ``define``. 422 is kept for payloads that are malformed or do not prove what they claim.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from cloud.database import DatabaseAwayError, UnstorableError
from cloud.money import MoneyError
from cloud.rating.lines import RatingError

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("tallystick.api")


class ProblemType(msgspec.Struct, frozen=True):
    """A kind of problem: its slug in the URL, HTTP status, title, and what the caller should do."""

    slug: str
    status: int
    title: str
    remedy: str


TABLE: dict[str, ProblemType] = {}


def define(slug: str, status: int, title: str, remedy: str) -> str:
    """Adds a problem to the table; returns its slug. Defining the same slug otherwise is a programming error."""
    new = ProblemType(slug, status, title, remedy)
    if TABLE.setdefault(slug, new) != new:
        raise ValueError(f"the problem {slug} is defined twice, differently")
    return slug


define("bad-request", 400, "The request cannot be understood", "Compare it with the API's description.")
define(
    "unauthorised", 401, "A valid API key is needed", "Send 'Authorization: Bearer tsk_...' with a key that is active."
)
define("forbidden", 403, "This key may not do that", "Use a key with the scope that is named.")
define("not-found", 404, "There is nothing here", "Check the path and the id.")
define("method-not-allowed", 405, "This path does not take that method", "The Allow header names those it takes.")
define("conflict", 409, "The request contradicts what is stored", "Read the current state and decide again.")
define(
    "idempotency-conflict",
    409,
    "This Idempotency-Key was used for another request",
    "Use a new key for a new request; repeat the old one unchanged.",
)
define("too-large", 413, "The body is too large", "Send less at once.")
define("malformed", 422, "The payload is malformed", "The field 'errors' names each place and what is expected there.")
define(
    "cannot-be-billed",
    409,
    "What was used cannot be billed by these terms",
    "'detail' says why: correct the terms, or take the record back that cannot be (a reversal).",
)
define("busy", 429, "Too much at once", "Wait as long as Retry-After says, then repeat the same request.")
define(
    "internal", 500, "Something broke in the cloud", "Repeat the request later; if it stays, report the time and path."
)
define("unavailable", 503, "The database does not answer", "Repeat the same request after a while; nothing was stored.")


class Problem(Exception):
    """Ends a request with a problem document; ``fields`` are added to it."""

    def __init__(
        self, slug: str, detail: str, *, headers: Mapping[str, str] | None = None, **fields: str | int | list[Any]
    ) -> None:
        super().__init__(f"{slug}: {detail}")
        self.kind = TABLE[slug]
        self.detail = detail
        self.headers = dict(headers or {})
        self.fields = fields


def answer(problem: Problem, path: str) -> Response:
    """The problem as a response."""
    document = {
        "type": f"/problems/{problem.kind.slug}",
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "instance": path,
        **problem.fields,
    }
    return Response(msgspec.json.encode(document), problem.kind.status, problem.headers, MEDIA_TYPE)


def responses(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """What a route declares: the problems it may answer with, for the API's description."""
    declared: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        kind = TABLE[slug]
        text = f"`{slug}`: {kind.title}."
        known = declared.get(kind.status)
        if known is not None:
            text = f"{known['description']} {text}"
        schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        declared[kind.status] = {"description": text, "content": schema}
    return declared


def install(app: FastAPI) -> None:
    """Makes every error of this application a problem document, and answers for the problems' own URLs."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(DatabaseAwayError, _away)
    app.add_exception_handler(UnstorableError, _unstorable)
    app.add_exception_handler(RatingError, _not_billable)
    app.add_exception_handler(MoneyError, _not_billable)
    app.add_exception_handler(Exception, _broken)

    @app.get("/problems/{slug}", include_in_schema=False)
    async def explain(slug: str) -> Response:
        kind = TABLE.get(slug)
        if kind is None:
            raise Problem("not-found", f"No problem is called {slug!r}.")
        return Response(msgspec.json.encode(kind), media_type="application/json")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(error, request.url.path)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    slugs = {401: "unauthorised", 403: "forbidden", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    slug = slugs.get(error.status_code, "internal" if error.status_code >= 500 else "bad-request")
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{request.method} {request.url.path} leads nowhere: {detail.lower()}."
    return answer(Problem(slug, detail, headers=error.headers), request.url.path)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"at": "/".join(str(part) for part in found["loc"]), "message": str(found["msg"])} for found in error.errors()
    ]
    first = f"{errors[0]['at']}: {errors[0]['message']}" if errors else "The payload is malformed."
    return answer(Problem("malformed", first, errors=errors), request.url.path)


async def _away(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    problem = Problem("unavailable", "The database does not answer just now.", headers={"Retry-After": "5"})
    return answer(problem, request.url.path)


async def _unstorable(request: Request, error: Exception) -> Response:
    log.info("%s %s: %s", request.method, request.url.path, error)
    problem = Problem("malformed", "A text or number in the request cannot be stored (a NUL, or more than 64 bits).")
    return answer(problem, request.url.path)


async def _not_billable(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return answer(Problem("cannot-be-billed", str(error)), request.url.path)


async def _broken(request: Request, error: Exception) -> Response:
    log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    return answer(Problem("internal", "An unexpected error; it is in the server's log."), request.url.path)
