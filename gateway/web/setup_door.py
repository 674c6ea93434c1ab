"""Who may use the set-up pages: whoever typed the gateway's code. A form must bring its session's token.

The cookie goes with requests of these pages only (SameSite=Strict, Path=/setup) and no script reads it.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from gateway.clock import Clock
from gateway.setup_code import SESSION_MS, SetupCode

COOKIE = "tally_setup"
BIGGEST = 20_000


class OutsideError(Exception):
    """Nobody is signed in here."""


class StaleFormError(Exception):
    """The form does not belong to this session."""


class Door:
    """Before every set-up page."""

    def __init__(self, code: SetupCode, clock: Clock) -> None:
        self._code = code
        self._clock = clock

    def session(self, request: Request) -> str:
        """The session. Raises OutsideError."""
        session = request.cookies.get(COOKIE, "")
        if not session or not self._code.opens(session, self._clock.wall_ms()):
            raise OutsideError
        return session

    def token(self, request: Request) -> str:
        """What a form of this session must bring. Raises OutsideError."""
        return self._code.token(self.session(request))

    async def form(self, request: Request) -> dict[str, str]:
        """The fields of a form of this session. Raises OutsideError, StaleFormError."""
        fields = await fields_of(request)
        if fields.pop("token", "") != self.token(request):
            raise StaleFormError
        return fields

    async def enter(self, request: Request) -> Response | str:
        """A session for the right code, else the trouble's word."""
        typed = (await fields_of(request)).get("code", "")
        wall, mono = self._clock.wall_ms(), self._clock.mono_ms()
        session = self._code.enter(typed, wall, mono)
        if not session:
            return "shut" if self._code.is_shut(mono) else "wrong_code"
        answer = RedirectResponse("/setup", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, session, max_age=SESSION_MS // 1000, path="/setup", httponly=True, samesite="strict", secure=secure
        )
        return answer

    def leave(self) -> Response:
        """Signed out."""
        answer = RedirectResponse("/setup", 303)
        answer.delete_cookie(COOKIE, path="/setup")
        return answer


async def fields_of(request: Request) -> dict[str, str]:
    """A form's fields, the last of each name."""
    body = (await request.body())[:BIGGEST].decode("utf-8", "replace")
    return {name: values[-1].strip() for name, values in parse_qs(body, keep_blank_values=True).items()}
