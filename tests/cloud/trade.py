"""A supplier, a customer, a cabinet, a meter and an agreement: what tests of stock and billing begin with."""

from __future__ import annotations

from typing import Any

from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_lines import text_of
from cloud.calendar import midnight, parse_day
from tests.cloud.twins import CloudTwin, GatewayTwin
from wire.ids import RecordKey
from wire.records import (
    Count,
    DeviceEvent,
    Draw,
    DrawResolved,
    GatewayEvent,
    Reading,
    Ref,
    Refill,
    Return,
    Reversal,
)

ZONE = "Europe/Berlin"
FIRST = "2026-11-01"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
TERMS: dict[str, Any] = {
    "agreement_id": "agr-1",
    "supplier_id": "sup",
    "customer_id": "cust",
    "currency": "EUR",
    "zone": ZONE,
    "starts": FIRST,
    "devices": ["cab-1", "meter-1"],
    "charges": [
        {"kind": "per_piece", "prices": {"drill-8": "1.20", "glove": "0.335"}},
        {"kind": "energy", "unit_price": "0.85", "devices": ["meter-1"]},
        {"kind": "monthly_fee", "amount": "300.00"},
    ],
}


class Trade:
    """A shop under an agreement; ``at`` is the gateway's clock (ms UTC), moved by the tests."""

    def __init__(self, cloud: CloudTwin, **terms: object) -> None:
        self.cloud = cloud
        self.at = midnight(parse_day(FIRST), ZONE)
        cloud.clock.ms = self.at
        for party in ("sup", "cust"):
            self.post("/v1/parties", {"party_id": party, "name": party.title()})
        for item, pack in (("drill-8", 5), ("glove", 12), ("oddment", 1)):
            self.post("/v1/items", {"item_id": item, "name": item, "pack": pack})
        self.gateway: GatewayTwin = cloud.gateway(devices=("cab-1", "meter-1", "cab-9"))
        slots = [
            {"slot": "1", "item_id": "drill-8", "capacity": 20, "min": 3, "max": 10, "confirm": "door"},
            {"slot": "2", "item_id": "glove", "capacity": 48, "min": 2, "max": 24, "confirm": "none"},
        ]
        assert cloud.ask("PUT", "/v1/cabinets/cab-1/planogram", {"slots": slots}).status_code == 200
        self.post("/v1/agreements", TERMS | terms)
        self.sent = 0
        self.n: dict[str, int] = {}
        self.boot = "b" * 16
        self.booted = self.at

    def post(self, path: str, body: object) -> dict[str, Any]:
        """A write that must succeed."""
        answer = self.cloud.ask("POST", path, body)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made

    def get(self, path: str) -> Any:
        """A read that must succeed."""
        answer = self.cloud.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def said(self, src: str, **fields: object) -> dict[str, Any]:
        """What every record says: one counter further, at the clock's time."""
        self.n[src] = self.n.get(src, 0) + 1
        mono = self.at - self.booted
        return {
            "v": 1, "z": f"{self.n[src]:032x}", "src": src, "ep": self.boot, "n": self.n[src], "b": self.boot,
            "m": mono, "t": self.at, "ts": "S",
        } | fields  # fmt: skip

    def draw(
        self, item: str = "drill-8", qty: int = 1, slot: str = "1", cabinet: str = "cab-1", **fields: object
    ) -> RecordKey:
        """A draw, kept in the gateway's log."""
        body = {"slot": slot, "item": item, "asked": qty, "qty": qty, "outcome": "confirmed"}
        said = self.said(cabinet, **(body | {"actuation": "ok", "confirmation": "door"} | fields))
        record = Draw(**said)
        self.gateway.keep(record)
        return record.key

    def resolve(self, key: RecordKey, outcome: str = "confirmed", qty: int = 1, **fields: object) -> RecordKey:
        """Evidence about an unverified draw."""
        said = self.said(key.src, ref=Ref(*key), outcome=outcome, qty=qty, evidence="count", **fields)
        record = DrawResolved(**said)
        self.gateway.keep(record)
        return record.key

    def reverse(self, key: RecordKey, qty: int = 1) -> RecordKey:
        """A draw taken back."""
        record = Reversal(**self.said(key.src, ref=Ref(*key), qty=qty, reason="mistaken"))
        self.gateway.keep(record)
        return record.key

    def give_back(
        self, qty: int = 1, key: RecordKey | None = None, item: str = "drill-8", **fields: object
    ) -> RecordKey:
        """Unused goods come back."""
        ref = {} if key is None else {"ref": Ref(*key)}
        record = Return(**self.said("cab-1", slot="1", item=item, qty=qty, **ref, **fields))
        self.gateway.keep(record)
        return record.key

    def refill(self, qty: int, item: str = "drill-8", slot: str = "1", **fields: object) -> RecordKey:
        """Goods put in."""
        record = Refill(**self.said("cab-1", slot=slot, item=item, qty=qty, **fields))
        self.gateway.keep(record)
        return record.key

    def count(self, qty: int, position: str = "", item: str = "drill-8", slot: str = "1") -> RecordKey:
        """A slot counted."""
        record = Count(**self.said("cab-1", slot=slot, item=item, qty=qty, position=position))
        self.gateway.keep(record)
        return record.key

    def read(self, wh: int, **fields: object) -> RecordKey:
        """The meter's register, in Wh."""
        body = {"register": "import_wh", "value": wh, "scale": 0, "unit": "Wh"}
        record = Reading(**self.said("meter-1", **(body | fields)))
        self.gateway.keep(record)
        return record.key

    def event(self, src: str, event: str, **data: Any) -> RecordKey:
        """Something a device or the gateway says of itself."""
        kind = GatewayEvent if src == self.gateway.gateway_id else DeviceEvent
        record = kind(**self.said(src, event=event, data=data))
        self.gateway.keep(record)
        return record.key

    def reboot(self, *, dated: bool = True, **data: Any) -> None:
        """A new boot: new counters, a new monotonic clock, and perhaps no other (``dated``)."""
        last = [[src, n] for src, n in sorted(self.n.items())]
        self.boot = f"{int(self.boot, 16) + 1:016x}"
        self.booted = self.at
        self.n = {}
        told = {} if dated else {"t": 0, "ts": "U"}
        said = self.said(self.gateway.gateway_id, event="boot", data={"last": last} | data, **told)
        self.gateway.keep(GatewayEvent(**said))

    def send(self, pieces: int = 1) -> None:
        """Everything new to the cloud, in so many batches, received at the gateway's time."""
        self.cloud.clock.ms = max(self.cloud.clock.ms, self.at)
        total = len(self.gateway.leaves)
        step = max(1, -(-(total - self.sent) // pieces))
        while self.sent < total:
            size = min(total, self.sent + step)
            answer = self.gateway.send(self.sent, size)
            assert answer.status_code == 200, answer.text
            assert answer.json()["quarantined"] == 0, self.get("/v1/quarantine")
            self.sent = size

    def to(self, day: str, hours: int = 0) -> None:
        """Moves the gateway's clock to an hour of a local day."""
        self.at = midnight(parse_day(day), ZONE) + hours * HOUR

    def close(self, first: str, end: str) -> dict[str, Any]:
        """Closes a period the minute after it ended, or now if that is later."""
        self.cloud.clock.ms = max(self.cloud.clock.ms, midnight(parse_day(end), ZONE) + MINUTE)
        return self.post("/v1/agreements/agr-1/statements", {"from": first, "to": end})

    def bundle(self, statement: dict[str, Any]) -> bytes:
        """The statement's evidence bundle."""
        answer = self.cloud.ask("GET", f"/v1/statements/{statement['statement_id']}/bundle")
        assert answer.status_code == 200, answer.text
        return answer.content


def lines_of(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(subject, quantity, amount) of each line."""
    return [(line["subject"], line["quantity"]["value"], line["amount"]["amount"]) for line in statement["lines"]]


def refusals(bundle: bytes) -> list[str]:
    """What the offline check finds wrong with a bundle, in sentences."""
    return [text_of(finding) for finding in verify(load(bundle), Trust()).findings]
