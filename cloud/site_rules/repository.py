"""The rules of sites by version, and what is lent: SQL only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloud.database import Tx

_LOAN = (
    "tenant_id", "device_id", "log_no", "idx", "ep", "n", "person", "account", "slot", "item_id", "serial", "qty",
    "scale", "unit", "lent_ms", "due_ms", "out_qty", "ended", "ended_ms",
)  # fmt: skip


class RulesRow(NamedTuple):
    """One version of a site's rules, as JSON."""

    version: int
    body: str
    made_by: str
    at_ms: int


class LoanRow(NamedTuple):
    """A tool that was lent. ``out_qty`` 0: it is back, or kept (``ended``)."""

    device_id: str
    log_no: int
    idx: int
    ep: str
    n: int
    person: str
    account: str
    slot: str
    item_id: str
    serial: str
    qty: int
    scale: int
    unit: str
    lent_ms: int
    due_ms: int | None
    out_qty: int
    ended: str
    ended_ms: int | None


def newest(tx: Tx, tenant: str, gateway_id: str) -> RulesRow | None:
    """The rules that hold."""
    found = versions(tx, tenant, gateway_id, 1)
    return found[0] if found else None


def versions(tx: Tx, tenant: str, gateway_id: str, limit: int) -> list[RulesRow]:
    """The last versions, newest first."""
    rows = tx.all(
        "SELECT version, body, made_by, at_ms FROM access_rules WHERE tenant_id = ? AND gateway_id = ? "
        "ORDER BY version DESC LIMIT ?",
        (tenant, gateway_id, limit),
    )
    return [RulesRow(*row) for row in rows]


def lock(tx: Tx, tenant: str, gateway_id: str) -> bool:
    """Keeps other writers of this site's rules waiting; False: there is no such gateway."""
    asked = "SELECT gateway_id FROM gateways WHERE tenant_id = ? AND gateway_id = ? FOR UPDATE"
    return tx.one(asked, (tenant, gateway_id)) is not None


def add(tx: Tx, tenant: str, gateway_id: str, row: RulesRow) -> None:
    """A new version."""
    columns = ("tenant_id", "gateway_id", "version", "body", "made_by", "at_ms")
    tx.insert("access_rules", columns, [(tenant, gateway_id, *row)])


def lend(tx: Tx, tenant: str, rows: Sequence[LoanRow]) -> None:
    """Loans that began; one that is known already stays as it is."""
    tx.insert("loans", _LOAN, [(tenant, *row) for row in rows], "ON CONFLICT DO NOTHING")


def bring_back(tx: Tx, tenant: str, device: str, ep: str, n: int, *, qty: int, how: str, at_ms: int) -> bool:
    """So much of a loan is back; False when it is not known, or not out."""
    done = tx.run(
        "UPDATE loans SET out_qty = CASE WHEN out_qty > ? THEN out_qty - ? ELSE 0 END, ended = ?, ended_ms = ? "
        "WHERE tenant_id = ? AND device_id = ? AND ep = ? AND n = ? AND out_qty > 0",
        (qty, qty, how, at_ms, tenant, device, ep, n),
    )
    return done > 0


def loans(
    tx: Tx, tenant: str, *, device: str, person: str, out: bool, after: tuple[str, int, int], limit: int
) -> list[LoanRow]:
    """Loans behind a (device, log number, index), in order; ``out``: only what has not come back."""
    rows = tx.all(
        "SELECT device_id, log_no, idx, ep, n, person, account, slot, item_id, serial, qty, scale, unit, lent_ms, "
        "due_ms, out_qty, ended, ended_ms FROM loans WHERE tenant_id = ? AND (? = '' OR device_id = ?) "
        "AND (? = '' OR person = ?) AND (? = 0 OR out_qty > 0) AND (device_id, log_no, idx) > (?, ?, ?) "
        "ORDER BY device_id, log_no, idx LIMIT ?",
        (tenant, device, device, person, person, int(out), *after, limit),
    )
    return [LoanRow(*row) for row in rows]
