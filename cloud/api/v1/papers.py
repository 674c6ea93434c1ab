"""Papers: statements and invoices as PDF, tables and e-invoices."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from cloud.api.access import Reading
from cloud.api.problems import Problem, define, responses
from cloud.billing import repository as statements
from cloud.database import Tx
from cloud.documents.e_invoice import UnfitError, e_invoice, factur_x
from cloud.documents.invoice_facts import InvoiceFacts
from cloud.documents.lines_csv import lines_csv
from cloud.documents.paper import Paper
from cloud.web import gather_papers
from cloud.web.languages import Words, choose, read_languages

define(
    "unfit-e-invoice",
    409,
    "The document does not fit EN 16931",
    "'reasons' names each thing that is missing or differs.",
)

router = APIRouter(tags=["papers"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Language = Annotated[str, Query(alias="lang", max_length=20, description="en or zh-CN.")]
Form = Annotated[
    Literal["cii", "ubl", "factur-x"],
    Query(alias="format", description="EN 16931 as CII or as UBL, or inside the PDF."),
]
PDF, XML, CSV = "application/pdf", "application/xml", "text/csv; charset=utf-8"
PAPERS: dict[int | str, dict[str, object]] = {
    200: {"content": {PDF: {}}, "description": "A PDF/A-3b."},
    **responses("not-found"),
}


@router.get("/v1/statements/{statement_id}/paper", response_class=Response, responses=PAPERS)
async def statement(statement_id: Id, call: Reading, lang: Language = "en") -> Response:
    """The statement on paper: parties, lines, meters, how it was worked out, and how to check it."""
    words = _words(lang)
    paper = await call.context.store.read(
        lambda tx: gather_papers.statement_paper(tx, call.tenant, words, statement_id)
    )
    return await _pdf(paper, statement_id)


@router.get("/v1/statements/{statement_id}/lines.csv", response_class=Response, responses=responses("not-found"))
async def table(statement_id: Id, call: Reading) -> Response:
    """The lines as a table (RFC 4180); numbers in plain digits."""

    def work(tx: Tx) -> str:
        found = statements.statement(tx, call.tenant, statement_id)
        if found is None:
            raise Problem("not-found", f"There is no statement {statement_id}.")
        return lines_csv(statement_id, found.head.currency, found.lines)

    body = await call.context.store.read(work)
    return Response(body, media_type=CSV, headers=_file(f"{statement_id}.csv"))


@router.get("/v1/documents/{document_id}/paper", response_class=Response, responses=PAPERS)
async def document(document_id: Id, call: Reading, lang: Language = "en") -> Response:
    """The invoice on paper, with taxes and due day, and the statement it bills."""
    words = _words(lang)
    paper = await call.context.store.read(lambda tx: gather_papers.invoice_paper(tx, call.tenant, words, document_id))
    return await _pdf(paper, document_id)


@router.get(
    "/v1/documents/{document_id}/e-invoice",
    response_class=Response,
    responses=responses("not-found", "unfit-e-invoice"),
)
async def electronic(document_id: Id, call: Reading, form: Form = "cii", lang: Language = "en") -> Response:
    """The document as an EN 16931 e-invoice. One that does not fit the standard is refused with every reason."""
    words = _words(lang)

    def work(tx: Tx) -> tuple[InvoiceFacts | None, Paper | None]:
        paper = gather_papers.invoice_paper(tx, call.tenant, words, document_id) if form == "factur-x" else None
        return gather_papers.invoice_facts(tx, call.tenant, document_id), paper

    facts, paper = await call.context.store.read(work)
    if facts is None or (form == "factur-x" and paper is None):
        raise Problem("not-found", f"There is no document {document_id} that could be sent so.")
    try:
        body = await asyncio.to_thread(_electronic, facts, paper, form, words.tag)
    except UnfitError as error:
        raise Problem("unfit-e-invoice", str(error), reasons=error.reasons) from error
    kind, ending = (PDF, "pdf") if form == "factur-x" else (XML, "xml")
    return Response(body, media_type=kind, headers=_file(f"{facts.number}.{ending}"))


def _electronic(facts: InvoiceFacts, paper: Paper | None, form: str, language: str) -> bytes:
    if paper is not None:
        return factur_x(_render(paper), facts, language=language)
    return e_invoice(facts, "ubl" if form == "ubl" else "cii")


async def _pdf(paper: Paper | None, named: str) -> Response:
    if paper is None:
        raise Problem("not-found", f"There is no paper of {named}.")
    return Response(await asyncio.to_thread(_render, paper), media_type=PDF, headers=_file(f"{named}.pdf"))


def _render(paper: Paper) -> bytes:
    from cloud.documents.pdf import render  # noqa: PLC0415 - typst and its fonts are read by those who print

    return render(paper)


@cache
def _languages() -> Mapping[str, Words]:
    return read_languages()


def _words(asked: str) -> Words:
    return _languages()[choose(asked, None, "")]


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-cache"}
