"""Charges on usage, fees of the cycle, areas and commitments: a settlement's periods rated from its facts. PURE.

The surprise: what is measured here is the same leaves and events as everywhere; a charge on kWh only asks for the steps
of a register, one on pieces for the draws, one on run-time for the seconds at each speed. Steps that lie in one window
of the clock are taken together, so that a line stands on the readings at its edges and not on thousands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction

import msgspec

from cloud.agreements.terms import Version, version_at
from cloud.billing.facts import Fact, ran_ms
from cloud.billing.metered import REGISTER, Metered
from cloud.billing.pieces import Doubt, Piece
from cloud.billing.scope import Scope
from cloud.calendar import Cycle, Period
from cloud.metering.estimate import Move
from cloud.metering.usage import Quality, worst
from cloud.money import payables, plain
from cloud.rating.charges import bucketed_maximum, time_of_use
from cloud.rating.events import EVENTS, CountedEvent, root_of
from cloud.rating.intervals import begins_in
from cloud.rating.lines import (
    ChargeTerms,
    Evidence,
    LeafRef,
    Line,
    Measured,
    RatingError,
    RegisterPoint,
    exact_of,
    number,
)
from cloud.rating.lines import Step as Row
from cloud.rating.price_changes import Keeping
from cloud.rating.rate_period import PriceVersion, Rated, bounds_kept, commitment_lines, counted, measure, named
from cloud.rating.rate_usage import charge_models, kind_of, measure_of
from cloud.rating.usage_terms import UsageTerms
from cloud.rating.uses import Use, decimal_of
from cloud.time_windows import windows_between
from wire.ids import RecordKey
from wire.records import Runtime

OTHERS = ("usage", "period")
FOR_EVER = 10**15


class Told(msgspec.Struct, frozen=True):
    """What a settlement has: pieces that are due, steps of registers, facts (run-time, counted events)."""

    pieces: Sequence[Piece]
    metered: Mapping[tuple[str, str], Metered]
    facts: Sequence[Fact]


class Proof(msgspec.Struct, frozen=True):
    """The leaves of a use, and for a register its points, how sure it is, and the kWh that nobody read as such."""

    leaves: tuple[LeafRef, ...] = ()
    points: tuple[RegisterPoint, ...] = ()
    event: CountedEvent | None = None
    quality: Quality = "actual"
    estimated: Fraction = Fraction(0)


def rated_of(scope: Scope, period: Period) -> Rated:
    """A settled period as the pure rating knows it."""
    terms = (version_at(period.from_ms, scope.versions) or scope.versions[0]).terms
    return Rated(
        currency=terms.currency,
        zone=terms.zone,
        rounding=terms.rounding,
        period=period,
        whole=whole_of(period, terms.cycle, terms.zone),
        versions=tuple(PriceVersion(one.version, one.from_ms, tuple(one.terms.charges)) for one in scope.versions),
    )


def whole_of(period: Period, cycle: Cycle | None, zone: str) -> Period:
    """The whole period of the cycle; without one, the calendar month, or the period itself where it is longer."""
    whole = (cycle or Cycle()).whole(date.fromisoformat(period.first), zone)
    return whole if whole.end >= period.end else period


def usage_lines(scope: Scope, told: Told) -> tuple[list[Line], list[Doubt]]:
    """The lines of every period that is settled, and what the terms refuse."""
    lines: list[Line] = []
    doubts: list[Doubt] = []
    for period in scope.periods:
        rated = rated_of(scope, period)
        spans = rated.spans()
        keeping = Keeping(spans) if len(spans) > 1 else None
        for place, (version, _, _) in enumerate(spans):
            for position, terms in enumerate(version.charges):
                if measure_of(terms) in OTHERS:
                    made, refused = _charged(scope, told, rated, (place, position), keeping)
                    lines += made
                    doubts += refused
        lines += bounds_kept(rated, keeping)
    return lines, doubts


def commitments(scope: Scope, lines: Sequence[Line]) -> list[Line]:
    """What commitments add to the lines of each period."""
    found = []
    for period in scope.periods:
        label = scope.belongs_to(period)
        mine = [line for line in lines if line.belongs_to == label]
        made = commitment_lines(rated_of(scope, period), mine)
        found += [msgspec.structs.replace(line, belongs_to=label) for line in made]
    return found


def rounded_together(scope: Scope, lines: Sequence[Line]) -> list[Line]:
    """The lines with their shares, where the terms at a period's beginning round several lines together; each period by
    itself.
    """
    if all(one.terms.rounding.place == "line" for one in scope.versions):
        return list(lines)
    done: dict[int, Line] = dict(enumerate(lines))
    for period in scope.periods:
        terms = (version_at(period.from_ms, scope.versions) or scope.versions[0]).terms
        label = scope.belongs_to(period)
        mine = [at for at, line in enumerate(lines) if line.belongs_to == label]
        if not mine or terms.rounding.place == "line":
            continue
        rates = [_rate(scope, lines[at]) for at in mine]
        due = payables([exact_of(lines[at]) for at in mine], rates, terms.currency, terms.rounding)
        done |= {at: msgspec.structs.replace(lines[at], amount=plain(one)) for at, one in zip(mine, due, strict=True)}
    return [done[at] for at in range(len(lines))]


def _rate(scope: Scope, line: Line) -> str:
    tax = next((one.terms.tax for one in scope.versions if one.version == line.version), None)
    rule = None if tax is None else tax.rule_for(line.kind)
    return "" if rule is None else f"{rule.category} {rule.percent}"


def _charged(
    scope: Scope, told: Told, rated: Rated, where: tuple[int, int], keeping: Keeping | None
) -> tuple[list[Line], list[Doubt]]:
    """One charge of one version in one period; ``where``: the place of the version, the position of the charge."""
    spans, (place, position) = rated.spans(), where
    version = spans[place][0]
    terms = version.charges[position]
    uses, proofs = _uses(scope, told, rated, terms)
    doubts = _refused(uses, terms, proofs, spans[place][1:])
    lines: list[Line] = []
    try:
        for measured in measure(rated, spans, place, position, lambda _: uses):
            shown = _proven(measured, proofs, scope.belongs_to(rated.period))
            shown = shown if keeping is None else keeping.of(place, position, shown)
            made = charge_models()[kind_of(terms)].charge(shown, terms, rated.pricing(version.version, position))
            if keeping is not None:
                keeping.note(place, position, shown, made)
            lines += [named(line, terms) for line in made]
    except RatingError:
        leaves = sorted({leaf for proof in proofs.values() for leaf in proof.leaves})
        last = rated.period.to_ms - 1
        parked = [
            Doubt("unpriced", _device(leaf, told), kind_of(terms), min(leaf.at, last), (leaf,), leaf) for leaf in leaves
        ]
        return [], [*doubts, *parked]
    return lines, doubts


def _device(leaf: LeafRef, told: Told) -> str:
    return next((record.src for known, record in told.facts if known == leaf), "")


def _proven(measured: Measured, proofs: Mapping[str, Proof], belongs_to: str) -> Measured:
    """What was measured, with the leaves, registers and events that prove it."""
    mine = [proofs[use.id] for use in measured.uses if use.id in proofs]
    events = [proof.event for proof in mine if proof.event is not None]
    points = [point for proof in mine for point in proof.points]
    devices = {point.device for point in points}
    registers = {point.register for point in points}
    quality = worst(proof.quality for proof in mine)
    estimated = sum((proof.estimated for proof in mine if proof.estimated), Fraction(0))
    return msgspec.structs.replace(
        measured,
        belongs_to=belongs_to,
        leaves=tuple(sorted({leaf for proof in mine for leaf in proof.leaves})),
        registers=(points[0], points[-1]) if len(devices) == len(registers) == 1 else (),
        device=measured.device or (next(iter(devices)) if len(devices) == 1 else ""),
        subject=measured.subject or (next(iter(registers)) if len(registers) == 1 else ""),
        level="C" if events or not mine else "B",
        proofs={use.id: proofs[use.id].leaves for use in measured.uses if use.id in proofs},
        evidence=Evidence(len(events), root_of(events)) if events else None,
        quality="" if quality == "actual" else quality,
        rows=(Row(what="of it over a gap in the readings", quantity=number(estimated), unit="kWh"),)
        if estimated
        else (),
    )


def _uses(scope: Scope, told: Told, rated: Rated, terms: ChargeTerms) -> tuple[list[Use], dict[str, Proof]]:
    """What a charge may count in a period, each use with its proof by id."""
    if not isinstance(terms, UsageTerms):
        return [], {}
    measure_named = terms.source.measure
    if measure_named == "pieces":
        found = _pieces(scope, told, rated.period)
    elif measure_named == "energy":
        found = _energy(scope, told, rated, terms)
    elif measure_named == "runtime":
        found = _runtime(scope, told, rated.period)
    elif measure_named == "events":
        found = _events(scope, told)
    else:
        found = []
    return [use for use, _ in found], {use.id: proof for use, proof in found}


def _pieces(scope: Scope, told: Told, period: Period) -> list[tuple[Use, Proof]]:
    found = []
    for place, piece in enumerate(told.pieces):
        version = version_at(piece.at, scope.versions)
        if not period.holds(piece.at) or version is None or piece.device not in version.terms.devices:
            continue
        value, scale = decimal_of(piece.quantity)
        labels = {"device": piece.device, "subject": piece.item, "unit": piece.unit}
        use = Use(at=piece.at, value=value, scale=scale, source="piece", id=f"piece {place}", labels=labels)
        found.append((use, Proof(piece.leaves)))
    return found


def _energy(scope: Scope, told: Told, rated: Rated, terms: UsageTerms) -> list[tuple[Use, Proof]]:
    """Steps of registers; those within one window of the clock and one version are one use."""
    edges = _edges(rated, terms)
    found = []
    registers = terms.source.subjects or [REGISTER]
    for key in sorted(told.metered):
        if key[0] not in terms.source.devices or key[1] not in registers:
            continue
        stretch: list[Move] = []
        for move in told.metered[key].moves:
            at = begins_in(rated.period, move.since, move.until, scope.starts_ms)
            if at is None:
                continue
            crosses = stretch and _edge_between(edges, stretch[0].since, move.until)
            if stretch and (not move.whole or stretch[-1].closing != move.opening or crosses):
                found.append(_move(stretch, rated.period, key))
                stretch = []
            stretch.append(move)
            if not move.whole or edges is None or _edge_between(edges, at, move.until):
                found.append(_move(stretch, rated.period, key))
                stretch = []
        if stretch:
            found.append(_move(stretch, rated.period, key))
    return found


def _edges(rated: Rated, terms: UsageTerms) -> list[int] | None:
    """Where steps must not be taken together; None: nowhere, each step stands alone."""
    if terms.aggregation.function != "sum" or isinstance(terms, bucketed_maximum.Terms):
        return None
    span = (rated.period.from_ms, rated.period.to_ms)
    edges = [version.from_ms for version in rated.versions]
    if isinstance(terms, time_of_use.Terms):
        edges += [window.from_ms for window in windows_between(*span, terms.windows, rated.zone)]
    return sorted(edges)


def _edge_between(edges: Sequence[int] | None, at: int, until: int) -> bool:
    return edges is None or any(at < edge < until for edge in edges)


def _move(stretch: Sequence[Move], period: Period, key: tuple[str, str]) -> tuple[Use, Proof]:
    """One use of the moves of a stretch, proven by its first and last reading; a part of a gap stands alone."""
    opening, closing = stretch[0].opening, stretch[-1].closing
    whole = stretch[0].whole
    value, scale = decimal_of(sum((move.energy for move in stretch), Fraction(0)))
    at = max(stretch[0].since, period.from_ms)
    until = stretch[-1].until if stretch[-1].until > at else 0
    name = f"{key[0]} {key[1]} {opening.leaf.log}/{opening.leaf.index}-{closing.leaf.log}/{closing.leaf.index}"
    name = name if whole else f"{name} {stretch[0].since}"
    labels = {"device": key[0], "subject": key[1]}
    use = Use(at=at, value=value, scale=scale, until=until, source="register", id=name, labels=labels)
    quality = worst(move.quality for move in stretch)
    if whole:
        return use, Proof((opening.leaf, closing.leaf), (opening, closing), quality=quality)
    leaves = (opening.leaf, closing.leaf) if stretch[0].basis is None else ()
    return use, Proof(leaves, quality=quality, estimated=stretch[0].energy)


def _runtime(scope: Scope, told: Told, period: Period) -> list[tuple[Use, Proof]]:
    found = []
    seen: set[RecordKey] = set()
    for leaf, record in told.facts:
        if not isinstance(record, Runtime) or record.key in seen:
            continue
        seen.add(record.key)
        at = ran_ms(leaf, record)
        version = version_at(at, scope.versions)
        if not period.holds(at) or not scope.is_due(at, leaf) or version is None:
            continue
        if record.src not in version.terms.devices:
            continue
        speeds = {**record.speeds, **({"unknown": record.unknown} if record.unknown else {})}
        for speed, seconds in sorted(speeds.items()):
            labels = {"device": record.src, "subject": record.src, "speed": speed}
            name = f"{leaf.log}/{leaf.index}/{speed}"
            use = Use(at=at, value=seconds, source="runtime", id=name, labels=labels)
            found.append((use, Proof((leaf,))))
    return found


def _events(scope: Scope, told: Told) -> list[tuple[Use, Proof]]:
    """All counted events that are known: validity and levels look at those before the period too."""
    return [
        (record.use, Proof(event=record))
        for leaf, record in told.facts
        if isinstance(record, CountedEvent) and leaf.at < scope.ends_ms
    ]


def _refused(
    uses: Sequence[Use], terms: ChargeTerms, proofs: Mapping[str, Proof], span: tuple[int, int]
) -> list[Doubt]:
    if not isinstance(terms, UsageTerms) or terms.source.measure != "events":
        return []
    found = []
    for one in counted(uses, terms).refused:
        event = proofs[one.use.id].event
        if event is not None and span[0] <= one.use.at < span[1]:
            leaf = LeafRef(log=EVENTS, index=event.serial, at=event.at, quality="declared")
            found.append(Doubt(one.reason, "", event.type, event.at, (leaf,), leaf))
    return found


def event_fact(event: CountedEvent) -> Fact:
    """A counted event as a fact."""
    return Fact(LeafRef(log=EVENTS, index=event.serial, at=event.at, quality="declared"), event)


def look_back_ms(versions: Sequence[Version]) -> int:
    """How long before a period events may still matter: as long as validity rules look back, for ever for levels."""
    seconds = [0]
    for charge in (one for version in versions for one in version.terms.charges if isinstance(one, UsageTerms)):
        if charge.aggregation.function in ("latest", "time_weighted"):
            return FOR_EVER
        if charge.valid is not None:
            seconds += [rule.seconds for rule in (charge.valid.follows, charge.valid.repeats) if rule is not None]
            seconds += [60] if charge.valid.robots is not None else []
    return max(seconds) * 1000
