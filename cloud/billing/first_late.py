"""How far back a settlement has to begin: with the earliest closed period that something touches which came late. PURE.

The surprise: a reading need not lie in a closed period to touch it. It may end a gap that was shared out over several
of them, or confirm that what a closed period billed was a misread. So the registers that a statement left are looked at
with what came since; and what a settlement begins with must not be waiting for more itself. Source: devices.md 8.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cloud.agreements.terms import Version, version_at
from cloud.billing.facts import Fact, decides_ms, is_billed_kind, ran_ms
from cloud.billing.metered import rules_of
from cloud.billing.register_facts import told_of
from cloud.billing.scope import Scope
from cloud.billing.statement import Head
from cloud.calendar import Period
from cloud.metering.course import follow
from cloud.metering.usage import MeterRule, RegisterState
from cloud.rating.events import EVENTS
from cloud.rating.lines import RegisterPoint
from wire.records import DrawResolved, Reading, Runtime

FOR_EVER = 1 << 53
Key = tuple[str, str]


def first_late(
    facts: Sequence[Fact], base: Head, closed: Sequence[Period], versions: Sequence[Version]
) -> Period | None:
    """The earliest closed period that something touches which was not in hand at its closing, or that terms concluded
    since then count for (a re-rating order); None: nothing does.
    """
    ends = ends_of(base)
    by_key = {fact.record.key: fact for fact in facts}
    silent = _silent(base, closed, versions)
    touched = [version.from_ms for version in reaching_back(versions, base)]
    for leaf, record in facts:
        if leaf.index < ends.get(leaf.log, 0) or not is_billed_kind(record):
            continue
        at = max(decides_ms(leaf.at, record), closed[0].from_ms)
        if isinstance(record, Reading):
            at = min(at, silent.get((record.src, record.register), at))
        if isinstance(record, DrawResolved) and record.ref.key in by_key:
            at = min(at, by_key[record.ref.key].leaf.at)
        elif isinstance(record, Runtime):
            at = min(at, ran_ms(leaf, record))
        if at < base.period.to_ms:
            touched.append(at)
    touched += _overturned(facts, base, closed, versions)
    return None if not touched else next((period for period in closed if period.holds(min(touched))), None)


def late_registers(facts: Sequence[Fact], base: Head) -> set[Key]:
    """The registers of which a reading came that a closed period should have had."""
    ends = ends_of(base)
    return {
        (record.src, record.register)
        for leaf, record in facts
        if isinstance(record, Reading)
        and leaf.index >= ends.get(leaf.log, 0)
        and decides_ms(leaf.at, record) < base.period.to_ms
    }


def before_opening(
    opening: Head | None, late: set[Key], closed: Sequence[Period], versions: Sequence[Version]
) -> Period | None:
    """The earlier period with which a settlement after ``opening`` has to begin after all: there a gap began into which
    a late reading falls, or readings that fell still wait for more; None: it may begin after ``opening``.
    """
    if opening is None:
        return None
    silent = _silent(opening, closed, versions)
    touched = [silent[key] for key in late if key in silent]
    touched += [_began(state, closed) for state in opening.registers if state.shaken]
    return None if not touched else next((period for period in closed if period.holds(min(touched))), None)


def reaching_back(versions: Sequence[Version], base: Head) -> list[Version]:
    """Versions concluded after a statement that count from a day before its end."""
    return [version for version in versions[len(base.versions) :] if version.first < base.period.end]


def ends_of(head: Head) -> Mapping[int, int]:
    """Up to where a statement had each log, and the counted events, in hand."""
    ends = {position: log.to for position, log in enumerate(head.logs)}
    return ends if head.events is None else ends | {EVENTS: head.events.to + 1}


def _silent(head: Head, closed: Sequence[Period], versions: Sequence[Version]) -> dict[Key, int]:
    """The registers that were silent at a statement's end under terms that estimate, and since when: the next reading
    changes what was billed of them.
    """
    found = {}
    for state in head.registers:
        since = max(state.point.leaf.at, closed[0].from_ms)
        version = version_at(since, versions)
        terms = None if version is None else version.terms.estimates
        if terms is not None and head.period.to_ms - state.point.leaf.at > terms.silent_ms:
            found[state.point.device, state.point.register] = since
    return found


def _began(state: RegisterState, closed: Sequence[Period]) -> int:
    """The instant from which what was billed of a register's last step lies."""
    return max((state.from_ms or state.point.leaf.at) - 1, closed[0].from_ms)


def _overturned(
    facts: Sequence[Fact], base: Head, closed: Sequence[Period], versions: Sequence[Version]
) -> Iterator[int]:
    """Where the last step of a register was billed that readings since then stand against: they confirm a fall from its
    last reading, or follow others that fell before the statement's end.
    """
    doubted = _doubted(facts, base)
    if not doubted:
        return
    rules = rules_of([version.terms for version in versions])
    logs = 1 + max(leaf.log for leaf, _ in facts)
    ends = ends_of(base)
    since = Scope(
        period=base.period,
        closed=tuple(base.closed),
        versions=tuple(versions),
        settled=tuple(ends.get(log, 0) for log in range(logs)),
        since_ms=base.period.to_ms,
        until_ms=FOR_EVER,
    )
    for state in doubted:
        key = (state.point.device, state.point.register)
        told = told_of(since, facts, rules.get(key, MeterRule(*key)), state)
        course = follow(state, told.series, rules.get(key, MeterRule(*key)), told.marks)
        first = course.steps[0].point if course.steps else None
        reset = any(one.reason == "register_reset" and one.point is first for one in course.held)
        waited = state.shaken and any(isinstance(one, RegisterPoint) for one in told.series)
        if reset or waited:
            yield _began(state, closed)


def _doubted(facts: Sequence[Fact], base: Head) -> list[RegisterState]:
    """The registers that showed less since a statement than at its end, or that it left shaken."""
    left = {(state.point.device, state.point.register): state for state in base.registers}
    found = {key for key, state in left.items() if state.shaken}
    for leaf, record in facts:
        if not isinstance(record, Reading):
            continue
        state = left.get((record.src, record.register))
        if state is None or (leaf.log == state.point.leaf.log and leaf.index <= state.point.leaf.index):
            continue
        point = state.point
        if (record.unit, record.scale) != (point.unit, point.scale) or record.value < point.value:
            found.add((record.src, record.register))
    return [left[key] for key in sorted(found)]
