"""The site of one running cloud: languages, templates, boards; and who is asking, in which language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from cloud.api.context import Context, context_of
from cloud.clock import Clock
from cloud.web import guard, sessions
from cloud.web.boards import Boards
from cloud.web.languages import Words, choose, read_languages
from cloud.web.rendering import Rendering
from cloud.web.sessions import LIVES_MS, Opened, Times, Visitor

SESSION = "tally_session"
LANGUAGE = "tally_language"
_YEAR = 365 * 24 * 3600


class Site:
    """``people`` is the clock that people live by: the real one, also where the cloud's own is a demonstration's."""

    def __init__(self, context: Context, people: Clock, languages: Mapping[str, Words]) -> None:
        self.context = context
        self.people = people
        self.rendering = Rendering(languages)
        self.boards = Boards(context.store, context.clock, people, self.rendering)

    def now(self) -> Times:
        """Now, for people and for the cloud."""
        return Times(self.people.now_ms(), self.context.clock.now_ms())


def site_of(request: Request) -> Site:
    """The site of the application that received this request, built when the first page is asked for."""
    state = request.app.state
    if not hasattr(state, "site"):
        state.site = Site(context_of(request), Clock(), read_languages())
    return cast("Site", state.site)


class Visit:
    """One request for a page."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.site = site_of(request)
        asked, kept = request.query_params.get("lang"), request.cookies.get(LANGUAGE)
        offered = tuple(self.site.rendering.languages)
        self.language = choose(asked, kept, request.headers.get("accept-language", ""), offered)
        self._keep_language = asked == self.language and kept != asked

    @property
    def words(self) -> Words:
        """The language spoken."""
        return self.site.rendering.languages[self.language]

    async def visitor(self) -> Visitor | None:
        """Who it is, by the session's cookie."""
        token = self.request.cookies.get(SESSION, "")
        now = self.site.now()
        if not token:
            return None
        return await self.site.context.store.read(lambda tx: sessions.visitor_of(tx, token, now))

    def page(self, name: str, values: Mapping[str, object], status: int = 200) -> Response:
        """A whole page."""
        return self._sent(HTMLResponse(self.site.rendering.page(name, self.language, values), status))

    def message(self, heading: str, sentence: str, status: int, *, onward: str = "") -> Response:
        """A page that says one thing; with ``onward`` the browser goes there by itself."""
        return self.page("message.html", {"heading": heading, "sentence": sentence, "onward": onward}, status)

    def said(self, sentence: str, status: int) -> Response:
        """One sentence, for a script of ours."""
        return self._sent(PlainTextResponse(sentence, status))

    def stranger(self) -> Response:
        """Sends somebody without a session to sign in.

        A browser that comes from another site does not show its session's cookie; it is first sent here again by
        ourselves.
        """
        if guard.comes_from_elsewhere(self.request):
            _ = self.words.gettext
            path = quote(self.request.url.path)
            return self.message(_("One moment"), _("The page opens in a moment."), 200, onward=path)
        return self.onward("/sign-in")

    def onward(self, path: str, opened: Opened | None = None) -> Response:
        """Sends the browser on, with a session that was just opened."""
        response = Response(status_code=303, headers={"Location": path})
        if opened is not None:
            self._cookie(response, SESSION, opened.token, LIVES_MS["web_session"] // 1000)
        return self._sent(response)

    def without_session(self, path: str) -> Response:
        """Sends the browser on and takes its session's cookie away."""
        response = self.onward(path)
        response.delete_cookie(SESSION, path="/", httponly=True, samesite="strict")
        return response

    def _sent(self, response: Response) -> Response:
        response.headers.update(guard.PRIVATE)
        if guard.is_secure(self.request):
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if self._keep_language:
            self._cookie(response, LANGUAGE, self.language, _YEAR)
        return response

    def _cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        attributes: dict[str, Any] = {"path": "/", "httponly": True, "samesite": "strict"}
        response.set_cookie(name, value, max_age=seconds, secure=guard.is_secure(self.request), **attributes)
