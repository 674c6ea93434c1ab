"""A door in front of something that sees for itself what was taken: opened for a person, then waited for."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.premises import Cabinet, Given
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Intent


class Door(NamedTuple):
    """One door of a lock board, by the board's cabinet."""

    cabinet: Cabinet
    slot: str

    async def look(self) -> None:
        """Raises CabinetUnreachableError unless the door is closed and its board answers."""
        await self.cabinet.look(self.slot)

    async def pass_through(self, intent: Intent, key: RecordKey) -> Given:
        """Opens it and waits until it is closed. What the lock proves about goods is for others to say."""
        return await self.cabinet.give(msgspec.structs.replace(intent, slot=self.slot), key, "none")


def stayed_shut(given: Given) -> bool:
    """Proof that nobody can have reached inside."""
    return given.fact is Fact.NOT_OPENED
