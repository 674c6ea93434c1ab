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
from cloud.metering.course import follow
from cloud.metering.repository import Held, LiveRegister
from cloud.metering.usage import KWH, Course, Identified, MeterRule, RegisterState, point_of
from cloud.metering.usage import Held as HeldReading
from cloud.rating.lines import LeafRef, RegisterPoint
from wire.records import DeviceEvent, Reading


def post(tx: Tx, records: Sequence[Posted]) -> list[Unusable]:
    """Posts readings of energy registers and exchanges of meters; the list of records it cannot use is always empty."""
    tenants: dict[str, list[Posted]] = defaultdict(list)
    for posted in records:
        record = posted.record
        if type(record) is Reading:
            if record.unit in KWH:
                tenants[posted.tenant].append(posted)
        elif type(record) is DeviceEvent and record.event in ("identified", "replaced"):
            tenants[posted.tenant].append(posted)
    for tenant in sorted(tenants):
        _post(tx, tenant, tenants[tenant])
    return []


def _post(tx: Tx, tenant: str, records: Sequence[Posted]) -> None:
    devices = sorted({posted.record.src for posted in records})
    known, rules = repository.lock_registers(tx, tenant, devices)
    series: dict[tuple[str, str], list[int]] = {key: [] for key in known}
    told = []
    for at, posted in enumerate(records):
        record = posted.record
        if isinstance(record, Reading):
            series.setdefault((record.src, record.register), []).append(at)
        else:
            told.append(at)
    changed: list[LiveRegister] = []
    held: list[Held] = []
    for key in sorted(series):
        before = known.get(key)
        places = series[key]
        events = [at for at in told if records[at].record.src == key[0]] if told else []
        if not events and key not in rules and _only_rises(before, places, records):
            places = places[-1:]
        entries = [_entry(at, records[at]) for at in sorted([*places, *events])]
        course = follow(None if before is None else before.state, entries, rules.get(key, MeterRule(*key)))
        if before is not None and any(one.reason == "register_fall" for one in course.held):
            course = _with_earlier_falls(tx, tenant, key, before, course, entries, rules.get(key, MeterRule(*key)))
        held += [Held(one.reason, one.point, records[one.point.leaf.log]) for one in course.held]
        same = before is not None and course.state == before.state and not course.held
        if course.state is not None and not same:
            changed.append(_live(course.state, records, before, len(course.held)))
    repository.save_registers(tx, tenant, changed)
    repository.save_held(tx, tenant, held)


def _with_earlier_falls(
    tx: Tx,
    tenant: str,
    key: tuple[str, str],
    before: LiveRegister,
    course: Course,
    entries: Sequence[RegisterPoint | Identified],
    rule: MeterRule,
) -> Course:
    """The same course with the readings that were held before: a fall is confirmed across batches too."""
    earlier = repository.falls(tx, tenant, *key, before.state.point.leaf.at)
    if not earlier:
        return course
    whole = follow(before.state, [*earlier, *entries], rule)
    if whole.state is None or whole.state.point == before.state.point or whole.state.point.leaf.log < 0:
        return course
    held = [one for one in whole.held if one.point.leaf.log >= 0]
    known = {one.point for one in held}
    reset = any(one.reason == "register_reset" for one in whole.held)
    if reset and not any(one.reason == "register_reset" for one in held):
        # The fall began in an earlier batch: this batch's reading is the one that confirms it.
        last = next(one for one in reversed(entries) if isinstance(one, RegisterPoint))
        held += [] if last in known else [HeldReading(last, "register_reset")]
    return Course(whole.steps, held, whole.state, whole.rule)


def _only_rises(before: LiveRegister | None, places: Sequence[int], records: Sequence[Posted]) -> bool:
    """Whether every reading of a register would be believed as it stands, so that the last one alone decides.

    The usual case, and readings are what comes most: integers are compared, nothing is worked out.
    """
    last, scale, unit = None, None, None
    if before is not None:
        point = before.state.point
        if before.state.exchanged:
            return False
        last, scale, unit = point.value, point.scale, point.unit
    for at in places:
        record = records[at].record
        assert isinstance(record, Reading)
        if last is None:
            scale, unit = record.scale, record.unit
        elif record.scale != scale or record.unit != unit or record.value < last:
            return False
        last = record.value
    return True


def _entry(at: int, posted: Posted) -> RegisterPoint | Identified:
    """The record as the rules read it; its leaf's ``log`` is its place in this posting."""
    leaf, record = LeafRef(log=at, index=posted.index, at=posted.at_ms, quality=posted.at_quality), posted.record
    if isinstance(record, Reading):
        return point_of(record, leaf)
    assert isinstance(record, DeviceEvent)
    return Identified(leaf, str(record.data.get("number", "")) if record.event == "identified" else "")


def _live(state: RegisterState, records: Sequence[Posted], before: LiveRegister | None, held: int) -> LiveRegister:
    if before is not None and state.point == before.state.point:
        return msgspec.structs.replace(before, state=state, held=before.held + held)
    return LiveRegister(state, records[state.point.leaf.log].log, held)
