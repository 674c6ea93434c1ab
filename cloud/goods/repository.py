"""Items and planograms: SQL only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from cloud.database import Tx

Confirm = Literal["door", "sensor", "motor", "none"]


class ItemRow(NamedTuple):
    """Something that is stocked. ``pack``: units in a package; ``sku``: the supplier's number."""

    item_id: str
    name: str
    sku: str
    unit: str
    pack: int
    created_ms: int


class SlotRow(NamedTuple):
    """One slot of a planogram; levels in units of the item."""

    slot: str
    item_id: str
    capacity: int
    min_level: int
    max_level: int
    confirm: Confirm


class PlanogramRow(NamedTuple):
    """A cabinet's newest planogram."""

    device_id: str
    version: int
    slots: list[SlotRow]


_ITEM = "item_id, name, sku, unit, pack, created_ms"


def add_item(tx: Tx, tenant: str, row: ItemRow) -> bool:
    """A new item; False when the id is taken."""
    columns = ("tenant_id", "item_id", "name", "sku", "unit", "pack", "created_ms")
    return tx.insert("items", columns, [(tenant, *row)], "ON CONFLICT DO NOTHING") > 0


def item(tx: Tx, tenant: str, item_id: str) -> ItemRow | None:
    """One item."""
    row = tx.one(f"SELECT {_ITEM} FROM items WHERE tenant_id = ? AND item_id = ?", (tenant, item_id))  # noqa: S608 -- constant
    return None if row is None else ItemRow(*row)


def items(tx: Tx, tenant: str, after: str, limit: int) -> list[ItemRow]:
    """The items behind an id, in order."""
    rows = tx.all(
        f"SELECT {_ITEM} FROM items WHERE tenant_id = ? AND item_id > ? ORDER BY item_id LIMIT ?",  # noqa: S608 -- constant
        (tenant, after, limit),
    )
    return [ItemRow(*row) for row in rows]


def add_planogram(tx: Tx, tenant: str, planogram: PlanogramRow, now_ms: int) -> None:
    """A new version, and its slots as the newest ones."""
    device_id, version, slots = planogram
    body = msgspec.json.encode([one._asdict() for one in slots]).decode()
    columns = ("tenant_id", "device_id", "version", "body", "created_ms")
    tx.insert("planograms", columns, [(tenant, device_id, version, body, now_ms)])
    tx.run("DELETE FROM planogram_slots WHERE tenant_id = ? AND device_id = ?", (tenant, device_id))
    tx.insert(
        "planogram_slots",
        (
            "tenant_id", "device_id", "slot", "item_id", "capacity", "min_level", "max_level", "confirm", "version",
        ),
        [(tenant, device_id, *one, version) for one in slots],
    )  # fmt: skip


def last_version(tx: Tx, tenant: str, device_id: str) -> int:
    """The newest version of a cabinet's planogram, 0 for none."""
    row = tx.one(
        "SELECT COALESCE(MAX(version), 0) FROM planograms WHERE tenant_id = ? AND device_id = ?", (tenant, device_id)
    )
    return 0 if row is None else int(row[0])


def planogram(tx: Tx, tenant: str, device_id: str) -> PlanogramRow | None:
    """A cabinet's newest planogram."""
    version = last_version(tx, tenant, device_id)
    rows: Sequence[tuple[str, str, int, int, int, Confirm]] = tx.all(
        "SELECT slot, item_id, capacity, min_level, max_level, confirm FROM planogram_slots "
        "WHERE tenant_id = ? AND device_id = ? ORDER BY slot",
        (tenant, device_id),
    )
    return PlanogramRow(device_id, version, [SlotRow(*row) for row in rows]) if version else None
