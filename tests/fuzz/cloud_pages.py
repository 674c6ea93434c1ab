"""Addresses and forms that no page of the cloud's wrote, sent by somebody who is signed in and may write.

Nobody keeps a list of the routes: every one that the API's document does not tell of is asked. An answer may refuse,
send elsewhere or show a page; it may not break, say nothing, or carry back markup that somebody typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from fastapi.routing import APIRoute

import cloud.web
from cloud.api.discovery import routers
from tests.cloud.twins import CloudTwin
from tests.fuzz.trees import TEXTS

# A stream that never ends; it is asked for nothing but the session that every page asks for.
ENDLESS = frozenset({"/live"})
SCRIPT = "<script>alert(1)</script>"
FIELDS: dict[str, tuple[str, ...]] = {
    "record": (f"cab-1/{'b' * 16}/1", "cab-1//1", "cab-1/x/\u0661", "/".join("x" * 40)),
    "outcome": ("taken", "not_taken", "confirmed"), "evidence": ("counted",), "who": ("Mia",),
    "amount": ("1.00", "0", "-1", "1,00", "1e3", "5.00"), "document_id": ("doc-1",), "api_key": ("tk_1",),
    "code": ("x",), "name": ("bank.csv", "bank.xml"), "lang": ("en", "zh_CN", "xx"), "token": ("x",),
    "page": ("1", "0", "-1", "\u00b2"), "from": ("2026-11-01",), "to": ("2026-12-01",), "paid_on": ("2026-11-01",),
}  # fmt: skip
FILES = (
    b"booked_on;amount;currency;reference;payer;text\n2026-12-03;5.00;EUR;r-1;Harbour;thanks\n",
    b"booked_on;amount\n\xff;\n", b"<Document/>", b"", b";" * 9000, b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
)  # fmt: skip
HEADERS: tuple[dict[str, bytes], ...] = (
    {}, {}, {}, {}, {"accept-language": b"zh;q=9999, ;;;"}, {"host": b"evil.example"}, {"origin": b"null"},
    {"sec-fetch-site": b"cross-site"}, {"sec-fetch-site": b"\xff"}, {"content-type": b"multipart/form-data"},
    {"cookie": b"tally_session=\xb2.\xff; =;"}, {"if-none-match": b'"x", *'}, {"range": b"bytes=9-1"},
    {"content-length": b"\xb2"},
)  # fmt: skip


class Page(NamedTuple):
    """A route of the pages."""

    method: str
    path: str


@dataclass
class PageAttack:
    """What is being attacked, and what was found. ``known``: path or field name -> values that mean something here."""

    cloud: CloudTwin
    known: dict[str, list[Any]]
    wrong: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def pages(self) -> Iterator[Page]:
        """Every route that is there and no part of the API."""
        told = self.cloud.ask("GET", "/openapi.json", key="").json()["paths"]
        for route in (one for router in routers(cloud.web) for one in router.routes):
            if isinstance(route, APIRoute) and route.path not in told and route.path not in ENDLESS:
                yield from (Page(method, route.path) for method in sorted(route.methods or ()))

    def run(self, rounds: int, seed: str) -> None:
        """So many requests of each page."""
        for number in range(rounds):
            for page in self.pages():
                self.ask(page, Random(f"{seed}/{number}/{page.method} {page.path}"), f"{seed}/{number}")

    def ask(self, page: Page, chance: Random, seed: str) -> None:
        """One request; what is wrong with its answer is kept."""
        target, body, headers = self._target(page, chance), self._body(page, chance), chance.choice(HEADERS)
        sent: dict[str, Any] = {"cookie": f"tally_session={self._session()}".encode(), **headers}
        answer = self.cloud.ask(page.method, target, key="", body=body, headers=sent)
        self.cloud.http.cookies.clear()
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        for fault in faults(answer):
            self.wrong.append(f"{seed} {page.method} {target[:200]} {headers} {body[:300]!r}: {fault}")

    def _session(self) -> str:
        """Somebody's who may write; a new one, because pages end sessions too."""
        answer = self.cloud.ask("POST", "/sign-in", key="", body=f"api_key={self.cloud.key}".encode())
        self.cloud.http.cookies.clear()
        return str(answer.cookies["tally_session"])

    def _target(self, page: Page, chance: Random) -> str:
        path = re.sub(r"{(\w+)[^}]*}", lambda name: _quoted(self._text(chance, name[1])) or "x", page.path)
        path = "/".join("x" if part in (".", "..") else part for part in path.split("/"))
        asked = chance.sample(sorted(FIELDS), chance.choice((0, 0, 1, 2)))
        return path + ("?" if asked else "") + "&".join(f"{name}={_quoted(self._text(chance, name))}" for name in asked)

    def _body(self, page: Page, chance: Random) -> bytes:
        if page.method in ("GET", "HEAD"):
            return b""
        if chance.random() < 0.3:
            return chance.choice(FILES)
        names = sorted(FIELDS) if chance.random() < 0.5 else ["record", "outcome", "evidence", "who", "document_id"]
        form = "&".join(f"{name}={_quoted(self._text(chance, name))}" for name in names)
        return form.encode() + chance.choice((b"", b"", b"", b"&&&=", b"&who=%ff%00", b"&a=" + b"x" * 20_000))

    def _text(self, chance: Random, name: str) -> str:
        if chance.random() < 0.3:
            return chance.choice((*TEXTS, SCRIPT))[:400]
        return str(chance.choice([*self.known.get(name, ()), *FIELDS.get(name, ("x",))]))


def faults(answer: httpx.Response) -> list[str]:
    """Where an answer is none that a page may give."""
    wrong = []
    if answer.status_code >= 500:
        wrong.append(f"{answer.status_code} {answer.text[:300]}")
    if answer.status_code >= 400 and not answer.content:
        wrong.append(f"{answer.status_code} says nothing")
    if answer.headers.get("content-type", "").startswith("text/html"):
        if SCRIPT in answer.text:
            wrong.append("carries back what somebody typed as markup")
        if "content-security-policy" not in answer.headers:
            wrong.append("a page without its policy")
    return wrong


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
