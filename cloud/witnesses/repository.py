"""Witnesses of a tenant's logs, and the checkpoints they cosigned."""

from __future__ import annotations

from typing import NamedTuple

from cloud.database import Tx


class Witness(NamedTuple):
    """A key that may cosign: its name, its verifier key (algorithm 4), whose it is."""

    name: str
    vkey: str
    party_id: str
    added_ms: int


class Seen(NamedTuple):
    """A checkpoint that a witness cosigned: its size, the cosignature line, the witness's Unix seconds."""

    name: str
    size: int
    cosignature: str
    seconds: int


def add(tx: Tx, tenant: str, witness: Witness) -> bool:
    """A new witness; False when the name is taken."""
    added = tx.run(
        "INSERT INTO witnesses (tenant_id, name, vkey, party_id, added_ms) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (tenant, *witness),
    )
    return added > 0


def listed(tx: Tx, tenant: str, after: str = "", limit: int = 1000) -> list[Witness]:
    """The witnesses behind a name, in order."""
    rows = tx.all(
        "SELECT name, vkey, party_id, added_ms FROM witnesses WHERE tenant_id = ? AND name > ? ORDER BY name LIMIT ?",
        (tenant, after, limit),
    )
    return [Witness(*row) for row in rows]


def keep(tx: Tx, place: tuple[str, int], seen: Seen) -> None:
    """Keeps the first cosignature of a witness under a size."""
    tenant, log_no = place
    tx.run(
        "INSERT INTO witnessed (tenant_id, log_no, name, size, cosignature, seconds) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (tenant, log_no, *seen),
    )


def at_size(tx: Tx, place: tuple[str, int], size: int) -> list[Seen]:
    """Who cosigned the checkpoint at a size."""
    rows = tx.all(
        "SELECT name, size, cosignature, seconds FROM witnessed WHERE tenant_id = ? AND log_no = ? AND size = ? "
        "ORDER BY name",
        (*place, size),
    )
    return [Seen(*row) for row in rows]


def newest(tx: Tx, place: tuple[str, int]) -> list[tuple[str, int]]:
    """Each witness's name and the largest size of a log that it cosigned."""
    rows = tx.all(
        "SELECT name, MAX(size) FROM witnessed WHERE tenant_id = ? AND log_no = ? GROUP BY name ORDER BY name", place
    )
    return [(row[0], row[1]) for row in rows]


def first_from(tx: Tx, place: tuple[str, int], size: int) -> list[Seen]:
    """Each witness's first cosigned checkpoint that covers ``size`` leaves."""
    rows = tx.all(
        "SELECT w.name, w.size, w.cosignature, w.seconds FROM witnessed w JOIN "
        "(SELECT tenant_id, log_no, name, MIN(size) AS least FROM witnessed WHERE tenant_id = ? AND log_no = ? "
        "AND size >= ? GROUP BY tenant_id, log_no, name) AS f "
        "ON f.tenant_id = w.tenant_id AND f.log_no = w.log_no AND f.name = w.name AND f.least = w.size ORDER BY w.name",
        (*place, size),
    )
    return [Seen(*row) for row in rows]
