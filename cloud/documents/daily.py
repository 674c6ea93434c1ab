"""What was used day by day: the numbers behind the bars on page and paper. PURE.

The surprise: a day's energy is seldom between two readings of its own. Usage over an interval that crosses midnight, or
the edge of a price window, is shared out by time, as on the bill; so the bars add up to what is billed: misreads,
wraps, exchanges and transformers are judged by the same rules. Records whose clock nobody trusts are left out of the
picture, though not out of the bill.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from cloud.agreements.terms import AgreementTerms
from cloud.billing.metered import rules_of
from cloud.billing.register_facts import SECONDARY
from cloud.calendar import Period, local_day, midnight, next_day, parse_day
from cloud.metering.course import follow
from cloud.metering.intervals import moves
from cloud.metering.told import identified_by
from cloud.metering.usage import Identified, Marks, MeterRule, RegisterState, by_ratio, point_of
from cloud.rating.charges.time_of_use import Terms as TimeOfUse
from cloud.rating.intervals import cut, cut_by_windows
from cloud.rating.lines import LeafRef, Line, RegisterPoint
from cloud.rating.uses import Use, decimal_of
from cloud.time_windows import windows_between
from wire.records import DeviceEvent, Draw, Reading, Record

PLACES = Decimal("0.001")


class Series(msgspec.Struct, frozen=True):
    """One service by day. ``parts``: the stack's names (price windows), one "" where there is none."""

    service: str
    device: str
    unit: str
    parts: list[str]
    days: dict[str, list[Decimal]]

    @property
    def total(self) -> Decimal:
        """All of it."""
        return sum((value for values in self.days.values() for value in values), Decimal(0))


def daily(
    lines: Sequence[Line], records: Iterable[Record], terms: AgreementTerms, period: Period, zone: str
) -> list[Series]:
    """Goods together, then each meter; a service nobody used has no series."""
    kept = list(records)
    days = list(_days(period))
    goods = _goods(lines, kept, days, zone)
    windows = next((charge for charge in terms.charges if isinstance(charge, TimeOfUse)), None)
    found = [goods] if goods else []
    rules = rules_of([terms])
    for device, register in _registers(lines, kept, windows):
        rule = rules.get((device, register), MeterRule(device, register))
        uses = list(_intervals(rule, _opening(lines, device, register), kept, period))
        series = _energy(rule, uses, days, zone, windows)
        if series is not None:
            found.append(series)
    return found


def _goods(lines: Sequence[Line], records: Sequence[Record], days: Sequence[str], zone: str) -> Series | None:
    items = {line.subject for line in lines if line.kind == "per_piece"}
    values = dict.fromkeys(days, Decimal(0))
    for one in records:
        if isinstance(one, Draw) and one.item in items and one.outcome == "confirmed" and one.ts == "S":
            day = local_day(one.t, zone).isoformat()
            if day in values:
                values[day] += Decimal(one.qty).scaleb(one.scale)
    used = {day: [value] for day, value in values.items()}
    return Series("goods", "", "pc", [""], used) if any(values.values()) else None


def _registers(lines: Sequence[Line], records: Sequence[Record], windows: TimeOfUse | None) -> list[tuple[str, str]]:
    """The registers that were billed: those the lines name, and those a tariff by time of day listens to."""
    found = {(line.device, line.registers[-1].register): None for line in lines if line.registers}
    for one in records:
        if isinstance(one, Reading) and windows is not None:
            devices, registers = windows.source.devices, windows.source.subjects
            if one.register in registers and (not devices or one.src in devices):
                found[one.src, one.register] = None
    return list(found)


def _energy(
    rule: MeterRule, uses: Sequence[Use], days: Sequence[str], zone: str, windows: TimeOfUse | None
) -> Series | None:
    if not uses:
        return None
    names = windows.windows.names if windows is not None else [""]
    sums: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for name, parts in _by_window(uses, windows, zone).items():
        for part in _by_day(parts, days, zone):
            sums[local_day(part.at, zone).isoformat(), name] += part.quantity
    used = {day: [_decimal(sums[day, name]) for name in names] for day in days}
    return Series("energy", rule.device, "kWh", list(names), used)


def _opening(lines: Sequence[Line], device: str, register: str) -> RegisterPoint | None:
    """The reading that the statement goes on from: the last one of the statement before, where there was one."""
    told = [line.registers[0] for line in lines if line.registers]
    mine = [one for one in told if (one.device, one.register) == (device, register)]
    return min(mine, key=lambda one: one.leaf.at, default=None)


def _intervals(
    rule: MeterRule, opening: RegisterPoint | None, records: Sequence[Record], period: Period
) -> Iterator[Use]:
    """Usage between neighbouring readings, cut to the period; what the bill does not believe says nothing here."""
    said = {
        (one.t, one.key): one
        for one in records
        if isinstance(one, Reading | DeviceEvent) and (one.src, one.ts) == (rule.device, "S")
    }
    series: list[RegisterPoint | Identified] = []
    secondary: set[LeafRef] = set()
    for place, (_, one) in enumerate(sorted(said.items(), key=lambda entry: entry[0][0])):
        leaf = LeafRef(log=0, index=place, at=one.t, quality="synchronised")
        if isinstance(one, DeviceEvent):
            series.append(identified_by(leaf, one, rule.register))
        elif one.register == rule.register:
            series.append(point_of(one, leaf))
            if SECONDARY in one.q:
                secondary.add(leaf)
    first = min((one.leaf.at for one in series if isinstance(one, RegisterPoint)), default=0)
    goes_on = opening is not None and opening.leaf.at < first
    state = RegisterState(opening, "", exchanged=False) if opening is not None and goes_on else None
    steps = follow(state, series, rule, Marks(secondary=frozenset(secondary))).steps
    for before, step in moves(None if state is None else state.point, steps):
        if not step.energy:
            continue
        for since, until, energy in by_ratio(rule, before.leaf.at, step.point.leaf.at, step.energy):
            value, scale = decimal_of(energy)
            whole = Use(at=since, until=until, value=value, scale=scale)
            for part in cut(whole, [period.from_ms, period.to_ms], "by_time"):
                if period.from_ms <= part.at < period.to_ms:
                    yield part


def _by_window(uses: Sequence[Use], windows: TimeOfUse | None, zone: str) -> Mapping[str, Sequence[Use]]:
    if windows is None:
        return {"": uses}
    span = (uses[0].at, max(use.until for use in uses) + 1)
    return cut_by_windows(uses, windows_between(*span, windows.windows, zone), "by_time")


def _by_day(uses: Sequence[Use], days: Sequence[str], zone: str) -> Iterator[Use]:
    borders = [midnight(parse_day(day), zone) for day in days]
    for use in uses:
        yield from cut(use, borders, "by_time")


def _days(period: Period) -> Iterator[str]:
    day, end = parse_day(period.first), parse_day(period.end)
    while day < end:
        yield day.isoformat()
        day = next_day(day)


def _decimal(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(PLACES)
