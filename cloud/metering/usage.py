"""From cumulative registers to energy: the delta rules of a register, and where one period ends. PURE.

The surprise: a falling register is not read as consumption in any way unless a declared modulus and a declared
greatest power make the wrap plausible. Otherwise the reading is held, nothing is billed, and the next reading that fits
the last good one simply carries on: a misread costs nothing. A fall that two more readings confirm is a reset: from its
first reading on a new register counts, and what lies in between is nobody's; unless they carry on from the reading
before the last one: then that one alone was a misread, and its rise is taken back. Where the agreement and the meter
differ on the modulus, no wrap is booked until one of them is put right. The meter's own changed number (an exchange)
opens a new register at once. Opening of a period = closing of the last. Raw registers are the truth: what is worked out
from them says how, by a quality code. Source: devices.md 8.1, 8.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Literal, get_args

import msgspec

from cloud.money import rounded
from cloud.rating.lines import LeafRef, RegisterPoint
from wire.records import Reading

KWH = {"Wh": Fraction(1, 1000), "kWh": Fraction(1), "MWh": Fraction(1000)}
HOUR_MS = 3_600_000
ROLLOVER_FROM = Fraction(9, 10)
TOLERANCE = Fraction(12, 10)
LEAST_MS = 1000

HeldReason = Literal[
    "register_fall", "register_reset", "implausible_rise", "unknown_unit", "ratio_missing", "modulus_differs"
]
# How a derived value came about, the best first: what the meter showed; a wrap was added; a total that is known was
# split by a straight line; a person or a program put the reading in the place of another; nobody measured it; the time
# is that of its arrival.
Quality = Literal[
    "actual", "rollover_corrected", "estimated_split", "edited", "substituted", "estimated", "received_time_only"
]
# Parts of a total that has to be split: to the watt-hour where it ends, to the milliwatt-hour where it never does.
SPLIT_PLACES = 3
ENDLESS_PLACES = 6


class Ratio(msgspec.Struct, frozen=True):
    """From ``since`` (ms UTC) on the register's kWh are multiplied by ``factor`` (CT x PT)."""

    since: int
    factor: Fraction


class MeterRule(msgspec.Struct, frozen=True):
    """What is declared about a register: the kWh at which it wraps, the greatest power in kW (None = not declared), and
    the transformers' ratios, in order of time (none: 1). ``modulus`` is of the register, ``max_kw`` of the load.
    """

    device: str
    register: str
    modulus: Fraction | None = None
    max_kw: Fraction | None = None
    ratios: tuple[Ratio, ...] = ()


