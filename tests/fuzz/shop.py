"""A shop with a past, to be attacked: goods drawn, a month billed, a payment that waits, an event counted."""

from __future__ import annotations

from typing import Any

from tests.cloud.trade import Trade
from tests.cloud.twins import CloudTwin

DAYS = ("2026-11-01", "2026-11-10", "2026-12-01", "2026-12-15", "2027-01-01")
EVENT = {
    "specversion": "1.0", "id": "e-1", "source": "shop", "type": "order", "time": "2026-11-05T10:00:00Z",
    "data": {"quantity": "2", "campaign": "autumn"},
}  # fmt: skip
TAX = {
    "supplier_country": "DE", "customer_country": "DE",
    "categories": {"standard": {"category": "S", "percent": "19"}},
}  # fmt: skip


def shop(cloud: CloudTwin) -> dict[str, list[Any]]:
    """Plays its past; field name -> values that mean something in it."""
    trade = Trade(cloud, event_sources=["shop"])
    trade.refill(20)
    trade.draw()
    trade.draw("glove", 2, "2")
    trade.read(100_000)
    trade.post("/v1/events", EVENT)
    trade.to("2026-11-20")
    trade.draw()
    trade.read(950_000)
    trade.send()
    statement = trade.close("2026-11-01", "2026-12-01")
    trade.to("2026-12-05")
    trade.draw()
    trade.read(990_000)
    trade.send()
    payment = {"reference": "p-1", "amount": "5.00", "currency": "EUR", "booked_on": "2026-12-03"}
    paid = trade.post("/v1/payments", payment)
    return _known(trade, statement["statement_id"], paid["payment_id"])


def _known(trade: Trade, statement: str, payment: str) -> dict[str, list[Any]]:
    documents = [one["document_id"] for one in trade.get("/v1/documents")["items"]] or ["doc-1"]
    orders = [one["order_id"] for one in trade.get("/v1/orders")["items"]] or ["order-1"]
    party, device, item = ("sup", "cust"), ("cab-1", "meter-1", "cab-9"), ("drill-8", "glove")
    names: dict[str, tuple[Any, ...]] = {
        "agreement_id": ("agr-1",), "statement_id": (statement,), "payment_id": (payment,), "gateway_id": ("gw-1",),
        "document_id": tuple(documents), "order_id": tuple(orders), "log": (trade.gateway.log,), "version": (1, 2),
        "kind": ("per_piece", "energy", "monthly_fee", "cabinet", "head-differs"), "path": ("0/000", "0/000.p/9",
        "entries/000"),
        "currency": ("EUR",), "zone": ("Europe/Berlin",), "tax": (TAX,), "code": ("E-100",), "what": ("badges",
        "items"),
    }  # fmt: skip
    names |= dict.fromkeys(("party_id", "supplier_id", "customer_id"), party)
    names |= dict.fromkeys(("device_id", "devices", "sensors"), device) | dict.fromkeys(("item_id", "item"), item)
    names |= dict.fromkeys(("first", "from", "end", "to", "starts", "ends", "booked_on", "until", "day", "on"), DAYS)
    names |= dict.fromkeys(("amount", "unit_price", "percent", "limit", "cost", "quantity"), ("1.00", "12.5", "100"))
    names |= {
        "time": (EVENT["time"], "0001-01-01T00:00:00+14:00"),
        "specversion": ("1.0",),
        "id": ("e-1", "e-2"),
        "source": ("shop",),
    }
    return {name: list(values) for name, values in names.items()}
