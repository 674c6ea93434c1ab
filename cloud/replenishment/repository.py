"""Orders and positions: SQL only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import msgspec

from cloud.calendar import utc_text
from cloud.database import Query, Row, Tx
from cloud.ingest.posted import Posted
from cloud.replenishment.policies.min_max import Decision, Levels


class OpenOrder(msgspec.Struct, frozen=True):
    """The open order of a slot: ``proposed`` or ``ordered``."""

    order_id: str
    state: str
    quantity: int


class SlotPlan(msgspec.Struct, frozen=True):
    """A slot of the newest planogram with its open order."""

    device: str
    slot: str
    item: str
    unit: str
    levels: Levels
    open_order: OpenOrder | None


class Proposal(msgspec.Struct, frozen=True):
    """An order to propose, and the record that caused it."""

    order_id: str
    slot: SlotPlan
    decision: Decision
    cause: Posted


def plans_of(tenant: str, slots: Sequence[tuple[str, str]]) -> Query:
    """Asks what planograms say of these (device, slot); ``slot_plans`` reads the answer."""
    return (
        (
            "SELECT p.device_id, p.slot, p.item_id, COALESCE(i.unit, 'pc'), "
            "p.min_level, p.max_level, p.capacity, COALESCE(i.pack, 1), o.order_id, o.state, o.quantity "
            "FROM GIVEN(device_id text, slot text) AS g "
            "JOIN planogram_slots p ON p.tenant_id = ? AND p.device_id = g.device_id AND p.slot = g.slot "
            "LEFT JOIN items i ON i.tenant_id = p.tenant_id AND i.item_id = p.item_id "
            "LEFT JOIN orders o ON o.tenant_id = p.tenant_id AND o.device_id = p.device_id AND o.slot = p.slot "
            "AND o.state IN ('proposed', 'ordered')"
        ),
        ([list(slot) for slot in slots], tenant),
    )


def slot_plans(rows: Iterable[Row]) -> dict[tuple[str, str], SlotPlan]:
    """The slots that a planogram knows."""
    plans = {}
    for device, slot, item, unit, low, high, capacity, pack, *order in rows:
        opened = None if order[0] is None else OpenOrder(*order)
        plans[device, slot] = SlotPlan(device, slot, item, unit, Levels(low, high, capacity, pack), opened)
    return plans


def save_proposals(tx: Tx, tenant: str, proposals: Sequence[Proposal]) -> None:
    """Writes proposals; one that exists gets the new quantity and reason as long as nobody has ordered it."""
    columns = (
        "tenant_id", "order_id", "device_id", "slot", "item_id", "state", "quantity", "unit", "reason", "facts",
        "log_id", "idx", "proposed_ms", "changed_ms",
    )  # fmt: skip
    rows = [
        (
            tenant, one.order_id, one.slot.device, one.slot.slot, one.slot.item, "proposed", one.decision.quantity,
            one.slot.unit, one.decision.reason, json.dumps(one.decision.facts), one.cause.log, one.cause.index,
            one.cause.at_ms, one.cause.at_ms,
        )
        for one in proposals
    ]  # fmt: skip
    tx.later(
        "orders",
        columns,
        rows,
        "ON CONFLICT (tenant_id, order_id) DO UPDATE SET quantity = excluded.quantity, reason = excluded.reason, "
        "facts = excluded.facts, item_id = excluded.item_id, unit = excluded.unit, changed_ms = excluded.changed_ms "
        "WHERE orders.state = 'proposed'",
    )


def close_refilled(tx: Tx, tenant: str, slots: Sequence[tuple[str, str]], at_ms: int) -> set[str]:
    """A refill closes the slot's open order; the devices of those that were open."""
    if not slots:
        return set()
    rows = tx.all(
        "SELECT o.order_id, o.device_id FROM GIVEN(device_id text, slot text) AS g JOIN orders o ON o.tenant_id = ? "
        "AND o.device_id = g.device_id AND o.slot = g.slot AND o.state IN ('proposed', 'ordered') ORDER BY o.order_id",
        ([list(slot) for slot in slots], tenant),
    )
    for order_id, _ in rows:
        set_state(tx, tenant, order_id, "received", at_ms)
    return {device for _, device in rows}


def open_orders(tx: Tx, tenant: str, devices: Sequence[str]) -> list[tuple[str, str, str, str, str]]:
    """Device, slot, id, item and state of all that is proposed or ordered for these devices."""
    rows = tx.all(
        "SELECT o.device_id, o.slot, o.order_id, o.item_id, o.state FROM GIVEN(device_id text) AS g "
        "JOIN orders o ON o.tenant_id = ? AND o.device_id = g.device_id AND o.state IN ('proposed', 'ordered')",
        ([[device] for device in devices], tenant),
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def gateways_of(tx: Tx, tenant: str, devices: Sequence[str]) -> list[tuple[str, str]]:
    """Each device that hangs on a gateway, with the gateway."""
    rows = tx.all(
        "SELECT d.device_id, d.gateway_id FROM GIVEN(device_id text) AS g "
        "JOIN devices d ON d.tenant_id = ? AND d.device_id = g.device_id",
        ([[device] for device in devices], tenant),
    )
    return [(row[0], row[1]) for row in rows]


def set_state(tx: Tx, tenant: str, order_id: str, state: str, at_ms: int) -> None:
    """Moves an order to another state."""
    tx.run(
        "UPDATE orders SET state = ?, changed_ms = ? WHERE tenant_id = ? AND order_id = ?",
        (state, at_ms, tenant, order_id),
    )


def find(tx: Tx, tenant: str, order_id: str) -> dict[str, object] | None:
    """One order, locked, or None."""
    row = tx.one(f"{_SELECT} WHERE tenant_id = ? AND order_id = ? FOR UPDATE", (tenant, order_id))
    return None if row is None else _order(row)


def page(tx: Tx, tenant: str, state: str, after: str, limit: int) -> list[dict[str, object]]:
    """Orders by id, of one state or all (""); ``after`` is the last id seen."""
    rows = tx.all(
        f"{_SELECT} WHERE tenant_id = ? AND (? = '' OR state = ?) AND order_id > ? ORDER BY order_id LIMIT ?",
        (tenant, state, state, after, limit),
    )
    return [_order(row) for row in rows]


_SELECT = (
    "SELECT order_id, device_id, slot, item_id, state, quantity, unit, reason, facts, log_id, idx, "
    "proposed_ms, changed_ms FROM orders"
)


def _order(row: tuple[object, ...]) -> dict[str, object]:
    return {
        "order_id": row[0],
        "device_id": row[1],
        "slot": row[2],
        "item_id": row[3],
        "state": row[4],
        "quantity": {"value": str(row[5]), "unit": row[6]},
        "reason": {"code": row[7], "facts": json.loads(str(row[8]))},
        "evidence": {"log": row[9], "index": row[10]},
        "proposed_at": utc_text(int(str(row[11]))),
        "changed_at": utc_text(int(str(row[12]))),
    }
