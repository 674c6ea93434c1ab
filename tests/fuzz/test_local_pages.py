"""The pages that a gateway serves itself: nothing that a browser or a neighbour sends makes them fall over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from fastapi.routing import APIRoute

from gateway.setup_code import SetupCode
from gateway.web.guard import MAX_BODY
from gateway.web.pages import ROOMS, Rooms
from tests.fuzz.hostile import BODIES
from tests.fuzz.schemas import Maker
from tests.fuzz.trees import TEXTS, mutated
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from tests.gateway.site import CABINET

ROUNDS = 12
KNOWN: dict[str, list[Any]] = {
    "cabinet": [CABINET], "badge": ["B0017", "B0020"], "slot": ["1", "2", "\u00b2"], "pin": ["1234"], "code": ["4711"],
    "quantity": [1], "expires": ["2027-01-01", "9999-12-31", "0001-01-01"], "unit": ["x"],
    "step": ["network", "devices", "slots"],
}  # fmt: skip
FORMS = (b"token=x&action=next", b"action=\xff&token=%ff", b"code=%D9%A0%D9%A1&code=2", b"=&=&&", b"a=1;b=2" * 100)
HEADERS: tuple[dict[str, bytes], ...] = (
    {}, {}, {"cookie": b"tally_setup=\xb2.\xb2"}, {"cookie": b"tally_setup=" + b"9" * 5000 + b".x"},
    {"cookie": b"=;=;\xff"},
    {"content-length": b"\xb2"}, {"accept-language": b"zh;q=x,,;;*;q=9"}, {"host": b"evil.example"},
    {"origin": b"null"},
    {"sec-fetch-site": b"\xff"}, {"content-type": b"application/x-www-form-urlencoded"},
    {"content-type": b"text/plain"},
)  # fmt: skip


class Page(NamedTuple):
    """A route of the local pages, and what its body looks like."""

    method: str
    path: str
    body: dict[str, Any] | None


def pages_of(kiosk: Kiosk) -> Iterator[Page]:
    """Every route there is; nobody keeps a list."""
    rooms = Rooms(kiosk.gateway)
    for name in ROOMS:
        rooms._build(name)
        app: Any = rooms._built[name]
        for route in app.routes:
            if isinstance(route, APIRoute):
                field: Any = route.body_field
                schema = None if field is None else field.field_info.annotation.model_json_schema()
                yield from (Page(method, route.path, schema) for method in sorted(route.methods or ()))


async def answers(kiosk: Kiosk, folder: Path) -> list[str]:
    """What fell over, in sentences."""
    wrong, session = [], await kiosk.badge()
    known = KNOWN | {"session": [session, "x"], "token": [session], "ep": ["b" * 16], "n": ["1"]}
    known["record"] = [f"{CABINET}/x/1"]
    for page in pages_of(kiosk):
        for number in range(ROUNDS):
            chance = Random(f"{number} {page.method} {page.path}")
            path = re.sub(r"{(\w+)[^}]*}", lambda name: _part(chance, known, name[1]), page.path)  # noqa: B023
            body = _body(chance, page, known)
            headers = {name.encode(): value for name, value in chance.choice(HEADERS).items()}
            answer = await kiosk.client.request(page.method, path, content=body, headers=headers)
            if answer.status_code >= 500 or (answer.status_code >= 400 and not answer.content):
                wrong.append(f"{page.method} {path} {headers} {body[:200]!r}: {answer.status_code} {answer.text[:200]}")
    return wrong


def _part(chance: Random, known: dict[str, list[Any]], name: str) -> str:
    text = str(chance.choice(known.get(name, ["x"]))) if chance.random() < 0.7 else chance.choice(TEXTS)[:100]
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass")) or "x"


def _body(chance: Random, page: Page, known: dict[str, list[Any]]) -> bytes:
    if page.method in ("GET", "HEAD") or chance.random() < 0.2:
        return b""
    if page.body is None:
        return chance.choice((*FORMS, *(raw[:MAX_BODY] for raw in BODIES.values())))
    value = Maker(page.body, known).make(chance, page.body)
    if chance.random() < 0.6:
        value = mutated(chance, value)
    if chance.random() < 0.15:
        return chance.choice(list(BODIES.values()))[:MAX_BODY]
    return json.dumps(value).encode()


def test_no_request_makes_a_local_page_fall_over(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        assert len(list(pages_of(kiosk))) > 30
        assert await answers(kiosk, tmp_path) == []

    at_the_kiosk(tmp_path, play)


def test_a_code_and_a_cookie_of_other_digits_are_wrong_and_nothing_else(tmp_path: Path) -> None:
    kept = SetupCode(tmp_path, lambda: "5a" * 16)
    kept.code()

    assert kept.enter("\u0660\u0661\u0662\u0663", 0, 0) == ""
    assert not kept.opens("\u00b2.\u00b2", 0)


def test_a_body_beyond_the_limit_is_refused_and_not_read(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        async def for_ever() -> Any:
            while True:
                yield b"x" * 10_000

        said = await kiosk.client.post("/kiosk/v1/draws", content=b"x" * (MAX_BODY + 1))
        unsaid = await kiosk.client.post("/setup", content=for_ever())

        assert (said.status_code, unsaid.status_code) == (413, 413)
        assert unsaid.json()["title"] == "too-large"

    at_the_kiosk(tmp_path, play)
