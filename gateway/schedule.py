"""Who is asked next on a shared line, so that it is never idle while something is due. PURE.

Earliest deadline first on a fixed grid: the next reading is due at the next multiple of its period on the wall clock,
whenever the last one happened, so nothing drifts. What is due together travels in the fewest frames (`block_reads.py`).
The surprise is what a silent device costs: its time-out is paid by all others. So who missed once is asked again when
the line has that much time to spare, who missed twice is set aside and probed rarely, and a line that never has time
to spare gives a fiftieth of it to those who are silent, all together. A wall clock that jumps cannot stop a meter: no
deadline is ever further away than one period. All times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.block_reads import Limits, blocks
from gateway.device_events import Want

MISSES = 2
PROBE_MS = 7_000
# A silent device may cost a busy line one part in so many of its time.
SHARE = 50
# A question to a silent device waits so long for a spare moment before it takes one from the others.
HOPE_MS = 2_000
FOREVER = 86_400_000
# Who is due within so long is due together, and asked in the order of the devices: the clocks' milliseconds are rounded
# apart from one another, and devices that changed places for that would be read with jumps of several exchanges.
TOGETHER_MS = 3
# A period so short is waited for by a device that comes back.
SOON_MS = 5_000
# What one device has due together is met again and again: so many plans of it are remembered.
REMEMBERED = 64
Places = tuple[int, ...]


class Turn(msgspec.Struct, frozen=True):
    """Ask `device` for these wants, in one frame. A probe only asks whether it is there again.

    `patient`: wait as long as such a device may ever take; else only as long as it took so far. `spared`: the line had
    no time for it and took it from the others. `places`: where the schedule keeps these wants.
    """

    device: str
    wants: tuple[Want, ...]
    probe: bool = False
    patient: bool = False
    spared: bool = False
    places: tuple[int, ...] = ()


class Standing(msgspec.Struct):
    """What the line knows about one device: when each of its `wants` (by table and address) is due, the first of them
    at `earliest`. Silent since `misses` questions, it is asked again from `ready` on. `whole`: the places of all wants;
    `alike`: they have one period.
    """

    wants: tuple[Want, ...]
    due: list[int]
    limits: Limits
    whole: Places
    alike: bool
    plans: dict[Places, dict[int, tuple[Places, tuple[Want, ...]]]] = {}
    earliest: int = 0
    misses: int = 0
    probes: int = 0
    aside: bool = False
    ready: int = 0
    quick_ms: int = 150
    patient_ms: int = 300


class LineSchedule:
    """The grid of one line. `turn` says what to do now or how long to wait; tell it `answered` or `missed` after."""

    def __init__(self, wants: Mapping[str, Sequence[Want]], limits: Mapping[str, Limits] | None = None) -> None:
        known = limits or {}
        self._devices = {
            device: _standing(_in_order(wanted), known.get(device, Limits())) for device, wanted in wants.items()
        }
        self._given = 0
        self._spare_from = 0

    def costs(self, device: str, quick_ms: int, patient_ms: int) -> None:
        """What a question to this device costs when nobody answers, asked with little and with much patience."""
        standing = self._devices[device]
        standing.quick_ms, standing.patient_ms = quick_ms, patient_ms

    def turn(self, mono: int) -> Turn | int:
        """The turn that is due, or the milliseconds until one will be."""
        first: int | None = None
        anybody = False
        for standing in self._devices.values():
            if standing.misses:
                anybody = True
            elif standing.due and (first is None or standing.earliest < first):
                first = standing.earliest
        slack = FOREVER if first is None else max(0, first - mono)
        self._given = mono
        silent = self._silent(mono, slack) if anybody else FOREVER
        if isinstance(silent, Turn):
            return silent
        if first is None or slack:
            return min(slack, silent)
        device, standing = self._next(first + TOGETHER_MS)
        places, wants = _block(standing, max(mono, standing.earliest))
        return Turn(device, wants, places=places)

    def _next(self, until: int) -> tuple[str, Standing]:
        """The device whose turn it is: of those that are due by then, the first in the order of the line."""
        here = ((name, one) for name, one in self._devices.items() if one.due and not one.misses)
        return next((name, one) for name, one in here if one.earliest <= until)

    def healthy(self, turn: Turn) -> bool:
        """Whether its device answered when it was asked last."""
        return not self._devices[turn.device].misses

    def suppose(self, turn: Turn, mono: int, wall: int) -> list[int]:
        """As if the turn had been answered at this time, so that the next one can be known; `recall` with the result
        takes it back.
        """
        standing = self._devices[turn.device]
        before = standing.due.copy()
        _advance(standing, turn.places, mono, wall)
        return before

    def recall(self, turn: Turn, before: list[int]) -> None:
        """Takes back what was supposed last."""
        standing = self._devices[turn.device]
        standing.due, standing.earliest = before, min(before)

    def answered(self, turn: Turn, mono: int, wall: int, *, fit: bool = True) -> bool:
        """The device spoke; its wants move to their next grid instant. True when it had been set aside.

        `fit` False: it spoke but is not to be read yet (implausible, unknown); all its wants wait for the grid.
        """
        device, standing = turn.device, self._devices[turn.device]
        was_aside, standing.aside = standing.aside, False
        standing.misses = standing.probes = 0
        if was_aside and fit:
            standing.due = [mono] * len(standing.due)
            # What is due again in a moment waits for the grid: asked at once it would push the others off theirs.
            soon = [place for place, want in enumerate(standing.wants) if want.every * 1000 <= SOON_MS]
            _advance(standing, soon, mono, wall)
            # Behind the others, who have closed up: each of them would be read later by one exchange.
            self._devices[device] = self._devices.pop(device)
        _advance(standing, turn.places if fit else range(len(standing.due)), mono, wall)
        return was_aside

    def missed(self, turn: Turn, mono: int, wall: int) -> bool:
        """It stayed silent: asked again soon the first time. True when it is set aside by this miss."""
        standing = self._devices[turn.device]
        if turn.spared:
            self._spare_from = mono + (SHARE - 1) * max(0, mono - self._given)
        standing.misses += 1
        if turn.probe:
            standing.probes += 1
            standing.ready = mono + PROBE_MS
            return False
        standing.ready = mono
        if standing.misses < MISSES:
            return False
        standing.aside, standing.ready = True, mono + PROBE_MS
        _advance(standing, range(len(standing.due)), mono, wall)
        return True

    def is_aside(self, device: str) -> bool:
        """Whether the device is silent and only probed."""
        return self._devices[device].aside

    def _silent(self, mono: int, slack: int) -> Turn | int:
        """The question to a silent device that the line has time for now, or the milliseconds until it may have."""
        wait = FOREVER
        waiting = [(one.ready, device) for device, one in self._devices.items() if one.misses and one.due]
        for ready, device in sorted(waiting):
            if ready > mono:
                return min(wait, ready - mono)
            standing = self._devices[device]
            from_others = max(self._spare_from, ready + HOPE_MS)
            # A second question is patient where that costs nobody anything, a probe every second time.
            patient = standing.probes % 2 == 1 if standing.aside else standing.patient_ms <= slack
            if patient and standing.patient_ms > slack and mono < from_others:
                patient = False
            spared = (standing.patient_ms if patient else standing.quick_ms) > slack
            if not spared or mono >= from_others:
                places, wants = _block(standing, mono)
                if standing.aside:
                    first = _urgent(standing, mono)[1]
                    places, wants = (first,), (standing.wants[first],)
                return Turn(device, wants, probe=standing.aside, patient=patient, spared=spared, places=places)
            wait = min(wait, from_others - mono)
        return wait


def _standing(wants: tuple[Want, ...], limits: Limits) -> Standing:
    return Standing(wants, [0] * len(wants), limits, tuple(range(len(wants))), len({want.every for want in wants}) == 1)


def _in_order(wants: Sequence[Want]) -> tuple[Want, ...]:
    return tuple(sorted(dict.fromkeys(wants), key=lambda want: (want.table, want.address)))


def _urgent(standing: Standing, mono: int) -> tuple[Places, int]:
    """What is due (of a device of which nothing is, everything), and the most urgent of it."""
    at, first = standing.due, standing.earliest
    if first > mono or max(at) <= mono:
        return standing.whole, at.index(first)
    return tuple([place for place, when in enumerate(at) if when <= mono]), at.index(first)


def _block(standing: Standing, mono: int) -> tuple[Places, tuple[Want, ...]]:
    """The wants that travel with the most urgent one, and their places."""
    due, first = _urgent(standing, mono)
    plan = standing.plans.get(due)
    if plan is None:
        if len(standing.plans) >= REMEMBERED:
            standing.plans.clear()
        plan = standing.plans[due] = _planned(standing, due)
    return plan[first]


def _planned(standing: Standing, due: Places) -> dict[int, tuple[Places, tuple[Want, ...]]]:
    found: dict[int, tuple[Places, tuple[Want, ...]]] = {}
    place = {standing.wants[one]: one for one in due}
    for block in blocks(list(place), standing.limits):
        places = tuple(place[want] for want in block)
        found.update(dict.fromkeys(places, (places, block)))
    return found


def _advance(standing: Standing, places: Sequence[int], mono: int, wall: int) -> None:
    if standing.alike and len(places) == len(standing.due):
        standing.earliest = mono + until_next(wall, max(1, int(standing.wants[0].every * 1000)))
        standing.due = [standing.earliest] * len(places)
        return
    every, next_at = 0.0, 0
    for place in places:
        wanted = standing.wants[place].every
        if wanted != every:
            every, next_at = wanted, mono + until_next(wall, max(1, int(wanted * 1000)))
        standing.due[place] = next_at
    standing.earliest = min(standing.due, default=FOREVER)


def until_next(wall: int, every: int) -> int:
    """Milliseconds to the next grid instant. One that is very near (a fiftieth of a period, at most a second) is
    passed over: the clock was stepped back a little after the reading of that very instant.
    """
    left = every - wall % every
    return left + every if left < min(every // 50, 1000) else left
