"""People before a cabinet on a serial line that is no lock board: a coil machine that drops, an open bin on a scale.

Truth is what fell into the tray or went with a hand, whatever the gateway said of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.bench import Line
from firmware_sim.devices.coil_motors import Dropped
from firmware_sim.devices.coil_vmc import CoilVmc
from firmware_sim.devices.weigh_bin import WeighBin
from firmware_sim.scenario import Cabinet
from firmware_sim.truth import Truth

# A machine asks for work five times a second; all day long that is nothing but work for who plays it. One that is not
# heard for a second and a half is away, and nobody is served.
POLL_S = 1.0
Ask = Callable[[str, str, str, int], Any]
# Loop seconds until a scale has settled and what was taken is written down.
SETTLED_S = 40.0


@dataclass(eq=False)
class BoardHands:
    """One such cabinet. ``at`` maps loop time to ms UTC of the shop's clock."""

    cabinet: Cabinet
    twin: CoilVmc | WeighBin
    line: Line
    truth: Truth
    at: Callable[[float], int]
    person: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def fill(self, slot: str, pieces: int) -> None:
        """The restocker's hands."""
        if isinstance(self.twin, WeighBin):
            self.twin.put(self.line.now, [self.cabinet.piece_mg] * pieces)
        else:
            self.twin.coils.fill(slot, pieces)
            self.twin.type_stock(int(slot), self.twin.coils.goods(slot))
        self.line.stir(self.twin)

    async def serve(self, ask: Ask, badge: str, slot: str, quantity: int) -> str:
        """Asks the kiosk and waits, or simply takes."""
        async with self.turn:
            if isinstance(self.twin, WeighBin):
                return await self._take(slot, quantity)
            self.person = badge
            try:
                return str((await ask(self.cabinet.id, badge, slot, quantity))["outcome"])
            finally:
                self.person = ""

    async def _take(self, slot: str, quantity: int) -> str:
        assert isinstance(self.twin, WeighBin)
        taken = len(self.twin.take(self.line.now, quantity))
        if taken:
            self._left(slot, "", self.line.now, taken)
        await asyncio.sleep(SETTLED_S)
        return "taken"

    def dropped(self, drop: Dropped) -> None:
        """A piece lies in the tray."""
        self._left(drop.slot, self.person, drop.at, 1)

    def _left(self, slot: str, badge: str, at: float, pieces: int) -> None:
        item = next(one.item for one in self.cabinet.slot if one.slot == slot)
        self.truth.piece_left(self.cabinet.id, slot, item, badge=badge, at_ms=self.at(at), quantity=pieces)


def board_hands(cabinet: Cabinet, line: Line, truth: Truth, at: Callable[[float], int], *, turn_s: float) -> BoardHands:
    """An empty cabinet on its line, and its person."""
    found: list[BoardHands] = []
    twin: CoilVmc | WeighBin
    if cabinet.driver == "weigh_bin":
        twin = WeighBin([], baud=line.spec.baud)
    else:
        slots = {int(slot.slot): 0 for slot in cabinet.slot}
        twin = CoilVmc(slots, poll_s=POLL_S, turn_s=turn_s, on_drop=lambda drop: found[0].dropped(drop))  # noqa: PLW0108 - comes after
    line.attach(twin)
    found.append(BoardHands(cabinet, twin, line, truth, at))
    return found[0]
