"""What the operator does before the first day: parties, goods, devices, planograms, badges, the agreement.

Everything goes through the public API, in the words of the scenario; the ids are the scenario's own, so that the two
accounts of the judge name things alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.office import Json, Office
from firmware_sim.scenario import Cabinet, Charge, Scenario
from firmware_sim.shop import Plan

GATEWAY = "gw-hall2"


@dataclass(frozen=True)
class Opened:
    """What the rest of the run needs to know. ``code``: the gateway's one-time enrolment code."""

    gateway: str
    agreement: str
    code: str


async def open_shop(office: Office, scenario: Scenario, plan: Plan) -> Opened:
    """Sets the shop up in an empty tenant."""
    site = scenario.site
    for party, name in (("supplier", site.supplier), ("customer", site.customer)):
        await office.post("/v1/parties", {"party_id": party, "name": name})
    await office.post(
        "/v1/sites", {"site_id": "site", "name": site.name, "party_id": "customer", "zone": scenario.zone}
    )
    for item in scenario.item:
        await office.post("/v1/items", {"item_id": item.id, "name": item.name or item.id, "unit": "pc"})
    await office.post("/v1/gateways", {"gateway_id": GATEWAY, "name": f"Gateway of {site.name}", "site_id": "site"})
    for device, kind in kinds(scenario).items():
        await office.post("/v1/devices", {"device_id": device, "gateway_id": GATEWAY, "kind": kind, "name": device})
    for cabinet in scenario.cabinet:
        await office.put(f"/v1/cabinets/{cabinet.id}/planogram", {"slots": _slots(cabinet)})
    badges = [{"badge": worker.badge, "person": worker.name} for worker in plan.workers]
    await office.put(f"/v1/gateways/{GATEWAY}/badges", {"badges": badges})
    agreement = await office.post("/v1/agreements", _agreement(scenario))
    code = await office.post(f"/v1/gateways/{GATEWAY}/enrolment-codes", {})
    return Opened(GATEWAY, agreement["agreement_id"], code["code"])


def kinds(scenario: Scenario) -> dict[str, str]:
    """Every device of the scenario and the driver it needs."""
    found: dict[str, str] = {cabinet.id: cabinet.driver for cabinet in scenario.cabinet}
    found |= {meter.id: "modbus_meter" if meter.driver == "sdm630" else meter.driver for meter in scenario.meter}
    found |= {air.id: air.driver for air in scenario.air}
    return found | {coil.id: "fan_coil" for coil in scenario.coil}


def _slots(cabinet: Cabinet) -> list[Json]:
    return [
        {
            "slot": slot.slot, "item_id": slot.item, "capacity": slot.capacity, "min": slot.min,
            "max": slot.max or slot.capacity, "confirm": cabinet.confirm,
        }
        for slot in cabinet.slot
    ]  # fmt: skip


def _agreement(scenario: Scenario) -> Json:
    agreement = scenario.agreement
    return {
        "supplier_id": "supplier",
        "customer_id": "customer",
        "currency": agreement.currency,
        "zone": scenario.zone,
        "starts": agreement.starts.isoformat(),
        "devices": list(kinds(scenario)),
        "charges": [_charge(charge) for charge in agreement.charge],
    }


def _charge(charge: Charge) -> Json:
    if charge.kind == "per_piece":
        return {"kind": "per_piece", "prices": {item: str(price) for item, price in charge.prices.items()}}
    if charge.kind == "energy":
        return {"kind": "energy", "unit_price": str(charge.unit_price), "devices": list(charge.meters)}
    if charge.kind == "weighted_runtime":
        weights = [{"speed": speed, "weight": str(weight)} for speed, weight in charge.weights.items()]
        source = {"measure": "runtime", "devices": list(charge.coils), "group_by": ["device"]}
        return {"kind": charge.kind, "unit_price": str(charge.unit_price), "weights": weights, "source": source}
    return {"kind": "monthly_fee", "amount": str(charge.amount)}
