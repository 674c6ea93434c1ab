"""Whether a guaranteed outcome was met: a pure function of the signed windows. PURE.

The surprise: time is counted in whole milliseconds and shares are compared as fractions, so that 94.999 % is below 95 %
for both sides. Every moment of the period falls into exactly one of five heaps: outside the agreed hours, excluded (by
cause), missing, good or bad. The verdict keeps the root over the very leaves it was made from.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

from cloud.billing.facts import Fact
from cloud.billing.guarantee_hours import Span, agreed_hours
from cloud.billing.guarantee_spells import Agreed, Excluded, events_of, excluded_of
from cloud.billing.guarantee_terms import GuaranteeTerms
from cloud.money import plain, rounded
from cloud.rating.events import CountedEvent
from cloud.rating.terms_fields import exact
from wire.ids import RecordKey
from wire.log import leaf_hash, root
from wire.records import Window, encode

SHARE_PLACES = 6
Outcome = Literal["met", "missed", "not_judged"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the windows say. Times in ms, percentages as texts (``share`` and ``coverage`` cut off after 6 decimals).

    ``counted`` = good + bad (with the missing time of whoever bears it): the denominator of ``share``. ``root``: root
    (RFC 9162) over the ``inputs`` leaves it was made from, in the order of log and index. ``agreed``: time that both
    sides do not count. ``credit``: percent of the base that is to be credited.
    """

    name: str
    first: str
    end: str
    terms_hash: str
    inside: int
    excluded: dict[str, int]
    missing: int
    good: int
    bad: int
    counted: int
    coverage: str
    share: str
    outcome: Outcome
    step: str
    credit: str
    unusable: int
    agreed: list[Agreed]
    inputs: int
    root: str


class _Known(NamedTuple):
    """A window of one sensor: ``[begin, end)`` ms UTC, and the value that is compared (None: sampled too thinly)."""

    begin: int
    end: int
    value: Fraction | None


def judge(
    terms: GuaranteeTerms,
    days: tuple[str, str],
    zone: str,
    facts: Sequence[Fact],
    agreed: Sequence[Agreed] = (),
) -> Verdict:
    """The verdict for the local days ``[first, end)`` from an agreement's facts, which may come in any order."""
    hours = agreed_hours(terms, days, zone)
    begin, end = (hours[0].begin, hours[-1].end) if hours else (0, 0)
    windows = _windows(terms, facts, begin, end)
    events = events_of(terms, facts)
    excluded = excluded_of(terms, events, agreed, end)
    before = {leaf for one in excluded if one.end > begin for leaf in one.leaves}
    series, unusable = _series(terms, windows, begin, end)
    heaps = _heaps(terms, hours, excluded, series)
    told = (*windows, *events)
    used = sorted({fact.leaf: fact for fact in told if begin <= fact.leaf.at or fact.leaf in before}.items())
    hashes = [leaf_hash(encode(fact.record)) for _, fact in used if not isinstance(fact.record, CountedEvent)]
    return _verdict(terms, days, heaps, unusable=unusable, agreed=agreed, hashes=hashes)


def credit_amount(verdict: Verdict, terms: GuaranteeTerms, base: Fraction) -> Fraction:
    """The exact amount to be credited for a base of charges: percent of it, never more than the cap or the base."""
    amount = max(base, Fraction(0)) * exact(verdict.credit) / 100
    return amount if terms.cap is None else min(amount, exact(terms.cap))


def terms_hash(terms: GuaranteeTerms) -> str:
    """SHA-256 of the terms with every default spelled out."""
    raw = msgspec.json.encode(terms.model_dump(mode="json", by_alias=True, exclude_none=True), order="sorted")
    return hashlib.sha256(raw).hexdigest()


def _windows(terms: GuaranteeTerms, facts: Iterable[Fact], begin: int, end: int) -> list[Fact]:
    """The sensors' windows of the metric that touch the period; one told twice counts once."""
    seen: set[RecordKey] = set()
    found = []
    sensors = set(terms.sensors)
    for fact in sorted(facts, key=lambda one: one.leaf):
        record = fact.record
        if not isinstance(record, Window) or record.src not in sensors or record.metric != terms.metric:
            continue
        shift = fact.leaf.at - record.t
        if record.key not in seen and record.to + shift > begin and record.from_ + shift < end:
            seen.add(record.key)
            found.append(fact)
    return found


def _series(
    terms: GuaranteeTerms, windows: Sequence[Fact], begin: int, end: int
) -> tuple[dict[str, list[_Known]], int]:
    """Each sensor's windows in order and without overlap (what begins earlier stands), and how many cannot be used."""
    thin = exact(terms.window_coverage)
    by_sensor: dict[str, list[_Known]] = defaultdict(list)
    unusable = 0
    for leaf, record in windows:
        assert isinstance(record, Window)
        width = record.to - record.from_
        if width <= 0 or record.unit != terms.unit or record.samples == 0:
            unusable += 1
            continue
        shift = leaf.at - record.t
        enough = Fraction(100 * 1000 * record.coverage, width) >= thin
        number = {"mean": record.mean, "max": record.max, "min": record.min}[terms.statistic]
        value = Fraction(number) * Fraction(10) ** record.scale if enough else None
        by_sensor[record.src].append(_Known(record.from_ + shift, record.to + shift, value))
    series: dict[str, list[_Known]] = {}
    for sensor, known in by_sensor.items():
        last, kept = begin, []
        for one in sorted(known, key=lambda window: window.begin):
            start, stop = max(one.begin, last), min(one.end, end)
            if start < stop:
                kept.append(one._replace(begin=start, end=stop))
                last = stop
        series[sensor] = kept
    return series, unusable


