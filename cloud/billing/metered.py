"""Energy that is due: the registers of an agreement's meters, cut at periods and at versions of the terms. PURE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec

from cloud.agreements.terms import AgreementTerms, Version, version_at
from cloud.billing.facts import Fact
from cloud.billing.pieces import Doubt
from cloud.billing.register_facts import disputed, told_of
from cloud.billing.scope import Scope, shown_days
from cloud.metering.course import follow, point_before
from cloud.metering.estimate import Basis, Bridged, Estimating, Move, basis_after, bridge, moves_of
from cloud.metering.usage import (
    HOUR_MS,
    Course,
    MeterRule,
    Ratio,
    RegisterState,
    Segment,
    segments,
)
from cloud.money import short_text
from cloud.rating.charges.energy import Meter
from cloud.rating.charges.energy import Terms as EnergyTerms
from cloud.rating.lines import Measured, number
from cloud.rating.lines import Step as Row
from cloud.rating.transformers import TransformerRatio
from cloud.rating.usage_terms import UsageTerms

REGISTER = "import_wh"


class Metered(msgspec.Struct, frozen=True):
    """What a register moved on, piece by piece, in order."""

    moves: list[Move]


class Energy(msgspec.Struct, frozen=True):
    """Energy of every metered register by version and period; the readings not believed; where the meters stand now;
    and every step, for charges that price more than a sum.
    """

    measured: list[tuple[Version, Measured]]
    held: list[Doubt]
    registers: list[RegisterState]
    metered: dict[tuple[str, str], Metered]


def metered_energy(scope: Scope, facts: Sequence[Fact]) -> Energy:
    """The energy that is settled."""
    metered: dict[tuple[str, str], Metered] = {}
    states = {(state.point.device, state.point.register): state for state in scope.registers}
    found: list[tuple[Version, Measured]] = []
    held: list[Doubt] = []
    for key, rule in sorted(rules_of([version.terms for version in scope.versions]).items()):
        state = states.get(key)
        told = told_of(scope, facts, rule, state)
        course = follow(state, told.series, rule, told.marks, until=scope.ends_ms)
        bridged = _bridged(scope, rule, state, course)
        for segment in segments(state, bridged.steps, _reading_key(scope)):
            found += _metered(scope, course.rule, segment)
        for move in bridged.moves:
            found += [] if move.whole else _part(scope, course.rule, move)
        held += [
            Doubt(one.reason, rule.device, rule.register, scope.closes_ms(leaf.at), (leaf,), leaf)
            for one in course.held
            for leaf in (one.point.leaf,)
        ]
        held += [
            Doubt(reason, rule.device, rule.register, leaf.at, (leaf,), leaf)
            for reason, leaf in disputed(rule, told, scope.ends_ms)
        ]
        if bridged.silent is not None:
            leaf = bridged.silent.leaf
            held.append(Doubt("silent", rule.device, rule.register, scope.ends_ms - 1, (leaf,), leaf))
        metered[key] = Metered(bridged.moves)
        if course.state is not None:
            states[key] = _state(scope, state, course)
    return Energy(found, held, [states[key] for key in sorted(states)], metered)


def _bridged(scope: Scope, rule: MeterRule, state: RegisterState | None, course: Course) -> Bridged:
    """The steps, and where the agreement has estimates the long gaps among them and after them."""
    if not any(version.terms.estimates for version in scope.versions):
        return Bridged(course.steps, moves_of(state, course.steps))
    basis = _basis(scope, state, course)
    found = bridge(state, course.steps, course.ahead[0] if course.ahead else None, basis, _estimating(scope, rule))
    # What of a gap lies before the periods that are settled is on an earlier statement.
    moves = [move for move in found.moves if move.whole or move.until > scope.begins_ms]
    return msgspec.structs.replace(found, moves=moves)


def _basis(scope: Scope, state: RegisterState | None, course: Course) -> Basis | None:
    """What an estimate goes by: of a statement that is settled again, what it went by itself."""
    for stood in scope.stood:
        if course.state is not None and stood.point == course.state.point:
            return Basis(stood.since, Fraction(stood.energy)) if stood.energy else None
    return basis_after(state, course.steps, _estimates_at(scope))


def _estimating(scope: Scope, rule: MeterRule) -> Estimating:
    last = scope.versions[-1].ends_ms
    ends = scope.ends_ms if last is None else min(last, scope.ends_ms)
    edges = {version.from_ms for version in scope.versions}
    edges |= {edge for one in (*scope.closed, scope.period) for edge in (one.from_ms, one.to_ms)}

    def silent_ms(at: int) -> int | None:
        version = version_at(at, scope.versions)
        terms = None if version is None else version.terms.estimates
        return None if terms is None else terms.silent_ms

    return Estimating(silent_ms, sorted(edges), 0 if scope.open else ends, rule)


def _estimates_at(scope: Scope) -> Callable[[int], tuple[str, bool]]:
    """The period that a reading belongs to, and whether the terms at its end have estimates."""

    def period_of(at: int) -> tuple[str, bool]:
        found = scope.period_at(scope.closes_ms(at))
        version = None if found is None else version_at(found.to_ms - 1, scope.versions)
        has = version is not None and version.terms.estimates is not None
        return "" if found is None else found.first, has

    return period_of


def _state(scope: Scope, before: RegisterState | None, course: Course) -> RegisterState:
    """Where the register stands, with what the next estimate would go by."""
    assert course.state is not None
    state = msgspec.structs.replace(course.state, from_ms=_began(scope, before, course))
    version = version_at(scope.ends_ms - 1, scope.versions)
    if version is None or version.terms.estimates is None:
        return state
    basis = basis_after(before, course.steps, _estimates_at(scope))
    if basis is None:
        return msgspec.structs.replace(state, since=0, energy="")
    return msgspec.structs.replace(state, since=basis.since, energy=number(basis.energy))


def _began(scope: Scope, before: RegisterState | None, course: Course) -> int:
    """Where the step to the last reading began, if estimates may have shared it out to earlier periods; else 0."""
    if not course.steps:
        return 0 if before is None else before.from_ms
    began, last = point_before(course, before), course.steps[-1].point
    if began is None or not any(version.terms.estimates for version in scope.versions):
        return 0
    periods = {scope.period_at(scope.closes_ms(at)) for at in (began.leaf.at, last.leaf.at)}
    return began.leaf.at if len(periods) > 1 else 0


def rules_of(versions: Sequence[AgreementTerms]) -> dict[tuple[str, str], MeterRule]:
    """The registers that any of these versions meters, by the latest one's rule."""
    rules = {}
    for terms in versions:
        for _, meter in _meters(terms):
            modulus = None if meter.modulus is None else Fraction(meter.modulus)
            max_kw = None if meter.max_kw is None else Fraction(meter.max_kw)
            rules[meter.device, meter.register_] = MeterRule(
                meter.device, meter.register_, modulus, max_kw, _ratios(meter.ratios)
            )
    for terms in versions:
        for key in metered_keys(terms):
            rules.setdefault(key, MeterRule(*key))
        for declared in terms.meters or []:
            key = (declared.device, declared.register_)
            modulus = None if declared.modulus is None else Fraction(declared.modulus)
            max_kw = None if declared.max_kw is None else Fraction(declared.max_kw)
            if key in rules:
                ratios = _ratios(declared.ratios) or rules[key].ratios
                rules[key] = MeterRule(*key, modulus or rules[key].modulus, max_kw or rules[key].max_kw, ratios)
    return rules


