"""The same simulator, driven rule by rule by Hypothesis: a seed finds that something breaks, this finds the least.

Each rule lets some virtual time pass. At the end everything is mended, everybody says what he has to say, and the same
verdict is given as over a seed. ``Spoilt`` machines (with a seeded bug) must be found guilty in few steps.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from firmware_sim.shop import Refill
from firmware_sim.virtual_time import VirtualTimeLoop
from tests.simulation import books, site, template, verdict
from tests.simulation.bugs import Bug
from tests.simulation.misfortunes import calm
from tests.simulation.network import CALM, Weather
from tests.simulation.world import World, a_world

PATIENCE = 40


class Violation(AssertionError):
    """What must not happen has happened."""


class SimulatorMachine(RuleBasedStateMachine):
    """Gateway, cloud, a cabinet, two meters, and hands that may do what they like. ``bug``: a mistake to make."""

    bug: ClassVar[Bug | None] = None
    steps: ClassVar[list[str]] = []

    def __init__(self) -> None:
        super().__init__()
        template.template()
        logging.disable(logging.CRITICAL)
        self._folder = Path(tempfile.mkdtemp(prefix="tally-rules-", dir=template.scratch()))
        self._runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self._runner.get_loop().set_exception_handler(lambda loop, context: None)
        self._stack = AsyncExitStack()
        self._card: dict[str, bytes] | None = None
        self._database: bytes | None = None
        type(self).steps = []
        self.world: World = self._do(self._open())

    @initialize()
    def opening(self) -> None:
        """The cabinet is filled, and everybody says hello."""
        refill = Refill(0, site.WORKERS[-1].badge, "coil-1", "1", "insert", 20, 0)
        self._do(self.world.day.restocker.fill(refill))

    @rule(seconds=st.sampled_from((1, 20, 300)))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self._step(f"wait {seconds}", asyncio.sleep(seconds))

    @rule()
    def draw(self) -> None:
        """Somebody takes a piece from the coil cabinet."""
        self._step("draw", self._drawn())

    @rule()
    def crash_gateway(self) -> None:
        """The gateway's power is cut."""
        self._step("crash gateway", self.world.power_cycle(self.world.gateway, "gateway_crash"))

    @rule()
    def crash_cloud(self) -> None:
        """The cloud's process is killed."""
        self._step("crash cloud", self.world.power_cycle(self.world.cloud, "cloud_crash"))

    @rule(syncs=st.integers(1, 3), cloud=st.booleans())
    def cut_at_a_sync(self, syncs: int, cloud: bool) -> None:
        """The power will go at one of the next syncs."""
        machine = self.world.cloud if cloud else self.world.gateway
        machine.disk.arm(syncs)
        self._step(f"cut at sync {syncs} of the {'cloud' if cloud else 'gateway'}", asyncio.sleep(0))

    @rule(bad=st.sampled_from(("lost_request", "lost_reply", "repeated", "stale_reply")))
    def bad_road(self, bad: str) -> None:
        """From now on half of what is said is lost, or comes twice."""
        self.world.network.weather = Weather(**{bad: 0.5})
        self._step(f"the road: {bad}", asyncio.sleep(0))

    @rule()
    def good_road(self) -> None:
        """The road is clear again."""
        self.world.network.weather = CALM
        self._step("the road is clear", asyncio.sleep(0))

    @rule()
    def copy_both(self) -> None:
        """A backup of either side is made while both hold the same log."""
        self._step("backups", self._copied())

    @precondition(lambda self: self._card is not None)
    @rule()
    def restore_card(self) -> None:
        """The card is put back to its image."""
        card, self._card, self._database = self._card, None, None
        assert card is not None
        self._step("restore the card", self._restored(self.world.restore_gateway(card)))

    @precondition(lambda self: self._database is not None)
    @rule()
    def restore_database(self) -> None:
        """The database is put back to its backup."""
        database, self._card, self._database = self._database, None, None
        assert database is not None
        self._step("restore the database", self._restored(self.world.restore_cloud(database)))

    def teardown(self) -> None:
        """The calm, the verdict, and the end of this world."""
        try:
            self._do(self._settled())
            self._judge()
        finally:
            self._do(self._stack.aclose())
            self._runner.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            logging.disable(logging.NOTSET)

    def _step(self, words: str, work: Coroutine[Any, Any, Any]) -> None:
        self.steps.append(words)
        self._do(work)
        self._judge()

    def _judge(self) -> None:
        if self.world.watcher.findings:
            raise Violation("; ".join(self.world.watcher.findings))

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    async def _open(self) -> World:
        world = await self._stack.enter_async_context(a_world(0, self._folder))
        if self.bug is not None:
            self._stack.enter_context(self.bug.spoils(world))
        await asyncio.sleep(1)
        return world

    async def _drawn(self) -> None:
        await self.world.day.coils["coil-1"].serve(site.WORKERS[0].badge, "1", 1)

    async def _copied(self) -> None:
        calm(self.world)
        for _ in range(PATIENCE):
            if self._together():
                self._card, self._database = self.world.gateway.backup(), self.world.cloud.backup()
                return
            await asyncio.sleep(15)

    async def _restored(self, work: Coroutine[Any, Any, None]) -> None:
        """One disaster at a time: only where both sides have come together before."""
        for _ in range(PATIENCE):
            if self._together():
                break
            calm(self.world)
            await asyncio.sleep(15)
        await work

    def _together(self) -> bool:
        gateway, cloud = self.world.gateway, self.world.cloud
        return gateway.is_up and cloud.is_up and books.journal_keys(gateway.path) == books.cloud_keys(cloud.path)

    async def _settled(self) -> None:
        for _ in range(PATIENCE):
            calm(self.world)
            await asyncio.sleep(45)
            if self._together() and await self.world.clerk.work(register=True):
                verdict.final(self.world)
                return
        self.world.watcher.found("it does not come to rest")
