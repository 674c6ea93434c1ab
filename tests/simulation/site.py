"""The shop that every seed plays: a coil cabinet, a locker, two meters, a fan coil, people; billed by the day.

It is small because a seed must be cheap, and it stands around midnight because that is where a period is closed while
records are still on their way. The shop is set up once in a process, over the public API; each seed starts from copies.
"""

from __future__ import annotations

from random import Random
from typing import Any

from firmware_sim import scenario as scenarios
from firmware_sim.coil_plan import CoilStep, steps
from firmware_sim.office import Office
from firmware_sim.scenario import Scenario
from firmware_sim.shop import LoadStep, Plan, Refill, Visit, Worker

GATEWAY, AGREEMENT, LATE_METER, COIL = "gw-1", "agr-1", "meter-2", "room-1"
MINUTE = 60_000
TOML = """
name = "simulation"
about = "two hours around midnight"
mode = "fast"
seed = 0
zone = "Europe/Berlin"
first_day = 2026-11-09
days = 2
opens = "22:58"
item = [{ id = "insert" }, { id = "mill" }, { id = "glove" }]
line = [{ name = "bus1" }, { name = "bus2" }]
[[cabinet]]
id = "coil-1"
driver = "mqtt_cabinet"
confirm = "sensor"
slot = [
    { slot = "1", item = "insert", capacity = 60, filled = 40, min = 37, max = 60 },
    { slot = "2", item = "mill", capacity = 20, filled = 12, min = 10, max = 20 },
]
[[cabinet]]
id = "locker-1"
driver = "lock_8a"
line = "bus1"
slot = [
    { slot = "1", item = "glove", capacity = 40, filled = 30, min = 28, max = 40 },
    { slot = "2", item = "mill", capacity = 20, filled = 15, min = 14, max = 20 },
]
[[meter]]
id = "meter-1"
line = "bus1"
address = 2
serial = 21345678
start_wh = 4812340
every_s = 240
[[meter]]
id = "meter-2"
line = "bus1"
address = 3
serial = 21345679
start_wh = 77000
every_s = 900
[[coil]]
id = "room-1"
line = "bus2"
every_s = 60
[shop]
shift = [{ start = "23:00", end = "23:30", workers = 3 }]
draws = 1
[agreement]
currency = "EUR"
starts = 2026-11-09
[[agreement.charge]]
kind = "per_piece"
prices = { insert = "7.45", mill = "31.20", glove = "6.10" }
[[agreement.charge]]
kind = "energy"
unit_price = "0.2735"
meters = ["meter-1"]
[[agreement.charge]]
kind = "weighted_runtime"
unit_price = "36"
weights = { high = "1", mid = "0.75", low = "0.6" }
coils = ["room-1"]
"""


def the_scenario() -> Scenario:
    """The shop."""
    return scenarios.parse(TOML, "simulation")


WORKERS = (
    Worker("0A000001", "worker 1"), Worker("0A000002", "worker 2"), Worker("0A000003", "worker 3"),
    Worker("0A000009", "restocker", restocks=True),
)  # fmt: skip


