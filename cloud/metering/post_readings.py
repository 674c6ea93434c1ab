"""Readings into the live view of the meters, in the transaction that stores them.

The surprise: this is a view, not the bill. It keeps the last good reading of every register and says at once when one
is not believed; a bill is worked out again from the leaves. Both follow the same rules (``course.follow``) and hear the
same of a meter (``told.identified_by``). What is agreed on transformers only decides how much is plausible here: what
counts behind them is shown as the meter shows it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from cloud.database import Tx
from cloud.ingest.posted import Posted, Unusable
from cloud.metering import repository
from cloud.metering.course import follow
from cloud.metering.repository import Held, LiveRegister
from cloud.metering.told import METER_EVENTS, identified_by, registers_named
from cloud.metering.usage import KWH, Course, Identified, MeterRule, point_of
from cloud.rating.lines import LeafRef, RegisterPoint
from wire.records import DeviceEvent, Reading

Key = tuple[str, str]


def post(tx: Tx, records: Sequence[Posted]) -> list[Unusable]:
    """Posts readings of energy registers and what meters say of them; the list of records it cannot use is always
    empty.
    """
    tenants: dict[str, list[Posted]] = defaultdict(list)
    for posted in records:
        record = posted.record
        if type(record) is Reading:
            if record.unit in KWH:
                tenants[posted.tenant].append(posted)
        elif type(record) is DeviceEvent and record.event in METER_EVENTS:
            tenants[posted.tenant].append(posted)
    for tenant in sorted(tenants):
        _post(tx, tenant, tenants[tenant])
    return []


def _post(tx: Tx, tenant: str, records: Sequence[Posted]) -> None:
    devices = sorted({posted.record.src for posted in records})
    known, rules = repository.lock_registers(tx, tenant, devices)
    series: dict[Key, list[int]] = {key: [] for key in known}
    told = []
    for at, posted in enumerate(records):
        record = posted.record
        if isinstance(record, Reading):
            series.setdefault((record.src, record.register), []).append(at)
        else:
            told.append(at)
    facts = repository.facts_of(tx, tenant, devices) if series.keys() - known.keys() else {}
    changed: list[LiveRegister] = []
    held: list[Held] = []
    for key in sorted(series):
        before = known.get(key)
        rule = rules.get(key, MeterRule(*key))
        places = series[key]
        events = [at for at in told if records[at].record.src == key[0]] if told else []
        if before is not None and not places and not events:
            continue
        if not events and key not in facts and _only_rises(before, rule, places, records):
            if before is not None:
                changed.append(_risen(before, places, records))
                continue
            places = places[-2:]
        else:
            places = [at for at in places if not _is_old(before, records[at])]
        entries = [_entry(at, records[at], key[1]) for at in sorted([*places, *events])]
        if before is None and key in facts:
            entries.insert(0, facts[key])
        course, logs = _course(tx, tenant, before, entries, rule)
        held += [
            Held(one.reason, one.point, records[one.point.leaf.log].log if one.point.leaf.log >= 0 else logs[one.point])
            for one in course.held
        ]
        same = before is not None and course.state == before.state and not course.held
        if course.state is not None and not same:
            changed.append(_live(course, records, before))
    repository.save_registers(tx, tenant, changed)
    repository.save_held(tx, tenant, held)
    repository.save_facts(tx, tenant, _unread(series, [records[at] for at in told]))


def _course(
    tx: Tx,
    tenant: str,
    before: LiveRegister | None,
    entries: Sequence[RegisterPoint | Identified],
    rule: MeterRule,
) -> tuple[Course, Mapping[RegisterPoint, str]]:
    """What the entries come to, together with readings that were held before: a fall is confirmed across batches too.
    And the ids of the logs of readings that are not of the batch.
    """
    if before is None:
        return follow(None, entries, rule), {}
    course = follow(before.state, entries, rule, before=before.before)
    if not any(one.reason == "register_fall" for one in course.held):
        return course, {before.state.point: before.log_id}
    point = before.state.point
    earlier, logs = repository.falls(tx, tenant, point.device, point.register, point.leaf.at)
    whole = follow(before.state, [*earlier, *entries], rule, before=before.before) if earlier else course
    if whole.state is not None and whole.state.point.leaf.log >= 0:
        # A fall that waited was told of when it came; a reset or a misread is told of now.
        fresh = [one for one in whole.held if one.point.leaf.log >= 0 or one.reason != "register_fall"]
        course = Course(whole.steps, fresh, whole.state, whole.rule, before=whole.before)
    return course, {**logs, point: before.log_id}


def _only_rises(before: LiveRegister | None, rule: MeterRule, places: Sequence[int], records: Sequence[Posted]) -> bool:
    """Whether every reading of a register would be believed as it stands, so that the last ones alone decide.

    The usual case, and readings are what comes most: integers are compared, nothing is worked out.
    """
    last, scale, unit = None, None, None
    if rule.max_kw is not None:
        return False
    if before is not None:
        point = before.state.point
        if before.state.exchanged or before.state.max_kw:
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


def _risen(before: LiveRegister, places: Sequence[int], records: Sequence[Posted]) -> LiveRegister:
    """A register after readings that only rise: what ``follow`` would say of them."""
    last = _reading(places[-1], records[places[-1]])
    earlier = _reading(places[-2], records[places[-2]]) if len(places) > 1 else before.state.point
    state = msgspec.structs.replace(before.state, point=last, exchanged=False)
    return LiveRegister(state, records[places[-1]].log, 0, earlier)


def _reading(at: int, posted: Posted) -> RegisterPoint:
    """The reading as the rules read it; its leaf's ``log`` is its place in this posting."""
    assert isinstance(posted.record, Reading)
    return point_of(posted.record, LeafRef(log=at, index=posted.index, at=posted.at_ms, quality=posted.at_quality))


def _is_old(before: LiveRegister | None, posted: Posted) -> bool:
    """Whether a reading was taken before the last good one and shows no more: it was told late, and is no fall."""
    if before is None or before.state.exchanged or posted.at_quality != "synchronised":
        return False
    record, point = posted.record, before.state.point
    assert isinstance(record, Reading)
    alike = (record.scale, record.unit) == (point.scale, point.unit)
    return alike and posted.at_ms < point.leaf.at and record.value <= point.value


def _entry(at: int, posted: Posted, register: str) -> RegisterPoint | Identified:
    """The record as the rules read it; its leaf's ``log`` is its place in this posting."""
    record = posted.record
    if isinstance(record, Reading):
        return _reading(at, posted)
    assert isinstance(record, DeviceEvent)
    leaf = LeafRef(log=at, index=posted.index, at=posted.at_ms, quality=posted.at_quality)
    return identified_by(leaf, record, register)


def _live(course: Course, records: Sequence[Posted], before: LiveRegister | None) -> LiveRegister:
    assert course.state is not None
    if before is not None and course.state.point == before.state.point:
        return LiveRegister(course.state, before.log_id, before.held + len(course.held), before.before)
    return LiveRegister(course.state, records[course.state.point.leaf.log].log, len(course.held), course.before)


def _unread(series: Mapping[Key, Sequence[int]], told: Sequence[Posted]) -> dict[Key, Identified]:
    """What was said of registers that nobody has read yet."""
    found = {}
    for posted in told:
        record = posted.record
        assert isinstance(record, DeviceEvent)
        leaf = LeafRef(log=repository.HERE, index=posted.index, at=posted.at_ms, quality=posted.at_quality)
        for register in registers_named(record):
            if (record.src, register) not in series:
                found[record.src, register] = identified_by(leaf, record, register)
    return found
