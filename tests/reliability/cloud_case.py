"""A shop's two months as requests to a cloud, and what must be in its books afterwards, however often it was killed."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import httpx
import msgspec

from cloud.calendar import midnight, parse_day
from cloud.database import Store, Tx
from tests.cloud.trade import DAY, MINUTE, ZONE, Trade, lines_of
from tests.cloud.twins import tables

MONTHS = (("2026-11-01", "2026-12-01"), ("2026-12-01", "2027-01-01"))
BATCHES = 4
# Answers to the same request, and times of a process's life: no facts about goods or money.
NOT_BOOKS = {"idempotency_keys", "schema_lock", "schema_migrations", "nonces"}


class Asked(msgspec.Struct):
    """One request of the script. ``now_ms``: what the cloud's clock shows then."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    now_ms: int


def script(trade: Trade) -> list[Asked]:
    """The requests: each month some batches, then its closing, which people repeat under one key."""
    bearer = {"authorization": f"Bearer {trade.cloud.key}"}
    asked: list[Asked] = []
    for number, (first, end) in enumerate(MONTHS):
        trade.to(first, 8)
        for batch in range(BATCHES):
            trade.at += DAY
            trade.refill(10)
            trade.draw(qty=2)
            trade.draw("glove", 3, slot="2")
            trade.read(1000 * (number * 10 + batch))
            trade.draw(qty=5)
            old, trade.sent = trade.sent, len(trade.gateway.leaves)
            body, path = trade.gateway.body(old, trade.sent), f"/v1/logs/{trade.gateway.log}/entries"
            asked.append(Asked("POST", path, {}, body, trade.at + MINUTE))
        headers = {**bearer, "idempotency-key": f"close-{number}", "content-type": "application/json"}
        period = msgspec.json.encode({"from": first, "to": end})
        closed = midnight(parse_day(end), ZONE) + MINUTE
        asked.append(Asked("POST", "/v1/agreements/agr-1/statements", headers, period, closed))
    return asked


async def books(http: httpx.AsyncClient, store: Store, key: str) -> dict[str, Any]:
    """What the cloud holds in the end: rows of every table, orders with their reasons, statements line by line."""

    async def get(path: str) -> Any:
        answer = await http.get(path, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    orders = (await get("/v1/orders"))["items"]
    listed = (await get("/v1/statements?agreement_id=agr-1"))["items"]
    whole = [await get(f"/v1/statements/{one['statement_id']}") for one in listed]
    slots = sorted([one["slot"], one["quantity"]["value"], one["state"], one["reason"]["text"]] for one in orders)
    numbered = sorted([one["number"], one["total"]["amount"], *map(list, lines_of(one))] for one in whole)
    return {"rows": await store.run(_rows), "orders": slots, "statements": numbered}


def _rows(tx: Tx) -> dict[str, int]:
    return {name: tx.all(f"SELECT COUNT(*) FROM {name}")[0][0] for name in tables(tx) if name not in NOT_BOOKS}


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """In sentences."""
    told = []
    for part, value in wanted.items():
        if isinstance(value, dict):
            parts = {name: (found[part].get(name), count) for name, count in value.items()}
            told += [
                f"{name} has {have} rows instead of {want}" for name, (have, want) in parts.items() if have != want
            ]
        elif found[part] != value:
            told.append(f"{part}: {found[part]} instead of {value}")
    return told


def digest(body: bytes) -> str:
    """A short name of an answer."""
    return sha256(body).hexdigest()[:16]


def changed(answers: Sequence[tuple[int, str]]) -> list[str]:
    """Requests that were answered with success in two ways: (number, digest) of every success, in order."""
    first: dict[int, str] = {}
    return [
        f"request {number} was answered in two ways"
        for number, found in answers
        if first.setdefault(number, found) != found
    ]
