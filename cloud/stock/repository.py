"""The stock ledger's SQL: what a posting loads, what it leaves behind, and what pages ask for.

A posting first locks its devices' rows, so that two postings of one device cannot read the same balance; balances are
written in key order, which keeps two postings of many devices from waiting for each other in a ring.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from cloud.calendar import utc_text
from cloud.database import Tx
from cloud.stock.ledger import Books, Discrepancy, Earlier, Move, Shelf
from wire.ids import RecordKey

_MOVES = (
    "tenant_id", "device_id", "entry", "slot", "item_id", "micro", "unit", "source", "target", "reason",
    "ep", "n", "about_ep", "about_n", "log_id", "idx", "at_ms",
)  # fmt: skip
_BALANCES = ("tenant_id", "device_id", "slot", "item_id", "place", "micro", "unit", "counted_entry")


def lock_devices(tx: Tx, tenant: str, devices: Sequence[str]) -> dict[str, int]:
    """Locks the devices' ledgers, in order; the last entry of each."""
    rows = [(tenant, device, 0) for device in devices]
    tx.insert("stock_devices", ("tenant_id", "device_id", "last_entry"), rows, "ON CONFLICT DO NOTHING")
    locked = tx.all(
        "SELECT d.device_id, d.last_entry FROM GIVEN(device_id text) AS g "
        "JOIN stock_devices d ON d.tenant_id = ? AND d.device_id = g.device_id ORDER BY d.device_id FOR UPDATE",
        ([[device] for device in devices], tenant),
    )
    return dict(locked)


def earlier_moves(tx: Tx, tenant: str, keys: Iterable[RecordKey]) -> dict[RecordKey, list[Earlier]]:
    """The moves about these records, in the order they were posted."""
    wanted = [list(key) for key in sorted(set(keys))]
    if not wanted:
        return {}
    rows = tx.all(
        "SELECT m.device_id, m.ep, m.n, m.about_ep, m.about_n, m.entry, m.slot, m.item_id, m.micro, m.unit, m.source, "
        "m.target FROM GIVEN(device_id text, ep text, n bigint) AS g JOIN stock_moves m ON m.tenant_id = ? "
        "AND m.device_id = g.device_id AND m.about_ep = g.ep AND m.about_n = g.n ORDER BY m.entry",
        (wanted, tenant),
    )
    found: dict[RecordKey, list[Earlier]] = {}
    for device, ep, n, about_ep, about_n, *rest in rows:
        about = RecordKey(device, about_ep, about_n)
        found.setdefault(about, []).append(Earlier(RecordKey(device, ep, n), about, *rest))
    return found


def positions(
    tx: Tx, tenant: str, keys: Iterable[RecordKey]
) -> tuple[dict[RecordKey, int], dict[RecordKey, list[Earlier]]]:
    """For counts taken further back: the ledger entry at each position, and the moves posted since."""
    wanted = [list(key) for key in sorted(set(keys))]
    if not wanted:
        return {}, {}
    rows = tx.all(
        "SELECT g.device_id, g.ep, g.n, MAX(m.entry) FROM GIVEN(device_id text, ep text, n bigint) AS g "
        "JOIN stock_moves m ON m.tenant_id = ? AND m.device_id = g.device_id AND m.ep = g.ep AND m.n <= g.n "
        "GROUP BY g.device_id, g.ep, g.n",
        (wanted, tenant),
    )
    entries = {RecordKey(device, ep, n): int(entry) for device, ep, n, entry in rows}
    after: dict[RecordKey, list[Earlier]] = {}
    for position, entry in entries.items():
        for row in tx.all(
            "SELECT ep, n, entry, slot, item_id, micro, unit, source, target FROM stock_moves "
            "WHERE tenant_id = ? AND device_id = ? AND entry > ? ORDER BY entry",
            (tenant, position.src, entry),
        ):
            key = RecordKey(position.src, row[0], row[1])
            after.setdefault(position, []).append(Earlier(key, key, *row[2:]))
    return entries, after


