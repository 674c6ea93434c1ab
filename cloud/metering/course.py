"""A register's readings, one after the other: which are believed, which are held, and what is taken back. PURE.

The surprise: what is known is more than what is due. A reading of the next period that is at hand already may show that
the last one of this period was a misread, or that a fall was a reset; so the whole series is read, and only then cut at
the period's end. A reading that was told late, and fits between two that were told before it, is put between them; so
it is no fall. Everything else follows the log's order. Source: devices.md 8.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from cloud.metering.usage import (
    KWH,
    UNMARKED,
    Course,
    Held,
    HeldReason,
    Identified,
    Marks,
    MeterRule,
    Quality,
    RegisterState,
    Step,
    completed,
    differs,
    ending,
    has_ratio,
    in_kwh,
    ratio_between,
    step_energy,
    worst,
)
from cloud.rating.lines import RegisterPoint

# A fall is believed when so many readings in a row stand by it.
CONFIRMED = 3

Own = tuple[str, str]


def follow(
    state: RegisterState | None,
    series: Sequence[RegisterPoint | Identified],
    rule: MeterRule,
    marks: Marks = UNMARKED,
    *,
    before: RegisterPoint | None = None,
    until: int | None = None,
) -> Course:
    """Reads a register's series, in log order, from where the last statement left it.

    ``before``: the good reading before the state's, where it is known. ``until``: the end (ms UTC) of what is due: the
    steps beyond are the course's ``ahead``.
    """
    walk = _Walk(state, rule, marks, before)
    for entry in series:
        if isinstance(entry, Identified):
            walk.hear(entry)
        else:
            walk.read(entry)
    whole = walk.course()
    if until is None or all(entry.leaf.at <= until for entry in series):
        return whole
    return _cut(state, series, whole, rule, until)


def _cut(
    state: RegisterState | None,
    series: Sequence[RegisterPoint | Identified],
    whole: Course,
    declared: MeterRule,
    until: int,
) -> Course:
    """The same course up to an instant, and what lies beyond. A reading whose clock ran ahead of a later one counts
    with the later one; readings that fell, and wait for more beyond the end, leave their register shaken.
    """
    kept = len(whole.steps)
    earliest = None
    for at in range(len(whole.steps) - 1, -1, -1):
        seen = whole.steps[at].point.leaf.at
        earliest = seen if earliest is None else min(earliest, seen)
        if earliest > until:
            kept = at
    steps, ahead = whole.steps[:kept], whole.steps[kept:]
    last = steps[-1].point if steps else None if state is None else state.point
    held = [one for one in whole.held if one.point.leaf.at <= until]
    if last is None:
        return Course(steps, held, None, declared, ahead)
    place = next((at for at, entry in enumerate(series) if entry is last), -1)
    number, exchanged, own = _stood(state)
    for at, entry in enumerate(series):
        if at == place:
            exchanged = False
        elif isinstance(entry, Identified) and (at < place or entry.leaf.at <= until):
            number, exchanged, own = _heard(entry, number, exchanged=exchanged, own=own)
    shaken = not ahead and any(one.leaf.at <= until for one in whole.fallen)  # else a step ahead has decided
    shaken = shaken or (not steps and state is not None and state.shaken)
    after = RegisterState(last, number, exchanged, *own, shaken=shaken)
    return Course(steps, held, after, completed(declared, *own), ahead)


class _Walk:
    """Reads one entry after the other."""

    def __init__(
        self, state: RegisterState | None, rule: MeterRule, marks: Marks, before: RegisterPoint | None
    ) -> None:
        self._state, self._declared, self._marks, self._before = state, rule, marks, before
        self._opening = self._last = None if state is None else state.point
        self._number, self._exchanged, self._own = _stood(state)
        self._rule = completed(rule, *self._own)
        self._steps: list[Step] = []
        self._held: list[Held] = []
        self._fallen: list[RegisterPoint] = []

    def course(self) -> Course:
        """What it came to."""
        after = None
        if self._last is not None:
            shaken = bool(self._fallen) or (not self._steps and self._state is not None and self._state.shaken)
            after = RegisterState(self._last, self._number, self._exchanged, *self._own, shaken=shaken)
        return Course(self._steps, self._held, after, self._rule, [], self._fallen, self._before)

    def hear(self, entry: Identified) -> None:
        """The meter said something of itself, or was exchanged."""
        self._number, self._exchanged, self._own = _heard(entry, self._number, exchanged=self._exchanged, own=self._own)
        self._rule = completed(self._declared, *self._own)

    def read(self, entry: RegisterPoint) -> None:
        """The register showed something."""
        if entry.leaf in self._marks.secondary and not has_ratio(self._rule, entry.leaf.at):
            self._held.append(Held(entry, "ratio_missing"))
        elif self._last is None or self._exchanged:
            self._open(entry)
        else:
            self._judge(self._last, entry)

    def _open(self, entry: RegisterPoint) -> None:
        if entry.unit not in KWH:
            self._held.append(Held(entry, "unknown_unit"))
            return
        self._steps.append(Step(entry, Fraction(0), rolled=False, opens=True))
        self._accept(entry, None)

    def _accept(self, entry: RegisterPoint, before: RegisterPoint | None) -> None:
        self._before, self._last, self._exchanged, self._fallen = before, entry, False, []

    def _judge(self, last: RegisterPoint, entry: RegisterPoint) -> None:
        if entry.leaf.at < last.leaf.at and self._put_between(entry):
            return
        judged = self._step(last, entry)
        if isinstance(judged, Step):
            self._steps.append(judged)
            self._accept(entry, last)
        else:
            self._hold(last, entry, judged)

    def _step(self, last: RegisterPoint, entry: RegisterPoint) -> Step | HeldReason:
        """The step from one reading to another, or why the later one is not believed."""
        judged = step_energy(last, entry, self._rule)
        if isinstance(judged, str):
            return judged
        if judged[1] and differs(self._declared, self._own[0]):
            return "modulus_differs"
        return _stepped(last, entry, judged[0], self._rule, self._marks, rolled=judged[1])

    def _put_between(self, entry: RegisterPoint) -> bool:
        """Whether a reading that was told late fits between two that were told before it; then it is put there."""
        for at in range(len(self._steps) - 1, -1, -1):
            step = self._steps[at]
            before = self._steps[at - 1].point if at else self._opening
            if before is not None and before.leaf.at > entry.leaf.at:
                continue  # it is older than this step
            parts = self._at_opening(before, entry, step) if step.opens else None
            if before is not None and not step.opens:
                parts = self._between([before, entry, step.point], rolling=step.rolled)
            if parts is None or sum(part.rolled for part in parts) != step.rolled:
                return False
            self._steps[at : at + 1] = parts
            if step.point is self._last and not step.opens:
                self._before = entry
            return True
        # Older than what is read here: what is known of the time before may hold it.
        older = [] if self._before is None or self._opening is None else [self._before, entry, self._opening]
        inside = bool(older) and self._before is not None and self._before.leaf.at <= entry.leaf.at
        return inside and self._between(older) is not None

    def _at_opening(self, before: RegisterPoint | None, entry: RegisterPoint, opens: Step) -> list[Step] | None:
        """A reading between the end of one register and the first of the next belongs to the one that it fits."""
        ended = None if before is None else self._between([before, entry])
        if ended is not None:
            return [*ended, opens]
        begun = self._between([entry, opens.point])
        return None if begun is None else [Step(entry, Fraction(0), rolled=False, opens=True), *begun]

    def _between(self, series: Sequence[RegisterPoint], *, rolling: bool = False) -> list[Step] | None:
        """The steps of readings that all carry on from one another; None when they do not."""
        steps = []
        for last, point in pairwise(series):
            judged = step_energy(last, point, self._rule)
            if isinstance(judged, str) or (judged[1] and not rolling):
                return None
            steps.append(_stepped(last, point, judged[0], self._rule, self._marks, rolled=judged[1]))
        return steps

    def _hold(self, last: RegisterPoint, entry: RegisterPoint, why: HeldReason) -> None:
        """It is not believed; unless it confirms a fall, for a reset or for a misread before it."""
        self._held.append(Held(entry, why))
        if why != "register_fall" or entry.leaf.at < last.leaf.at:
            return  # what was told late confirms no fall: a register does not begin anew in the past
        waiting = [*self._fallen, entry]
        by_time = sorted(waiting, key=lambda one: one.leaf.at)
        orders = [order for order in (waiting, by_time) if self._between(order, rolling=True) is not None]
        fallen = self._fallen = orders[0] if orders else [entry]
        if len(fallen) < CONFIRMED:
            return
        self._held = [one for one in self._held if one.point not in fallen]
        if self._carried_on(fallen):
            self._held.append(Held(last, "implausible_rise"))
            return
        self._held.append(Held(fallen[0], "register_reset"))
        self._steps.append(Step(fallen[0], Fraction(0), rolled=False, opens=True))
        self._steps += self._between(fallen, rolling=True) or []
        self._accept(fallen[-1], fallen[-2])

    def _carried_on(self, fallen: Sequence[RegisterPoint]) -> bool:
        """Whether the readings that fell carry on from the one before the last, which then was a misread."""
        if self._before is None:
            return False
        kept = (self._steps, self._last, self._before)
        self._steps, last = self._steps[:-1], self._before
        self._last, self._before = last, None
        if self._steps and not self._steps[-1].opens:
            self._before = self._steps[-2].point if len(self._steps) > 1 else self._opening
        for entry in fallen:
            if entry.leaf.at < last.leaf.at and self._put_between(entry):
                continue
            step = self._step(last, entry) if in_kwh(entry) >= in_kwh(last) else None
            if not isinstance(step, Step):
                self._steps, self._last, self._before = kept
                return False
            self._steps.append(step)
            self._last, self._before, last = entry, last, entry
        self._exchanged, self._fallen = False, []
        return True


def _stood(state: RegisterState | None) -> tuple[str, bool, Own]:
    """The meter's number, whether it was exchanged since the last good reading, its own modulus and greatest power."""
    return ("", False, ("", "")) if state is None else (state.number, state.exchanged, (state.modulus, state.max_kw))


