"""Who is asked next on a shared line, so that it is never idle while something is due. PURE.

Earliest deadline first on a fixed grid: the next reading is due at the next multiple of its period on the wall clock,
whenever the last one happened, so nothing drifts. What is due together travels in the fewest frames (`block_reads.py`).
The surprise is what a silent device costs: its time-out is paid by all others, so after two misses in a row it is set
aside and probed rarely, with a short time-out. A wall clock that jumps cannot stop a meter: no deadline is ever further
away than one period. All times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.block_reads import Limits, block_of
from gateway.device_events import Want

MISSES = 2
PROBE_MS = 10_000


class Turn(msgspec.Struct, frozen=True):
    """Ask `device` for these wants, in one frame. A probe only asks whether it is there again."""

    device: str
    wants: tuple[Want, ...]
    probe: bool = False
    patient: bool = True


class Standing(msgspec.Struct):
    """What the line knows about one device. `aside_until` is set while it is silent."""

    due: dict[Want, int]
    limits: Limits
    misses: int = 0
    probes: int = 0
    aside_until: int | None = None


class LineSchedule:
    """The grid of one line. `turn` says what to do now or how long to wait; tell it `answered` or `missed` after."""

    def __init__(self, wants: Mapping[str, Sequence[Want]], limits: Mapping[str, Limits] | None = None) -> None:
        known = limits or {}
        self._devices = {
            device: Standing(dict.fromkeys(wanted, 0), known.get(device, Limits())) for device, wanted in wants.items()
        }

    def turn(self, mono: int) -> Turn | int:
        """The turn that is due, or the milliseconds until one will be."""
        first: tuple[int, str] | None = None
        for device, standing in self._devices.items():
            at = standing.aside_until
            if at is None:
                at = min(standing.due.values(), default=None)
            if at is not None and (first is None or at < first[0]):
                first = (at, device)
        if first is None:
            return 60_000
        if first[0] > mono:
            return first[0] - mono
        device = first[1]
        standing = self._devices[device]
        due = [want for want, at in standing.due.items() if at <= mono] or list(standing.due)
        due.sort(key=lambda want: (standing.due[want], want.table, want.address))
        if standing.aside_until is not None:
            return Turn(device, tuple(due[:1]), probe=True, patient=standing.probes % 3 == 2)
        return Turn(device, block_of(due[0], due, standing.limits))

    def answered(self, turn: Turn, mono: int, wall: int, *, fit: bool = True) -> bool:
        """The device spoke; its wants move to their next grid instant. True when it had been set aside.

        `fit` False: it spoke but is not to be read yet (implausible, unknown); all its wants wait for the grid.
        """
        standing = self._devices[turn.device]
        was_aside = standing.aside_until is not None
        standing.misses = standing.probes = 0
        standing.aside_until = None
        if was_aside and fit:
            standing.due = dict.fromkeys(standing.due, mono)
        self._advance(standing, turn.wants if fit else tuple(standing.due), mono, wall)
        return was_aside

    def missed(self, turn: Turn, mono: int, wall: int) -> bool:
        """It stayed silent: asked again at once the first time. True when it is set aside by this miss."""
        standing = self._devices[turn.device]
        if turn.probe:
            standing.probes += 1
            standing.aside_until = mono + PROBE_MS
            return False
        standing.misses += 1
        if standing.misses < MISSES:
            return False
        standing.aside_until = mono + PROBE_MS
        self._advance(standing, tuple(standing.due), mono, wall)
        return True

    def is_aside(self, device: str) -> bool:
        """Whether the device is silent and only probed."""
        return self._devices[device].aside_until is not None

    def _advance(self, standing: Standing, wants: Sequence[Want], mono: int, wall: int) -> None:
        for want in wants:
            standing.due[want] = mono + until_next(wall, int(want.every * 1000))


def until_next(wall: int, every: int) -> int:
    """Milliseconds to the next grid instant. One that is very near (a fiftieth of a period, at most a second) is
    passed over: the clock was stepped back a little after the reading of that very instant.
    """
    left = every - wall % every
    return left + every if left < min(every // 50, 1000) else left
