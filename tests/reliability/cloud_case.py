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
SAID = {"who": "ann", "why": "the fan is lent"}
ITEMS = (
    {"item_id": "dep-1", "kind": "deposit", "text": "deposit for a fan", "amount": "50.00", **SAID},
    {"item_id": "dep-2", "kind": "deposit_return", "text": "the fan came back", "amount": "-50.00", **SAID},
)
PAID = ("1000.00", "5.00")
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
    """The requests: each month a deposit or its return, some batches, its closing, what was paid (the first time more
    than was asked for: that is prepaid and settles the next invoice), and the books; people repeat under one key.
    """
    asked: list[Asked] = []

    def people(path: str, key: str, body: dict[str, str], now_ms: int) -> None:
        headers = {
            "authorization": f"Bearer {trade.cloud.key}", "idempotency-key": key, "content-type": "application/json",
        }  # fmt: skip
        asked.append(Asked("POST", path, headers, msgspec.json.encode(body), now_ms))

    for number, (first, end) in enumerate(MONTHS):
        trade.to(first, 8)
        people("/v1/agreements/agr-1/items", f"item-{number}", ITEMS[number], trade.at)
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
        closed = midnight(parse_day(end), ZONE) + MINUTE
        people("/v1/agreements/agr-1/statements", f"close-{number}", {"from": first, "to": end}, closed)
        paid = {"currency": "EUR", "booked_on": end, "remittance": f"INV-{number + 1}", "reference": f"r{number}"}
        people("/v1/payments", f"paid-{number}", {"amount": PAID[number], **paid}, closed + MINUTE)
        people("/v1/books/runs?accrue=true", f"books-{number}", {}, closed + 2 * MINUTE)
    return asked


async def books(http: httpx.AsyncClient, store: Store, key: str) -> dict[str, Any]:
    """What the cloud holds in the end: rows of every table, orders with their reasons, statements and invoices line by
    line, what is prepaid, and what the books say of all of it.
    """

    async def get(path: str) -> Any:
        answer = await http.get(path, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    orders = (await get("/v1/orders"))["items"]
    listed = (await get("/v1/statements?agreement_id=agr-1"))["items"]
    whole = [await get(f"/v1/statements/{one['statement_id']}") for one in listed]
    slots = sorted([one["slot"], one["quantity"]["value"], one["state"], one["reason"]["text"]] for one in orders)
    numbered = sorted([one["number"], one["total"]["amount"], *map(list, lines_of(one))] for one in whole)
    papers = [await get(f"/v1/documents/{one['document_id']}") for one in (await get("/v1/documents"))["items"]]
    waited, paid = (await get("/v1/agreements/agr-1/items"))["items"], (await get("/v1/payments"))["items"]
    return {
        "rows": await store.run(_rows),
        "orders": slots,
        "statements": numbered,
        "documents": sorted(
            [one["number"], one["gross"], one["open"], *([line["kind"], line["net"]] for line in one["lines"])]
            for one in papers
        ),
        "items": sorted([one["item_id"], one["document_id"]] for one in waited),
        "payments": sorted([one["amount"]["amount"], one["free"]["amount"]] for one in paid),
        "balances": (await get("/v1/books/trial-balance"))["items"],
    }


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
