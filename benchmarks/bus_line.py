"""The far end of the line a bus is measured on, and our end of it: a session whose journal only counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.measure import ROOT
from gateway.clock import system_clock
from gateway.drivers.modbus_meter import MeterSettings, ModbusMeter
from gateway.drivers.modbus_profile import Profile, Register
from gateway.links.serial import SerialPort
from gateway.ports import Attempt, BrokerSettings, LinkDown, MqttLink, Ports, SerialSettings
from gateway.session import SerialSession
from wire.ids import RecordKey
from wire.records import Record


class Far:
    """The process with the meters."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = self._read()

    def report(self) -> dict[str, Any]:
        """What the line has heard so far."""
        self.say("report")
        found: dict[str, Any] = json.loads(self._read())
        return found

    def say(self, word: str) -> None:
        """One of its commands."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def far_end(**wanted: object) -> Iterator[Far]:
    """Meters behind a pty whose bytes come when their last bit has passed; the benchmark's other core is theirs."""
    command = [sys.executable, "-m", "firmware_sim.exact_line", json.dumps(wanted)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Far(process)
    finally:
        with contextlib.suppress(OSError):
            process.communicate("end\n", timeout=5)
        process.kill()
        process.wait()


class Counting:
    """A journal that keeps nothing: what is measured is the line."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def append(self, records: Sequence[Record]) -> list[RecordKey]:
        """Keeps them in memory."""
        self.records += records
        return []

    async def mark_commanded(self, key: RecordKey) -> None:
        """Nothing is vended here."""

    async def open_attempts(self) -> list[Attempt]:
        """None."""
        return []

    async def told(self, device: str, count: int) -> list[str]:  # noqa: ARG002
        """None."""
        return []

    async def said(self, device: str, count: int) -> list[Record]:  # noqa: ARG002
        """None."""
        return []


def profile(count: int) -> Profile:
    """The first ``count`` floats of an SDM630, each declared on its own: 2 * count registers in a row."""
    registers = tuple(
        Register(name=f"v{at}", address=2 * at, type="float32", unit="x", scale=-1, decimals=1) for at in range(count)
    )
    return Profile(model="bench", order="ABCD", table=4, most=80, register=registers)


def meter(unit: int, count: int, every: float) -> ModbusMeter:
    """A meter that wants ``count`` values each ``every`` seconds."""
    wanted = {f"v{at}": every for at in range(count)}
    return ModbusMeter(MeterSettings(unit=unit, registers=wanted, every=every), profile(count))


class Deed(NamedTuple):
    """Something that is done so many seconds after the start."""

    at: float
    do: Callable[[], None]


class Spent(NamedTuple):
    """Seconds of this process on the processor between two instants of the line's clock."""

    cpu: float
    begun: float
    ended: float

    @property
    def share(self) -> float:
        """Percent of one core."""
        return 100 * self.cpu / (self.ended - self.begun)


class Ours(NamedTuple):
    """One run of the session, and what it recorded."""

    spent: Spent
    records: list[Record]


# The port is opened and the meter introduces itself before the processor's time counts.
SETTLES = 0.5


class Watch:
    """Counts the processor's time of this process from now on."""

    def __init__(self) -> None:
        self._begun, self._used = time.monotonic(), time.process_time()

    def spent(self) -> Spent:
        """Until now."""
        return Spent(time.process_time() - self._used, self._begun, time.monotonic())


def run_session(
    port: str, baud: int, meters: Mapping[str, ModbusMeter], seconds: float, *, plan: Sequence[Deed] = ()
) -> Ours:
    """The product's session on the port for so long, and what is done meanwhile."""
    journal = Counting()

    async def work() -> Ours:
        ports = Ports(system_clock("b" * 16), lambda: "", SerialPort, no_broker)
        session = SerialSession(SerialSettings("bench", port, baud), meters, ports, journal)
        task = asyncio.create_task(session.run())
        begun = time.monotonic()
        await asyncio.sleep(SETTLES)
        watch = Watch()
        for at, deed in plan:
            await asyncio.sleep(begun + at - time.monotonic())
            deed()
        await asyncio.sleep(begun + seconds - time.monotonic())
        spent = watch.spent()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return Ours(spent, journal.records)

    return asyncio.run(work())


def no_broker(settings: BrokerSettings) -> MqttLink:
    """There is none on a line."""
    raise LinkDown(settings.name)
