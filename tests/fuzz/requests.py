"""Requests nobody thought of, for every operation of the OpenAPI document: half of them right, half almost.

The surprise is that the right half matters: only behind an agreement that was really made, and a document that was
really issued, is there something to break. Every answer must keep what the document promises: no 5xx, problems as
problem+json of a kind that is registered, declared status, media type and schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

import httpx

from cloud.api.problems import TABLE
from tests.cloud.twins import CloudTwin
from tests.fuzz.schemas import Maker
from tests.fuzz.trees import TEXTS, mutated

PROBLEM = "application/problem+json"
MEMBERS = {"type": str, "title": str, "status": int, "detail": str, "instance": str}
# A long poll waits for news, and there are none here; it is asked without waiting.
# Ids held of each kind: the first ones, which have a past, and the newest.
KEPT = 4
PATIENT = {"wait": ["0"]}
HEADERS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"idempotency-key": "k"}, {"idempotency-key": "x" * 128}, {"idempotency-key": "x" * 129},
    {"if-none-match": '"x", *'}, {"accept-language": "zh;q=9999, ;;;"}, {"content-encoding": "gzip"},
    {"content-encoding": "br"},
    {"content-type": "application/xml"}, {"content-type": "application/json; charset=utf-16"},
    {"content-length": "\u00b2"},
    {"signature-input": "sig=();keyid=\"x\"", "signature": "sig=:AA==:"}, {"cookie": "tally=\u00b2.\u00ff"},
    {"ce-specversion": "1.0", "ce-id": "%ff", "ce-source": "a", "ce-type": "t",
    "ce-time": "0001-01-01T00:00:00+14:00"},
)  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """A method of a path, as the document tells it."""

    method: str
    path: str
    told: Mapping[str, Any]


@dataclass
class Attack:
    """What is being attacked, and what was found. ``known``: field name -> values that mean something here."""

    cloud: CloudTwin
    known: dict[str, list[Any]]
    wrong: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.document: dict[str, Any] = self.cloud.ask("GET", "/openapi.json", key="").json()
        self.maker = Maker(self.document, self.known)

    def operations(self) -> list[Operation]:
        """Every one of the document."""
        return [
            Operation(method.upper(), path, told)
            for path, methods in sorted(self.document["paths"].items())
            for method, told in sorted(methods.items())
        ]

    def run(self, rounds: int, seed: str) -> None:
        """So many requests of each operation."""
        for number in range(rounds):
            for one in self.operations():
                chance = Random(f"{seed}/{number}/{one.method} {one.path}")
                self.ask(one, chance, f"{seed}/{number}")

    def ask(self, one: Operation, chance: Random, seed: str) -> None:
        """One request of an operation; what is wrong with its answer is kept."""
        target, headers = self._target(one, chance), dict(chance.choice(HEADERS))
        body = self._body(one, chance)
        if "requestBody" in one.told and "content-type" not in headers:
            headers["content-type"] = next(iter(one.told["requestBody"]["content"]))
        sent = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = self.cloud.ask(one.method, target, body=body, headers=sent)  # type: ignore[arg-type]
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        if answer.status_code in (200, 201) and one.method != "GET":
            self._learn(answer)
        for fault in self.faults(one, answer):
            self.wrong.append(f"{seed} {one.method} {target[:200]} {headers} {body[:400]!r}: {fault}")

    def _learn(self, answer: httpx.Response) -> None:
        """Ids of what was just made: the next requests go behind it."""
        told = answer.json() if answer.headers.get("content-type", "").startswith("application/json") else {}
        for name, value in told.items() if isinstance(told, dict) else ():
            if name.endswith("_id") and isinstance(value, str) and value:
                held = self.known.setdefault(name, [])
                if value not in held:
                    held.append(value)
                    del held[KEPT:-KEPT]

    def _target(self, one: Operation, chance: Random) -> str:
        path, query = one.path, []
        for told in one.told.get("parameters", ()):
            name, kind = told["name"], told["in"]
            if kind == "path":
                path = path.replace(f"{{{name}}}", quote(self._value(told, chance), safe="", errors="replace"))
            elif kind == "query" and (told.get("required") or chance.random() < 0.5):
                text = PATIENT[name][0] if name in PATIENT else self._value(told, chance)
                query.append(f"{name}={quote(text, safe='', errors='replace')}")
        # A path of dots alone would be another path before it leaves this process.
        path = "/".join("x" if part in (".", "..") else part for part in path.split("/"))
        return path + ("?" + "&".join(query) if query else "")

    def _value(self, told: Mapping[str, Any], chance: Random) -> str:
        if chance.random() < 0.25:
            return chance.choice(TEXTS)[:300] or "%20"
        value = self.maker.make(chance, told["schema"], told["name"])
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _body(self, one: Operation, chance: Random) -> bytes:
        told = one.told.get("requestBody")
        if told is None:
            return chance.choice((b"", b"", b"", b"{}", b"\xff", b"[" * 2000))
        schema = next(iter(told["content"].values()))["schema"]
        value = self.maker.make(chance, schema)
        if chance.random() < 0.6:
            value = mutated(chance, value)
        if isinstance(value, str) and "application/json" not in told["content"]:
            return value.encode("utf-8", "surrogatepass")
        return json.dumps(value, ensure_ascii=chance.random() < 0.9).encode("utf-8", "surrogatepass")

    def faults(self, one: Operation, answer: httpx.Response) -> list[str]:
        """Where an answer does not keep what the document promises."""
        status, kind = answer.status_code, answer.headers.get("content-type", "").partition(";")[0]
        if status >= 500:
            return [f"{status} {answer.text[:300]}"]
        if status >= 400:
            return problem_faults(answer, kind)
        declared = one.told["responses"].get(str(status))
        if declared is None:
            return [] if status == 304 else [f"{status} is not declared"]
        content = declared.get("content", {})
        if content and kind not in content:
            return [f"{kind} is not declared, but {sorted(content)}"]
        schema = content.get(kind, {}).get("schema", {})
        return list(self.maker.faults(schema, answer.json())) if kind == "application/json" else []


def problem_faults(answer: httpx.Response, kind: str) -> list[str]:
    """Where a refusal is no problem document (RFC 9457) of a kind that is registered."""
    if kind != PROBLEM:
        return [f"{answer.status_code} as {kind}: {answer.text[:200]}"]
    told = answer.json()
    wrong = [f"the problem has no {name}" for name, type_ in MEMBERS.items() if not isinstance(told.get(name), type_)]
    known = TABLE.get(str(told.get("type", "")).rpartition("/")[2])
    if known is None or known.status != answer.status_code or told.get("status") != answer.status_code:
        wrong.append(f"{told.get('type')} with {answer.status_code} is no registered problem")
    if not told.get("detail", ""):
        wrong.append("the problem says nothing")
    return wrong
