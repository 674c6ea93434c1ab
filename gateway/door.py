"""A door in front of something that sees for itself what was taken: opened for a person, then waited for."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeGuard, runtime_checkable

import msgspec

from gateway.premises import Cabinet, Given
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Intent


@runtime_checkable
class Admitting(Cabinet, Protocol):
    """A cabinet that can be opened so that something is put in."""

    async def admit(self, slot: str) -> bool:
        """Opens the door, where there is one, and waits until it is closed; False: it certainly stayed shut."""


def admits(cabinet: Cabinet, slot: str) -> TypeGuard[Admitting]:
    """Whether there is a door before this slot that can be opened without giving anything away."""
    return isinstance(cabinet, Admitting) and bool(getattr(cabinet, "admits", lambda _: True)(slot))


async def settle(cabinet: Cabinet) -> None:
    """What a cabinet sees for itself is written down now, where it sees anything."""
    look = getattr(cabinet, "settle", None)
    if look is not None:
        await look()


def known(cabinet: Cabinet, slot: str) -> dict[str, int]:
    """The cabinet's own numbers of a slot (counter, level, weight, tags) as it last told them; nothing is asked."""
    tell = getattr(cabinet, "known", None)
    return dict(tell(slot)) if tell is not None else {}


class Door(NamedTuple):
    """One door of a lock board, by the board's cabinet."""

    cabinet: Cabinet
    slot: str

    async def look(self) -> None:
        """Raises CabinetUnreachableError unless the door is closed and its board answers."""
        await self.cabinet.look(self.slot)

    async def admit(self) -> bool:
        """Opens it so that something is put in, and waits until it is closed; False: it certainly stayed shut."""
        return await self.cabinet.admit(self.slot) if isinstance(self.cabinet, Admitting) else False

    async def pass_through(self, intent: Intent, key: RecordKey) -> Given:
        """Opens it and waits until it is closed. What the lock proves about goods is for others to say."""
        return await self.cabinet.give(msgspec.structs.replace(intent, slot=self.slot), key, "none")


def stayed_shut(given: Given) -> bool:
    """Proof that nobody can have reached inside."""
    return given.fact is Fact.NOT_OPENED
