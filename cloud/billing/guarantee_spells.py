"""When a guarantee does not count: from what devices of the customer's side told, and by what both sides agreed. PURE.

The surprise: a door may be open over midnight of the last day. What began in one period still excludes time of the
next, so a statement keeps the leaves in which such a spell began for the one that follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from cloud.billing.facts import Fact
from cloud.billing.guarantee_terms import Exclusion, GuaranteeTerms
from cloud.rating.lines import LeafRef
from wire.ids import RecordKey
from wire.records import DeviceEvent

MINUTE_MS = 60_000
# Beyond all calendars: a spell that nobody has ended yet is looked at as far as its terms allow.
FAR_MS = 10**15


class Agreed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Time that both sides agree not to count (maintenance, a works holiday): ms UTC, why, and who says so."""

    from_ms: int
    to_ms: int
    cause: str
    who: str


class Excluded(NamedTuple):
    """Time that does not count: ``[begin, end)`` ms UTC, why, and the leaves that say so."""

    begin: int
    end: int
    cause: str
    leaves: tuple[LeafRef, ...] = ()


def excluded_of(terms: GuaranteeTerms, events: Sequence[Fact], agreed: Iterable[Agreed], end: int) -> list[Excluded]:
    """All that does not count before an instant, in order."""
    found = [Excluded(one.from_ms, one.to_ms, one.cause) for one in agreed]
    for exclusion in terms.exclusions:
        found += _spells(exclusion, events, end)
    return sorted(found)


def kept_for_later(guarantees: Iterable[GuaranteeTerms], facts: Sequence[Fact], at_ms: int) -> set[LeafRef]:
    """The leaves before an instant by which time after it does not count, or may not."""
    kept: set[LeafRef] = set()
    for terms in guarantees:
        events = [fact for fact in events_of(terms, facts) if fact.leaf.at < at_ms] if terms.exclusions else []
        for one in excluded_of(terms, events, (), FAR_MS):
            if one.end > at_ms:
                kept.update(one.leaves)
    return kept


def events_of(terms: GuaranteeTerms, facts: Iterable[Fact]) -> list[Fact]:
    """What the devices of the exclusions told, in the order it happened; told twice counts once."""
    wanted = {(one.device, event) for one in terms.exclusions for event in (one.begins, one.ends)}
    seen: set[RecordKey] = set()
    found = []
    for fact in sorted(facts, key=lambda one: (one.leaf.at, one.leaf)):
        record = fact.record
        if isinstance(record, DeviceEvent) and (record.src, record.event) in wanted and record.key not in seen:
            seen.add(record.key)
            found.append(fact)
    return found


def _spells(exclusion: Exclusion, events: Sequence[Fact], end: int) -> Iterator[Excluded]:
    """From each beginning to the first end after it; one that never ends lasts as long as the terms allow."""
    opened: LeafRef | None = None
    settles, longest = exclusion.settles_minutes * MINUTE_MS, exclusion.at_most_minutes * MINUTE_MS
    for leaf, record in events:
        if not isinstance(record, DeviceEvent) or record.src != exclusion.device:
            continue
        if exclusion.slot and record.slot != exclusion.slot:
            continue
        if opened is not None and record.event == exclusion.ends:
            ended = min(leaf.at, opened.at + longest) + settles
            yield Excluded(opened.at, ended, exclusion.cause, (opened, leaf))
            opened = None
        elif record.event == exclusion.begins:
            if opened is not None and leaf.at >= opened.at + longest:
                yield Excluded(opened.at, opened.at + longest + settles, exclusion.cause, (opened,))
                opened = None
            opened = leaf if opened is None else opened
    if opened is not None:
        ended = min(opened.at + longest + settles, max(end, opened.at))
        yield Excluded(opened.at, ended, exclusion.cause, (opened,))
