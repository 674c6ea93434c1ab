"""A meter that is silent at the end of a period: what is billed until it is read again. PURE.

The surprise: nothing is stored of an estimate. It is worked out from the same readings by both sides: the mean power up
to the last reading, carried on to the period's end. When the meter is read again, the total over the gap is known and
only its split between periods is a straight line; the period is then settled anew, and the difference is a delta line.
The straight line is the register's: where the transformers' ratio changed in the gap, the energy on either side is by
the ratio of its own time, and the total is kept. A gap that ends with another register (exchange, reset) has no total:
then the estimate is taken back. Source: devices.md 8.1, 8.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import msgspec

from cloud.metering.usage import SPLIT_PLACES, MeterRule, Quality, RegisterState, Step, ratio_between
from cloud.money import rounded
from cloud.rating.lines import RegisterPoint

# A mean power of less than a day says little; then the stretch before it is taken in too.
LEAST_BASIS_MS = 24 * 3_600_000


class Basis(msgspec.Struct, frozen=True):
    """What an estimate goes by: so many kWh since an instant, up to the last reading."""

    since: int
    energy: Fraction


class Move(msgspec.Struct, frozen=True):
    """Energy between two instants. ``whole``: all that lies between two readings, counted where the later one lies.

    Otherwise a part of a long gap: of its known total (``estimated_split``), or beyond the last reading (``estimated``,
    both points are that reading, and ``basis`` says by what).
    """

    opening: RegisterPoint
    closing: RegisterPoint
    energy: Fraction
    since: int
    until: int
    quality: Quality
    whole: bool = True
    basis: Basis | None = None

    @property
    def at(self) -> int:
        """The instant that decides its period; a reading at an edge closes what lies before it."""
        return (self.closing.leaf.at if self.whole else self.until) - 1


class Estimating(msgspec.Struct, frozen=True):
    """``silent_ms``: how long a meter may be silent at an instant before it is estimated (None: not at all);
    ``edges``: the instants (ms UTC, ascending) at which periods and terms change; ``until``: the end of what is
    settled, 0 where it is still running; ``rule``: by whose ratios a gap is shared out.
    """

    silent_ms: Callable[[int], int | None]
    edges: Sequence[int]
    until: int
    rule: MeterRule

    def is_silent(self, since: int, edge: int) -> bool:
        """Whether a meter last read at ``since`` is silent at an instant."""
        limit = self.silent_ms(since)
        return limit is not None and edge - since > limit

    def borders(self, since: int, until: int) -> list[int]:
        """The instants at which a gap is cut, with its ends. At an edge soon after the last reading the meter was not
        silent yet: nothing was estimated there, so what the gap tells of the time before counts after it.
        """
        edges = {*self.edges, *(ratio.since for ratio in self.rule.ratios)}
        return [since, *sorted(edge for edge in edges if edge < until and self.is_silent(since, edge)), until]

    def weight(self, since: int, until: int) -> Fraction:
        """What a stretch counts when a gap is shared out: its length, by the ratios that count in it."""
        return ratio_between(self.rule, since, until)[0] * (until - since)


class Bridged(msgspec.Struct, frozen=True):
    """``steps``: those that stay whole, the others opening anew; ``moves``: everything, in order; ``silent``: the last
    reading of a meter that is silent and that nothing can be estimated by.
    """

    steps: list[Step]
    moves: list[Move]
    silent: RegisterPoint | None = None


def moves_of(state: RegisterState | None, steps: Sequence[Step]) -> list[Move]:
    """The steps as they are."""
    before = None if state is None else state.point
    found = []
    for step in steps:
        if before is not None and not step.opens:
            since, until = before.leaf.at, step.point.leaf.at
            found.append(Move(before, step.point, step.energy, since, until, step.quality))
        before = step.point
    return found


def bridge(
    state: RegisterState | None, steps: Sequence[Step], after: Step | None, basis: Basis | None, how: Estimating
) -> Bridged:
    """Long gaps cut at the edges in them, and the time beyond the last reading. ``after``: the first reading that is
    known beyond the end; ``basis``: as it stands at the last reading.
    """
    kept: list[Step] = []
    moves: list[Move] = []
    before = None if state is None else state.point
    for step in steps:
        parts = None if before is None or step.opens else list(_crossing(before, step, how))
        if parts:
            moves += parts
            kept.append(msgspec.structs.replace(step, energy=Fraction(0), rolled=False, opens=True))
        else:
            kept.append(step)
            if before is not None and not step.opens:
                moves += moves_of(_at(before), [step])
        before = step.point
    exchanged = state is not None and not steps and state.exchanged
    if before is None or exchanged or not how.is_silent(before.leaf.at, how.until):
        return Bridged(kept, moves)
    if after is not None:
        known = [] if after.opens else [part for part in _crossing(before, after, how) if part.since < how.until]
        return Bridged(kept, [*moves, *known])
    if basis is None or before.leaf.at <= basis.since:
        return Bridged(kept, moves, before)
    return Bridged(kept, [*moves, *_beyond(before, basis, how)])


def basis_after(
    state: RegisterState | None, steps: Sequence[Step], period_of: Callable[[int], tuple[str, bool]]
) -> Basis | None:
    """What an estimate beyond the last step goes by: the stretch from the reading before its period (or that period's
    first) to it; a stretch under a day is taken together with the one before. ``period_of``: the name of the period an
    instant lies in, and whether the terms have estimates at its end.
    """
    basis = None if state is None or not state.energy else Basis(state.since, Fraction(state.energy))
    opening = None if state is None else state.point
    for name, group in _by_period(steps, lambda at: period_of(at)[0]):
        energy = Fraction(0)
        for step in group:
            if step.opens or opening is None:
                basis, opening, energy = None, step.point, Fraction(0)
            energy += step.energy
        assert opening is not None
        last = group[-1].point
        own = Basis(opening.leaf.at, energy)
        short = last.leaf.at - own.since < LEAST_BASIS_MS
        basis = Basis(basis.since, basis.energy + energy) if short and basis is not None else own
        if name and not period_of(last.leaf.at)[1]:
            basis = None
        opening = last
    return basis


def _by_period(steps: Sequence[Step], name_of: Callable[[int], str]) -> Iterator[tuple[str, list[Step]]]:
    """Runs of steps whose readings lie in one period."""
    run: list[Step] = []
    name = ""
    for step in steps:
        found = name_of(step.point.leaf.at)
        if run and found != name:
            yield name, run
            run = []
        name = found
        run.append(step)
    if run:
        yield name, run


def _at(point: RegisterPoint) -> RegisterState:
    return RegisterState(point, "", exchanged=False)


def _crossing(before: RegisterPoint, step: Step, how: Estimating) -> Iterator[Move]:
    """The parts of a gap's total on both sides of the edges in it; none when it is short or crosses no edge."""
    since, until = before.leaf.at, step.point.leaf.at
    borders = how.borders(since, until)
    if len(borders) == 2:
        return
    told = Fraction(0)
    whole = how.weight(since, until)
    for begin, end in pairwise(borders):
        share = step.energy if end == until else _share(step.energy * how.weight(since, end), whole)
        yield Move(before, step.point, share - told, begin, end, "estimated_split", whole=False)
        told = share


def _beyond(last: RegisterPoint, basis: Basis, how: Estimating) -> Iterator[Move]:
    """The mean power carried on from the last reading to the end, cut at edges."""
    since = last.leaf.at
    told = Fraction(0)
    borders = [since, *(edge for edge in how.edges if edge < how.until and how.is_silent(since, edge)), how.until]
    for begin, end in pairwise(borders):
        share = _share(basis.energy * (end - since), since - basis.since)
        yield Move(last, last, share - told, begin, end, "estimated", whole=False, basis=basis)
        told = share


def _share(energy: Fraction, whole: Fraction | int) -> Fraction:
    """A part of so much, to the watt-hour; so all shares together are the total."""
    return Fraction(rounded(energy / whole, SPLIT_PLACES, "half_up"))
