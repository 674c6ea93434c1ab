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

from gateway.block_reads import Limits, block_of
from gateway.device_events import Want

MISSES = 2
PROBE_MS = 7_000
# A silent device may cost a busy line one part in so many of its time.
SHARE = 50
# A question to a silent device waits so long for a spare moment before it takes one from the others.
HOPE_MS = 2_000
FOREVER = 86_400_000


class Turn(msgspec.Struct, frozen=True):
    """Ask `device` for these wants, in one frame. A probe only asks whether it is there again.

    `patient`: wait as long as such a device may ever take; else only as long as it took so far. `spared`: the line had
    no time for it and took it from the others.
    """

    device: str
    wants: tuple[Want, ...]
    probe: bool = False
    patient: bool = False
    spared: bool = False


class Standing(msgspec.Struct):
    """What the line knows about one device. Silent since `misses` questions, it is asked again from `ready` on."""

    due: dict[Want, int]
    limits: Limits
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
            device: Standing(dict.fromkeys(wanted, 0), known.get(device, Limits())) for device, wanted in wants.items()
        }
        self._given = 0
        self._spare_from = 0

    def costs(self, device: str, quick_ms: int, patient_ms: int) -> None:
        """What a question to this device costs when nobody answers, asked with little and with much patience."""
        standing = self._devices[device]
        standing.quick_ms, standing.patient_ms = quick_ms, patient_ms

    def turn(self, mono: int) -> Turn | int:
        """The turn that is due, or the milliseconds until one will be."""
        first: tuple[int, str] | None = None
        for device, standing in self._devices.items():
            if standing.due and not standing.misses:
                at = min(standing.due.values())
                if first is None or at < first[0]:
                    first = (at, device)
        slack = FOREVER if first is None else max(0, first[0] - mono)
        self._given = mono
        silent = self._silent(mono, slack)
        if isinstance(silent, Turn):
            return silent
        if first is None or slack:
            return min(slack, silent)
        standing = self._devices[first[1]]
        due = _due(standing, mono)
        return Turn(first[1], block_of(due[0], due, standing.limits))

    def answered(self, turn: Turn, mono: int, wall: int, *, fit: bool = True) -> bool:
        """The device spoke; its wants move to their next grid instant. True when it had been set aside.

        `fit` False: it spoke but is not to be read yet (implausible, unknown); all its wants wait for the grid.
        """
        standing = self._devices[turn.device]
        was_aside, standing.aside = standing.aside, False
        standing.misses = standing.probes = 0
        if was_aside and fit:
            standing.due = dict.fromkeys(standing.due, mono)
        _advance(standing, turn.wants if fit else tuple(standing.due), mono, wall)
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
        _advance(standing, tuple(standing.due), mono, wall)
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
                due = _due(standing, mono)
                wants = tuple(due[:1]) if standing.aside else block_of(due[0], due, standing.limits)
                return Turn(device, wants, probe=standing.aside, patient=patient, spared=spared)
            wait = min(wait, from_others - mono)
        return wait


def _due(standing: Standing, mono: int) -> list[Want]:
    """What is due, the most urgent first; of a device of which nothing is, everything."""
    due = [want for want, at in standing.due.items() if at <= mono] or list(standing.due)
    return sorted(due, key=lambda want: (standing.due[want], want.table, want.address))


def _advance(standing: Standing, wants: Sequence[Want], mono: int, wall: int) -> None:
    every, next_at = 0.0, 0
    for want in wants:
        if want.every != every:
            every, next_at = want.every, mono + until_next(wall, max(1, int(want.every * 1000)))
        standing.due[want] = next_at


def until_next(wall: int, every: int) -> int:
    """Milliseconds to the next grid instant. One that is very near (a fiftieth of a period, at most a second) is
    passed over: the clock was stepped back a little after the reading of that very instant.
    """
    left = every - wall % every
    return left + every if left < min(every // 50, 1000) else left