def _heard(entry: Identified, number: str, *, exchanged: bool, own: Own) -> tuple[str, bool, Own]:
    """The same after the meter was heard. What another meter said of itself does not count for this one."""
    changed = not entry.nameless and (not entry.number or number not in ("", entry.number))
    told = (entry.modulus, entry.max_kw) if changed else (entry.modulus or own[0], entry.max_kw or own[1])
    return number if entry.nameless else entry.number, exchanged or changed, told


def _stepped(
    last: RegisterPoint, point: RegisterPoint, raw: Fraction, rule: MeterRule, marks: Marks, *, rolled: bool
) -> Step:
    factor, split = ratio_between(rule, last.leaf.at, point.leaf.at)
    codes: list[Quality] = [marks.quality.get(one.leaf, "actual") for one in (last, point)]
    if rolled:
        codes.append("rollover_corrected")
    if split:
        codes.append("estimated_split")
    if point.leaf.quality == "received_time":
        codes.append("received_time_only")
    energy = ending(raw * factor) if split else raw * factor
    return Step(point, energy, rolled=rolled, opens=False, quality=worst(codes))


def point_before(course: Course, state: RegisterState | None) -> RegisterPoint | None:
    """The reading from which the step to the last one began; None where that opened its register."""
    points = [] if state is None else [state.point]
    for step in course.steps:
        points = [step.point] if step.opens else [*points[-1:], step.point]
    return points[0] if len(points) > 1 else None