class RegisterState(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where a register stands after a statement: last good reading, the meter's own number ("" unknown), and whether an
    exchange was seen after that reading, so that the next one opens a new register.

    ``modulus``, ``max_kw``: what the meter said of this register, where it did. ``since``, ``energy``: the stretch up
    to the last reading that an estimate would go by (kWh in plain digits), where the agreement has estimates.
    ``shaken``: readings that fell from the last good one wait for others that confirm them. ``from_ms``: where the step
    to the last reading began, if estimates may have shared it out to earlier periods (0: it is of its own period).
    """

    point: RegisterPoint
    number: str
    exchanged: bool
    modulus: str = ""
    max_kw: str = ""
    since: int = 0
    energy: str = ""
    shaken: bool = False
    from_ms: int = 0


class Identified(msgspec.Struct, frozen=True):
    """The meter told its own number, or an exchange was recorded outright (``number`` ""); and the modulus and greatest
    power of the register in hand, where it knows them ("" where not). ``nameless``: a meter without a number of its own
    told these of itself, which is no exchange. ``factor``: of its transformers, as it is set up; never billed by.
    """

    leaf: LeafRef
    number: str
    modulus: str = ""
    max_kw: str = ""
    nameless: bool = False
    factor: str = ""


class Marks(msgspec.Struct, frozen=True):
    """What readings say of themselves, by their leaves: a quality other than actual; which of them count behind
    transformers, so that without a declared ratio they mean nothing.
    """

    quality: Mapping[LeafRef, Quality] = {}
    secondary: frozenset[LeafRef] = frozenset()


UNMARKED = Marks()


class Step(msgspec.Struct, frozen=True):
    """An accepted reading and the energy (kWh) since the one before; ``opens`` marks the first of a register."""

    point: RegisterPoint
    energy: Fraction
    rolled: bool
    opens: bool
    quality: Quality = "actual"


class Held(msgspec.Struct, frozen=True):
    """A reading that is not believed yet."""

    point: RegisterPoint
    reason: HeldReason


class Course(msgspec.Struct, frozen=True):
    """What a series of readings came to. ``ahead``: steps beyond the end of what is due; ``fallen``: readings that fell
    and are not confirmed yet; ``before``: the good reading before the last one.
    """

    steps: list[Step]
    held: list[Held]
    state: RegisterState | None
    rule: MeterRule
    ahead: list[Step] = []
    fallen: Sequence[RegisterPoint] = ()
    before: RegisterPoint | None = None


class Segment(msgspec.Struct, frozen=True):
    """One line's worth of a register: opening, closing, energy in kWh, how often it rolled over, how sure it is."""

    key: str
    opening: RegisterPoint
    closing: RegisterPoint
    energy: Fraction
    rollovers: int
    quality: Quality = "actual"


def worst(qualities: Iterable[Quality]) -> Quality:
    """The code of a value that is made of others."""
    return max(qualities, key=get_args(Quality).index, default="actual")


def point_of(record: Reading, leaf: LeafRef) -> RegisterPoint:
    """What the register showed in this record."""
    return RegisterPoint(
        device=record.src, register=record.register, value=record.value, scale=record.scale, unit=record.unit, leaf=leaf
    )


def in_kwh(point: RegisterPoint) -> Fraction:
    """The register in kWh, exact; KeyError for a unit that is no energy."""
    return point.value * _kwh(point.unit, point.scale)


@lru_cache(maxsize=256)
def _kwh(unit: str, scale: int) -> Fraction:
    """What one step of a register is in kWh."""
    return KWH[unit] * Fraction(10) ** scale


def step_energy(last: RegisterPoint, point: RegisterPoint, rule: MeterRule) -> tuple[Fraction, bool] | HeldReason:
    """Energy between two readings and whether the register rolled over, or why the later one is not believed."""
    if point.unit not in KWH:
        return "unknown_unit"
    if (point.unit, point.scale) == (last.unit, last.scale):
        delta = (point.value - last.value) * _kwh(point.unit, point.scale)
    else:
        delta = in_kwh(point) - in_kwh(last)
    limit = None
    if rule.max_kw is not None:
        limit = rule.max_kw * TOLERANCE * max(point.leaf.at - last.leaf.at, LEAST_MS) / HOUR_MS
        # The limit is of the load, the register counts behind the transformers.
        limit /= ratio_between(rule, last.leaf.at, point.leaf.at)[0] or 1
    if delta >= 0:
        return "implausible_rise" if limit is not None and delta > limit else (delta, False)
    if rule.modulus is None or limit is None or in_kwh(last) <= ROLLOVER_FROM * rule.modulus:
        return "register_fall"
    wrapped = delta + rule.modulus
    return (wrapped, True) if 0 <= wrapped <= limit else "register_fall"


def ratio_between(rule: MeterRule, begin: int, end: int) -> tuple[Fraction, bool]:
    """What the register's kWh are multiplied by from one instant to another, and whether that changed in between: then
    it is the mean over time, as if the load had been even.
    """
    if not rule.ratios:
        return Fraction(1), False
    factors = [Fraction(1), *(ratio.factor for ratio in rule.ratios)]
    edges = [ratio.since for ratio in rule.ratios]
    pieces = [
        (max(begin, low), min(end, high), factor)
        for low, high, factor in zip([begin, *edges], [*edges, max(end, begin)], factors, strict=True)
    ]
    inside = [(until - since, factor) for since, until, factor in pieces if until > since]
    if not inside:
        return next(factor for edge, factor in zip([None, *edges][::-1], factors[::-1], strict=True)
                    if edge is None or edge <= end), False  # fmt: skip
    total = sum(length for length, _ in inside)
    return sum((length * factor for length, factor in inside), Fraction(0)) / total, len(inside) > 1


def by_ratio(rule: MeterRule, since: int, until: int, energy: Fraction) -> list[tuple[int, int, Fraction]]:
    """Energy between two instants, cut where the ratio changes: (from, until, kWh), in all as much as before."""
    inner = sorted(ratio.since for ratio in rule.ratios if since < ratio.since < until)
    if not inner:
        return [(since, until, energy)]
    whole = ratio_between(rule, since, until)[0] * (until - since)
    found, told = [], Fraction(0)
    for begin, end in pairwise([since, *inner, until]):
        part = ratio_between(rule, since, end)[0] * (end - since)
        upto = energy if end == until else ending(energy * part / whole)
        found.append((begin, end, upto - told))
        told = upto
    return found


def has_ratio(rule: MeterRule, at: int) -> bool:
    """Whether the transformers' ratio is declared for an instant."""
    return bool(rule.ratios) and rule.ratios[0].since <= at


def ending(kwh: Fraction) -> Fraction:
    """A quantity whose digits end: a mean over time may not."""
    rest = kwh.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return kwh if rest == 1 else Fraction(rounded(kwh, ENDLESS_PLACES, "half_up"))


def completed(rule: MeterRule, modulus: str, max_kw: str) -> MeterRule:
    """The rule with what the meter says of itself, where the agreement is silent."""
    if (rule.modulus is not None or not modulus) and (rule.max_kw is not None or not max_kw):
        return rule
    own = Fraction(modulus) if modulus else None
    most = Fraction(max_kw) if max_kw else None
    return msgspec.structs.replace(rule, modulus=rule.modulus or own, max_kw=rule.max_kw or most)


def differs(declared: MeterRule, modulus: str) -> bool:
    """Whether the agreement and the meter speak of another modulus."""
    return bool(modulus) and declared.modulus is not None and Fraction(modulus) != declared.modulus


def segments(state: RegisterState | None, steps: Sequence[Step], key_of: Callable[[int], str]) -> list[Segment]:
    """The steps cut where ``key_of(at)`` changes and where a register is exchanged.

    A period's closing reading is the last in log order that lies before its end; so a reading whose clock ran ahead of
    a later one counts with the later one (the clock decides the period, the log decides the order).
    """
    keyed: list[tuple[str, int, RegisterPoint | None, Step]] = []
    before = None if state is None else state.point
    exchanges = 0
    for step in steps:
        exchanges += int(step.opens)
        keyed.append(("", exchanges, None if step.opens else before, step))
        before = step.point
    earliest = None
    for at in range(len(keyed) - 1, -1, -1):
        step = keyed[at][3]
        earliest = step.point.leaf.at if earliest is None else min(earliest, step.point.leaf.at)
        keyed[at] = (key_of(earliest), *keyed[at][1:])
    found = []
    for (key, _), group in groupby(keyed, key=lambda entry: entry[:2]):
        entries = list(group)
        opening = entries[0][2] or entries[0][3].point
        energy = sum((entry[3].energy for entry in entries), Fraction(0))
        closing = entries[-1][3].point
        if closing != opening:
            rolled = sum(entry[3].rolled for entry in entries)
            quality = worst(entry[3].quality for entry in entries if not entry[3].opens)
            found.append(Segment(key, opening, closing, energy, rolled, quality))
    return found
