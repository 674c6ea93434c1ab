"""A day of real programs with everything against them: kill -9, a broker that restarts, a cloud that is away, noise.

What must come out is what truly happened. Every trouble is counted: a day on which nothing went wrong proves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_sim import faults
from firmware_sim.judge import Account
from firmware_sim.live import Live, live
from firmware_sim.scenario import Scenario
from firmware_sim.settling import Evening, count_doubtful, everything_sent, settle

# After the last midnight the last readings are taken and sent.
AFTERWARDS_MS = 5 * 60_000
# How long a killed program stays down, in real seconds: a watchdog's patience.
DOWN_SECONDS = 0.3
COUNT_EVERY_MS = 10 * 60_000


async def play_hard_day(
    scenario: Scenario, folder: Path, tamper: Callable[[Account], None] | None
) -> tuple[Evening, dict[str, Any]]:
    """Plays it; what it came to, and what went wrong on the way."""
    async with live(scenario, folder) as run:
        notes: dict[str, Any] = {"kills": 0, "broker_restarts": 0, "cloud_outages": 0, "counts": 0, "dark": 0}
        troubles = [
            asyncio.ensure_future(one)
            for one in (
                _kills(run, notes),
                _broker(run, notes),
                _dark(run, notes),
                _outages(run, notes),
                _counting(run, notes),
            )
        ]
        try:
            await run.day.play(0, scenario.ms("00:00", scenario.days) + AFTERWARDS_MS)
        finally:
            for task in troubles:
                task.cancel()
            done = await asyncio.gather(*troubles, return_exceptions=True)
        broken = [one for one in done if isinstance(one, Exception)]
        if broken:
            raise broken[0]
        await everything_sent(run.day.kiosk, run.pace)
        notes["counts"] += await count_doubtful(run.day)
        await everything_sent(run.day.kiosk, run.pace)
        evening = await settle(scenario, run.truth, run.office, run.opened, folder, tamper=tamper)
        notes["answers"] = dict(run.day.answers)
        notes["lines"] = {name: dict(line.faults.counts) for name, line in run.wired.lines.items()}
        return evening, notes


async def _kills(run: Live, notes: dict[str, Any]) -> None:
    """Kill -9 of the gateway at seeded moments; it is started again as a watchdog would."""
    plan = run.scenario.faults
    begin, end = run.scenario.ms(plan.busy.start, plan.busy.day), run.scenario.ms(plan.busy.end, plan.busy.day)
    apart = 2 * 1000 * run.pace.scale
    gateway = run.programs["gateway"]
    moments = faults.instants(f"{run.scenario.seed}/kills", plan.gateway_kills, begin, end, apart=apart)
    for at_ms in moments if plan.gateway_kills else []:
        await run.pace.until(round(at_ms))
        gateway.kill()
        notes["kills"] += 1
        await asyncio.sleep(DOWN_SECONDS)
        gateway.start()
        await gateway.ready(f"{run.urls['gateway']}/status")


async def _broker(run: Live, notes: dict[str, Any]) -> None:
    plan = run.scenario.faults
    if not plan.broker_restarts or "broker" not in run.programs:
        return
    begin, end = run.scenario.ms(plan.busy.start, plan.busy.day), run.scenario.ms(plan.busy.end, plan.busy.day)
    for at_ms in faults.instants(f"{run.scenario.seed}/broker", plan.broker_restarts, begin, end):
        await run.pace.until(round(at_ms))
        await asyncio.to_thread(run.programs["broker"].stop)
        await asyncio.sleep(DOWN_SECONDS)
        run.programs["broker"].start()
        notes["broker_restarts"] += 1


async def _dark(run: Live, notes: dict[str, Any]) -> None:
    """A cabinet without power for a while. Meters keep theirs: what they measure is the supply itself."""
    plan = run.scenario.faults
    if not plan.device_power_cuts:
        return
    begin, end = run.scenario.ms(plan.busy.start, plan.busy.day), run.scenario.ms(plan.busy.end, plan.busy.day)
    which = faults.stream(f"{run.scenario.seed}/dark")
    names = sorted([*run.wired.lockers, *run.wired.coils])
    moments = faults.instants(f"{run.scenario.seed}/dark", plan.device_power_cuts, begin, end, apart=plan.dark_s * 2000)
    for at_ms in moments:
        await run.pace.until(round(at_ms))
        name = which.choice(names)
        if name in run.wired.lockers:
            hands = run.wired.lockers[name]
            hands.line.cut_power(hands.twin)
            await run.pace.rest(plan.dark_s * 1000)
            hands.line.restore_power(hands.twin)
        else:
            client = run.wired.coils[name].client
            await run.cabinets[name].drop()
            client.twin.power_off(client.now)
            await run.pace.rest(plan.dark_s * 1000)
            client.twin.power_on(client.now)
            run.cabinets[name].connect()
        notes["dark"] += 1


async def _outages(run: Live, notes: dict[str, Any]) -> None:
    """The cloud is stopped for hours and comes back with what it had on disk."""
    for window in run.scenario.faults.cloud_away:
        await run.pace.until(run.scenario.ms(window.start, window.day))
        run.programs["cloud"].kill()
        notes["cloud_outages"] += 1
        await run.pace.until(run.scenario.ms(window.end, window.day))
        run.programs["cloud"].start()
        await run.programs["cloud"].ready(f"{run.urls['cloud']}/readyz")


async def _counting(run: Live, notes: dict[str, Any]) -> None:
    """The restocker comes by now and then and counts what the gateway wants counted."""
    while True:
        await run.pace.rest(COUNT_EVERY_MS)
        notes["counts"] += await count_doubtful(run.day)
