"""How people come in: by an API key, or by a link with a one-time code; and how they go.

The surprise: a link that another site (or a program that looks ahead) follows only shows a button. The code is used up
by the person's own step, so a message's preview cannot spend it.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from cloud.api.access import Reading
from cloud.api.idempotency import to_json
from cloud.api.problems import responses
from cloud.web import guard, sessions
from cloud.web.sessions import LIVES_MS
from cloud.web.site import Visit, site_of

MOST_BYTES = 4096
router = APIRouter()


class EntryCodeOut(BaseModel):
    """A code that opens one session; it is shown only here."""

    code: str
    url: str = Field(description="The link that signs in with it.", examples=["http://127.0.0.1:8400/enter?code=..."])
    expires_in: int = Field(description="Seconds.", examples=[300])


@router.post(
    "/v1/entry-codes",
    status_code=201,
    tags=["pages"],
    response_model=EntryCodeOut,
    responses=responses("unauthorised", "forbidden"),
)
async def create_entry_code(request: Request, call: Reading) -> Response:
    """Makes a one-time code with which a person opens the pages as this API key."""
    now, entropy, caller = site_of(request).now(), call.context.entropy, call.caller
    code = await call.context.store.run(
        lambda tx: sessions.create_code(tx, entropy, caller.tenant_id, caller.key_id, now)
    )
    url = f"{str(request.base_url).rstrip('/')}/enter?code={code}"
    made = EntryCodeOut(code=code, url=url, expires_in=LIVES_MS["entry_code"] // 1000)
    return Response(to_json(made), 201, {"Cache-Control": "no-store"}, "application/json")


@router.get("/sign-in", include_in_schema=False)
async def sign_in_form(request: Request) -> Response:
    """The form; somebody who has a session goes on."""
    visit = Visit(request)
    if await visit.visitor() is not None:
        return visit.onward("/")
    return visit.page("sign_in.html", {"problem": ""})


@router.post("/sign-in", include_in_schema=False)
async def sign_in(request: Request) -> Response:
    """Opens a session with an API key."""
    visit = Visit(request)
    _ = visit.words.gettext
    if not guard.is_ours(request):
        return _not_ours(visit)
    entropy, now, key = visit.site.context.entropy, visit.site.now(), await _field(request, "api_key")
    opened = await visit.site.context.store.run(lambda tx: sessions.open_with_key(tx, entropy, key, now))
    if opened is None:
        problem = _("No active key is written like this. Was it copied whole, and may it read?")
        return visit.page("sign_in.html", {"problem": problem}, 403)
    return visit.onward("/", opened)


@router.get("/enter", include_in_schema=False)
async def enter_by_link(request: Request, code: str = "") -> Response:
    """Signs in with a code; where another site sent the browser here, after the person's own step."""
    visit = Visit(request)
    if guard.comes_from_elsewhere(request):
        return visit.page("enter.html", {"code": code})
    return await _enter(visit, code)


@router.post("/enter", include_in_schema=False)
async def enter(request: Request) -> Response:
    """Signs in with a code."""
    visit = Visit(request)
    if not guard.is_ours(request):
        return _not_ours(visit)
    return await _enter(visit, await _field(request, "code"))


@router.post("/sign-out", include_in_schema=False)
async def sign_out(request: Request) -> Response:
    """Ends the session."""
    visit = Visit(request)
    if not guard.is_ours(request):
        return _not_ours(visit)
    visitor = await visit.visitor()
    if visitor is not None:
        await visit.site.context.store.run(lambda tx: sessions.end(tx, visitor))
        visit.site.boards.departed(visitor.tenant_id)
    return visit.without_session("/sign-in")


async def _enter(visit: Visit, code: str) -> Response:
    entropy, now = visit.site.context.entropy, visit.site.now()
    opened = await visit.site.context.store.run(lambda tx: sessions.open_with_code(tx, entropy, code, now))
    if opened is not None:
        return visit.onward("/", opened)
    _ = visit.words.gettext
    sentence = _("Such a link works once, for five minutes. Ask for a new one, or sign in with an API key.")
    return visit.message(_("This link does not sign in any more"), sentence, 403)


def _not_ours(visit: Visit) -> Response:
    _ = visit.words.gettext
    sentence = _("The form did not come from this site. Open the page here and repeat it.")
    return visit.message(_("Nothing was done"), sentence, 403)


async def _field(request: Request, name: str) -> str:
    """One field of a form; "" when it is missing or the form is not one of ours."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return ""
    return parse_qs(body.decode(errors="replace")).get(name, [""])[0]