def load_balances(tx: Tx, tenant: str, shelves: Iterable[tuple[str, str, str]], books: Books) -> None:
    """Every place's balance of these (device, slot, item) into the books."""
    wanted = [list(shelf) for shelf in sorted(set(shelves))]
    rows = tx.all(
        "SELECT b.device_id, b.slot, b.item_id, b.place, b.micro, b.unit, b.counted_entry "
        "FROM GIVEN(device_id text, slot text, item_id text) AS g JOIN stock_balances b ON b.tenant_id = ? "
        "AND b.device_id = g.device_id AND b.slot = g.slot AND b.item_id = g.item_id",
        (wanted, tenant),
    )
    for device, slot, item, place, micro, unit, counted in rows:
        shelf = Shelf(device, slot, item, place)
        books.balances[shelf], books.units[shelf] = int(micro), unit
        if counted:
            books.counted[shelf] = int(counted)


def planned_items(tx: Tx, tenant: str, slots: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The item each of these (device, slot) should hold by the newest planogram."""
    wanted = [list(slot) for slot in sorted(set(slots))]
    rows = tx.all(
        "SELECT p.device_id, p.slot, p.item_id FROM GIVEN(device_id text, slot text) AS g JOIN planogram_slots p "
        "ON p.tenant_id = ? AND p.device_id = g.device_id AND p.slot = g.slot",
        (wanted, tenant),
    )
    return {(device, slot): item for device, slot, item in rows}


def save(tx: Tx, tenant: str, books: Books) -> None:
    """Writes what a posting has changed: moves, balances in key order, discrepancies, the devices' last entries."""
    tx.insert("stock_moves", _MOVES, [_move_row(tenant, move) for move in books.moves])
    touched = {Shelf(one.device, one.slot, one.item, at) for one in books.moves for at in (one.source, one.target)}
    rows = [
        (tenant, *shelf, books.balances[shelf], books.units[shelf], books.counted.get(shelf, 0))
        for shelf in sorted(touched | (set(books.counted) & set(books.balances)))
    ]
    tx.insert(
        "stock_balances",
        _BALANCES,
        rows,
        "ON CONFLICT (tenant_id, device_id, slot, item_id, place) DO UPDATE SET micro = excluded.micro, "
        "unit = excluded.unit, counted_entry = excluded.counted_entry",
    )
    tx.insert(
        "stock_devices",
        ("tenant_id", "device_id", "last_entry"),
        [(tenant, device, entry) for device, entry in sorted(books.last_entry.items())],
        "ON CONFLICT (tenant_id, device_id) DO UPDATE SET last_entry = excluded.last_entry",
    )
    save_discrepancies(tx, tenant, books.discrepancies)


def save_discrepancies(tx: Tx, tenant: str, found: Sequence[Discrepancy]) -> None:
    """Keeps what a person should look at; the same again changes nothing."""
    tx.insert(
        "discrepancies",
        ("tenant_id", "device_id", "log_id", "idx", "kind", "subject", "facts", "at_ms"),
        [
            (tenant, one.device, one.posted.log, one.posted.index, one.kind, one.subject, json.dumps(one.facts), at)
            for one, at in ((two, two.posted.at_ms) for two in found)
        ],
        "ON CONFLICT DO NOTHING",
    )


def _move_row(tenant: str, move: Move) -> tuple[str | int, ...]:
    key, posted = move.posted.key, move.posted
    return (
        tenant, move.device, move.entry, move.slot, move.item, move.micro, move.unit, move.source, move.target,
        move.reason, key.ep, key.n, move.about.ep, move.about.n, posted.log, posted.index, posted.at_ms,
    )  # fmt: skip


def stock_page(tx: Tx, tenant: str, device: str, after: Sequence[str], limit: int) -> list[dict[str, object]]:
    """Slots with what they hold, in stable order; ``after``: the last (device, slot, item) or empty texts."""
    rows = tx.all(
        "SELECT b.device_id, b.slot, b.item_id, b.unit, "
        "SUM(CASE WHEN b.place = 'slot' THEN b.micro ELSE 0 END), "
        "SUM(CASE WHEN b.place = 'doubtful' THEN b.micro ELSE 0 END), "
        "SUM(CASE WHEN b.place = 'consumed' THEN b.micro ELSE 0 END) "
        "FROM stock_balances b WHERE b.tenant_id = ? AND (? = '' OR b.device_id = ?) "
        "AND (b.device_id > ? OR (b.device_id = ? AND (b.slot > ? OR (b.slot = ? AND b.item_id > ?)))) "
        "GROUP BY b.device_id, b.slot, b.item_id, b.unit ORDER BY b.device_id, b.slot, b.item_id LIMIT ?",
        (tenant, device, device, after[0], after[0], after[1], after[1], after[2], limit),
    )
    return [
        {
            "device_id": row[0],
            "slot": row[1],
            "item_id": row[2],
            "on_hand": micro_json(row[4], row[3]),
            "doubtful": micro_json(row[5], row[3]),
            "consumed": micro_json(row[6], row[3]),
        }
        for row in rows
    ]


def moves_page(tx: Tx, tenant: str, device: str, after: tuple[str, int], limit: int) -> list[dict[str, object]]:
    """Moves in the order of posting, device by device; ``after`` is the last (device, entry) seen."""
    rows = tx.all(
        "SELECT device_id, entry, slot, item_id, micro, unit, source, target, reason, log_id, idx, at_ms "
        "FROM stock_moves WHERE tenant_id = ? AND (? = '' OR device_id = ?) "
        "AND (device_id > ? OR (device_id = ? AND entry > ?)) ORDER BY device_id, entry LIMIT ?",
        (tenant, device, device, after[0], after[0], after[1], limit),
    )
    return [
        {
            "device_id": row[0],
            "entry": row[1],
            "slot": row[2],
            "item_id": row[3],
            "quantity": micro_json(row[4], row[5]),
            "source": row[6],
            "target": row[7],
            "reason": row[8],
            "evidence": {"log": row[9], "index": row[10]},
            "at": utc_text(row[11]),
        }
        for row in rows
    ]


def discrepancies_page(tx: Tx, tenant: str, after: tuple[str, str, int, str], limit: int) -> list[dict[str, object]]:
    """What a person should look at; ``after`` is the last (device, log, index, kind) seen."""
    rows = tx.all(
        "SELECT device_id, log_id, idx, kind, subject, facts, at_ms FROM discrepancies WHERE tenant_id = ? "
        "AND (device_id, log_id, idx, kind) > (?, ?, ?, ?) ORDER BY device_id, log_id, idx, kind LIMIT ?",
        (tenant, *after, limit),
    )
    return [
        {
            "device_id": row[0],
            "evidence": {"log": row[1], "index": row[2]},
            "kind": row[3],
            "subject": row[4],
            "facts": json.loads(row[5]),
            "at": utc_text(row[6]),
        }
        for row in rows
    ]


def discrepancy_key(row: dict[str, object]) -> tuple[str | int, ...]:
    """The sort key of a row of ``discrepancies_page``."""
    evidence = row["evidence"]
    assert isinstance(evidence, dict)
    return str(row["device_id"]), str(evidence["log"]), int(evidence["index"]), str(row["kind"])


def micro_json(micro: int, unit: str) -> dict[str, str]:
    """A quantity as the API writes it, e.g. ``{"value": "12", "unit": "pc"}``."""
    sign, digits = ("-" if micro < 0 else ""), f"{abs(int(micro)):07d}"
    return {"value": f"{sign}{digits[:-6]}.{digits[-6:]}".rstrip("0").rstrip("."), "unit": unit}
