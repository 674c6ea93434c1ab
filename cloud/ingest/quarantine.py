"""Leaves that are stored and proven but could not be used, each with its reason, until somebody mends the cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloud.database import Tx
from cloud.ingest.candidates import Candidate

_COLUMNS = ("tenant_id", "log_no", "idx", "src", "reason", "detail", "state", "tries", "since_ms")


class Waiting(NamedTuple):
    """One quarantined leaf, as it is listed. ``state``: open or resolved."""

    log_no: int
    idx: int
    log_id: str
    gateway_id: str
    src: str
    reason: str
    detail: str
    state: str
    tries: int
    since_ms: int
    resolved_ms: int | None


_SELECT = (
    "SELECT q.log_no, q.idx, l.log_id, l.gateway_id, q.src, q.reason, q.detail, q.state, q.tries, q.since_ms, "
    "q.resolved_ms FROM quarantine q JOIN logs l ON l.tenant_id = q.tenant_id AND l.log_no = q.log_no "
    "WHERE q.tenant_id = ? "
)


def add(tx: Tx, candidates: Sequence[Candidate], now_ms: int) -> None:
    """Puts leaves into quarantine."""
    rows = []
    for one in candidates:
        src = one.record.src if one.record is not None else ""
        rows.append((one.log.tenant, one.log.log_no, one.index, src, one.reason, one.detail, "open", 0, now_ms))
    tx.later("quarantine", _COLUMNS, rows)


def waiting(tx: Tx, tenant: str, state: str, after: tuple[int, int, int], limit: int) -> list[Waiting]:
    """Quarantined leaves of a state behind (since, log number, index), oldest first."""
    rows = tx.all(
        _SELECT + "AND q.state = ? AND (q.since_ms, q.log_no, q.idx) > (?, ?, ?) "
        "ORDER BY q.since_ms, q.log_no, q.idx LIMIT ?",
        (tenant, state, *after, limit),
    )
    return [Waiting(*row) for row in rows]


def find(tx: Tx, tenant: str, log_no: int, index: int) -> Waiting | None:
    """One quarantined leaf."""
    row = tx.one(_SELECT + "AND q.log_no = ? AND q.idx = ?", (tenant, log_no, index))
    return None if row is None else Waiting(*row)


def lock(tx: Tx, tenant: str, log_no: int, index: int) -> bool:
    """Locks a quarantined leaf for a retry; False when it is not open."""
    row = tx.one(
        "SELECT state FROM quarantine WHERE tenant_id = ? AND log_no = ? AND idx = ? FOR UPDATE",
        (tenant, log_no, index),
    )
    return row is not None and row[0] == "open"


def settle(tx: Tx, candidate: Candidate, now_ms: int) -> None:
    """Enters how a retry ended: resolved, or open with the reason of today."""
    state, resolved = ("open", None) if candidate.reason else ("resolved", now_ms)
    tx.run(
        "UPDATE quarantine SET reason = CASE WHEN ? = '' THEN reason ELSE ? END, "
        "detail = CASE WHEN ? = '' THEN detail ELSE ? END, state = ?, tries = tries + 1, resolved_ms = ? "
        "WHERE tenant_id = ? AND log_no = ? AND idx = ?",
        (
            *(candidate.reason, candidate.reason, candidate.detail, candidate.detail),
            *(state, resolved, candidate.log.tenant, candidate.log.log_no, candidate.index),
        ),
    )
