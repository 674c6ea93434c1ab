"""The stock ledger's SQL: what a posting loads, what it leaves behind, and what pages ask for.

A posting first locks its devices' rows, so that two postings of one device cannot read the same balance; balances are
written in key order, which keeps two postings of many devices from waiting for each other in a ring.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from cloud.calendar import utc_text
from cloud.database import Query, Row, Tx
from cloud.stock.ledger import NEVER, Books, Discrepancy, Move, Position, in_micro
from wire.ids import RecordKey

MoveKey = tuple[str, int, int, int]
"""Device, log number, index, leg."""
_MOVES = (
    "tenant_id", "device_id", "log_no", "idx", "leg", "slot", "item_id", "micro", "unit", "source", "target", "reason",
    "at_ms", "about_log_no", "about_idx",
)  # fmt: skip
_MOVE = (
    "m.device_id, m.log_no, m.idx, m.slot, m.item_id, m.micro, m.unit, m.source, m.target, m.reason, m.at_ms, "
    "m.about_log_no, m.about_idx"
)
_MOVES_OF_DRAWS = (
    f"SELECT {_MOVE} FROM GIVEN(device_id text, log_no bigint, idx bigint) AS g JOIN stock_moves m "  # noqa: S608 -- constant
    "ON m.tenant_id = ? AND m.device_id = g.device_id AND "
)
_MOVES_BEHIND_COUNTS = (
    f"SELECT g.log_no, g.idx, {_MOVE} "  # noqa: S608 -- constant
    "FROM GIVEN(device_id text, log_no bigint, idx bigint, slot text, item_id text) AS g JOIN stock_moves m "
    "ON m.tenant_id = ? AND m.device_id = g.device_id AND "
)
_BALANCES = (
    "tenant_id", "device_id", "slot", "item_id", "place", "micro", "unit", "counted_log_no", "counted_idx",
)  # fmt: skip


def lock_on(tenant: str, devices: Sequence[str]) -> Query:
    """Keeps other postings of these devices waiting, in order; asks under whose credit (agreement, "") each is."""
    return (
        (
            "SELECT d.device_id, d.credit_agreement FROM GIVEN(device_id text) AS g "
            "JOIN devices d ON d.tenant_id = ? AND d.device_id = g.device_id ORDER BY d.device_id FOR UPDATE"
        ),
        ([[device] for device in devices], tenant),
    )


def places(tx: Tx, tenant: str, keys: Iterable[RecordKey]) -> dict[RecordKey, Position]:
    """Where these records stand: log number and index of the leaf that counts."""
    wanted = [list(key) for key in sorted(set(keys))]
    if not wanted:
        return {}
    rows = tx.all(
        "SELECT k.src, k.ep, k.n, k.log_no, k.idx FROM GIVEN(src text, ep text, n bigint) AS g "
        "JOIN record_keys k ON k.tenant_id = ? AND k.src = g.src AND k.ep = g.ep AND k.n = g.n",
        (wanted, tenant),
    )
    return {RecordKey(src, ep, n): (log_no, index) for src, ep, n, log_no, index in rows}


def earlier_moves(tx: Tx, tenant: str, draws: Iterable[tuple[str, Position]]) -> dict[Position, list[Move]]:
    """The moves about these (device, position of a draw), in the order of their leaves: its own, and later ones."""
    wanted = [[device, *position] for device, position in sorted(set(draws))]
    if not wanted:
        return {}
    given = _MOVES_OF_DRAWS
    rows = tx.all(given + "m.log_no = g.log_no AND m.idx = g.idx", (wanted, tenant))
    rows += tx.all(given + "m.about_log_no = g.log_no AND m.about_idx = g.idx", (wanted, tenant))
    found: dict[Position, list[Move]] = {}
    for move in sorted(map(_move, rows), key=lambda one: one.at):
        found.setdefault(move.about, []).append(move)
    return found


def later_moves(tx: Tx, tenant: str, counts: Iterable[tuple[str, Position, str, str]]) -> dict[Position, list[Move]]:
    """Moves of a (device, position, slot, item) that lie behind the position, for counts that come late."""
    wanted = [[device, *position, slot, item] for device, position, slot, item in sorted(set(counts))]
    if not wanted:
        return {}
    given = _MOVES_BEHIND_COUNTS
    same = " AND m.slot = g.slot AND m.item_id = g.item_id"
    rows = tx.all(given + "m.log_no = g.log_no AND m.idx > g.idx" + same, (wanted, tenant))
    rows += tx.all(given + "m.log_no > g.log_no" + same, (wanted, tenant))
    found: dict[Position, list[Move]] = {}
    for log_no, index, *rest in rows:
        found.setdefault((log_no, index), []).append(_move(tuple(rest)))
    return found


def _move(row: Row) -> Move:
    at = (row[1], row[2])
    about = at if row[12] is None else (row[11], row[12])
    return Move(row[0], at, about, *row[3:11])


def balances_of(tenant: str, slots: Sequence[tuple[str, str]]) -> Query:
    """Asks for the balances of these (device, slot), of every item at every place."""
    return (
        (
            "SELECT b.device_id, b.slot, b.item_id, b.place, b.micro, b.unit, b.counted_log_no, b.counted_idx "
            "FROM GIVEN(device_id text, slot text) AS g JOIN stock_balances b ON b.tenant_id = ? "
            "AND b.device_id = g.device_id AND b.slot = g.slot"
        ),
        ([list(slot) for slot in slots], tenant),
    )


def load_balances(rows: Iterable[Row], books: Books) -> None:
    """The answer to ``balances_of`` into the books."""
    for device, slot, item, place, micro, unit, log_no, index in rows:
        shelf = (device, slot, item, place)
        books.balances[shelf], books.units[shelf] = int(micro), unit
        if log_no >= 0:
            books.counted[shelf] = (log_no, index)


def save(tx: Tx, tenant: str, books: Books) -> None:
    """Writes what a posting has changed: moves, balances in key order, discrepancies."""
    legs: dict[Position, int] = {}
    rows = []
    for one in books.moves:
        leg = legs[one.at] = legs.get(one.at, -1) + 1
        own = one.about == one.at
        rows.append(
            (
                tenant, one.device, *one.at, leg, one.slot, one.item, one.micro, one.unit, one.source, one.target,
                one.reason, one.at_ms, None if own else one.about[0], None if own else one.about[1],
            )
        )  # fmt: skip
    tx.later("stock_moves", _MOVES, rows)
    tx.later(
        "stock_balances",
        _BALANCES,
        [
            (tenant, *shelf, books.balances[shelf], books.units[shelf], *books.counted.get(shelf, NEVER))
            for shelf in sorted(books.changed)
        ],
        "ON CONFLICT (tenant_id, device_id, slot, item_id, place) DO UPDATE SET micro = excluded.micro, "
        "unit = excluded.unit, counted_log_no = excluded.counted_log_no, counted_idx = excluded.counted_idx",
    )
    save_discrepancies(tx, tenant, books.discrepancies)


def save_discrepancies(tx: Tx, tenant: str, found: Sequence[Discrepancy]) -> None:
    """Keeps what a person should look at; the same again changes nothing."""
    tx.later(
        "discrepancies",
        ("tenant_id", "device_id", "log_id", "idx", "kind", "subject", "facts", "at_ms"),
        [
            (tenant, one.device, one.posted.log, one.posted.index, one.kind, one.subject, json.dumps(one.facts), at)
            for one, at in ((two, two.posted.at_ms) for two in found)
        ],
        "ON CONFLICT DO NOTHING",
    )


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


def moves_page(tx: Tx, tenant: str, device: str, after: MoveKey, limit: int) -> list[tuple[MoveKey, dict[str, object]]]:
    """Moves with their sort keys, by device and in the order of their leaves; ``after`` is the last key seen."""
    rows = tx.all(
        "SELECT m.device_id, m.log_no, m.idx, m.leg, m.slot, m.item_id, m.micro, m.unit, m.source, m.target, m.reason, "
        "m.at_ms, l.log_id, f.leaf FROM stock_moves m "
        "JOIN logs l ON l.tenant_id = m.tenant_id AND l.log_no = m.log_no "
        "LEFT JOIN leaves f ON f.tenant_id = m.tenant_id AND f.log_no = m.log_no AND f.idx = m.idx "
        "WHERE m.tenant_id = ? AND (? = '' OR m.device_id = ?) "
        "AND (m.device_id, m.log_no, m.idx, m.leg) > (?, ?, ?, ?) ORDER BY m.device_id, m.log_no, m.idx, m.leg LIMIT ?",
        (tenant, device, device, *after, limit),
    )
    return [
        (
            (row[0], row[1], row[2], row[3]),
            {
                "device_id": row[0],
                "slot": row[4],
                "item_id": row[5],
                "quantity": micro_json(row[6], row[7]),
                "source": row[8],
                "target": row[9],
                "reason": row[10],
                "evidence": {"log": row[12], "index": row[2]},
                "at": utc_text(row[11]),
                **_named(row[13], row[7]),
            },
        )
        for row in rows
    ]


def _named(leaf: bytes | None, unit: str) -> dict[str, object]:
    """What the leaf itself says of lots, serial numbers and order: the ledger counts pieces, the leaf names them."""
    said = json.loads(leaf) if leaf else {}
    lots = [
        {"lot": one["lot"], "quantity": micro_json(in_micro(one["qty"], said.get("scale", 0)) or 0, unit)}
        for one in said.get("lots", ())
    ]
    return {"lots": lots, **{name: str(said.get(name, "")) for name in ("lot", "serial", "order")}}


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
