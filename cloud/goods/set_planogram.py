"""What lies where in a cabinet: a new version, kept here and published to its gateway, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.database import Tx
from cloud.fleet import desired
from cloud.goods import repository
from cloud.goods.repository import PlanogramRow, SlotRow


def set_planogram(
    tx: Tx, tenant: str, gateway_id: str, device_id: str, slots: Sequence[SlotRow], *, now_ms: int
) -> PlanogramRow:
    """Replaces the cabinet's planogram; the new one."""
    version = repository.last_version(tx, tenant, device_id) + 1
    made = PlanogramRow(device_id, version, sorted(slots))
    repository.add_planogram(tx, tenant, made, now_ms)
    shown = [
        {
            "slot": one.slot,
            "item_id": one.item_id,
            "capacity": one.capacity,
            "min": one.min_level,
            "max": one.max_level,
            "confirm": one.confirm,
        }
        for one in made.slots
    ]
    body = {"version": version, "slots": shown}
    desired.publish(tx, tenant, gateway_id, part="planograms", key=device_id, body=body)
    return made
