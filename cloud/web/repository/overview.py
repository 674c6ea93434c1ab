"""What the live page reads across the ledgers; nothing here writes. Quantities on hand come as millionths."""

from __future__ import annotations

from typing import NamedTuple

from cloud.database import Tx


class DeviceRow(NamedTuple):
    """A device with its site, its gateway and how the gateway's present log stands."""

    device_id: str
    kind: str
    name: str
    site: str
    zone: str
    gateway_id: str
    gateway: str
    log_state: str | None
    heard_ms: int


class SlotRow(NamedTuple):
    """A slot of a newest planogram; ``micro`` None: no move and no count has ever touched it."""

    device_id: str
    slot: str
    item_id: str
    unit: str
    min_level: int
    max_level: int
    capacity: int
    micro: int | None
    doubtful: int
    ordered: int


class OrderRow(NamedTuple):
    """An open order; ``facts`` is the JSON that goes with its reason's code."""

    order_id: str
    device_id: str
    slot: str
    item_id: str
    state: str
    quantity: int
    unit: str
    reason: str
    facts: str


class StatementRow(NamedTuple):
    """A closed statement; its period by local days, the end exclusive."""

    statement_id: str
    number: int
    customer_id: str
    currency: str
    zone: str
    first: str
    end: str
    total: str


class LogTail(NamedTuple):
    """A log and where it ends."""

    log_no: int
    log_id: str
    gateway_id: str
    size: int


def version(tx: Tx, tenant: str) -> tuple[int, ...]:
    """Numbers that change whenever something on the page does. Small tables only: it is asked every second."""
    row = tx.one(
        "SELECT (SELECT COALESCE(SUM(size), 0) FROM log_heads WHERE tenant_id = ?), "
        "(SELECT COUNT(*) FROM log_heads WHERE tenant_id = ? AND state = 'frozen'), "
        "(SELECT COUNT(*) FROM logs WHERE tenant_id = ?), "
        "(SELECT COALESCE(SUM(version), 0) FROM desired_versions WHERE tenant_id = ?), "
        "(SELECT COUNT(*) FROM devices WHERE tenant_id = ?), "
        "(SELECT COUNT(*) FROM agreement_versions WHERE tenant_id = ?), "
        "(SELECT COUNT(*) FROM statements WHERE tenant_id = ?), "
        "(SELECT COUNT(*) FROM quarantine WHERE tenant_id = ? AND state = 'open'), "
        "(SELECT COUNT(*) FROM orders WHERE tenant_id = ? AND state = 'proposed'), "
        "(SELECT COUNT(*) FROM orders WHERE tenant_id = ? AND state = 'ordered')",
        (tenant,) * 10,
    )
    assert row is not None
    return tuple(int(part) for part in row)


def tenant_name(tx: Tx, tenant: str) -> str:
    """What the tenant is called."""
    row = tx.one("SELECT name FROM tenants WHERE tenant_id = ?", (tenant,))
    return tenant if row is None else str(row[0])


def devices(tx: Tx, tenant: str) -> list[DeviceRow]:
    """All devices, by site and name; one without a site of its own is at its gateway's."""
    rows = tx.all(
        "SELECT d.device_id, d.kind, d.name, COALESCE(s.name, d.site_id), COALESCE(s.zone, 'UTC'), d.gateway_id, "
        "COALESCE(g.name, d.gateway_id), h.state, COALESCE(h.heard_ms, 0) FROM devices d "
        "LEFT JOIN gateways g ON g.tenant_id = d.tenant_id AND g.gateway_id = d.gateway_id "
        "LEFT JOIN sites s ON s.tenant_id = d.tenant_id "
        "AND s.site_id = CASE WHEN d.site_id = '' THEN g.site_id ELSE d.site_id END "
        "LEFT JOIN logs l ON l.tenant_id = d.tenant_id AND l.gateway_id = d.gateway_id AND l.epoch = "
        "(SELECT MAX(m.epoch) FROM logs m WHERE m.tenant_id = d.tenant_id AND m.gateway_id = d.gateway_id) "
        "LEFT JOIN log_heads h ON h.tenant_id = l.tenant_id AND h.log_no = l.log_no "
        "WHERE d.tenant_id = ? ORDER BY 4, d.name, d.device_id",
        (tenant,),
    )
    return [DeviceRow(*row) for row in rows]


def quarantined(tx: Tx, tenant: str) -> dict[str, int]:
    """How many open quarantined leaves each source has ("" for leaves that nobody could read)."""
    rows = tx.all(
        "SELECT src, COUNT(*) FROM quarantine WHERE tenant_id = ? AND state = 'open' GROUP BY src ORDER BY src",
        (tenant,),
    )
    return {str(row[0]): int(row[1]) for row in rows}