def _ratios(declared: Sequence[TransformerRatio] | None) -> tuple[Ratio, ...]:
    return tuple(Ratio(one.since_ms, Fraction(one.factor)) for one in declared or ())


def metered_keys(terms: AgreementTerms) -> list[tuple[str, str]]:
    """The registers that charges on usage measure."""
    return [
        (device, register)
        for charge in terms.charges
        if isinstance(charge, UsageTerms) and charge.source.measure == "energy"
        for device in charge.source.devices
        for register in charge.source.subjects or [REGISTER]
    ]


def _meters(terms: AgreementTerms) -> list[tuple[int, Meter]]:
    return [
        (at, meter)
        for at, charge in enumerate(terms.charges)
        if isinstance(charge, EnergyTerms)
        for meter in charge.devices
    ]


def _segment_key(scope: Scope) -> Callable[[int], str]:
    """Names the period and the version that an instant lies in."""

    def key(at: int) -> str:
        period, version = scope.period_at(at), version_at(at, scope.versions)
        return "" if period is None or version is None else f"{period.first}|{version.version}"

    return key


def _reading_key(scope: Scope) -> Callable[[int], str]:
    """The same for a reading, which closes what lies before it."""
    key = _segment_key(scope)
    return lambda at: key(scope.closes_ms(at))


