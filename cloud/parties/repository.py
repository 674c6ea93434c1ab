"""Parties, sites and badges: SQL only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from cloud.database import Tx
from cloud.parties.details import PartyDetails


class PartyRow(NamedTuple):
    """A supplier or customer."""

    party_id: str
    name: str
    created_ms: int


class SiteRow(NamedTuple):
    """A place of a party, with its time zone."""

    site_id: str
    name: str
    party_id: str
    zone: str
    created_ms: int


class BadgeRow(NamedTuple):
    """A badge that may draw at a gateway; ``person`` is a pseudonym."""

    badge: str
    person: str
    groups: tuple[str, ...]


def add_party(tx: Tx, tenant: str, row: PartyRow) -> bool:
    """A new party; False when the id is taken."""
    columns = ("tenant_id", "party_id", "name", "created_ms")
    return tx.insert("parties", columns, [(tenant, *row)], "ON CONFLICT DO NOTHING") > 0


def party(tx: Tx, tenant: str, party_id: str) -> PartyRow | None:
    """One party."""
    row = tx.one(
        "SELECT party_id, name, created_ms FROM parties WHERE tenant_id = ? AND party_id = ?", (tenant, party_id)
    )
    return None if row is None else PartyRow(*row)


def parties(tx: Tx, tenant: str, after: str, limit: int) -> list[PartyRow]:
    """The parties behind an id, in order."""
    rows = tx.all(
        "SELECT party_id, name, created_ms FROM parties WHERE tenant_id = ? AND party_id > ? ORDER BY party_id LIMIT ?",
        (tenant, after, limit),
    )
    return [PartyRow(*row) for row in rows]


def set_details(tx: Tx, tenant: str, party_id: str, body: str, now_ms: int) -> None:
    """What papers say of a party, in place of what they said before."""
    tx.run("DELETE FROM party_details WHERE tenant_id = ? AND party_id = ?", (tenant, party_id))
    columns = ("tenant_id", "party_id", "body", "changed_ms")
    tx.insert("party_details", columns, [(tenant, party_id, body, now_ms)])


def details(tx: Tx, tenant: str, party_id: str) -> PartyDetails:
    """What is known of a party; nothing is as good as an empty answer."""
    row = tx.one("SELECT body FROM party_details WHERE tenant_id = ? AND party_id = ?", (tenant, party_id))
    return PartyDetails() if row is None else PartyDetails.model_validate_json(row[0])


def add_site(tx: Tx, tenant: str, row: SiteRow) -> bool:
    """A new site; False when the id is taken."""
    columns = ("tenant_id", "site_id", "name", "party_id", "zone", "created_ms")
    return tx.insert("sites", columns, [(tenant, *row)], "ON CONFLICT DO NOTHING") > 0


def site(tx: Tx, tenant: str, site_id: str) -> SiteRow | None:
    """One site."""
    row = tx.one(
        "SELECT site_id, name, party_id, zone, created_ms FROM sites WHERE tenant_id = ? AND site_id = ?",
        (tenant, site_id),
    )
    return None if row is None else SiteRow(*row)


def sites(tx: Tx, tenant: str, after: str, limit: int) -> list[SiteRow]:
    """The sites behind an id, in order."""
    rows = tx.all(
        "SELECT site_id, name, party_id, zone, created_ms FROM sites WHERE tenant_id = ? AND site_id > ? "
        "ORDER BY site_id LIMIT ?",
        (tenant, after, limit),
    )
    return [SiteRow(*row) for row in rows]


def replace_badges(tx: Tx, tenant: str, gateway_id: str, badges: Sequence[BadgeRow]) -> None:
    """The badges of a gateway, all of them."""
    tx.run("DELETE FROM badges WHERE tenant_id = ? AND gateway_id = ?", (tenant, gateway_id))
    tx.insert(
        "badges",
        ("tenant_id", "gateway_id", "badge", "person", "groups"),
        [(tenant, gateway_id, one.badge, one.person, json.dumps(one.groups)) for one in badges],
    )


def badges(tx: Tx, tenant: str, gateway_id: str) -> list[BadgeRow]:
    """The badges of a gateway."""
    rows = tx.all(
        "SELECT badge, person, groups FROM badges WHERE tenant_id = ? AND gateway_id = ? ORDER BY badge",
        (tenant, gateway_id),
    )
    return [BadgeRow(badge, person, tuple(json.loads(groups))) for badge, person, groups in rows]