def plan(scenario: Scenario, seed: int, hours: float, chance: Random, air: Random) -> Plan:
    """Who comes when, by seed; ``air``: what becomes of the fan coil. Loads are off at the end, so that registers stand
    still when the account is taken.
    """
    begin = scenario.ms("23:00")
    length = int(hours * 60 * MINUTE)
    people = WORKERS[:-1]
    slots = [(cabinet, slot) for cabinet in scenario.cabinet for slot in cabinet.slot]
    events: list[Visit | Refill | LoadStep | CoilStep] = [
        Refill(begin - MINUTE + number * 5000, WORKERS[-1].badge, cabinet.id, slot.slot, slot.item, slot.filled, 0)
        for number, (cabinet, slot) in enumerate(slots)
    ]
    at = begin
    while (at := at + chance.randint(60_000, 400_000)) < begin + length - 5 * MINUTE:
        cabinet, slot = chance.choice(slots)
        badge = chance.choice(people).badge if chance.random() < 0.95 else "0B00DEAD"
        dwell, wanted = chance.randint(3, 15) * 1000, chance.choice((1, 1, 1, 2))
        events.append(Visit(at, badge, cabinet.id, slot.slot, slot.item, dwell, wanted, known=badge != "0B00DEAD"))
    for number in range(chance.randint(1, 3)):
        cabinet, slot = chance.choice(slots)
        at = begin + chance.randint(20 * MINUTE, max(length - 20 * MINUTE, 21 * MINUTE))
        events.append(Refill(at + number, WORKERS[-1].badge, cabinet.id, slot.slot, slot.item, chance.randint(2, 5), 0))
    for meter in scenario.meter:
        at = begin
        while (at := at + chance.randint(120_000, 900_000)) < begin + length - 6 * MINUTE:
            events.append(LoadStep(at, meter.id, chance.randint(200, 9000)))
        events.append(LoadStep(begin + length - 5 * MINUTE, meter.id, 0))
    for coil in scenario.coil:
        events += steps(air, coil.id, begin, begin + length - 5 * MINUTE)
    return Plan(WORKERS, tuple(sorted(events, key=lambda event: event.at_ms)))


async def set_up(office: Office, scenario: Scenario) -> str:
    """What the operator does before the first day; the gateway's enrolment code. ``meter-2`` is forgotten at first."""
    for party in ("supplier", "customer"):
        await office.post("/v1/parties", {"party_id": party, "name": party})
    await office.post("/v1/sites", {"site_id": "site", "name": "Hall", "party_id": "customer", "zone": scenario.zone})
    for item in scenario.item:
        await office.post("/v1/items", {"item_id": item.id, "name": item.id, "unit": "pc"})
    await office.post("/v1/gateways", {"gateway_id": GATEWAY, "name": "Gateway", "site_id": "site"})
    for cabinet in scenario.cabinet:
        await office.post("/v1/devices", device(cabinet.id, cabinet.driver))
        slots = [
            {"slot": one.slot, "item_id": one.item, "capacity": one.capacity, "min": one.min, "max": one.max,
             "confirm": cabinet.confirm}
            for one in cabinet.slot
        ]  # fmt: skip
        await office.put(f"/v1/cabinets/{cabinet.id}/planogram", {"slots": slots})
    await office.post("/v1/devices", device("meter-1", "modbus_meter"))
    await office.post("/v1/devices", device(COIL, "fan_coil"))
    badges = [{"badge": worker.badge, "person": worker.name} for worker in WORKERS]
    await office.put(f"/v1/gateways/{GATEWAY}/badges", {"badges": badges})
    prices = {item: str(price) for item, price in scenario.agreement.charge[0].prices.items()}
    energy, running = scenario.agreement.charge[1:]
    weights = [{"speed": speed, "weight": str(weight)} for speed, weight in running.weights.items()]
    source = {"measure": "runtime", "devices": list(running.coils), "group_by": ["device"]}
    agreement = {
        "agreement_id": AGREEMENT, "supplier_id": "supplier", "customer_id": "customer",
        "currency": scenario.agreement.currency, "zone": scenario.zone,
        "starts": scenario.agreement.starts.isoformat(), "cycle": {"unit": "day"},
        "devices": [*(cabinet.id for cabinet in scenario.cabinet), "meter-1", COIL],
        "charges": [
            {"kind": "per_piece", "prices": prices},
            {"kind": "energy", "unit_price": str(energy.unit_price), "devices": ["meter-1"]},
            {"kind": running.kind, "unit_price": str(running.unit_price), "weights": weights, "source": source},
        ],
    }  # fmt: skip
    await office.post("/v1/agreements", agreement)
    code = await office.post(f"/v1/gateways/{GATEWAY}/enrolment-codes", {})
    return str(code["code"])


def device(name: str, kind: str) -> dict[str, Any]:
    """A device as it is registered."""
    return {"device_id": name, "gateway_id": GATEWAY, "kind": kind, "name": name}
