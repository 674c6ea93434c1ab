"""The open orders of a cabinet, told to its gateway: he who refills sees it offline, and his refill names it.

The surprise is what is not told: how many. What a slot wants is worked out at the slot, from what lies there then; and
a proposal that every draw makes larger would send the gateway a new document with every draw.
"""

from __future__ import annotations

from collections.abc import Iterable

from cloud.database import Tx
from cloud.fleet import desired
from cloud.replenishment import repository

PART = "orders"


def publish_orders(tx: Tx, tenant: str, devices: Iterable[str]) -> None:
    """Publishes what is open now for each of these devices, to the gateway it hangs on."""
    wanted = sorted(set(devices))
    if not wanted:
        return
    told: dict[str, dict[str, dict[str, str]]] = {device: {} for device in wanted}
    for device, slot, order_id, item, state in repository.open_orders(tx, tenant, wanted):
        told[device][slot] = {"order": order_id, "item": item, "state": state}
    for device, gateway in sorted(repository.gateways_of(tx, tenant, wanted), key=lambda one: (one[1], one[0])):
        desired.publish(tx, tenant, gateway, part=PART, key=device, body=told[device])
