"""Fan coils of a scenario and what happens to them in a day: rooms are cooled, valves close, a plant rests.

The surprise is how far apart the steps lie: a collector is asked every so many seconds and counts whole ones, so two
steps within one window of the bill could not be told from each other's rounding. PURE but for its seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

# Longer than a window of the collector's records, with a look to spare.
APART_S = (400, 1500)
SPEEDS = ("high", "mid", "low", "")


@dataclass(frozen=True)
class Coil:
    """A fan coil behind a run-time collector on a serial ``line``: inputs 0-2 the speeds, 3 the valve, 4 the plant's
    flow switch. ``every_s``: how often the collector is asked.
    """

    id: str
    line: str
    address: int = 1
    every_s: int = 15


@dataclass(frozen=True)
class CoilStep:
    """From ``at_ms`` on the coil's fan runs at ``speed`` ("": not), its valve and the plant's flow switch stand so."""

    at_ms: int
    coil: str
    speed: str
    valve: bool
    flow: bool

    @property
    def effective(self) -> str:
        """The speed at which the room is really cooled: a fan without water moves air and is not paid for."""
        return self.speed if self.valve and self.flow else ""


def steps(stream: Random, coil: str, on_ms: int, off_ms: int) -> Iterator[CoilStep]:
    """One day of one coil: the same stream gives the same day; at ``off_ms`` everything stands still."""
    at_ms = on_ms
    while at_ms < off_ms - APART_S[0] * 1000:
        valve, flow = stream.random() < 0.85, stream.random() < 0.85
        yield CoilStep(at_ms, coil, stream.choices(SPEEDS, (3, 3, 3, 1))[0], valve, flow)
        at_ms += stream.randint(APART_S[0] * 1000, APART_S[1] * 1000)
    yield CoilStep(off_ms, coil, "", valve=False, flow=False)
