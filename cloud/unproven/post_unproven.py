"""Unproven draws out of records, in the transaction that stores them: since when, until when, and whose they are.

The surprise is that the cloud works the deadline out itself, from the rules it sent: a gateway that is switched off
says nothing when time is over, and then least of all may nobody hear of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.database import Tx
from cloud.ingest.posted import Posted
from cloud.site_rules.set_rules import stored
from cloud.unproven import repository
from cloud.unproven.decide import publish_verdicts
from cloud.unproven.repository import Unproven
from wire.records import Draw, DrawResolved

HOUR_MS = 3_600_000
RESOLVE_HOURS = 72


def post_unproven(tx: Tx, tenant: str, posted: Sequence[Posted]) -> None:
    """Notes the unproven draws among these records, and what became of others; the same again changes nothing."""
    open_ = [(one, one.record) for one in posted if isinstance(one.record, Draw) and one.record.outcome == "unverified"]
    if open_:
        rules = {gateway: stored(tx, tenant, gateway) for gateway in {one.gateway for one, _ in open_}}
        rows = [_row(one, draw, rules[one.gateway].get("cabinets", {}).get(draw.src, {})) for one, draw in open_]
        repository.put(tx, tenant, rows)
    spoken = set()
    for one in posted:
        told = one.record
        if not isinstance(told, DrawResolved) or told.outcome == "unverified":
            continue
        if repository.decided(tx, tenant, (told.ref.src, told.ref.ep, told.ref.n), told.outcome):
            spoken.add(told.ref.src)
    publish_verdicts(tx, tenant, spoken)


def _row(one: Posted, draw: Draw, cabinet: dict[str, object]) -> Unproven:
    hours = cabinet.get("resolve_hours", RESOLVE_HOURS)
    deadline = one.at_ms + (hours if isinstance(hours, int) else RESOLVE_HOURS) * HOUR_MS
    return Unproven(
        draw.src, draw.ep, draw.n, one.log, one.index, draw.slot, draw.item, draw.qty, draw.scale, draw.unit, draw.who,
        one.at_ms, deadline, str(cabinet.get("resolve_owner", "")),
    )  # fmt: skip
