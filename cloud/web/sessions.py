"""Who is at the page: a session behind an HttpOnly cookie, opened by an API key or by a one-time entry code.

The surprise: no password and no person is stored. A session stands for the API key it was opened with, and ends with
it. Cookie and code are ``<id>_<secret>``; the id is public, of the secret only a hash is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from cloud.api import keys
from cloud.api.repository import find_key
from cloud.database import Tx
from cloud.entropy import Entropy
from cloud.web.repository.tickets import Kind, Ticket, add_ticket, expired_tickets, find_ticket, remove_ticket

LIVES_MS: dict[Kind, int] = {"web_session": 7 * 24 * 3_600_000, "entry_code": 5 * 60_000}
SCOPE = "read"
CUSTOMER = "customer:"
_TOKEN = re.compile(r"([0-9a-z]{12})_([0-9a-z]{52})\Z")


class Times(NamedTuple):
    """Now, twice, ms UTC: ``real`` for people, who read no faster in a demo; ``shown`` by the cloud's clock."""

    real: int
    shown: int


class Visitor(msgspec.Struct, frozen=True):
    """Whose page is open, by which session; ``party`` where it is a customer's, who sees his own alone; ``writes``:
    whether he may change anything.
    """

    tenant_id: str
    session_id: str
    party: str = ""
    writes: bool = False


class Opened(msgspec.Struct, frozen=True):
    """A session that was just opened; ``token`` is what the cookie carries and is seen only here."""

    token: str
    visitor: Visitor


def open_with_key(tx: Tx, entropy: Entropy, api_key: str, now: Times) -> Opened | None:
    """Opens a session for an active API key that may read; None for anything else."""
    caller = keys.authenticate(tx, api_key.strip(), now.shown)
    if caller is None or not (SCOPE in caller.scopes or party_of(caller.scopes)):
        return None
    return _open(tx, entropy, caller.tenant_id, caller.key_id, now)


def open_with_code(tx: Tx, entropy: Entropy, code: str, now: Times) -> Opened | None:
    """Opens a session for an entry code, which is used up by it; None when it is wrong, used or 5 minutes old."""
    ticket = _find(tx, "entry_code", code, now)
    if ticket is None or not remove_ticket(tx, ticket.tenant_id, "entry_code", ticket.ticket_id):
        return None
    return _open(tx, entropy, ticket.tenant_id, ticket.key_id, now)


def create_code(tx: Tx, entropy: Entropy, tenant_id: str, key_id: str, now: Times) -> str:
    """A code that opens one session within 5 minutes; this return value is the only place where it is seen."""
    return _issue(tx, entropy, "entry_code", (tenant_id, key_id), now)[0]


def visitor_of(tx: Tx, token: str, now: Times) -> Visitor | None:
    """Whose session a cookie is; None when it is none, has expired or was ended, or its API key is no longer active."""
    ticket = _find(tx, "web_session", token, now)
    key = None if ticket is None else find_key(tx, ticket.key_id)
    if ticket is None or key is None:
        return None
    scopes = frozenset(key.scopes.split())
    party = "" if SCOPE in scopes else party_of(scopes)
    return Visitor(ticket.tenant_id, ticket.ticket_id, party, "write" in scopes and not party)


def party_of(scopes: Collection[str]) -> str:
    """The customer whose people a key is for ("customer:ID" among its scopes); "" for a supplier's key."""
    return next((scope.removeprefix(CUSTOMER) for scope in scopes if scope.startswith(CUSTOMER)), "")


def end(tx: Tx, visitor: Visitor) -> None:
    """Ends a session."""
    remove_ticket(tx, visitor.tenant_id, "web_session", visitor.session_id)


def _open(tx: Tx, entropy: Entropy, tenant_id: str, key_id: str, now: Times) -> Opened:
    token, ticket_id = _issue(tx, entropy, "web_session", (tenant_id, key_id), now)
    return Opened(token, Visitor(tenant_id, ticket_id))


def _issue(tx: Tx, entropy: Entropy, kind: Kind, owner: tuple[str, str], now: Times) -> tuple[str, str]:
    """A new ticket of an owner (tenant and API key), after expired ones were cleared away: its token and public id."""
    tenant_id, key_id = owner
    for old_kind, old in expired_tickets(tx, tenant_id, now.real):
        remove_ticket(tx, tenant_id, old_kind, old)
    ticket_id, secret = entropy.letters(12), entropy.letters(52)
    expires_ms = now.real + LIVES_MS[kind]
    add_ticket(tx, Ticket(tenant_id, kind, ticket_id, _hash(secret), key_id, now.real, expires_ms))
    return f"{ticket_id}_{secret}", ticket_id


def _find(tx: Tx, kind: Kind, token: str, now: Times) -> Ticket | None:
    match = _TOKEN.match(token)
    ticket = find_ticket(tx, kind, match.group(1)) if match else None
    if match is None or ticket is None or not hmac.compare_digest(_hash(match.group(2)), ticket.secret_hash):
        return None
    key = find_key(tx, ticket.key_id)
    if ticket.expires_ms <= now.real or key is None or key.revoked_ms is not None:
        return None
    return None if key.expires_ms is not None and key.expires_ms <= now.shown else ticket


def _hash(secret: str) -> str:
    """260 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
