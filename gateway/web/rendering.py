"""Templates to HTML and the files they point to: everything escaped, every text translated, one environment a language.

The surprise: the kiosk's page is rendered once for each language and holds both, so that it changes over when a badge
is read, with nothing to fetch and nothing to wait for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound

from gateway.web.languages import Words, choose, read_languages

NAMES = {"en": "English", "zh_CN": "\u4e2d\u6587"}
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"


class StaticFile(NamedTuple):
    """A file of ours as it is sent."""

    content: bytes
    media_type: str
    version: str


class Rendering:
    """All templates in all languages, and the static files."""

    def __init__(self) -> None:
        self.languages = read_languages()
        self.files = _read_static()
        self._environments = {code: self._environment(code, words) for code, words in self.languages.items()}

    def spoken(self, request: Request) -> tuple[str, Words]:
        """The language of `?lang=`, else of the browser: its code and its words."""
        code = choose(request.query_params.get("lang", ""), request.headers.get("accept-language", ""))
        return code, self.languages[code]

    def text(self, name: str, code: str, values: Mapping[str, object]) -> str:
        """A template in a language."""
        return self._environments[code].get_template(name).render(values)

    def page(self, name: str, request: Request, values: Mapping[str, object], status: int = 200) -> Response:
        """A whole page in the language of the request; `here` is where its language can be changed."""
        code, _ = self.spoken(request)
        return HTMLResponse(self.text(name, code, {"here": request.url.path, **values}), status)

    def _environment(self, code: str, words: Words) -> Environment:
        environment = Environment(
            loader=_Packaged(),
            extensions=["jinja2.ext.i18n"],
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
        environment.globals.update(tag=tag(code), language=code, languages=NAMES, static=self._address)
        return environment

    def _address(self, name: str) -> str:
        """Where a static file is, with its version, so that browsers may keep it for ever."""
        return f"/static/{name}?v={self.files[name].version}"


def tag(code: str) -> str:
    """A language's code as HTML writes it."""
    return code.replace("_", "-")


def wants_a_page(request: Request) -> bool:
    """Whether a browser asks, and no program."""
    return "text/html" in request.headers.get("accept", "")


def add_static(pages: FastAPI, rendering: Rendering) -> None:
    """`/static/NAME`, for ever where the version is that of the file."""

    @pages.get("/static/{name}")
    async def static(name: str, v: str = "") -> Response:
        file = rendering.files.get(name)
        if file is None:
            return Response("Not here.", 404, media_type="text/plain")
        kept = FOREVER if v == file.version else "no-cache"
        return Response(file.content, media_type=file.media_type, headers={"Cache-Control": kept})


class _Packaged(BaseLoader):
    """Templates out of the installed package."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, None, None]:  # noqa: ARG002
        file = resources.files("gateway.web").joinpath("templates", template)
        if not file.is_file():
            raise TemplateNotFound(template)
        return file.read_text("utf-8"), None, None


def _read_static() -> dict[str, StaticFile]:
    found = {}
    for file in resources.files("gateway.web").joinpath("static").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in TYPES:
            content = file.read_bytes()
            found[file.name] = StaticFile(content, TYPES[suffix], hashlib.sha256(content).hexdigest()[:16])
    return found