S = TypeVar("S", Span, _Known, Excluded)


class _Heaps(msgspec.Struct):
    inside: int = 0
    excluded: dict[str, int] = {}
    missing: int = 0
    good: int = 0
    bad: int = 0


def _heaps(
    terms: GuaranteeTerms, hours: Sequence[Span], excluded: Sequence[Excluded], series: dict[str, list[_Known]]
) -> _Heaps:
    """Every moment inside the hours onto its heap. Nothing changes between two borders, so one look each is enough."""
    borders = {edge for span in hours for edge in span}
    borders.update(edge for one in excluded for edge in (one.begin, one.end))
    borders.update(edge for known in series.values() for one in known for edge in (one.begin, one.end))
    edges = sorted(borders)
    heaps = _Heaps()
    inside, out = _Pointer(hours), [_Pointer([one]) for one in excluded]
    sensors = [_Pointer(series.get(sensor, [])) for sensor in terms.sensors]
    waiting = sorted(range(len(out)), key=lambda at: excluded[at].begin)
    active: list[int] = []
    for begin, end in pairwise(edges):
        while waiting and excluded[waiting[0]].begin <= begin:
            active.append(waiting.pop(0))
        active = [at for at in active if excluded[at].end > begin]
        if inside.at(begin) is None:
            continue
        length = end - begin
        heaps.inside += length
        if active:
            cause = min(excluded[at].cause for at in active)
            heaps.excluded[cause] = heaps.excluded.get(cause, 0) + length
            continue
        found = [pointer.at(begin) for pointer in sensors]
        good = _is_good(terms, [None if one is None else one.value for one in found])
        if good is None:
            heaps.missing += length
        elif good:
            heaps.good += length
        else:
            heaps.bad += length
    return heaps


class _Pointer(Generic[S]):
    """Walks through spans in order: which one holds a moment, asked for ever later moments."""

    def __init__(self, spans: Sequence[S]) -> None:
        self._spans: Sequence[S] = spans
        self._next = 0

    def at(self, moment: int) -> S | None:
        while self._next < len(self._spans) and self._spans[self._next].end <= moment:
            self._next += 1
        if self._next < len(self._spans) and self._spans[self._next].begin <= moment:
            return self._spans[self._next]
        return None


def _is_good(terms: GuaranteeTerms, values: Sequence[Fraction | None]) -> bool | None:
    """Whether a moment is good; None when that cannot be known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if terms.joined == "mean":
        return _within(terms, sum(known, Fraction(0)) / len(known)) if len(known) == len(values) else None
    fine = [_within(terms, value) for value in known]
    if terms.joined == "all":
        return False if not all(fine) else (True if len(known) == len(values) else None)
    return True if any(fine) else (False if len(known) == len(values) else None)


def _within(terms: GuaranteeTerms, value: Fraction) -> bool:
    low = terms.at_least is None or value >= exact(terms.at_least)
    return low and (terms.at_most is None or value <= exact(terms.at_most))


def _verdict(
    terms: GuaranteeTerms,
    days: tuple[str, str],
    heaps: _Heaps,
    *,
    unusable: int,
    agreed: Sequence[Agreed],
    hashes: list[bytes],
) -> Verdict:
    judged = heaps.inside - sum(heaps.excluded.values())
    known = heaps.good + heaps.bad
    coverage = Fraction(100 * known, judged) if judged else Fraction(100)
    good = heaps.good + (heaps.missing if terms.missing == "customer" else 0)
    counted = known + (heaps.missing if terms.missing != "nobody" else 0)
    share = Fraction(100 * good, counted) if counted else Fraction(100)
    steps = sorted((step for step in terms.steps if share < exact(step.below)), key=lambda step: exact(step.below))
    outcome: Outcome = "missed" if share < exact(terms.target) else "met"
    if judged and coverage < exact(terms.least_coverage):
        outcome = terms.uncovered
        steps = {
            "missed": steps or sorted(terms.steps, key=lambda step: exact(step.credit))[:1],
            "met": [],
            "not_judged": [],
        }[terms.uncovered]
    return Verdict(
        name=terms.name,
        first=days[0],
        end=days[1],
        terms_hash=terms_hash(terms),
        inside=heaps.inside,
        excluded=dict(sorted(heaps.excluded.items())),
        missing=heaps.missing,
        good=heaps.good,
        bad=heaps.bad,
        counted=counted,
        coverage=_cut(coverage),
        share=_cut(share),
        outcome=outcome,
        step=steps[0].below if steps else "",
        credit=steps[0].credit if steps else "0",
        unusable=unusable,
        agreed=list(agreed),
        inputs=len(hashes),
        root=root(hashes).hex(),
    )


def _cut(exactly: Fraction) -> str:
    """Cut off, not rounded: 94.9999999 must not look like 95."""
    return plain(rounded(exactly, SHARE_PLACES, "down"))
