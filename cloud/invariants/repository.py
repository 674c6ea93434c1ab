"""The SQL of the invariants: holds, and what the checks compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloud.database import Tx

Place = tuple[str, int]


class Hold(NamedTuple):
    """A log on hold, or one that was; times in ms UTC."""

    log_no: int
    kind: str
    since_ms: int
    detail: str
    state: str
    seen_ms: int
    released_ms: int | None
    released_by: str
    reason: str
    log_id: str
    gateway_id: str


_HOLD = (
    "h.log_no, h.kind, h.since_ms, h.detail, h.state, h.seen_ms, h.released_ms, h.released_by, h.reason, l.log_id, "
    "l.gateway_id FROM log_holds h JOIN logs l ON l.tenant_id = h.tenant_id AND l.log_no = h.log_no "
    "WHERE h.tenant_id = ? "
)


def open_holds(tx: Tx, tenant: str, log_nos: Sequence[int]) -> list[Hold]:
    """The open holds of some logs."""
    wanted = set(log_nos)
    if not wanted:
        return []
    rows = tx.all(f"SELECT {_HOLD} AND h.state = 'open' ORDER BY h.log_no, h.kind, h.since_ms", (tenant,))
    return [hold for row in rows if (hold := Hold(*row)).log_no in wanted]


def holds(tx: Tx, tenant: str, after: tuple[int, str, int], limit: int, *, all_states: bool) -> list[Hold]:
    """Holds behind (log number, kind, since), in that order; the open ones, or all."""
    rows = tx.all(
        f"SELECT {_HOLD} AND (? = 1 OR h.state = 'open') AND (h.log_no, h.kind, h.since_ms) > (?, ?, ?) "
        "ORDER BY h.log_no, h.kind, h.since_ms LIMIT ?",
        (tenant, int(all_states), *after, limit),
    )
    return [Hold(*row) for row in rows]


def count_open(tx: Tx, tenant: str = "") -> int:
    """How many holds are open, of a tenant or of all."""
    row = tx.one("SELECT COUNT(*) FROM log_holds WHERE state = 'open' AND (? = '' OR tenant_id = ?)", (tenant, tenant))
    return 0 if row is None else int(row[0])


def put_hold(tx: Tx, place: Place, kind: str, detail: str, now_ms: int) -> bool:
    """Opens a hold unless one of this kind is open (then it was seen again); whether it is new."""
    seen = tx.run(
        "UPDATE log_holds SET seen_ms = ?, detail = ? "
        "WHERE tenant_id = ? AND log_no = ? AND kind = ? AND state = 'open'",
        (now_ms, detail, *place, kind),
    )
    if seen:
        return False
    tx.run(
        "INSERT INTO log_holds (tenant_id, log_no, kind, since_ms, detail, state, seen_ms, released_by, reason) "
        "VALUES (?, ?, ?, ?, ?, 'open', ?, '', '') ON CONFLICT DO NOTHING",
        (*place, kind, now_ms, detail, now_ms),
    )
    return True


def release(tx: Tx, place: Place, kind: str, *, who: str, reason: str, now_ms: int) -> int:
    """Closes the open hold of this kind with the decision; how many there were."""
    return tx.run(
        "UPDATE log_holds SET state = 'released', released_ms = ?, released_by = ?, reason = ? "
        "WHERE tenant_id = ? AND log_no = ? AND kind = ? AND state = 'open'",
        (now_ms, who, reason, *place, kind),
    )


def last_decision(tx: Tx, place: Place, kind: str) -> str:
    """The facts under which the newest hold of this kind was released; "" when none was."""
    row = tx.one(
        "SELECT detail FROM log_holds WHERE tenant_id = ? AND log_no = ? AND kind = ? AND state = 'released' "
        "ORDER BY since_ms DESC LIMIT 1",
        (*place, kind),
    )
    return "" if row is None else str(row[0])


def tenants(tx: Tx) -> list[str]:
    """Every tenant."""
    return [row[0] for row in tx.all("SELECT tenant_id FROM tenants ORDER BY tenant_id")]


def pieces(tx: Tx, place: Place, low: int, high: int) -> list[tuple[int, int, bytes, bytes, str, str]]:
    """Cosigned pieces that end in ``(low, high]``: size, old size, root, frontier, note, cosignature."""
    rows = tx.all(
        "SELECT size, old_size, root, frontier, note, cosignature FROM checkpoints WHERE tenant_id = ? AND log_no = ? "
        "AND size > ? AND size <= ? ORDER BY size",
        (*place, low, high),
    )
    return [(row[0], row[1], bytes(row[2]), bytes(row[3]), row[4], row[5]) for row in rows]


def newest_piece(tx: Tx, place: Place) -> int:
    """The size of the newest cosigned piece."""
    row = tx.one("SELECT COALESCE(MAX(size), 0) FROM checkpoints WHERE tenant_id = ? AND log_no = ?", place)
    return 0 if row is None else int(row[0])


def uncounted(tx: Tx, place: Place, keys: Sequence[tuple[str, str, int, int]]) -> list[int]:
    """Those indexes of (src, ep, n, index) whose record has no place among the keys and none in quarantine."""
    rows = tx.all(
        "SELECT g.idx FROM GIVEN(src text, ep text, n bigint, idx bigint) AS g "
        "LEFT JOIN record_keys k ON k.tenant_id = ? AND k.src = g.src AND k.ep = g.ep AND k.n = g.n "
        "LEFT JOIN quarantine q ON q.tenant_id = ? AND q.log_no = ? AND q.idx = g.idx "
        "WHERE k.src IS NULL AND q.idx IS NULL ORDER BY g.idx",
        ([list(key) for key in keys], place[0], *place),
    )
    return [row[0] for row in rows]


def has_did(tx: Tx, tenant: str, src: str, did: str) -> bool:
    """Whether the device's event counts under another key."""
    found = tx.one("SELECT 1 FROM record_keys WHERE tenant_id = ? AND src = ? AND did = ?", (tenant, src, did))
    return found is not None


