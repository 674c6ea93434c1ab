"""Facts and terms in, lines and total out: the one function behind running bill, statement and offline check. PURE.

The surprise: nothing is ever outside a period. What comes to hand after its period was closed becomes a line of the
next statement that names the period it belongs to; what cannot be billed is listed with its reason. The same facts in
any statement give the same lines; no clock, no database, no state is consulted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec

from cloud.agreements.terms import Version, version_at
from cloud.billing.facts import Fact
from cloud.billing.metered import metered_energy
from cloud.billing.pieces import Doubt, DoubtReason, Piece, due_pieces
from cloud.billing.scope import Scope, Unbilled, shown_days
from cloud.billing.usage import Told, commitments, rounded_together, usage_lines
from cloud.calendar import month_shares
from cloud.metering.usage import RegisterState
from cloud.money import plain
from cloud.rating.events import EVENTS
from cloud.rating.lines import LeafRef, Line, Measured, Pricing
from cloud.rating.rate_usage import measure_of, rate
from cloud.rating.usage_terms import UsageTerms


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
    energy = metered_energy(scope, facts)
    lines: list[Line] = []
    for version, quantity in measured + energy.measured:
        pricing = Pricing(version.version, 0, version.terms.currency, version.terms.rounding)
        found = rate(quantity, version.terms.charges, pricing)
        lines.extend(found)
        if not found and not _priced_by_usage(version, quantity):
            doubts.extend(_unpriced(quantity))
    used, refused = usage_lines(scope, Told(due, energy.metered, facts))
    lines += used
    lines += commitments(scope, lines)
    lines.sort(key=_order)
    lines = rounded_together(scope, lines)
    numbered = [msgspec.structs.replace(line, no=at) for at, line in enumerate(lines, 1)]
    total = sum((Decimal(line.amount) for line in lines), Decimal(0))
    unbilled = _unbilled(scope, [*doubts, *energy.held, *refused])
    return Settlement(lines=numbered, unbilled=unbilled, registers=energy.registers, total=plain(total))


def _priced_by_usage(version: Version, measured: Measured) -> bool:
    """Whether a charge on usage is for these pieces."""
    return any(
        isinstance(charge, UsageTerms)
        and charge.source.measure == measured.measure
        and measured.device in (charge.source.devices or [measured.device])
        and measured.subject in (charge.source.subjects or [measured.subject])
        for charge in version.terms.charges
    )


AT_THE_END = 10**9
_EFFECTS = ("usage", "credit", "fixed", "minimum", "maximum", "progressive", "delta")


def _order(line: Line) -> tuple[object, ...]:
    credit, late = line.effect == "credit", line.belongs_to != ""
    return (
        late,
        line.charge,
        line.version,
        line.belongs_to,
        line.device,
        line.subject,
        line.first,
        credit,
        _opening(line),
        line.from_,
        line.window,
        sorted(line.group.items()),
        _EFFECTS.index(line.effect),
    )


def _opening(line: Line) -> tuple[int, int]:
    if line.quality == "estimated" and not line.registers:
        return (AT_THE_END, 0)
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
        first, end = shown_days(scope, version, period)
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


def _days(scope: Scope) -> list[tuple[Version, Measured]]:
    found: list[tuple[Version, Measured]] = []
    for version, period in ((one, two) for two in scope.periods for one in scope.versions):
        window = scope.window(version, period)
        if window is None:
            continue
        first, end = window
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
                belongs_to=scope.belongs_to(period),
                days=share.days,
                month_days=share.month_days,
                level="C",
            )
            found.extend((version, msgspec.structs.replace(measured, charge=fee)) for fee in fees)
    return found


def _unpriced(measured: Measured) -> list[Doubt]:
    return [Doubt("unpriced", measured.device, measured.subject, leaf.at, (leaf,), leaf) for leaf in measured.leaves]


def _unbilled(scope: Scope, doubts: Sequence[Doubt]) -> list[Unbilled]:
    groups: dict[tuple[DoubtReason, str, str, str], list[LeafRef]] = defaultdict(list)
    for doubt in doubts:
        period, version = scope.period_at(doubt.at), version_at(doubt.at, scope.versions)
        if period is None or version is None:
            continue
        if doubt.device in version.terms.devices or doubt.known.log == EVENTS:
            groups[doubt.reason, doubt.device, doubt.subject, scope.belongs_to(period)].extend(doubt.leaves)
    return [
        Unbilled(reason=key[0], device=key[1], subject=key[2], belongs_to=key[3], leaves=sorted(leaves))
        for key, leaves in sorted(groups.items())
    ]
