"""Bodies no honest client sends, for every route that takes one: depth, size, numbers, keys, texts that hurt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.cloud.twins import CloudTwin

DEEP = 100_000
IDS = {"log": "0" * 64, "kind": "head-differs"}


class Route(NamedTuple):
    """A route that takes a body, with its path filled in."""

    method: str
    path: str


def routes(cloud: CloudTwin) -> Iterator[Route]:
    """Every route of the API with a body, ids filled in."""
    described: dict[str, Any] = cloud.ask("GET", "/openapi.json", key="").json()
    for path, methods in sorted(described["paths"].items()):
        for method, told in sorted(methods.items()):
            if "requestBody" in told:
                yield Route(method.upper(), re.sub(r"{(\w+)}", lambda name: IDS.get(name[1], "x-1"), path))


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "nested arrays": b"[" * DEEP,
    "nested arrays, closed": b"[" * DEEP + b"]" * DEEP,
    "nested objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a nested field": b'{"name":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a huge integer": b'{"name":' + b"9" * 100_000 + b"}",
    "an integer beyond 64 bits": b'{"quantity":18446744073709551617,"limit":18446744073709551617}',
    "a huge exponent": b'{"amount":1e999999999,"total":"1e999999999"}',
    "not a number": b'{"amount":NaN,"price":Infinity,"qty":-Infinity}',
    "a key twice": b'{"name":"a","name":"b"}',
    "lone surrogates": b'{"name":"\\ud800","party_id":"\\udfff"}',
    "NUL": b'{"name":"a\\u0000b","party_id":"\\u0000"}',
    "not UTF-8": b'{"name":"\xff\xfe"}',
    "UTF-16": '{"name":"a"}'.encode("utf-16"),
    "a very long text": b'{"name":"' + b"x" * 300_000 + b'"}',
    "many keys": json.dumps({f"k{i}": i for i in range(20_000)}).encode(),
    "a list": b"[1,2,3]",
    "a text": b'"x"',
    "null": b"null",
    "cut": b'{"name":"a',
    "two documents": b'{"name":"a"}{"name":"b"}',
    "a comment": b'{"name":"a" /* x */}',
    "XML with entities": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>',
}


def unanswered(cloud: CloudTwin) -> list[str]:
    """The routes that did not answer a hostile body with a problem of the caller's, in sentences."""
    wrong = []
    for route in routes(cloud):
        for name, body in BODIES.items():
            answer = cloud.ask(route.method, route.path, body=body, headers={"content-type": "application/json"})
            fine = answer.status_code < 300 and name in FINE
            if not fine and not 400 <= answer.status_code < 500:
                wrong.append(f"{route.method} {route.path} <- {name}: {answer.status_code} {answer.text[:120]}")
    return wrong


# Where a body is optional or its fields all are, these say nothing that is wrong.
FINE = {"UTF-16", "nothing", "null", "a key twice", "many keys", "cut", "a list", "a text"}
