"""The chain of statements: numbers, hashes, periods and ranges follow one another, and void ones are replaced. PURE.

The surprise: heads are enough. A head holds the hashes of its lines, so the heads since the earliest corrected period
show that nothing was exchanged, withheld or counted from another place, without showing their lines again.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.agreements.terms import Version
from cloud.billing.corrections import Chain
from cloud.billing.facts import Fact, LogRange
from cloud.billing.first_late import before_opening, first_late, late_registers, reaching_back
from cloud.billing.statement import Head, newcomers, unsigned
from cloud.billing.verify_logs import Finding
from cloud.calendar import CalendarError, parse_day, period


def check_chain(
    head: Head, shown: Sequence[Head], versions: Sequence[Version], findings: list[Finding]
) -> Chain | None:
    """Continuity with the statements before; None when it is broken so that nothing can be worked out."""
    due = _due_numbers(head, shown)
    if [one.number for one in shown] != due:
        _wrong(findings, "the heads of the statements before are missing or superfluous")
        return None
    _check_links(head, shown, findings)
    by_number = {one.number: one for one in shown}
    opening, base = by_number.get(head.since), by_number.get(head.base)
    later: list[Head] = []
    walked = base
    while walked is not None and walked.number != head.since:
        later.insert(0, walked)
        walked = by_number.get(walked.base) if walked.base < walked.number else None
    if (head.since and opening is None) or (head.base and base is None) or walked is not opening:
        _wrong(findings, "the statements it says it continues are not those before it")
        return None
    _check_replaced(head, shown, [one for one in shown if one is opening or one in later], findings)
    if head.closed != ([] if base is None else [*base.closed, base.period]):
        _wrong(findings, "the earlier periods are not those of the statement before")
    check_period(head, versions[0].terms.starts if base is None else base.period.end, findings)
    if base is not None and unsigned(head.versions[: len(base.versions)]) != unsigned(base.versions):
        what = "the terms are not those of the statement before: billed terms never change"
        findings.append(Finding(0, "agreement", what))
    for before, now in zip(() if base is None else base.versions, head.versions, strict=False):
        if not set(before.signed_by) <= set(now.signed_by):
            findings.append(Finding(0, "agreement", f"a signature under version {now.version} is no longer named"))
    _check_ranges(head, opening, later, versions, findings)
    return Chain(opening, tuple(later), _settled(head, opening), tuple(log.from_ for log in head.logs))


def check_since(chain: Chain, versions: Sequence[Version], facts: Sequence[Fact], findings: list[Finding]) -> None:
    """Earlier periods are settled again from the first one that something late touches, and only then."""
    base = chain.base
    if base is None:
        return
    for version in reaching_back(versions, base):
        if version.terms.rerating_order is None:
            _wrong(findings, f"version {version.version} counts for closed periods, and nobody ordered that")
    closed = (*base.closed, base.period)
    late = due = first_late(facts, base, closed, versions)
    registers = late_registers(facts, base)
    heads = [one for one in (chain.opening, *chain.later) if one is not None]
    while due is not None:
        late, begins = due, due.first
        opening = next((one for one in heads if one.period.end == begins), None)
        due = before_opening(opening, registers, closed, versions)
    stated = chain.later[0].period if chain.later else None
    if late != stated:
        named = "none" if late is None else late.label
        _wrong(findings, f"the earliest period that is corrected should be {named}")


def _due_numbers(head: Head, shown: Sequence[Head]) -> list[int]:
    replaced = [one.number for one in shown if head.replaces and one.hash == head.replaces]
    return list(range(min([head.since or 1, *replaced]), head.number))


def _check_links(head: Head, shown: Sequence[Head], findings: list[Finding]) -> None:
    before: Head | None = None
    for one in (*shown, head):
        first = before is None and one.number > 1 and one is not head
        if not first and one.prev_hash != ("" if before is None else before.hash):
            _wrong(findings, "the statement does not follow the one before")
        if (one.agreement_id, one.tenant, one.kind) != (head.agreement_id, head.tenant, head.kind):
            _wrong(findings, "the statement before is of another agreement")
        before = one


def _check_replaced(head: Head, shown: Sequence[Head], standing: Sequence[Head], findings: list[Finding]) -> None:
    """A void statement is replaced by the next revision of its period."""
    void = [one for one in shown if one not in standing]
    same = [one for one in void if one.period == head.period]
    newest = max(same, key=lambda one: one.revision, default=None)
    due = ("", 0) if newest is None else (newest.hash, newest.revision + 1)
    if (head.replaces, head.revision) != due:
        _wrong(findings, "it does not say which void statement of its period it replaces")
    replaced = {one.period: one.number for one in standing}
    if any(one.period.from_ms < head.period.from_ms and replaced.get(one.period, 0) < one.number for one in void):
        _wrong(findings, "a statement of an earlier period is left out of the ones it continues")


def check_period(head: Head, begins: str, findings: list[Finding]) -> None:
    """The period's days and instants, and the times that the statement says of itself."""
    stated = head.period
    try:
        worked_out = period(parse_day(stated.first), parse_day(stated.end), head.zone)
    except CalendarError as error:
        _wrong(findings, str(error))
        return
    if worked_out != stated:
        _wrong(findings, f"the period's instants are not those of {head.zone} (statement: tzdata {head.tzdata})")
    if stated.first != begins:
        _wrong(findings, f"the period begins on {stated.first}; {begins} is due")
    cosigned = max((receipt.seconds * 1000 for log in head.logs for receipt in log.receipts), default=0)
    if head.closed_at != stated.to_ms or head.cutoff_at < max(head.closed_at, cosigned):
        _wrong(findings, "closed_at or cutoff_at do not fit the period")


def _check_ranges(
    head: Head, opening: Head | None, later: Sequence[Head], versions: Sequence[Version], findings: list[Finding]
) -> None:
    new_devices = set() if opening is None else newcomers(versions, opening)
    before = opening.logs if opening is not None else []
    for earlier in (*([opening] if opening is not None else []), *later):
        if [log.log for log in earlier.logs] != [log.log for log in head.logs[: len(earlier.logs)]]:
            _wrong(findings, "a log of the statement before is left out")
    for position, new in enumerate(head.logs):
        about = f"log {new.origin}"
        shown = [one.logs[position] for one in later if position < len(one.logs)]
        if position < len(before):
            old = before[position]
            counters = [counter for counter in new.opening if counter.src not in new_devices]
            begins = (old.carry, old.counters)
            cuts = [*old.cuts, old.to]
        elif shown:
            counters, begins, cuts = new.opening, (shown[0].from_, shown[0].opening), []
        else:
            if new.cuts or (new.from_ == 0 and new.opening):
                findings.append(Finding(0, about, "a new log has no cuts, and no counters before its first leaf"))
            continue
        if (new.from_, counters) != begins:
            findings.append(Finding(0, about, "the range does not begin where the statement before left off"))
        if new.cuts != _cuts([*cuts, *(one.to for one in shown)], new):
            findings.append(Finding(0, about, "the cuts are not the ends of earlier ranges"))


def _cuts(ends: Sequence[int], new: LogRange) -> list[int]:
    return sorted({end for end in ends if end > new.from_})


def _settled(head: Head, opening: Head | None) -> tuple[int, ...]:
    before = opening.logs if opening is not None else []
    return tuple(max(before[at].to, new.from_) if at < len(before) else new.from_ for at, new in enumerate(head.logs))


def _wrong(findings: list[Finding], what: str) -> None:
    findings.append(Finding(0, "statement", what))
