"""The person in front of an MQTT cabinet: holds up a badge, waits for the tray, takes what fell.

Truth is what fell: the piece is noted by the mechanics, not by the display and not by the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_sim.cabinet_client import CabinetClient
from firmware_sim.devices.coil_motors import Dropped
from firmware_sim.devices.mqtt_cabinet import MqttCabinet
from firmware_sim.scenario import Cabinet
from firmware_sim.truth import Truth

# Loop seconds after which the person walks away, and between two looks at the display.
PATIENCE_S = 30.0
LOOK_S = 0.05


@dataclass(eq=False)
class CoilHands:
    """One cabinet with its person. ``at`` maps loop time to ms UTC of the shop's clock."""

    cabinet: Cabinet
    client: CabinetClient
    truth: Truth
    at: Callable[[float], int]
    person: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def fill(self, slot: str, pieces: int) -> None:
        """The restocker's hands."""
        self.client.did(self.client.twin.fill(slot, pieces))

    async def serve(self, badge: str, slot: str, quantity: int) -> str:
        """Badge, slot, wait; what the display said in the end."""
        async with self.turn:
            self.person, twin = badge, self.client.twin
            try:
                await self._motor_at_rest()
                twin.display = ""
                self.client.did(twin.badge(badge, slot, self.client.now, quantity))
                return await self._read()
            finally:
                self.person = ""

    async def _motor_at_rest(self) -> None:
        for _ in range(round(PATIENCE_S / LOOK_S)):
            if not self.client.twin.coils.turn:
                return
            await asyncio.sleep(LOOK_S)

    async def _read(self) -> str:
        """What the display says in the end."""
        for _ in range(round(PATIENCE_S / LOOK_S)):
            if self.client.twin.display.startswith(("please take", "sorry", "no answer")):
                break
            await asyncio.sleep(LOOK_S)
        return self.client.twin.display or "out of service"

    def dropped(self, drop: Dropped) -> None:
        """A piece lies in the tray; whoever stands there takes it."""
        item = next(one.item for one in self.cabinet.slot if one.slot == drop.slot)
        badge = drop.badge or self.person
        self.truth.piece_left(self.cabinet.id, drop.slot, item, badge=badge, at_ms=self.at(drop.at))


def coil_hands(cabinet: Cabinet, truth: Truth, at: Callable[[float], int], *, turn_s: float) -> CoilHands:
    """An empty cabinet and its person; call it inside the running loop."""
    found: list[CoilHands] = []
    twin = MqttCabinet(
        cabinet.id,
        {slot.slot: 0 for slot in cabinet.slot},
        now=asyncio.get_running_loop().time(),
        autonomous=cabinet.autonomous,
        turn_s=turn_s,
        world_ms=at,
        on_drop=lambda drop: found[0].dropped(drop),  # noqa: PLW0108 - the hands come after the twin
    )
    found.append(CoilHands(cabinet, CabinetClient(twin), truth, at))
    return found[0]
