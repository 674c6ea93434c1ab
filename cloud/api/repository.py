"""The API's own tables: tenants, keys, and the answers kept for repeated requests."""

from __future__ import annotations

from typing import NamedTuple

from cloud.database import Tx


class KeyRow(NamedTuple):
    """An API key as it is stored: never the secret itself."""

    tenant_id: str
    key_id: str
    secret_hash: str
    scopes: str
    expires_ms: int | None
    revoked_ms: int | None


class AnswerRow(NamedTuple):
    """What was answered to the first request with an Idempotency-Key."""

    request_hash: str
    status: int
    body: str


def answers(tx: Tx) -> dict[str, object]:
    """Does the database answer at all?"""
    return {"answer": tx.one("SELECT 1")}


def add_tenant(tx: Tx, tenant_id: str, name: str, now_ms: int) -> None:
    """A new tenant."""
    tx.run("INSERT INTO tenants (tenant_id, name, created_ms) VALUES (?, ?, ?)", (tenant_id, name, now_ms))


def tenant_exists(tx: Tx, tenant_id: str) -> bool:
    """Is there such a tenant?"""
    return tx.one("SELECT 1 FROM tenants WHERE tenant_id = ?", (tenant_id,)) is not None


def add_to_directory(tx: Tx, kind: str, public_id: str, tenant_id: str) -> None:
    """Makes a public id lead to its tenant."""
    tx.run("INSERT INTO directory (kind, public_id, tenant_id) VALUES (?, ?, ?)", (kind, public_id, tenant_id))


def tenant_of(tx: Tx, kind: str, public_id: str) -> str | None:
    """The tenant a public id belongs to."""
    row = tx.one("SELECT tenant_id FROM directory WHERE kind = ? AND public_id = ?", (kind, public_id))
    return None if row is None else str(row[0])


def add_key(tx: Tx, row: KeyRow, name: str, now_ms: int) -> None:
    """A new API key."""
    tx.run(
        "INSERT INTO api_keys (tenant_id, key_id, name, secret_hash, scopes, created_ms, expires_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.tenant_id, row.key_id, name, row.secret_hash, row.scopes, now_ms, row.expires_ms),
    )


def find_key(tx: Tx, key_id: str) -> KeyRow | None:
    """An API key by its public part."""
    row = tx.one(
        "SELECT k.tenant_id, k.key_id, k.secret_hash, k.scopes, k.expires_ms, k.revoked_ms FROM directory d "
        "JOIN api_keys k ON k.tenant_id = d.tenant_id AND k.key_id = d.public_id "
        "WHERE d.kind = 'api_key' AND d.public_id = ?",
        (key_id,),
    )
    return None if row is None else KeyRow(*row)


def revoke_key(tx: Tx, tenant_id: str, key_id: str, now_ms: int) -> bool:
    """Ends a key; True when it was active."""
    return (
        tx.run(
            "UPDATE api_keys SET revoked_ms = ? WHERE tenant_id = ? AND key_id = ? AND revoked_ms IS NULL",
            (now_ms, tenant_id, key_id),
        )
        > 0
    )


def find_answer(tx: Tx, tenant_id: str, key: str) -> AnswerRow | None:
    """The kept answer of an Idempotency-Key."""
    row = tx.one(
        "SELECT request_hash, status, body FROM idempotency_keys WHERE tenant_id = ? AND idempotency_key = ?",
        (tenant_id, key),
    )
    return None if row is None else AnswerRow(*row)


def claim_key(tx: Tx, tenant_id: str, key: str, request_hash: str, now_ms: int) -> bool:
    """Takes an Idempotency-Key for this transaction; False when another one has it (after waiting for its end)."""
    return (
        tx.run(
            "INSERT INTO idempotency_keys (tenant_id, idempotency_key, request_hash, status, body, created_ms) "
            "VALUES (?, ?, ?, 0, '', ?) ON CONFLICT DO NOTHING",
            (tenant_id, key, request_hash, now_ms),
        )
        > 0
    )


def keep_answer(tx: Tx, tenant_id: str, key: str, status: int, body: str) -> None:
    """Stores the answer under a claimed key, in the transaction that did the work."""
    tx.run(
        "UPDATE idempotency_keys SET status = ?, body = ? WHERE tenant_id = ? AND idempotency_key = ?",
        (status, body, tenant_id, key),
    )


def forget_answers(tx: Tx, tenant_id: str, before_ms: int) -> int:
    """Removes kept answers that nobody will ask for again."""
    return tx.run("DELETE FROM idempotency_keys WHERE tenant_id = ? AND created_ms < ?", (tenant_id, before_ms))
