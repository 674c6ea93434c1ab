"""A gateway in a process of its own that dies by SIGKILL at one step of a vend, or of a start after one.

    python -m tests.gateway.vend_child

Reads one JSON line a round on stdin, forks a child for it (nothing is imported twice), and prints how it ended. A
step is every SQL statement on the journal's writing connection, and every write to and answer from the line. `cut` 0:
no end.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway import drivers
from gateway.board_cabinets import cabinet_of
from gateway.clock import system_clock
from gateway.journal.store import Journal
from gateway.links.serial import SerialPort
from gateway.ports import Ports, SerialSettings
from gateway.premises import Premises
from gateway.recover_draws import recover_draws
from gateway.session import SerialSession
from gateway.shelf import Shelf
from gateway.take_draw import take_draw
from tests.gateway.site import CABINET, Told, desired, no_broker

DAMAGED = 9


class Steps:
    """Counts what happens while it is armed, and ends the process at a number."""

    def __init__(self, cut: int) -> None:
        self.cut = cut
        self.names: list[str] = []
        self.armed = False

    def step(self, name: str) -> None:
        """One step is about to happen, or has just happened."""
        if not self.armed:
            return
        self.names.append(name)
        if len(self.names) == self.cut:
            os.kill(os.getpid(), signal.SIGKILL)


class CutLine:
    """A serial port whose every word is a step."""

    def __init__(self, settings: SerialSettings, steps: Steps) -> None:
        self._port = SerialPort(settings)
        self._steps = steps

    async def open(self) -> None:
        """As the port."""
        await self._port.open()

    async def write(self, data: bytes) -> None:
        """Before, and after."""
        self._steps.step("before a frame")
        await self._port.write(data)
        self._steps.step("after a frame")

    async def read(self, seconds: float) -> bytes:
        """An answer is a step too."""
        data = await self._port.read(seconds)
        if data:
            self._steps.step("an answer")
        return data

    async def speed(self, baud: int) -> None:
        """As the port."""
        await self._port.speed(baud)

    async def close(self) -> None:
        """As the port."""
        await self._port.close()


async def live(told: dict[str, Any]) -> list[str]:
    """One boot: what is open is ended, then somebody draws, unless `draw` is false. The steps' names."""
    folder, steps = Path(told["folder"]), Steps(told["cut"])
    clock = system_clock(told["boot"])
    salts = (f"{n:032x}" for n in itertools.count())
    journal = await Journal.open(folder / "journal.db", boot=told["boot"], salt=lambda: next(salts), demo=True)
    await journal.change(lambda db: db.set_trace_callback(lambda sql: steps.step(sql.split(None, 1)[0])))
    settings = SerialSettings("line-1", str(folder / "tty"), told["baud"])
    ports = Ports(clock, lambda: "", lambda one: CutLine(one, steps), no_broker)
    driver = drivers.create(told["driver"], told["settings"])
    session = SerialSession(settings, {CABINET: driver}, ports, journal)
    premises = Premises(clock, journal, Told(desired(told["confirm"])), Shelf())
    cabinet = cabinet_of(CABINET, driver, session, clock, premises)
    session.interpret(CABINET, cabinet)
    steps.armed = bool(told["early"])
    running = asyncio.create_task(session.run())
    await clock.sleep(told["settle"])
    await recover_draws(premises, {CABINET: cabinet})
    steps.armed = True
    if told["draw"]:
        await take_draw(premises, cabinet, "B0017", "1")
    steps.armed = False
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await journal.close()
    return steps.names


def child(told: dict[str, Any]) -> None:
    """Never returns."""
    try:
        names = asyncio.run(live(told))
        Path(told["folder"], "steps.json").write_text(json.dumps(names))
        sys.stderr.flush()
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(DAMAGED)


def main(lines: Sequence[str] | Any = sys.stdin) -> None:
    """Until stdin ends."""
    for line in lines:
        told = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(told)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
