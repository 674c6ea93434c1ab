"""The mechanics behind an MQTT cabinet: coils that turn one at a time, goods that fall or do not. PURE.

The firmware knows only what the drop sensor tells it; what is really in a slot, stuck in it or too light to be seen
stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Dropped(NamedTuple):
    """A piece fell into the tray at line time ``at``. ``badge`` is who stands there, "" where the cabinet was told
    nothing; ``seen``: the drop sensor saw it.
    """

    slot: str
    badge: str
    at: float
    seen: bool


@dataclass
class Turn:
    """A motor that turns. ``step_at`` is when the next piece falls or does not; ``seen`` counts the sensor's pulses."""

    cmd_id: str
    slot: str
    wanted: int
    badge: str
    begun: float
    step_at: float
    seen: int = 0
    extra: bool = False


class Step(NamedTuple):
    """What the firmware learns when a turn has ended: did the sensor see a piece, and is the motor home (or stuck)?"""

    saw: bool
    motor: Literal["turning", "ok", "jam"]


@dataclass
class _Coil:
    goods: int
    jammed: bool = False
    blind: bool = False
    slow: bool = False


class CoilMotors:
    """All coils of one cabinet. ``turn_s``: seconds of one turn; ``on_drop`` hears of each piece that really falls."""

    def __init__(self, slots: Mapping[str, int], turn_s: float, on_drop: Callable[[Dropped], None] | None) -> None:
        self.turn: Turn | None = None
        self._coils = {slot: _Coil(goods) for slot, goods in slots.items()}
        self._turn_s = turn_s
        self._on_drop = on_drop

    def __contains__(self, slot: str) -> bool:
        return slot in self._coils

    def goods(self, slot: str) -> int:
        """Pieces that are really there."""
        return self._coils[slot].goods

    def fill(self, slot: str, pieces: int) -> None:
        """Pieces are put in."""
        self._coils[slot].goods += pieces

    def jam(self, slot: str) -> None:
        """From now on this coil sticks."""
        self._coils[slot].jammed = True

    def blind(self, slot: str) -> None:
        """From now on the drop sensor misses what falls from here."""
        self._coils[slot].blind = True

    def slow(self, slot: str) -> None:
        """From now on a piece falls only after an extra half turn."""
        self._coils[slot].slow = True

    def mend(self, slot: str) -> None:
        """Ends everything that is wrong with this coil."""
        self._coils[slot] = _Coil(self._coils[slot].goods)

    def start(self, cmd_id: str, slot: str, wanted: int, badge: str, now: float) -> None:
        """The motor begins to turn."""
        self.turn = Turn(cmd_id, slot, wanted, badge, now, now + self._turn_s)

    def stop(self) -> None:
        """The supply goes: a piece that has not fallen yet does not fall."""
        self.turn = None

    def step(self, turn: Turn, now: float) -> Step:
        """One turn of the coil has ended."""
        coil = self._coils[turn.slot]
        if coil.jammed:
            return self._home(Step(saw=False, motor="jam"))
        if coil.slow and not turn.extra:
            turn.extra = True
            turn.step_at = now + self._turn_s / 2
            return Step(saw=False, motor="turning")
        saw = bool(coil.goods) and not coil.blind
        if coil.goods:
            coil.goods -= 1
            turn.seen += saw
            if self._on_drop is not None:
                self._on_drop(Dropped(turn.slot, turn.badge, now, saw))
        if saw and turn.seen < turn.wanted:
            turn.step_at = now + self._turn_s
            return Step(saw=True, motor="turning")
        return self._home(Step(saw, motor="ok"))

    def _home(self, step: Step) -> Step:
        self.turn = None
        return step
