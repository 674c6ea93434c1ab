"""Energy that is due: the registers of an agreement's meters, cut at periods and at versions of the terms. PURE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec

from cloud.agreements.terms import AgreementTerms, Version, version_at
from cloud.billing.facts import Fact
from cloud.billing.pieces import Doubt
from cloud.billing.scope import Scope
from cloud.metering.usage import Identified, MeterRule, Ratio, RegisterState, Segment, Step, follow, segments
from cloud.rating.charges.energy import Meter
from cloud.rating.charges.energy import Terms as EnergyTerms
from cloud.rating.events import CountedEvent
from cloud.rating.lines import Measured, RegisterPoint, number
from cloud.rating.transformers import TransformerRatio
from cloud.rating.usage_terms import UsageTerms
from wire.ids import RecordKey
from wire.records import DeviceEvent, Reading

REGISTER = "import_wh"


class Metered(msgspec.Struct, frozen=True):
    """What a register moved on, step by step: the reading before, the reading, kWh between them."""

    moves: list[tuple[RegisterPoint, RegisterPoint, Fraction]]


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
    for key, rule in sorted(_rules(scope).items()):
        state = states.get(key)
        course = follow(state, _series(scope, facts, rule, state), rule)
        for segment in segments(state, course.steps, _segment_key(scope)):
            version = next((one for one in scope.versions if segment.key.endswith(f"|{one.version}")), None)
            measured = None if version is None else _metered(scope, version, rule, segment)
            if version is not None and measured is not None:
                found.append((version, measured))
        held += [
            Doubt(one.reason, rule.device, rule.register, one.point.leaf.at, (one.point.leaf,), one.point.leaf)
            for one in course.held
        ]
        metered[key] = Metered(_moves(state, course.steps))
        if course.state is not None:
            states[key] = course.state
    return Energy(found, held, [states[key] for key in sorted(states)], metered)


def _moves(state: RegisterState | None, steps: Sequence[Step]) -> list[tuple[RegisterPoint, RegisterPoint, Fraction]]:
    before = None if state is None else state.point
    found = []
    for step in steps:
        if before is not None and not step.opens:
            found.append((before, step.point, step.energy))
        before = step.point
    return found


def _rules(scope: Scope) -> dict[tuple[str, str], MeterRule]:
    """The registers that any version meters, by the latest version's rule."""
    rules = {}
    for version in scope.versions:
        for _, meter in _meters(version):
            modulus = None if meter.modulus is None else Fraction(meter.modulus)
            max_kw = None if meter.max_kw is None else Fraction(meter.max_kw)
            rules[meter.device, meter.register_] = MeterRule(
                meter.device, meter.register_, modulus, max_kw, _ratios(meter.ratios)
            )
    for version in scope.versions:
        for key in metered_keys(version.terms):
            rules.setdefault(key, MeterRule(*key))
        for declared in version.terms.meters or []:
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


def _meters(version: Version) -> list[tuple[int, Meter]]:
    return [
        (at, meter)
        for at, charge in enumerate(version.terms.charges)
        if isinstance(charge, EnergyTerms)
        for meter in charge.devices
    ]


def _series(
    scope: Scope, facts: Sequence[Fact], rule: MeterRule, state: RegisterState | None
) -> list[RegisterPoint | Identified]:
    after = (-1, -1) if state is None else (state.point.leaf.log, state.point.leaf.index)
    series: list[RegisterPoint | Identified] = []
    seen: set[RecordKey] = set()
    for leaf, record in facts:
        if isinstance(record, CountedEvent):
            continue
        if record.src != rule.device or (leaf.log, leaf.index) <= after or not scope.is_due(leaf.at, leaf):
            continue
        if record.key in seen:
            continue
        seen.add(record.key)
        if isinstance(record, Reading) and record.register == rule.register:
            point = RegisterPoint(record.src, record.register, record.value, record.scale, record.unit, leaf)
            series.append(point)
        elif isinstance(record, DeviceEvent) and record.event in ("identified", "replaced"):
            number = str(record.data.get("number", "")) if record.event == "identified" else ""
            series.append(Identified(leaf, number))
    return series


def _segment_key(scope: Scope) -> Callable[[int], str]:
    def key(at: int) -> str:
        period, version = scope.period_at(at), version_at(at, scope.versions)
        return "" if period is None or version is None else f"{period.first}|{version.version}"

    return key


def _metered(scope: Scope, version: Version, rule: MeterRule, segment: Segment) -> Measured | None:
    """The measured energy of a segment; None when this version does not meter the register."""
    period = next(one for one in (*scope.closed, scope.period) if segment.key.startswith(f"{one.first}|"))
    wanted = (rule.device, rule.register)
    charges = [at for at, meter in _meters(version) if (meter.device, meter.register_) == wanted]
    if not charges:
        return None
    first, end = scope.window(version, period) or (period.first, period.end)
    return Measured(
        measure="energy",
        device=rule.device,
        subject=rule.register,
        first=first,
        end=end,
        quantity=segment.energy,
        unit="kWh",
        belongs_to=scope.belongs_to(period),
        leaves=(segment.opening.leaf, segment.closing.leaf),
        registers=(segment.opening, segment.closing),
        rollovers=segment.rollovers,
        modulus="" if rule.modulus is None else number(rule.modulus),
        quality="" if segment.quality == "actual" else segment.quality,
        charge=charges[0],
    )
