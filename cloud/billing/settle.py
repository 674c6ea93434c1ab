"""Facts and terms in, lines and total out: the one function behind running bill, statement and offline check. PURE.

The surprise: nothing is ever outside a period. What comes to hand after its period was closed becomes a line of the
next statement that names the period it belongs to; what cannot be billed is listed with its reason. The same facts in
any statement give the same lines; no clock, no database, no state is consulted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import msgspec

from cloud.agreements.terms import Version, version_at
from cloud.billing.facts import Fact
from cloud.billing.pieces import Doubt, DoubtReason, Piece, due_pieces
from cloud.calendar import Period, month_shares, period_of
from cloud.metering.usage import (
    Identified,
    MeterRule,
    RegisterState,
    Segment,
    follow,
    segments,
)
from cloud.money import plain
from cloud.rating.charges.energy import Meter
from cloud.rating.charges.energy import Terms as EnergyTerms
from cloud.rating.lines import LeafRef, Line, Measured, Pricing, RegisterPoint
from cloud.rating.rate_usage import measure_of, rate
from wire.ids import RecordKey
from wire.records import DeviceEvent, Reading

K = TypeVar("K")


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What is settled: a period of an agreement, after the closed ones. ``settled``: for each log, the index up to which
    earlier statements held its leaves. ``registers``: where the last statement left the meters.
    """

    period: Period
    closed: tuple[Period, ...]
    versions: tuple[Version, ...]
    settled: tuple[int, ...]
    registers: tuple[RegisterState, ...] = ()

    def is_due(self, at: int, known: LeafRef) -> bool:
        """Whether something that happened at ``at`` and became known with a leaf is settled now: it is not of a later
        period, and no earlier statement had it in hand.
        """
        in_hand = known.index < self.settled[known.log]
        return at < self.period.to_ms and not (in_hand and at < self.period.from_ms)

    def period_at(self, at: int) -> Period | None:
        """The period an instant belongs to: this one, a closed one, or None before the agreement."""
        return period_of(at, (*self.closed, self.period))

    def belongs_to(self, period: Period) -> str:
        """How a line names a period: "" for the statement's own."""
        return "" if period == self.period else period.label


class Unbilled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leaves that are not billed, and why; ``belongs_to`` as on lines."""

    reason: DoubtReason
    device: str
    subject: str
    belongs_to: str
    leaves: list[LeafRef]


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What a period comes to. ``total`` in plain digits; ``registers`` is where the meters stand now."""

    lines: list[Line]
    unbilled: list[Unbilled]
    registers: list[RegisterState]
    total: str


def settle(scope: Scope, facts: Sequence[Fact]) -> Settlement:
    """Settles a period from its facts (in log order)."""
    pieces, doubts = due_pieces(facts)
    due = [piece for piece in pieces if scope.is_due(piece.at, piece.known)]
    doubts = [doubt for doubt in doubts if scope.is_due(doubt.at, doubt.known)]
    measured = _pieces(scope, due) + _days(scope)
    energy, held, registers = _energy(scope, facts)
    lines: list[Line] = []
    for version, quantity in measured + energy:
        pricing = Pricing(version.version, 0, version.terms.currency, version.terms.rounding)
        found = rate(quantity, version.terms.charges, pricing)
        lines.extend(found)
        if not found:
            doubts.extend(_unpriced(quantity))
    lines.sort(key=_order)
    numbered = [msgspec.structs.replace(line, no=at) for at, line in enumerate(lines, 1)]
    total = sum((Decimal(line.amount) for line in lines), Decimal(0))
    unbilled = _unbilled(scope, [*doubts, *held])
    return Settlement(lines=numbered, unbilled=unbilled, registers=registers, total=plain(total))


def _order(line: Line) -> tuple[object, ...]:
    credit = line.effect == "credit"
    return (line.charge, line.version, line.belongs_to, line.device, line.subject, line.first, credit, _opening(line))


def _opening(line: Line) -> tuple[int, int]:
    return (line.registers[0].leaf.log, line.registers[0].leaf.index) if line.registers else (0, 0)


