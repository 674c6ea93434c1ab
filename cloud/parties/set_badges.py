"""Which badges may draw at a gateway: kept here and published to it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.database import Tx
from cloud.fleet import desired
from cloud.parties import repository
from cloud.parties.repository import BadgeRow


def set_badges(tx: Tx, tenant: str, gateway_id: str, badges: Sequence[BadgeRow]) -> int:
    """Replaces the gateway's list; the version of its desired document after that."""
    repository.replace_badges(tx, tenant, gateway_id, badges)
    body = [{"badge": one.badge, "person": one.person, "groups": list(one.groups)} for one in badges]
    return desired.publish(tx, tenant, gateway_id, part="badges", body=body)