def last_posted(tx: Tx, tenant: str) -> dict[str, int]:
    """When the ledgers last heard of each device (ms UTC): its last stock move, or its meter's last reading."""
    rows = tx.all(
        "SELECT d.device_id, (SELECT m.at_ms FROM stock_moves m WHERE m.tenant_id = d.tenant_id "
        "AND m.device_id = d.device_id ORDER BY m.log_no DESC, m.idx DESC LIMIT 1) "
        "FROM devices d WHERE d.tenant_id = ? UNION ALL "
        "SELECT device_id, MAX(at_ms) FROM meter_registers WHERE tenant_id = ? GROUP BY device_id",
        (tenant, tenant),
    )
    found: dict[str, int] = {}
    for device, at_ms in rows:
        if at_ms is not None:
            found[device] = max(found.get(device, 0), int(at_ms))
    return found


def items(tx: Tx, tenant: str) -> dict[str, str]:
    """The items' names by id."""
    return {row[0]: row[1] for row in tx.all("SELECT item_id, name FROM items WHERE tenant_id = ?", (tenant,))}


def slots(tx: Tx, tenant: str) -> list[SlotRow]:
    """Every slot of every cabinet's newest planogram with what it holds and what is on its way."""
    rows = tx.all(
        "SELECT p.device_id, p.slot, p.item_id, COALESCE(i.unit, 'pc'), p.min_level, p.max_level, p.capacity, "
        "b.micro, COALESCE(q.micro, 0), COALESCE(o.quantity, 0) FROM planogram_slots p "
        "LEFT JOIN items i ON i.tenant_id = p.tenant_id AND i.item_id = p.item_id "
        "LEFT JOIN stock_balances b ON b.tenant_id = p.tenant_id AND b.device_id = p.device_id AND b.slot = p.slot "
        "AND b.item_id = p.item_id AND b.place = 'slot' "
        "LEFT JOIN stock_balances q ON q.tenant_id = p.tenant_id AND q.device_id = p.device_id AND q.slot = p.slot "
        "AND q.item_id = p.item_id AND q.place = 'doubtful' "
        "LEFT JOIN orders o ON o.tenant_id = p.tenant_id AND o.device_id = p.device_id AND o.slot = p.slot "
        "AND o.state = 'ordered' WHERE p.tenant_id = ?",
        (tenant,),
    )
    return [SlotRow(*row) for row in rows]


def open_orders(tx: Tx, tenant: str) -> list[OrderRow]:
    """Orders that are proposed or on their way, by cabinet and the time they were proposed."""
    rows = tx.all(
        "SELECT order_id, device_id, slot, item_id, state, quantity, unit, reason, facts FROM orders "
        "WHERE tenant_id = ? AND state IN ('proposed', 'ordered') ORDER BY device_id, proposed_ms, order_id",
        (tenant,),
    )
    return [OrderRow(*row) for row in rows]


def log_tails(tx: Tx, tenant: str) -> list[LogTail]:
    """The logs of a tenant that are not closed."""
    rows = tx.all(
        "SELECT l.log_no, l.log_id, l.gateway_id, h.size FROM logs l JOIN log_heads h ON h.tenant_id = l.tenant_id "
        "AND h.log_no = l.log_no WHERE l.tenant_id = ? AND h.state <> 'closed' ORDER BY l.log_no",
        (tenant,),
    )
    return [LogTail(*row) for row in rows]


def parties(tx: Tx, tenant: str) -> dict[str, str]:
    """The parties' names by id."""
    return {row[0]: row[1] for row in tx.all("SELECT party_id, name FROM parties WHERE tenant_id = ?", (tenant,))}


def agreement_ids(tx: Tx, tenant: str, limit: int) -> list[str]:
    """The newest agreements."""
    rows = tx.all(
        "SELECT agreement_id FROM agreements WHERE tenant_id = ? ORDER BY created_ms DESC, agreement_id LIMIT ?",
        (tenant, limit),
    )
    return [str(row[0]) for row in rows]


def statements(tx: Tx, tenant: str, limit: int) -> list[StatementRow]:
    """The statements that were closed last."""
    rows = tx.all(
        "SELECT s.statement_id, s.number, a.customer_id, s.currency, a.zone, s.period_first, s.period_end, s.total "
        "FROM statements s JOIN agreements a ON a.tenant_id = s.tenant_id AND a.agreement_id = s.agreement_id "
        "WHERE s.tenant_id = ? ORDER BY s.cutoff_ms DESC, s.statement_id LIMIT ?",
        (tenant, limit),
    )
    return [StatementRow(*row) for row in rows]


def names(tx: Tx, tenant: str) -> dict[str, str]:
    """What parties, items and devices are called, by id."""
    called = {row.device_id: row.name or row.device_id for row in devices(tx, tenant)}
    return {**parties(tx, tenant), **items(tx, tenant), **called}
