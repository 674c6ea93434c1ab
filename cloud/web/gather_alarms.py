"""What asks for a person: logs on hold and notes kept as evidence (it may be forgery), and draws that nobody proved."""

from __future__ import annotations

from typing import NamedTuple

from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.ingest.repository import EvidenceRow
from cloud.invariants import repository
from cloud.invariants.repository import Hold
from cloud.unproven import repository as unproven
from cloud.unproven.repository import Unproven

MOST = 200


class Alarms(NamedTuple):
    """Holds, newest decisions included; the kept notes; unproven draws past their deadline."""

    holds: list[Hold]
    evidence: list[EvidenceRow]
    unproven: list[Unproven]


def gather_alarms(tx: Tx, tenant: str, now_ms: int) -> Alarms:
    """Everything on the page of alarms."""
    return Alarms(
        repository.holds(tx, tenant, (0, "", 0), MOST, all_states=True),
        logs.evidence(tx, tenant, (0, "", 0, b""), MOST),
        unproven.page(tx, tenant, now_ms, (-1, "", "", 0), MOST),
    )
