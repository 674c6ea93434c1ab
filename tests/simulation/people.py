"""People in front of the cabinets: they take what falls, press a button once, and count what they are not sure of.

As in life, a screen that went dark is not asked again; the restocker comes by and counts the slots in doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firmware_sim.kiosk import Json
from firmware_sim.playing import Day
from firmware_sim.shop import Refill
from tests.simulation.life import pause
from tests.simulation.site import WORKERS

if TYPE_CHECKING:
    from tests.simulation.world import World

DARK: Json = {"outcome": "no_answer"}


class Screen:
    """The kiosk's use cases while the gateway comes and goes."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def draw(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """See ``kiosk.Kiosk``."""
        return self._said(await self._world.gateway.use(lambda one: one.draw(cabinet, badge, slot, quantity)))

    async def refill(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """See ``kiosk.Kiosk``."""
        return self._said(await self._world.gateway.use(lambda one: one.refill(cabinet, slot, quantity, badge)))

    async def count(self, cabinet: str, badge: str, slot: str, quantity: int) -> Json:
        """See ``kiosk.Kiosk``."""
        return self._said(await self._world.gateway.use(lambda one: one.count(cabinet, slot, quantity, badge)))

    async def status(self) -> Json:
        """See ``kiosk.Kiosk``."""
        gateway = self._world.gateway.gateway
        if not self._world.gateway.is_up or gateway is None or gateway.premises is None:
            return {}
        doubtful = gateway.premises.shelf.doubtful()
        return {"doubtful": [{"cabinet": cabinet, "slot": slot} for cabinet, slot in doubtful]}

    def _said(self, result: Any) -> Json:
        self._world.trace.note("screen", result.outcome if result else "dark")
        return {"outcome": result.outcome, "key": result.key} if result else DARK


class Restocker:
    """Fills, and counts. ``unsure``: slots whose refill nobody has confirmed."""

    def __init__(self, world: World, day: Day) -> None:
        self.unsure: dict[tuple[str, str], None] = {}
        self._world = world
        self._day = day

    async def fill(self, refill: Refill) -> None:
        """Puts pieces in, and says so once; if nobody heard, the slot will be counted."""
        day = self._day
        if refill.cabinet in day.coils:
            day.coils[refill.cabinet].fill(refill.slot, refill.quantity)
        day.truth.refilled(
            refill.cabinet, refill.slot, refill.item,
            badge=refill.badge, at_ms=self._world.pace.now_ms(), quantity=refill.quantity,
        )  # fmt: skip
        said = await day.kiosk.refill(refill.cabinet, refill.badge, refill.slot, refill.quantity)
        if said["outcome"] != "refilled":
            self.unsure[refill.cabinet, refill.slot] = None

    async def count_doubtful(self) -> bool:
        """Counts what the gateway or the restocker is not sure of; False when something is left to be counted."""
        doubtful = (await self._day.kiosk.status()).get("doubtful")
        if doubtful is None:
            return False
        wanted = {(one["cabinet"], one["slot"]) for one in doubtful} | set(self.unsure)
        done = True
        for cabinet, slot in sorted(wanted):
            if await self._day.count(cabinet, slot, WORKERS[-1].badge) == "counted":
                self.unsure.pop((cabinet, slot), None)
            else:
                done = False
        return done

    async def rounds(self) -> None:
        """Comes by every few minutes."""
        while True:
            await pause(311)
            await self.count_doubtful()
