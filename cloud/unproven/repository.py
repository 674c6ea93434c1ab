"""Unproven draws: SQL only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloud.database import Tx

Key = tuple[str, str, int]
"""Device, epoch, number of the draw's record."""
_COLUMNS = (
    "device_id", "ep", "n", "log_id", "idx", "slot", "item_id", "qty", "scale", "unit", "person", "at_ms",
    "deadline_ms", "owner", "outcome", "said", "said_because", "said_by",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM unproven_draws WHERE tenant_id = ? "  # noqa: S608 -- constant


class Unproven(NamedTuple):
    """A draw that nothing proved. ``outcome`` "": still open; ``said``: the verdict that waits for the gateway."""

    device_id: str
    ep: str
    n: int
    log_id: str
    idx: int
    slot: str
    item_id: str
    qty: int
    scale: int
    unit: str
    person: str
    at_ms: int
    deadline_ms: int
    owner: str
    outcome: str = ""
    said: str = ""
    said_because: str = ""
    said_by: str = ""

    @property
    def record(self) -> str:
        """How people name it."""
        return f"{self.device_id}/{self.ep}/{self.n}"


def put(tx: Tx, tenant: str, rows: Sequence[Unproven]) -> None:
    """Draws that came. What was decided before they came (they were in quarantine) stays decided."""
    told = [column for column in _COLUMNS if column not in ("device_id", "ep", "n", "outcome")]
    changes = ", ".join(f"{column} = excluded.{column}" for column in told)
    tx.insert(
        "unproven_draws",
        ("tenant_id", *_COLUMNS),
        [(tenant, *row) for row in rows],
        f"ON CONFLICT (tenant_id, device_id, ep, n) DO UPDATE SET {changes} WHERE unproven_draws.log_id = ''",
    )


def decided(tx: Tx, tenant: str, key: Key, outcome: str) -> bool:
    """A resolution came; whether a verdict was waiting for it."""
    said = tx.one(
        "SELECT said FROM unproven_draws WHERE tenant_id = ? AND device_id = ? AND ep = ? AND n = ?", (tenant, *key)
    )
    row = Unproven(*key, "", 0, "", "", 0, 0, "", "", 0, 0, "", outcome)
    tx.insert(
        "unproven_draws",
        ("tenant_id", *_COLUMNS),
        [(tenant, *row)],
        "ON CONFLICT (tenant_id, device_id, ep, n) DO UPDATE SET outcome = excluded.outcome",
    )
    return bool(said and said[0])


def say(tx: Tx, tenant: str, key: Key, outcome: str, because: str, who: str) -> None:
    """The owner's verdict, until the gateway has written it down."""
    tx.run(
        "UPDATE unproven_draws SET said = ?, said_because = ?, said_by = ? "
        "WHERE tenant_id = ? AND device_id = ? AND ep = ? AND n = ?",
        (outcome, because, who, tenant, *key),
    )


def find(tx: Tx, tenant: str, key: Key) -> Unproven | None:
    """One draw, locked; None when it was never unproven, or is not known."""
    row = tx.one(f"{_SELECT} AND device_id = ? AND ep = ? AND n = ? AND log_id <> '' FOR UPDATE", (tenant, *key))
    return None if row is None else Unproven(*row)


def waiting(tx: Tx, tenant: str, device: str) -> list[Unproven]:
    """The open draws of a device about which its owner has spoken."""
    rows = tx.all(f"{_SELECT} AND device_id = ? AND outcome = '' AND said <> '' ORDER BY ep, n", (tenant, device))
    return [Unproven(*row) for row in rows]


def page(tx: Tx, tenant: str, before_ms: int, after: tuple[int, str, str, int], limit: int) -> list[Unproven]:
    """Open draws whose deadline is before an instant, the most urgent first, behind (deadline, device, ep, n)."""
    rows = tx.all(
        f"{_SELECT} AND outcome = '' AND log_id <> '' AND deadline_ms < ? "
        "AND (deadline_ms, device_id, ep, n) > (?, ?, ?, ?) ORDER BY deadline_ms, device_id, ep, n LIMIT ?",
        (tenant, before_ms, *after, limit),
    )
    return [Unproven(*row) for row in rows]
