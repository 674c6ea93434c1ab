"""Which cabinet a board makes, by what its driver can do; and a board that has both locks and motors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.clock import Clock
from gateway.coil_cabinet import CoilCabinet
from gateway.device_events import Event
from gateway.lock_cabinet import LockCabinet
from gateway.ports import Confirm, Line
from gateway.premises import Given, Premises
from gateway.recording import Stamp
from gateway.vmc_cabinet import VmcCabinet
from gateway.zdm_cabinet import ZdmCabinet
from wire.ids import RecordKey
from wire.records import Intent, Record

Board = LockCabinet | CoilCabinet


def is_board(driver: Any) -> bool:  # noqa: ANN401 - drivers and driver classes differ in shape
    """Whether a driver (or its class) lets goods go."""
    return hasattr(driver, "open") or hasattr(driver, "drives")


def cabinet_of(
    device: str,
    driver: Any,  # noqa: ANN401 - drivers differ in shape
    line: Line,
    clock: Clock,
    premises: Premises,
) -> Board | MixedCabinet:
    """The cabinet of a board, which hears for its session too."""
    if hasattr(driver, "sync"):
        return VmcCabinet(device, driver, clock, premises)
    if hasattr(driver, "state"):
        return ZdmCabinet(device, driver, line, clock, premises)
    if not hasattr(driver, "drives"):
        return _locks(device, driver, line, clock, premises)
    coils = CoilCabinet(device, driver, line, clock, premises)
    if not hasattr(driver, "open"):
        return coils
    coils.at_once = 255
    return MixedCabinet(_locks(device, driver, line, clock, premises), coils)


def _locks(device: str, driver: Any, line: Line, clock: Clock, premises: Premises) -> LockCabinet:  # noqa: ANN401
    made = LockCabinet(device, driver, line, clock)
    made.forced = lambda slot: premises.shelf.doubt(device, slot)
    return made


class MixedCabinet:
    """Locks on some channels, motors on others."""

    def __init__(self, locks: LockCabinet, coils: CoilCabinet) -> None:
        self.device = locks.device
        self._locks = locks
        self._coils = coils

    @property
    def cfg(self) -> str:
        """The board's, the same for both."""
        return self._locks.cfg

    async def look(self, slot: str) -> Mapping[str, int]:
        """As the one behind this slot."""
        return await self._behind(slot).look(slot)

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """As the one behind this slot."""
        return await self._behind(intent.slot).give(intent, key, confirm)

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:
        """As the one behind this slot."""
        return await self._behind(intent.slot).recall(intent, key, confirm)

    @property
    def standing_open(self) -> frozenset[str]:
        """Of the locks."""
        return self._locks.standing_open

    async def closed(self, slot: str) -> bool | None:
        """Of the locks; a motor has no door."""
        return None if self._coils.drives(slot) else await self._locks.closed(slot)

    def known(self, slot: str) -> Mapping[str, int]:
        """Of the locks."""
        return self._locks.known(slot)

    def admits(self, slot: str) -> bool:
        """A lock can be opened; a motor's slot is filled by hand, and turning it gives a piece away."""
        return not self._coils.drives(slot)

    async def admit(self, slot: str) -> bool:
        """Of a lock."""
        return await self._locks.admit(slot)

    def resume(self, intent: Intent, key: RecordKey) -> None:
        """For the motors."""
        if self._coils.drives(intent.slot):
            self._coils.resume(intent, key)

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        """Doors for the locks, results for the motors."""
        return [*self._locks.hear(event, at, cfg), *self._coils.hear(event, at, cfg)]

    def stored(self, event: Event, records: Sequence[Record], keys: Sequence[RecordKey | None]) -> None:
        """For the motors."""
        self._coils.stored(event, records, keys)

    def tick(self, at: Stamp) -> Sequence[Record]:
        """For the locks."""
        return self._locks.tick(at)

    def _behind(self, slot: str) -> Board:
        return self._coils if self._coils.drives(slot) else self._locks