def _pieces(scope: Scope, due: Sequence[Piece]) -> list[tuple[Version, Measured]]:
    groups: dict[tuple[object, ...], list[Piece]] = defaultdict(list)
    for piece in due:
        version = version_at(piece.priced_at, scope.versions)
        period = scope.period_at(piece.at)
        if version is not None and period is not None and piece.device in version.terms.devices:
            groups[period, version.version, piece.device, piece.item, piece.unit, piece.effect].append(piece)
    found = []
    for group in groups.values():
        one = group[0]
        version, period = version_at(one.priced_at, scope.versions), scope.period_at(one.at)
        assert version is not None
        assert period is not None
        first, end = _window(scope, version, period)
        measured = Measured(
            measure="pieces",
            device=one.device,
            subject=one.item,
            first=first,
            end=end,
            quantity=sum((piece.quantity for piece in group), Fraction(0)),
            unit=one.unit,
            effect=one.effect,
            belongs_to=scope.belongs_to(period),
            leaves=tuple(sorted(leaf for piece in group for leaf in piece.leaves)),
        )
        found.append((version, measured))
    return found


def _window(scope: Scope, version: Version, period: Period) -> tuple[str, str]:
    """The local days of a period in which a version counts (all of the period where a credit refers to an older one)."""
    following = [other.first for other in scope.versions if other.version == version.version + 1]
    ends = [version.terms.ends] if version.terms.ends is not None else []
    first, end = max(period.first, version.first), min([period.end, *following, *ends])
    return (first, end) if first < end else (period.first, period.end)


def _days(scope: Scope) -> list[tuple[Version, Measured]]:
    found = []
    for version in scope.versions:
        first, end = _window(scope, version, scope.period)
        if version_at(version.from_ms, scope.versions) is not version or not _counts(scope, version):
            continue
        fees = [at for at, charge in enumerate(version.terms.charges) if measure_of(charge) == "days"]
        for share in month_shares(date.fromisoformat(first), date.fromisoformat(end)):
            measured = Measured(
                measure="days",
                device="",
                subject="",
                first=share.first.isoformat(),
                end=share.end.isoformat(),
                quantity=Fraction(share.days),
                unit="d",
                days=share.days,
                month_days=share.month_days,
                level="C",
            )
            found.extend((version, msgspec.structs.replace(measured, charge=fee)) for fee in fees)
    return found


def _counts(scope: Scope, version: Version) -> bool:
    """Whether a version's days meet the period at all."""
    following = [other.first for other in scope.versions if other.version == version.version + 1]
    ends = [version.terms.ends] if version.terms.ends is not None else []
    return max(scope.period.first, version.first) < min([scope.period.end, *following, *ends])


def _energy(
    scope: Scope, facts: Sequence[Fact]
) -> tuple[list[tuple[Version, Measured]], list[Doubt], list[RegisterState]]:
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
        if course.state is not None:
            states[key] = course.state
    return found, held, [states[key] for key in sorted(states)]


def _rules(scope: Scope) -> dict[tuple[str, str], MeterRule]:
    """The registers that any version meters, by the latest version's rule."""
    rules = {}
    for version in scope.versions:
        for _, meter in _meters(version):
            modulus = None if meter.modulus is None else Fraction(meter.modulus)
            max_kw = None if meter.max_kw is None else Fraction(meter.max_kw)
            rules[meter.device, meter.register_] = MeterRule(meter.device, meter.register_, modulus, max_kw)
    return rules


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
    first, end = _window(scope, version, period)
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
        modulus="" if rule.modulus is None else plain(Decimal(rule.modulus.numerator) / rule.modulus.denominator),
        charge=charges[0],
    )


def _unpriced(measured: Measured) -> list[Doubt]:
    return [
        Doubt("unpriced", measured.device, measured.subject, leaf.at, (leaf,), leaf) for leaf in measured.leaves
    ]


def _unbilled(scope: Scope, doubts: Sequence[Doubt]) -> list[Unbilled]:
    groups: dict[tuple[DoubtReason, str, str, str], list[LeafRef]] = defaultdict(list)
    for doubt in doubts:
        period, version = scope.period_at(doubt.at), version_at(doubt.at, scope.versions)
        if period is not None and version is not None and doubt.device in version.terms.devices:
            groups[doubt.reason, doubt.device, doubt.subject, scope.belongs_to(period)].extend(doubt.leaves)
    return [
        Unbilled(reason=key[0], device=key[1], subject=key[2], belongs_to=key[3], leaves=sorted(leaves))
        for key, leaves in sorted(groups.items())
    ]
