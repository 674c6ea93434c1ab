"""Plays a scenario in its mode, from the opening of the shop to the verdict."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_sim import virtual_time
from firmware_sim.judge import Account, document
from firmware_sim.scenario import Scenario
from firmware_sim.settling import Evening, count_doubtful, everything_sent, settle
from firmware_sim.strict_toml import ScenarioError
from firmware_sim.world import fast

# After the last midnight the last readings are taken and sent.
AFTERWARDS_MS = 5 * 60_000
Tamper = Callable[[Account], None]


def judge_scenario(scenario: Scenario, *, folder: Path | None = None, tamper: Tamper | None = None) -> dict[str, Any]:
    """The document that ``tally-sim judge`` prints. ``folder`` keeps the run's files; else they are thrown away.

    ``tamper`` may spoil the product's account before it is judged: that is how a test shows that the judge sees.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ScenarioError(f"{folder} is not empty: a run's files need a folder of their own")
        return _judge(scenario, folder, tamper)
    with tempfile.TemporaryDirectory(prefix="tally-sim-", dir=_scratch(scenario)) as made:
        return _judge(scenario, Path(made), tamper)


def _scratch(scenario: Scenario) -> str | None:
    """In memory where time is virtual: how long a disk takes is nobody's business there. Else the usual place."""
    in_memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    return str(in_memory) if scenario.mode == "fast" and os.access(in_memory, os.W_OK) else None


def _judge(scenario: Scenario, folder: Path, tamper: Tamper | None) -> dict[str, Any]:
    if scenario.mode == "fast":
        evening, notes = virtual_time.run(_fast(scenario, folder, tamper))
    else:
        # Pseudo-terminals and processes exist on real systems only; the fast mode runs anywhere.
        from firmware_sim.hard_day import play_hard_day  # noqa: PLC0415

        evening, notes = asyncio.run(play_hard_day(scenario, folder, tamper))
    sides = {"truth": evening.truth, "product": evening.product}
    more = {name: _summary(side) for name, side in sides.items()}
    return document(scenario.name, scenario.seed, scenario.mode, evening.verdict, **more, played=notes)


def _summary(account: Account) -> dict[str, Any]:
    return {
        "pieces": sum(account.pieces.values()),
        "wh": account.wh,
        "runs": {" ".join(key): seconds for key, seconds in account.runs.items()},
        "total": str(account.total),
    }


async def _fast(scenario: Scenario, folder: Path, tamper: Tamper | None) -> tuple[Evening, dict[str, Any]]:
    async with fast(scenario, folder) as run:
        await run.day.play(0, scenario.ms("00:00", scenario.days) + AFTERWARDS_MS)
        await everything_sent(run.people, run.day.pace)
        counts = await count_doubtful(run.day)
        await everything_sent(run.people, run.day.pace)
        evening = await settle(scenario, run.truth, run.office, run.opened, folder, tamper=tamper)
        faults = {name: dict(line.faults.counts) for name, line in run.wired.lines.items()}
        return evening, {
            "answers": dict(run.day.answers),
            "road": dict(run.road.counts),
            "counts": counts,
            "lines": faults,
        }
