"""Forms that change something: who may send one, what it says, and the answers to whoever may not."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import Request, Response

from cloud.web import guard
from cloud.web.sessions import Visitor
from cloud.web.site import Visit

MOST_FORM = 16 * 1024


async def writer(request: Request) -> tuple[Visit, Visitor | None]:
    """Whoever may change something, by a form of ours."""
    visit = Visit(request)
    visitor = await visit.visitor() if guard.is_ours(request) else None
    return visit, visitor if visitor is not None and visitor.writes else None


def refused(visit: Visit) -> Response:
    """To somebody who may look only."""
    _ = visit.words.gettext
    return visit.message(_("Nothing was done"), _("Your key may look at this page and not change anything."), 403)


def nothing_here(visit: Visit) -> Response:
    """To somebody whose page this is not."""
    _ = visit.words.gettext
    sentence = _("It may belong to somebody else, or its link was cut.")
    return visit.message(_("There is nothing here"), sentence, 404)


async def form(request: Request) -> dict[str, str]:
    """Its fields; of one that came twice, the first."""
    raw = await body(request, MOST_FORM)
    return {name: values[0] for name, values in parse_qs(raw.decode(errors="replace")).items()}


async def body(request: Request, most: int) -> bytes:
    """The body; what is longer than it may be is cut and then no bank's file and no form any more."""
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > most:
            return b""
    return found
