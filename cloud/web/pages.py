"""The operator's pages: the live overview, a statement, its bundle; each only behind a session."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from cloud.billing import repository as statements
from cloud.billing.bundle import dump
from cloud.billing.evidence import bundle_of
from cloud.billing.statement import Statement
from cloud.database import Tx
from cloud.documents.daily import Series
from cloud.documents.lines_csv import lines_csv
from cloud.documents.paper import Paper
from cloud.web import gather_papers, guard
from cloud.web.rendering import live_values
from cloud.web.repository import overview as rows
from cloud.web.sessions import Visitor
from cloud.web.site import Visit, site_of
from cloud.web.views.charts import charts_of
from cloud.web.views.statement import statement_view

router = APIRouter(include_in_schema=False)


@router.get("/")
async def overview(request: Request) -> Response:
    """The live page, as things stand now; the browser then follows its stream."""
    visit = Visit(request)
    visitor = await admitted(visit)
    if isinstance(visitor, Response):
        return visitor
    if visitor.party:
        return visit.onward("/statements")
    found = await visit.site.boards.overview(visitor.tenant_id)
    return visit.page("live.html", {"tenant": found.tenant, **live_values(visit.words, found)})


@router.get("/live")
async def live(request: Request) -> Response:
    """The stream of the live page: fragments that differ from what the page has."""
    visit = Visit(request)
    visitor = await visit.visitor()
    if visitor is None or visitor.party:
        return Response("event: ended\ndata:\n\n", media_type="text/event-stream", headers=dict(guard.PRIVATE))

    async def allowed() -> bool:
        return await visit.visitor() is not None

    events = visit.site.boards.stream(visitor.tenant_id, visit.language, allowed)
    headers = {**guard.PRIVATE, "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.get("/statements/{statement_id}")
async def statement(request: Request, statement_id: str) -> Response:
    """A statement with its lines, how they were worked out, and what proves them."""
    visit = Visit(request)
    visitor = await admitted(visit)
    if isinstance(visitor, Response):
        return visitor

    def read(tx: Tx) -> tuple[Statement, dict[str, str], list[Series]] | None:
        found = _of(tx, visitor, statement_id)
        if found is None:
            return None
        return found, rows.names(tx, visitor.tenant_id), gather_papers.by_day(tx, visitor.tenant_id, found)

    read_out = await visit.site.context.store.read(read)
    if read_out is None:
        return _no_statement(visit)
    found, names, series = read_out
    view = statement_view(visit.words, found, names)
    charts = charts_of(visit.words, series, names)
    restricted = bool(visitor.party)
    command = f"tally-verify {view.file_name} --key GATEWAY_KEY"
    return visit.page(
        "statement.html", {"statement": view, "command": command, "charts": charts, "restricted": restricted}
    )


@router.get("/statements/{statement_id}/bundle")
async def bundle(request: Request, statement_id: str) -> Response:
    """The evidence bundle of a statement, as a file."""
    visit = Visit(request)
    visitor = await admitted(visit)
    if isinstance(visitor, Response):
        return visitor
    body = await visit.site.context.store.read(lambda tx: _bundle(tx, visit, visitor, statement_id))
    if body is None:
        return _no_statement(visit)
    return _file(body, "application/json", f"{statement_id}.json")


@router.get("/statements/{statement_id}/paper")
async def paper(request: Request, statement_id: str) -> Response:
    """The statement as a PDF, in the reader's language."""
    visit = Visit(request)
    visitor = await admitted(visit)
    if isinstance(visitor, Response):
        return visitor
    found = await visit.site.context.store.read(
        lambda tx: (
            gather_papers.statement_paper(tx, visitor.tenant_id, visit.words, statement_id)
            if _of(tx, visitor, statement_id)
            else None
        )
    )
    if found is None:
        return _no_statement(visit)
    body = await asyncio.to_thread(_printed, found)
    return _file(body, "application/pdf", f"{statement_id}.pdf", shown=True)


@router.get("/statements/{statement_id}/lines.csv")
async def table(request: Request, statement_id: str) -> Response:
    """The statement's lines as a table."""
    visit = Visit(request)
    visitor = await admitted(visit)
    if isinstance(visitor, Response):
        return visitor
    found = await visit.site.context.store.read(lambda tx: _of(tx, visitor, statement_id))
    if found is None:
        return _no_statement(visit)
    body = lines_csv(statement_id, found.head.currency, found.lines)
    return _file(body, "text/csv; charset=utf-8", f"{statement_id}.csv")


@router.get("/static/{name}")
async def static(request: Request, name: str, v: str = "") -> Response:
    """One of our own files; kept by the browser for ever when it is asked for by its version."""
    file = site_of(request).rendering.files.get(name)
    if file is None:
        return Response("no such file", 404, dict(guard.HEADERS), "text/plain")
    tag = f'"{file.version}"'
    kept = "public, max-age=31536000, immutable" if v == file.version else "no-cache"
    headers = {**guard.HEADERS, "Cache-Control": kept, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


def _printed(found: Paper) -> bytes:
    from cloud.documents.pdf import render  # noqa: PLC0415 - typst and its fonts are read by those who print

    return render(found)


async def admitted(visit: Visit) -> Visitor | Response:
    """Who is behind the session, or what to answer somebody without one."""
    return await visit.visitor() or visit.stranger()


def _of(tx: Tx, visitor: Visitor, statement_id: str) -> Statement | None:
    """A statement that the visitor may see: a customer's people see his own alone."""
    found = statements.statement(tx, visitor.tenant_id, statement_id)
    return found if found is not None and visitor.party in ("", found.head.customer_id) else None


def _file(body: bytes | str, kind: str, name: str, *, shown: bool = False) -> Response:
    """A file with its name; ``shown``: the browser may open it itself."""
    place = "inline" if shown else "attachment"
    headers = {**guard.PRIVATE, "Content-Disposition": f'{place}; filename="{name}"'}
    return Response(body, media_type=kind, headers=headers)


def _no_statement(visit: Visit) -> Response:
    _ = visit.words.gettext
    sentence = _("It may belong to another supplier, or its link was cut.")
    return visit.message(_("There is no such statement"), sentence, 404)


def _bundle(tx: Tx, visit: Visit, visitor: Visitor, statement_id: str) -> bytes | None:
    found = _of(tx, visitor, statement_id)
    if found is None:
        return None
    return dump(bundle_of(tx, visitor.tenant_id, found, visit.site.context.keys))
