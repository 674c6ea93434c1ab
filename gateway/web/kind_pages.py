"""`/setup/devices`: every family of devices with its settings, as its driver describes itself, in two languages.

The surprise: nothing is listed here by hand. A driver that is added is on this page, in the command
`tally-gateway devices kinds` and in docs/devices.md at once; what it says of itself is translated by its own catalogue.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from gateway import drivers
from gateway.web.languages import Words
from gateway.web.rendering import Rendering, wants_a_page


class Setting(msgspec.Struct, frozen=True):
    """One setting of a kind."""

    name: str
    default: str
    needed: bool
    meaning: str


class Kind(msgspec.Struct, frozen=True):
    """One family."""

    kind: str
    link: str
    shipped: str
    about: str
    settings: list[Setting]
    profiles: list[str]


def add_kind_pages(pages: FastAPI, rendering: Rendering) -> None:
    """A page for a browser, JSON with the settings' schemas for everything else."""

    @pages.get("/setup/devices")
    async def kinds(request: Request) -> Response:
        _code, language = rendering.spoken(request)
        if not wants_a_page(request):
            schemas = {kind: one.Settings.model_json_schema() for kind, one in drivers.discover().items()}
            found = {one.kind: msgspec.to_builtins(one) | {"schema": schemas[one.kind]} for one in listed(language)}
            return JSONResponse(found)
        return rendering.page("kinds.html", request, {"kinds": listed(language)})


def listed(words: Words) -> list[Kind]:
    """Every family, in order of its name."""
    return [_kind(kind, driver, words) for kind, driver in sorted(drivers.discover().items())]


def _kind(kind: str, driver: Any, words: Words) -> Kind:  # noqa: ANN401 - as above
    fields = driver.Settings.model_json_schema().get("properties", {})
    settings = [
        Setting(name, str(one.get("default", "")), "default" not in one, words.gettext(one.get("description", "")))
        for name, one in fields.items()
    ]
    profiles = _models() if "profile" in driver.Settings.model_fields else []
    shipped = (*getattr(driver, "shipped", ()), "")[0]
    return Kind(kind, driver.link, shipped, words.gettext(drivers.about(driver)), settings, profiles)


@functools.cache
def _models() -> list[str]:
    return [f"{name} ({drivers.find_profile(name).model})" for name in drivers.profile_files()]
