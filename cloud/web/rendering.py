"""Templates to HTML: everything escaped, every text translated, one environment for each language.

The surprise: a template never sees a fact, only what a view has put into words; so there is nothing to format and
nothing to decide in HTML, and a missing value is an error instead of an empty place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from cloud.web.facts import Overview
from cloud.web.figures import moment
from cloud.web.languages import Words
from cloud.web.views.bill import bill_views, closed_rows
from cloud.web.views.devices import device_rows
from cloud.web.views.events import event_rows
from cloud.web.views.glance import calls
from cloud.web.views.orders import order_rows
from cloud.web.views.stock import slot_maps

PARTS = ("glance", "devices", "stock", "orders", "bill", "events")
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class StaticFile(NamedTuple):
    """A file of ours as it is sent."""

    content: bytes
    media_type: str
    version: str


class Rendering:
    """All templates in all languages, and the static files they point to."""

    def __init__(self, languages: Mapping[str, Words]) -> None:
        self.languages = languages
        self.files = read_static()
        self._environments = {code: self._environment(words) for code, words in languages.items()}

    def page(self, name: str, code: str, values: Mapping[str, object]) -> str:
        """A whole page."""
        return self._environments[code].get_template(name).render(values)

    def parts(self, code: str, overview: Overview) -> dict[str, str]:
        """The live page's parts, each a fragment with the id of its name."""
        values = live_values(self.languages[code], overview)
        environment = self._environments[code]
        return {part: environment.get_template(f"parts/{part}.html").render(values) for part in PARTS}

    def _environment(self, words: Words) -> Environment:
        environment = Environment(
            loader=PackageLoader("cloud.web"),
            extensions=["jinja2.ext.i18n"],
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            words.catalogue.gettext, words.catalogue.ngettext, newstyle=True
        )
        others = [{"code": other.code, "tag": other.tag, "name": other.name} for other in self.languages.values()]
        environment.globals.update(tag=words.tag, language=words.code, languages=others, static=self._address)
        return environment

    def _address(self, name: str) -> str:
        """Where a static file is, with its version, so that browsers may keep it for ever."""
        return f"/static/{name}?v={self.files[name].version}"


def live_values(words: Words, overview: Overview) -> dict[str, object]:
    """What the parts of the live page show, in words."""
    return {
        "calls": calls(words, overview),
        "devices": device_rows(words, overview.devices, overview.now_ms),
        "cabinets": slot_maps(words, overview.cabinets),
        "orders": order_rows(words, overview.orders),
        "bills": bill_views(words, overview.bills, overview.names),
        "statements": closed_rows(words, overview.statements),
        "events": event_rows(words, overview.events, overview.names),
        "now": moment(words, overview.now_ms, overview.zone),
    }


def read_static() -> dict[str, StaticFile]:
    """Our static files by name."""
    found = {}
    for file in resources.files("cloud.web").joinpath("static").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in _TYPES:
            content = file.read_bytes()
            found[file.name] = StaticFile(content, _TYPES[suffix], hashlib.sha256(content).hexdigest()[:16])
    return found
