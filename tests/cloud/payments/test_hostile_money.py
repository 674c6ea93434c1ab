"""Sixteen at once, and the same again: dunning, coupons, payments and their allocations have one effect each."""

from __future__ import annotations

import asyncio
from typing import Any

from cloud.calendar import midnight, parse_day
from tests.cloud.invoices.test_documents import closed, invoice_of, shop
from tests.cloud.payments.test_payments import DUNNING
from tests.cloud.trade import HOUR, Trade
from tests.cloud.twins import CloudTwin

MANY = 16
COUPON = {"code": "WELCOME", "amount": "1.00", "currency": "EUR", "redemptions": 3}
PAID = {"reference": "r1", "amount": "2.00", "currency": "EUR", "booked_on": "2026-11-03", "remittance": "?"}


def at_once(trade: Trade, path: str, bodies: list[dict[str, Any]], key: str = "") -> list[int]:
    """The same write from many clients; with ``key``, a client that repeats itself."""
    headers = {"authorization": f"Bearer {trade.cloud.key}"} | ({"idempotency-key": key} if key else {})

    async def work() -> list[int]:
        posts = [trade.cloud.http.post(path, json=body, headers=headers) for body in bodies]
        return [answer.status_code for answer in await asyncio.gather(*posts)]

    return trade.cloud.wait(work())


def test_sixteen_dunning_runs_at_once_remind_and_charge_once(cloud: CloudTwin) -> None:
    trade = shop(cloud, payment={"due_days": 14, "dunning": DUNNING})
    invoice = invoice_of(trade, closed(trade))
    cloud.clock.ms = midnight(parse_day("2026-12-01"), "UTC")

    answers = at_once(trade, "/v1/dunning-runs", [{}] * MANY)

    assert set(answers) <= {200, 201}
    shown = trade.get(f"/v1/documents/{invoice['document_id']}")
    assert [one["step"] for one in shown["notices"]] == ["reminder"]
    items = trade.get("/v1/agreements/agr-1/items")["items"]
    assert [one["kind"] for one in items] == ["late_fee"]


def test_a_coupon_redeemed_sixteen_times_at_once_counts_once(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/coupons", COUPON)

    answers = at_once(trade, "/v1/agreements/agr-1/coupons", [{"code": "WELCOME", "who": "ann"}] * MANY)

    assert (answers.count(201), answers.count(409)) == (1, MANY - 1)
    assert len(trade.get("/v1/agreements/agr-1/items")["items"]) == 1


def test_a_payment_told_sixteen_times_by_a_client_or_by_many_is_one(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    closed(trade)

    same = at_once(trade, "/v1/payments", [PAID] * MANY, key="k-1")
    others = at_once(trade, "/v1/payments", [PAID] * MANY)

    assert set(same) == {201}
    assert set(others) <= {200, 201, 409}
    assert len(trade.get("/v1/payments")["items"]) == 1


def test_sixteen_allocations_at_once_never_give_away_more_than_was_paid(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    trade.post("/v1/payments", PAID)
    (payment,) = trade.get("/v1/payments")["items"]
    asked = {"document_id": invoice["document_id"], "amount": "1.50"}

    at_once(trade, f"/v1/payments/{payment['payment_id']}/allocations", [asked] * MANY)

    shown = trade.get(f"/v1/documents/{invoice['document_id']}")
    (left,) = trade.get("/v1/payments")["items"]
    assert shown["open"]["amount"] == f"{float(invoice['gross']['amount']) - 1.5:.2f}"
    assert left["free"]["amount"] == "0.50"


def test_a_customer_far_east_of_greenwich_is_suspended_on_his_own_day_and_not_before(cloud: CloudTwin) -> None:
    credit = {"grades": [{"score": 300, "limit": "100.00"}], "suspended_after_days": 5}
    trade = shop(cloud, credit=credit, payment={"due_days": 0, "dunning": []})
    assert cloud.ask("PUT", "/v1/agreements/agr-1/credit-line", {"score": 600}).status_code == 200
    invoice = invoice_of(trade, closed(trade))
    due = parse_day(invoice["due_on"])
    states = []

    for hours in (5 * 24 + 23, 6 * 24 + 1):
        cloud.clock.ms = midnight(due, "Europe/Berlin") + hours * HOUR
        trade.post("/v1/dunning-runs", {})
        states.append(trade.get("/v1/agreements/agr-1/credit-line")["state"])

    assert states == ["active", "suspended"]
