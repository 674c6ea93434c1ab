"""What asks for a person because it may be forgery or damage: logs on hold, and notes kept as evidence."""

from __future__ import annotations

from typing import NamedTuple

from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.ingest.repository import EvidenceRow
from cloud.invariants import repository
from cloud.invariants.repository import Hold

MOST = 200


class Alarms(NamedTuple):
    """Holds, newest decisions included; and the kept notes."""

    holds: list[Hold]
    evidence: list[EvidenceRow]


def gather_alarms(tx: Tx, tenant: str) -> Alarms:
    """Everything on the page of alarms."""
    return Alarms(
        repository.holds(tx, tenant, (0, "", 0), MOST, all_states=True),
        logs.evidence(tx, tenant, (0, "", 0, b""), MOST),
    )
