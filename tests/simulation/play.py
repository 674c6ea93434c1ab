"""From a seed to a verdict: the storm, the calm after it, and the account."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.virtual_time import VirtualTimeLoop
from tests.simulation import books, template, verdict
from tests.simulation.bugs import Bug
from tests.simulation.disasters import Disasters
from tests.simulation.misfortunes import Misfortunes, calm
from tests.simulation.world import World, a_world

REGISTER_AFTER_S = 2400
OFFICE_S = 307
LOOK_S = 1507
PATIENCE_S = 2400


@dataclass
class Outcome:
    """What a run came to. ``hash`` is its trace's; ``last`` the end of the trace in words."""

    seed: int
    hash: str
    faults: Counter[str]
    findings: list[str]
    records: int
    lost: int
    last: list[str] = field(default_factory=list)


def play(seed: int, *, hours: float = 2.0, bug: Bug | None = None) -> Outcome:
    """One run. With a bug, the composition is spoilt for as long as it lasts."""
    template.template()
    folder = Path(tempfile.mkdtemp(prefix="tally-run-", dir=template.scratch()))
    threads = threading.active_count()
    logging.disable(logging.CRITICAL)
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.get_loop().set_exception_handler(lambda loop, context: None)
            outcome = runner.run(_play(seed, folder, hours, bug))
        if threading.active_count() != threads:
            outcome.findings.append("a thread was started: the run cannot be repeated")
        return outcome
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        logging.disable(logging.NOTSET)
        shutil.rmtree(folder, ignore_errors=True)


async def _play(seed: int, folder: Path, hours: float, bug: Bug | None) -> Outcome:
    async with a_world(seed, folder, hours) as world:
        if bug is None:
            await _storm_and_calm(world)
        else:
            with bug.spoils(world):
                await _storm_and_calm(world)
        watcher = world.watcher
        return Outcome(
            seed, world.trace.hash, world.trace.faults, watcher.findings, len(watcher.promised), len(watcher.lost),
            list(world.trace.last),
        )  # fmt: skip


async def _storm_and_calm(world: World) -> None:
    misfortunes = Misfortunes(world)
    disasters = Disasters(world, misfortunes)
    loop = asyncio.get_running_loop()
    begin = world.scenario.ms("23:00")
    beside = [loop.create_task(one) for one in (_office(world), _looks(world), world.day.restocker.rounds())]
    try:
        playing = loop.create_task(world.day.play(0, begin + round(world.hours * 3_600_000)))
        await world.pace.until(begin)
        disaster = loop.create_task(disasters.play())
        storm = [loop.create_task(one) for one in (misfortunes.play(), misfortunes.back_up())]
        await world.pace.until(begin + round(world.hours * 3_600_000))
        for task in storm:
            task.cancel()
        await _settle(world, playing, disaster)
    finally:
        for task in beside:
            task.cancel()
    if not world.watcher.findings:
        await _account(world)


async def _settle(world: World, playing: asyncio.Task[None], disaster: asyncio.Task[None]) -> None:
    """The storm is over; whoever was down comes back, and everything is said that has to be said."""
    until = asyncio.get_running_loop().time() + PATIENCE_S
    why = "the day does not end"
    while asyncio.get_running_loop().time() < until:
        calm(world)
        await asyncio.sleep(45)
        if not (playing.done() and disaster.done()):
            continue
        playing.result()
        disaster.result()
        if not (world.cloud.is_up and world.gateway.is_up):
            why = "a machine does not come back"
        elif not await world.day.restocker.count_doubtful():
            why = "a slot cannot be counted"
        elif not await world.clerk.work(register=True):
            why = "the office is refused"
        elif (left := _unsaid(world)) > 0:
            why = f"{left} records do not reach the cloud"
        elif open_draws := await world.clerk.decide():
            why = f"verdicts are not written down: {open_draws}"
        else:
            return
    status = world.gateway.gateway.status() if world.gateway.gateway else None
    world.watcher.found(f"it does not come to rest: {why} ({status.uplink if status else 'no gateway'})")


def _unsaid(world: World) -> int:
    """Records that only the gateway has."""
    return len(books.journal_keys(world.gateway.path) - books.cloud_keys(world.cloud.path))


async def _account(world: World) -> None:
    """The gateway is off, a day has passed, everything is closed."""
    verdict.final(world)
    async with world.gateway.turn:
        await world.gateway.crash()
    world.cloud.late_ms = world.scenario.ms("00:10", world.scenario.days) - world.pace.now_ms()
    if not await world.clerk.work(register=True):
        world.watcher.found("the office cannot close the period")
    verdict.look(world)
    await verdict.money(world)


async def _office(world: World) -> None:
    while True:
        await asyncio.sleep(OFFICE_S)
        register = asyncio.get_running_loop().time() > REGISTER_AFTER_S
        await world.clerk.work(register=register)


async def _looks(world: World) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        verdict.look(world)