def gateway_log(tx: Tx, tenant: str, device: str) -> int:
    """The newest log of the gateway that a device hangs on; 0 when there is none."""
    row = tx.one(
        "SELECT COALESCE(MAX(l.log_no), 0) FROM devices d JOIN logs l ON l.tenant_id = d.tenant_id "
        "AND l.gateway_id = d.gateway_id WHERE d.tenant_id = ? AND d.device_id = ?",
        (tenant, device),
    )
    return 0 if row is None else int(row[0])


def wrong_balances(tx: Tx, tenant: str) -> list[tuple[str, str, str, str, int, int]]:
    """Balances that are not the sum of their moves: device, slot, item, place, balance, sum (millionths)."""
    rows = tx.all(
        "SELECT device_id, slot, item_id, place, SUM(held), SUM(moved) FROM ("
        "SELECT device_id, slot, item_id, place, micro AS held, 0 AS moved FROM stock_balances WHERE tenant_id = ? "
        "UNION ALL SELECT device_id, slot, item_id, target, 0, micro FROM stock_moves WHERE tenant_id = ? "
        "UNION ALL SELECT device_id, slot, item_id, source, 0, -micro FROM stock_moves WHERE tenant_id = ?) AS sums "
        "GROUP BY device_id, slot, item_id, place HAVING SUM(held) <> SUM(moved) "
        "ORDER BY device_id, slot, item_id, place",
        (tenant, tenant, tenant),
    )
    return [(row[0], row[1], row[2], row[3], int(row[4]), int(row[5])) for row in rows]


def silent_debts(tx: Tx, tenant: str) -> list[tuple[str, str, str, int]]:
    """Slots below nothing that no discrepancy tells of: device, slot, item, balance (millionths)."""
    rows = tx.all(
        "SELECT b.device_id, b.slot, b.item_id, b.micro FROM stock_balances b WHERE b.tenant_id = ? "
        "AND b.place = 'slot' AND b.micro < 0 AND NOT EXISTS (SELECT 1 FROM discrepancies d "
        "WHERE d.tenant_id = b.tenant_id AND d.device_id = b.device_id AND d.kind = 'negative_balance') "
        "ORDER BY b.device_id, b.slot, b.item_id",
        (tenant,),
    )
    return [(row[0], row[1], row[2], int(row[3])) for row in rows]


def registers(tx: Tx, tenant: str) -> list[tuple[str, str, int, int, int, int, bytes | None]]:
    """The live registers with the leaf each stands on: device, register, value, scale, log number, index, leaf."""
    rows = tx.all(
        "SELECT m.device_id, m.register, m.value, m.scale, l.log_no, m.idx, f.leaf FROM meter_registers m "
        "JOIN logs l ON l.tenant_id = m.tenant_id AND l.log_id = m.log_id "
        "LEFT JOIN leaves f ON f.tenant_id = l.tenant_id AND f.log_no = l.log_no AND f.idx = m.idx "
        "WHERE m.tenant_id = ? ORDER BY m.device_id, m.register",
        (tenant,),
    )
    return [(*row[:6], None if row[6] is None else bytes(row[6])) for row in rows]


def statement_ids(tx: Tx, tenant: str) -> list[tuple[str, str]]:
    """Every statement: agreement and id, oldest first."""
    rows = tx.all(
        "SELECT agreement_id, statement_id FROM statements WHERE tenant_id = ? ORDER BY agreement_id, number", (tenant,)
    )
    return [(row[0], row[1]) for row in rows]
