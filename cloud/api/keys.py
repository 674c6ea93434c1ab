"""API keys: ``tsk_<id>_<secret>``. The id may be shown and logged; of the 260-bit secret only a hash is stored."""

from __future__ import annotations

import hashlib
import hmac
import re

import msgspec

from cloud.api import repository
from cloud.api.repository import KeyRow
from cloud.database import Tx
from cloud.entropy import Entropy

SCOPES = ("read", "write", "admin")
_KEY = re.compile(r"tsk_([0-9a-z]{12})_([0-9a-z]{52})\Z")


class Caller(msgspec.Struct, frozen=True):
    """Who is calling: a tenant's key and what it may do."""

    tenant_id: str
    key_id: str
    scopes: frozenset[str]


def create(
    tx: Tx,
    entropy: Entropy,
    tenant_id: str,
    *,
    name: str,
    scopes: tuple[str, ...],
    now_ms: int,
    expires_ms: int | None = None,
) -> str:
    """A new key of a tenant; this return value is the only place where its secret is ever seen."""
    key_id, secret = entropy.letters(12), entropy.letters(52)
    row = KeyRow(tenant_id, key_id, _hash(secret), " ".join(sorted(scopes)), expires_ms, None)
    repository.add_to_directory(tx, "api_key", key_id, tenant_id)
    repository.add_key(tx, row, name, now_ms)
    return f"tsk_{key_id}_{secret}"


def authenticate(tx: Tx, token: str, now_ms: int) -> Caller | None:
    """Whose key this is; None for anything but an active key."""
    match = _KEY.match(token)
    row = repository.find_key(tx, match.group(1)) if match else None
    if match is None or row is None or not hmac.compare_digest(_hash(match.group(2)), row.secret_hash):
        return None
    if row.revoked_ms is not None or (row.expires_ms is not None and row.expires_ms <= now_ms):
        return None
    return Caller(row.tenant_id, row.key_id, frozenset(row.scopes.split()))


def _hash(secret: str) -> str:
    """260 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
