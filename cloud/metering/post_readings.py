"""Readings into the live view of the meters, in the transaction that stores them.

The surprise: this is a view, not the bill. It keeps the last good reading of every register and says at once when one
is not believed; a bill is worked out again from the leaves. Both follow the same rules (``usage.follow``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from cloud.database import Tx
from cloud.ingest.posted import Posted, Unusable
from cloud.metering import repository
from cloud.metering.repository import Held, LiveRegister
from cloud.metering.usage import KWH, Identified, MeterRule, RegisterState, follow
from cloud.rating.lines import LeafRef, RegisterPoint
from wire.records import DeviceEvent, Reading


def post(tx: Tx, records: Sequence[Posted]) -> list[Unusable]:
    """Posts readings of energy registers and exchanges of meters; the list of records it cannot use is always empty."""
    tenants: dict[str, list[Posted]] = defaultdict(list)
    for posted in records:
        record = posted.record
        if isinstance(record, Reading):
            if record.unit in KWH:
                tenants[posted.tenant].append(posted)
        elif isinstance(record, DeviceEvent) and record.event in ("identified", "replaced"):
            tenants[posted.tenant].append(posted)
    for tenant in sorted(tenants):
        _post(tx, tenant, tenants[tenant])
    return []


def _post(tx: Tx, tenant: str, records: Sequence[Posted]) -> None:
    known = repository.lock_registers(tx, tenant, sorted({posted.record.src for posted in records}))
    rules = repository.rules(tx, tenant, sorted({posted.record.src for posted in records}))
    series: dict[tuple[str, str], list[int]] = {key: [] for key in known}
    told = [at for at, one in enumerate(records) if not isinstance(one.record, Reading)]
    for at, posted in enumerate(records):
        if isinstance(posted.record, Reading):
            series.setdefault((posted.record.src, posted.record.register), []).append(at)
    changed: list[LiveRegister] = []
    held: list[Held] = []
    for key in sorted(series):
        places = sorted([*series[key], *(at for at in told if records[at].record.src == key[0])])
        before = known.get(key)
        course = follow(
            None if before is None else before.state,
            [_entry(at, records[at]) for at in places],
            rules.get(key, MeterRule(*key)),
        )
        held += [Held(one.reason, one.point, records[one.point.leaf.log]) for one in course.held]
        same = before is not None and course.state == before.state and not course.held
        if course.state is not None and not same:
            changed.append(_live(course.state, records, before, len(course.held)))
    repository.save_registers(tx, tenant, changed)
    repository.save_held(tx, tenant, held)


def _entry(at: int, posted: Posted) -> RegisterPoint | Identified:
    """The record as the rules read it; its leaf's ``log`` is its place in this posting."""
    leaf, record = LeafRef(at, posted.index, posted.at_ms, posted.at_quality), posted.record
    if isinstance(record, Reading):
        return RegisterPoint(record.src, record.register, record.value, record.scale, record.unit, leaf)
    assert isinstance(record, DeviceEvent)
    return Identified(leaf, str(record.data.get("number", "")) if record.event == "identified" else "")


def _live(state: RegisterState, records: Sequence[Posted], before: LiveRegister | None, held: int) -> LiveRegister:
    if before is not None and state.point == before.state.point:
        return msgspec.structs.replace(before, state=state, held=before.held + held)
    return LiveRegister(state, records[state.point.leaf.log].log, held)
