"""What only a person can end: a card that was copied and lives twice, and a card that died with what it had not sent.

At most one of the two befalls a run, and on a stream of chance of its own. Either ends as its runbook says: one gateway
stays, it gets a new key and the next log epoch, and entry 0 names the log before and where the cloud had countersigned
it. What the dead card alone knew is lost; that it is, and from where on, has to be said (``verdict``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import httpx

from firmware_sim.office import OfficeError
from firmware_sim.world import CLOUD, Chance
from gateway import enrol, identity
from gateway.cloud_requests import CloudError
from gateway.enrol import Grounds
from tests.simulation import books, site, template
from tests.simulation.clerk import Desktop
from tests.simulation.gateway_machine import JOURNAL, GatewayMachine
from tests.simulation.life import pause

if TYPE_CHECKING:
    from tests.simulation.misfortunes import Misfortunes
    from tests.simulation.world import World

LOOKS, LOOK_S = 240, 15


class Disasters:
    """``play`` ends when what it began has been put in order."""

    def __init__(self, world: World, misfortunes: Misfortunes) -> None:
        self._world = world
        self._misfortunes = misfortunes
        self._chance = world.stream("disaster")
        kinds: tuple[Callable[[], Awaitable[None]] | None, ...] = (None, None, self._clone, self._dead_card)
        self._kind = self._chance.choice(kinds)
        self._seeds = Chance(world.seed, "new keys")

    async def play(self) -> None:
        """Some time into the run, and never while a card or a database is being put back."""
        await pause(self._chance.uniform(0.2, 0.7) * self._world.hours * 3600)
        if self._kind is None:
            return
        async with self._misfortunes.disaster:
            await self._kind()
            self._misfortunes.forget_backups()

    async def _clone(self) -> None:
        """A copy of the card is started in another box, with nothing on its wires."""
        world = self._world
        if not world.gateway.is_up:
            return
        world.trace.fault("cloned_card")
        world.watcher.cloned = True
        folder = world.folder / "clone"
        folder.mkdir()
        chance = Chance(world.seed, "clone")
        config = template.config(folder)
        clone = GatewayMachine(world, folder, config, world.gateway.identity, chance, name="clone")
        clone.put_back({JOURNAL: world.gateway.backup()[JOURNAL]})
        world.clone = clone
        clone.start()
        await pause(self._chance.uniform(60, 1500))
        async with clone.turn:
            await clone.crash()
        world.trace.note("clone", "switched off")
        for _ in range(LOOKS):
            if self._frozen():
                await self._new_epoch("its card was copied")
                return
            if self._misfortunes.together():
                return
            await pause(LOOK_S)

    async def _dead_card(self) -> None:
        """Nothing can be read from it any more; a new one is put in."""
        world = self._world
        world.trace.fault("dead_card")
        async with world.gateway.turn:
            await world.gateway.crash()
            world.gateway.wipe()
            world.watcher.card_restored(books.cloud_keys(world.cloud.path))
        await self._new_epoch("the card died")
        for cabinet in world.scenario.cabinet:
            for slot in cabinet.slot:
                world.day.restocker.unsure[cabinet.id, slot.slot] = None

    def _frozen(self) -> bool:
        """Whether either side has stopped this log."""
        world = self._world
        origin = world.gateway.identity.origin
        running = world.gateway.gateway.uplink if world.gateway.gateway else None
        theirs = {head.origin: head.state for head in books.heads(world.cloud.path)}
        return theirs[origin] == "frozen" or bool(running and running.status().frozen)

    async def _new_epoch(self, reason: str) -> None:
        """As the runbooks say: a one-time code, a new key, the next log."""
        machine = self._world.gateway
        async with machine.turn:
            await machine.crash()
            self._world.watcher.closed.add(machine.identity.origin)
            if (machine.folder / identity.FILE).exists():
                identity.retire(machine.folder)
            machine.identity = await self._enrolled(reason)
            machine.start()

    async def _enrolled(self, reason: str) -> identity.Identity:
        """One code for as long as it takes: an answer that was lost is given again."""
        world, code = self._world, ""
        grounds = Grounds(reason, "the operator")
        async with httpx.AsyncClient(base_url=CLOUD, transport=Desktop(world)) as client:
            while True:
                try:
                    code = code or str((await world.clerk.office.post(CODES, {}))["code"])
                    return await enrol.enrol(client, world.gateway.folder, code, lambda: self._seeds.bytes(32), grounds)
                except enrol.EnrolmentError:
                    code = ""
                except (httpx.HTTPError, OfficeError, CloudError):
                    await pause(LOOK_S)


CODES = f"/v1/gateways/{site.GATEWAY}/enrolment-codes"
