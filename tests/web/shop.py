"""A small shop for the pages: two cabinets and two meters at one site, a month of agreement, a closed week.

Everything comes in the way it does in life: set up over the API, told by a gateway's sealed batches.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import httpx

from cloud.calendar import midnight
from tests.cloud.twins import CloudTwin, GatewayTwin
from wire.records import Count, DeviceEvent, Draw, GatewayEvent, Reading, Refill

ZONE = "Asia/Shanghai"
STARTS = date(2027, 1, 1)
CLOSED = date(2027, 1, 8)
STARTS_MS, CLOSED_MS = midnight(STARTS, ZONE), midnight(CLOSED, ZONE)
HOUR = 3_600_000
ITEMS = {
    "drill-8": ("Twist drill HSS 8 mm", 1),
    "drill-6": ("Twist drill HSS 6 mm", 1),
    "insert-cnmg": ("Turning insert CNMG 120408", 10),
    "endmill-10": ("End mill 10 mm, carbide", 1),
    "gloves-9": ("Nitrile gloves, size 9", 12),
    "goggles": ("Safety goggles", 1),
    "tape-19": ("PTFE tape 19 mm", 10),
    "coolant": ("Coolant test strips", 5),
    "file-set": ("Needle file set", 1),
    "brush": ("Wire brush", 1),
    "tap-m6": ("Hand tap M6", 1),
    "tap-m8": ("Hand tap M8", 1),
}
PRICES = dict.fromkeys(ITEMS, "12.50") | {"drill-8": "18.90", "insert-cnmg": "46.00", "gloves-9": "6.75"}
SLOTS = {
    "cab-1": ("drill-8", "drill-6", "insert-cnmg", "endmill-10", "tap-m6", "tap-m8", "file-set", "brush"),
    "cab-2": ("gloves-9", "goggles", "tape-19", "coolant"),
}


class Shop:
    """The shop in a running cloud; ``tell`` sends what happened since the last time."""

    def __init__(self, cloud: CloudTwin) -> None:
        self.cloud = cloud
        cloud.clock.ms = STARTS_MS + HOUR
        self.put("parties", {"party_id": "sup", "name": "Northlight Tools"})
        self.put("parties", {"party_id": "cust", "name": "Harbour Gear Works"})
        self.put("sites", {"site_id": "hall-3", "name": "Hall 3", "party_id": "cust", "zone": ZONE})
        for item, (name, pack) in ITEMS.items():
            self.put("items", {"item_id": item, "name": name, "pack": pack})
        self.put("gateways", {"gateway_id": "gw-1", "name": "Hall 3, north wall", "site_id": "hall-3"})
        for device, kind, name in (
            ("cab-1", "lock_8a", "Cutting tools"),
            ("cab-2", "mqtt_cabinet", "Protection"),
            ("meter-1", "modbus_meter", "Chiller meter"),
            ("air-1", "pms5003", "Air, welding bay"),
        ):
            placed = {"gateway_id": "gw-1"} if kind == "pms5003" else {"gateway_id": "gw-1", "site_id": "hall-3"}
            self.put("devices", {"device_id": device, "kind": kind, "name": name, **placed})
        for cabinet, items in SLOTS.items():
            slots = [
                {"slot": str(at), "item_id": item, "capacity": 24, "min": 4, "max": 20, "confirm": "door"}
                for at, item in enumerate(items, 1)
            ]
            answer = cloud.ask("PUT", f"/v1/cabinets/{cabinet}/planogram", {"slots": slots})
            assert answer.status_code == 200, answer.text
        self.put("agreements", self.terms())
        self.gateway = GatewayTwin(cloud, "gw-1")
        self.sent = 0
        self.counters: Counter[str] = Counter()

    @staticmethod
    def terms() -> dict[str, Any]:
        """Pieces, energy and a monthly fee."""
        return {
            "agreement_id": "agr-1",
            "supplier_id": "sup",
            "customer_id": "cust",
            "currency": "CNY",
            "zone": ZONE,
            "starts": STARTS.isoformat(),
            "devices": ["cab-1", "cab-2", "meter-1", "air-1"],
            "charges": [
                {"kind": "per_piece", "prices": PRICES},
                {"kind": "energy", "unit_price": "0.853", "devices": ["meter-1"]},
                {"kind": "monthly_fee", "amount": "300.00"},
            ],
        }

    def put(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Makes one thing over the API."""
        answer = self.cloud.ask("POST", f"/v1/{what}", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def base(self, src: str, at_ms: int, **said: object) -> dict[str, Any]:
        """What a record of a device says, at a time."""
        self.counters[src] += 1
        return self.gateway.base(src=src, n=self.counters[src], t=at_ms, ts="S", **said)

    def draw(self, slot: str, at_ms: int, qty: int = 1, *, cabinet: str = "cab-1", **said: Any) -> Draw:
        """A confirmed draw, unless ``said`` tells otherwise."""
        facts = {"outcome": "confirmed", "actuation": "ok", "confirmation": "door", "who": "B0017"} | said
        item = SLOTS[cabinet][int(slot) - 1]
        return Draw(**self.base(cabinet, at_ms, slot=slot, item=item, asked=qty, qty=qty, **facts))

    def refill(self, cabinet: str, slot: str, qty: int, at_ms: int) -> Refill:
        """A refill by the restocker."""
        item = SLOTS[cabinet][int(slot) - 1]
        return Refill(**self.base(cabinet, at_ms, slot=slot, item=item, qty=qty, who="R0002"))

    def reading(self, wh: int, at_ms: int) -> Reading:
        """The chiller meter's register."""
        said = {"register": "import_wh", "value": wh, "scale": 0, "unit": "Wh"}
        return Reading(**self.base("meter-1", at_ms, **said))

    def tell(self) -> None:
        """Sends everything that was kept and not sent."""
        answer = self.gateway.send(self.sent)
        assert answer.status_code == 200, answer.text
        self.sent = len(self.gateway.leaves)

    def first_week(self) -> str:
        """Fill, draw, meter, close: the statement's id."""
        at = STARTS_MS + HOUR
        boot = GatewayEvent(**self.base("gw-1", at, event="boot"))
        self.gateway.keep(boot, self.reading(1_204_310, STARTS_MS))
        for cabinet, items in SLOTS.items():
            for slot in range(1, len(items) + 1):
                self.gateway.keep(self.refill(cabinet, str(slot), 18 if cabinet == "cab-1" else 20, at + slot * 60_000))
        for number in range(9):
            self.gateway.keep(self.draw("1", at + (number + 2) * HOUR))
        self.gateway.keep(self.draw("3", at + 30 * HOUR, 2), self.draw("1", at + 31 * HOUR, 2, cabinet="cab-2"))
        self.gateway.keep(self.reading(1_286_847, CLOSED_MS - 60_000))
        self.cloud.clock.ms = CLOSED_MS + HOUR
        self.tell()
        sent = {"from": STARTS.isoformat(), "to": CLOSED.isoformat()}
        answer = self.cloud.ask("POST", "/v1/agreements/agr-1/statements", sent)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["statement_id"])

    def second_week(self) -> None:
        """What the live page shows: a low slot, an empty one, a doubt, an order, kWh that rise."""
        at = CLOSED_MS + 2 * HOUR
        self.gateway.keep(self.draw("1", at, 6), self.draw("6", at + HOUR, 18))
        self.gateway.keep(self.draw("4", at + HOUR, 3), self.draw("2", at + 2 * HOUR, 5, cabinet="cab-2"))
        self.gateway.keep(self.draw("3", at + 2 * HOUR, 1, outcome="unverified"))
        self.gateway.keep(self.draw("2", at + 2 * HOUR, 0, outcome="not_dispensed", actuation="no_drop"))
        self.gateway.keep(DeviceEvent(**self.base("air-1", at + 2 * HOUR, event="silent")))
        counted = {"slot": "4", "item": "coolant", "qty": 19, "who": "R0002"}
        self.gateway.keep(Count(**self.base("cab-2", at + 2 * HOUR + 60_000, **counted)))
        self.gateway.keep(self.reading(1_311_402, at + 3 * HOUR))
        self.cloud.clock.ms = at + 3 * HOUR + 60_000
        self.tell()


def enter(cloud: CloudTwin, **headers: str) -> str:
    """A session's cookie, by an entry code."""
    made = cloud.ask("POST", "/v1/entry-codes")
    assert made.status_code == 201, made.text
    entered = cloud.ask("GET", f"/enter?code={made.json()['code']}", key="", headers=headers)
    assert entered.status_code == 303, entered.text
    cloud.http.cookies.clear()
    return str(entered.cookies["tally_session"])


class Browsing:
    """A person at the pages, without a browser: keeps the session's cookie and nothing else."""

    def __init__(self, cloud: CloudTwin, session: str = "") -> None:
        self.cloud = cloud
        self.session = session or enter(cloud)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """A page."""
        return self._ask("GET", path, None, headers)

    def post(self, path: str, form: str = "", **headers: str) -> httpx.Response:
        """A form."""
        return self._ask("POST", path, form.encode(), headers)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        cookie = f"tally_session={self.session}; {sent.pop('cookie', '')}"
        answer = self.cloud.ask(method, path, key="", body=body, headers={**sent, "cookie": cookie})
        self.cloud.http.cookies.clear()
        return answer
