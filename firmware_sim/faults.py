"""What goes wrong, by seed: noise, flipped bits, cut frames, echo, lost and late replies, pieces, power.

The surprise: a fault is a number drawn from its own seeded stream, never an accident of timing, so the run that failed
on Tuesday fails again on Wednesday; and each fault is counted when it is done, so that a run which meant to be noisy
and was not can be told from one that survived. Works on a line, so it is the same for memory and for
pseudo-terminals.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple, get_args

Kind = Literal["noise", "flip", "cut", "lose", "late", "split"]
_KINDS: tuple[Kind, ...] = get_args(Kind)


class Scheduled(NamedTuple):
    """A fault of this kind befalls the first transmission that begins at or after line time ``at``."""

    at: float
    kind: Kind


@dataclass(frozen=True)
class LinePlan:
    """Chances (0..1) for each transmission on one line; ``lose`` and ``late`` concern the devices' replies only.

    ``noise``: up to ``noise_bytes`` random bytes before or behind it. ``flip``: one bit. ``cut``: its end is missing.
    ``late``: begins up to ``late_s`` later. ``split``: reaches the host in pieces up to ``split_s`` apart.
    ``echo``: the host's adapter hears what it sends.
    """

    noise: float = 0.0
    noise_bytes: int = 3
    flip: float = 0.0
    cut: float = 0.0
    lose: float = 0.0
    late: float = 0.0
    late_s: float = 0.8
    split: float = 0.0
    split_s: float = 0.065
    echo: bool = False
    schedule: tuple[Scheduled, ...] = ()

    def __post_init__(self) -> None:
        for kind in _KINDS:
            if not 0 <= getattr(self, kind) <= 1:
                raise ValueError(f"{kind} is a chance: between 0 and 1")


class LineFaults:
    """The faults of one line in one run. ``counts``: how many of each kind were done."""

    def __init__(self, plan: LinePlan, seed: str) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        # A stream for each kind: a reply more or less on the line does not move the faults of another kind.
        self._streams = {kind: Random(f"{seed}/{kind}") for kind in _KINDS}  # noqa: S311 - must be repeatable
        self._schedule = sorted(plan.schedule)

    @property
    def echo(self) -> bool:
        """True where the host hears itself."""
        return self.plan.echo

    def reply_delay(self, now: float) -> float | None:
        """Seconds by which a device's reply is late; None: it never comes."""
        if self._strikes("lose", self.plan.lose, now):
            return None
        if self._strikes("late", self.plan.late, now):
            return self._streams["late"].uniform(0.1, 1.0) * self.plan.late_s
        return 0.0

    def on_the_wire(self, data: bytes, now: float) -> bytes:
        """What of ``data`` is on the line in truth; perhaps nothing."""
        if data and self._strikes("cut", self.plan.cut, now):
            data = data[: self._streams["cut"].randrange(len(data))]
        if data and self._strikes("flip", self.plan.flip, now):
            stream = self._streams["flip"]
            place, bit = stream.randrange(len(data)), stream.randrange(8)
            data = data[:place] + bytes((data[place] ^ 1 << bit,)) + data[place + 1 :]
        if self._strikes("noise", self.plan.noise, now):
            stream = self._streams["noise"]
            junk = stream.randbytes(stream.randint(1, self.plan.noise_bytes))
            data = junk + data if stream.random() < 0.5 else data + junk
        return data

    def pieces(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """How ``data`` reaches the host: (seconds later, bytes), in order."""
        if len(data) < 2 or not self._strikes("split", self.plan.split, now):
            return [(0.0, data)]
        stream = self._streams["split"]
        edges = sorted(stream.sample(range(1, len(data)), min(stream.randint(1, 3), len(data) - 1)))
        later = 0.0
        parts = []
        for begin, end in zip([0, *edges], [*edges, len(data)], strict=True):
            parts.append((later, data[begin:end]))
            later += stream.uniform(0.05, 1.0) * self.plan.split_s
        return parts

    def _strikes(self, kind: Kind, chance: float, now: float) -> bool:
        struck = bool(chance) and self._streams[kind].random() < chance
        for planned in self._schedule:
            if planned.at > now:
                break
            if planned.kind == kind:
                self._schedule.remove(planned)
                struck = True
                break
        self.counts[kind] += struck
        return struck


@dataclass(frozen=True)
class MqttPlan:
    """Chances (0..1) at a broker: ``double``, a message comes twice; ``lose_ack``, a PUBACK to a cabinet is lost."""

    double: float = 0.0
    lose_ack: float = 0.0


class MqttFaults:
    """The faults of one broker in one run."""

    def __init__(self, plan: MqttPlan, seed: str) -> None:
        self._chances = {"double": plan.double, "lose_ack": plan.lose_ack}
        self._streams = {kind: stream(f"{seed}/{kind}") for kind in self._chances}

    def strikes(self, kind: Literal["double", "lose_ack"]) -> bool:
        """Whether this one is hit."""
        return self._streams[kind].random() < self._chances[kind]


def instants(seed: str, count: int, start: float, end: float, *, apart: float = 0.0) -> list[float]:
    """``count`` moments from ``start`` to ``end``, in order, at least ``apart`` from each other: power cuts, kills."""
    room = end - start - apart * (count - 1)
    if count and room <= 0:
        raise ValueError("more moments than fit between start and end at this distance")
    stream = Random(seed)  # noqa: S311 - must be repeatable
    offsets = sorted(stream.random() * room for _ in range(count))
    return [start + offset + apart * place for place, offset in enumerate(offsets)]


def stream(seed: str) -> Random:
    """A stream of chance of its own: what others draw does not move it."""
    return Random(seed)  # noqa: S311 - must be repeatable
