"""Tickets, the pages' own table: sessions and entry codes."""

from __future__ import annotations

from typing import Literal, NamedTuple

from cloud.api.repository import add_to_directory
from cloud.database import Tx

Kind = Literal["web_session", "entry_code"]


class Ticket(NamedTuple):
    """A session or entry code as it is stored: never the secret itself."""

    tenant_id: str
    kind: Kind
    ticket_id: str
    secret_hash: str
    key_id: str
    created_ms: int
    expires_ms: int


def add_ticket(tx: Tx, ticket: Ticket) -> None:
    """A new ticket."""
    add_to_directory(tx, ticket.kind, ticket.ticket_id, ticket.tenant_id)
    tx.run(
        "INSERT INTO web_tickets (tenant_id, kind, ticket_id, secret_hash, key_id, created_ms, expires_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        ticket,
    )


def find_ticket(tx: Tx, kind: Kind, ticket_id: str) -> Ticket | None:
    """A ticket by its public part."""
    row = tx.one(
        "SELECT t.tenant_id, t.kind, t.ticket_id, t.secret_hash, t.key_id, t.created_ms, t.expires_ms FROM directory d "
        "JOIN web_tickets t ON t.tenant_id = d.tenant_id AND t.kind = d.kind AND t.ticket_id = d.public_id "
        "WHERE d.kind = ? AND d.public_id = ?",
        (kind, ticket_id),
    )
    return None if row is None else Ticket(*row)


def remove_ticket(tx: Tx, tenant_id: str, kind: Kind, ticket_id: str) -> bool:
    """Ends a ticket; False when it was gone already."""
    tx.run("DELETE FROM directory WHERE kind = ? AND public_id = ?", (kind, ticket_id))
    key = (tenant_id, kind, ticket_id)
    return tx.run("DELETE FROM web_tickets WHERE tenant_id = ? AND kind = ? AND ticket_id = ?", key) > 0


def expired_tickets(tx: Tx, tenant_id: str, now_ms: int) -> list[tuple[Kind, str]]:
    """A tenant's tickets that nobody can use any more."""
    rows = tx.all(
        "SELECT kind, ticket_id FROM web_tickets WHERE tenant_id = ? AND expires_ms <= ?", (tenant_id, now_ms)
    )
    return [(row[0], str(row[1])) for row in rows]
