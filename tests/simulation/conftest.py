"""The contract's fixture: a script played on a real machine, and on a simulated one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from firmware_sim.virtual_time import VirtualTimeLoop
from tests.simulation.contract_machines import Play, RealMachine, Script, SimulatedMachine


@pytest.fixture(params=[RealMachine, SimulatedMachine], ids=["real", "simulated"])
def on_a_machine(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Plays a script on a machine of each kind, in virtual time."""

    def play(script: Script) -> None:
        async def main() -> None:
            machine = request.param(tmp_path)
            try:
                await script(machine)
            finally:
                await machine.cut()

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(main())

    return play