def _metered(scope: Scope, rule: MeterRule, segment: Segment) -> list[tuple[Version, Measured]]:
    """The measured energy of a segment; none when the version it lies in does not meter the register."""
    found = _billed_by(scope, rule, segment.key)
    if found is None:
        return []
    version, bare = found
    measured = msgspec.structs.replace(
        bare,
        quantity=segment.energy,
        leaves=(segment.opening.leaf, segment.closing.leaf),
        registers=(segment.opening, segment.closing),
        rollovers=segment.rollovers,
        modulus="" if rule.modulus is None else number(rule.modulus),
        quality="" if segment.quality == "actual" else segment.quality,
    )
    return [(version, measured)]


def _part(scope: Scope, rule: MeterRule, move: Move) -> list[tuple[Version, Measured]]:
    """A part of a long gap, by a known total or by an estimate."""
    found = _billed_by(scope, rule, _segment_key(scope)(move.at))
    if found is None:
        return []
    version, bare = found
    known = move.basis is None
    measured = msgspec.structs.replace(
        bare,
        quantity=move.energy,
        leaves=(move.opening.leaf, move.closing.leaf) if known else (),
        registers=(move.opening, move.closing) if known else (),
        quality=move.quality,
        level="B" if known else "C",
        from_ms=move.since,
        to_ms=move.until,
        instants=True,
        rows=rows_of(move),
    )
    return [(version, measured)]


def rows_of(move: Move) -> tuple[Row, ...]:
    """How a part of a gap comes about, for the line: the stretch it goes by, and its own length, in hours."""
    whole = move.closing.leaf.at - move.opening.leaf.at
    if move.basis is None:
        return (
            Row(what="the gap's length", quantity=hours(whole), unit="h"),
            Row(what="of it in this line", quantity=hours(move.until - move.since), unit="h"),
        )
    return (
        Row(what="measured before", quantity=number(move.basis.energy), unit="kWh"),
        Row(what="in", quantity=hours(move.opening.leaf.at - move.basis.since), unit="h"),
        Row(what="estimated for", quantity=hours(move.until - move.since), unit="h"),
    )


def hours(ms: int) -> str:
    """A time in hours, to a ten-thousandth: shown, never counted with."""
    return short_text(ms, HOUR_MS, 4)


def _billed_by(scope: Scope, rule: MeterRule, key: str) -> tuple[Version, Measured] | None:
    """The version that a segment's key names, and what is measured under it, still without a quantity."""
    version = next((one for one in scope.versions if key.endswith(f"|{one.version}")), None)
    wanted = (rule.device, rule.register)
    charges = (
        [] if version is None else [at for at, one in _meters(version.terms) if (one.device, one.register_) == wanted]
    )
    if version is None or not charges:
        return None
    period = next(one for one in (*scope.closed, scope.period) if key.startswith(f"{one.first}|"))
    first, end = shown_days(scope, version, period)
    return version, Measured(
        measure="energy",
        device=rule.device,
        subject=rule.register,
        first=first,
        end=end,
        quantity=Fraction(0),
        unit="kWh",
        belongs_to=scope.belongs_to(period),
        charge=charges[0],
    )
