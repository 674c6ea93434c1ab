"""Everything at once for a long time: kills, partitions, broken disks and jumping clocks on the real programs.

    ./run python -m tests.reliability.soak                       # 20 minutes
    ./run python -m tests.reliability.soak --minutes 360         # before a release
    ./run python -m tests.reliability.soak --minutes 1

A gateway under the shim, its cloud, a bad network, and cabinets that tell twenty events a second until they hear "got
it". In the first part gateway and cloud are killed too; in the second nobody is, so that memory and open files can be
watched. In the end each event that was acknowledged is in the cloud's books once.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import events
from benchmarks.chaos_proxy import ChaosProxy, Weather
from benchmarks.device_line import DeviceLine
from benchmarks.processes import Program, free_port, memory_mib
from benchmarks.programs import CloudProgram, GatewayProgram, device_of
from benchmarks.tiny_cloud import deadline, until
from tests.reliability.disk_faults import FAULTS
from tests.reliability.hasty_gateway import with_bug
from tests.reliability.shim import Control, environment
from tests.reliability.verdict import told

A_SECOND = 20
STORM = 0.6
DAY_MS = 86_400_000
GROWTH = 1.05
FILES = 8
# Below this the second part is too short for memory to be a fact.
ENOUGH = 120
PATIENCE = 120


@dataclass
class Result:
    """``faults`` by kind; ``growth``: memory at the end over memory at the beginning of the second part, by program."""

    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    growth: dict[str, float] = field(default_factory=dict)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


class Shop:
    """The programs and what can happen to them."""

    def __init__(self, folder: Path, seed: int, bug: str) -> None:
        self.chance = random.Random(seed)
        self.cloud = CloudProgram(folder)
        self.cloud.furnish()
        self.proxy = ChaosProxy(self.cloud.port, Weather(0.05, 0.03, 0.02), seed)
        self.line = DeviceLine(free_port())
        self.gateway = GatewayProgram(folder, self.cloud.enrol(0, self.proxy.port), self.line.port)
        self.control = Control(folder / "control")
        seen = environment(self.gateway.state, control=self.control)
        self._within = ["env", *(f"{name}={value}" for name, value in seen.items()), *with_bug(bug)]
        self.sent = 0
        self.start_gateway()

    def start_gateway(self) -> None:
        """Starts it; it takes events as soon as it can."""
        self.gateway.start(self._within)

    def publish(self) -> None:
        """A second's events."""
        self.line.publish(range(self.sent, self.sent + A_SECOND))
        self.sent += A_SECOND

    def kill_gateway(self) -> None:
        """`kill -9`, and systemd starts it again."""
        self.gateway.kill()
        self.start_gateway()

    def kill_cloud(self) -> None:
        """The same to the cloud."""
        self.cloud.kill()
        self.cloud.start()

    def part(self) -> None:
        """Nobody gets through for some seconds."""
        self.proxy.part(parted=True)
        wait(self.chance.uniform(0.5, 4))
        self.proxy.part(parted=False)

    def break_disk(self) -> None:
        """One of the disk faults, for some seconds."""
        for word, value in FAULTS[self.chance.choice(sorted(FAULTS))].items():
            self.control[word] = value
        self.publish()
        wait(self.chance.uniform(0.5, 4))
        self.control.heal()

    def move_clock(self) -> None:
        """The wall clock jumps by up to a month back or more than a year ahead."""
        self.control["clock_ms"] = self.chance.randint(-30 * DAY_MS, 400 * DAY_MS)

    def close(self) -> None:
        """Ends everything."""
        self.gateway.stop()
        self.line.close()
        self.proxy.close()
        self.cloud.kill()


def wait(seconds: float) -> None:
    """Lets the programs work."""
    until(lambda: False, seconds)


@dataclass
class Watch:
    """Memory and open files of one program over time."""

    program: Program
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Takes one sample."""
        self.memory.append(memory_mib(self.program.pid)[0])
        self.files.append(sum(1 for _ in Path(f"/proc/{self.program.pid}/fd").iterdir()))

    def judge(self, name: str, result: Result) -> None:
        """The first quarter against the last."""
        quarter = max(1, len(self.memory) // 4)
        before, after = (statistics.median(part) for part in (self.memory[:quarter], self.memory[-quarter:]))
        opened = max(self.files[:quarter]), max(self.files[-quarter:])
        result.growth[name], result.files[name] = after / before, opened
        if len(self.memory) >= ENOUGH and after > before * GROWTH:
            result.findings.append(f"{name} has grown from {before:.1f} to {after:.1f} MiB")
        if opened[1] > opened[0] + FILES:
            result.findings.append(f"{name} has {opened[1]} open files, and had {opened[0]}")


def play(seconds: int, seed: int, bug: str = "") -> Result:
    """For about so many seconds, and until all is well after that."""
    result = Result()
    with tempfile.TemporaryDirectory(prefix="tallystick-soak-") as name:
        shop = Shop(Path(name), seed, bug)
        try:
            storm: list[Callable[[], None]] = [
                shop.kill_gateway, shop.kill_cloud, shop.part, shop.break_disk, shop.move_clock
            ]  # fmt: skip
            _steps(shop, seconds * STORM, storm, result, {})
            _settled(shop, result)
            assert shop.gateway.program is not None
            watched = {"gateway": Watch(shop.gateway.program), "cloud": Watch(shop.cloud.program)}
            _steps(shop, seconds * (1 - STORM), storm[2:], result, watched)
            _settled(shop, result)
            for program, watch in watched.items():
                watch.judge(program, result)
            _account(shop, result)
        finally:
            shop.close()
    return result


def _steps(
    shop: Shop, seconds: float, faults: list[Callable[[], None]], result: Result, watched: dict[str, Watch]
) -> None:
    over = deadline(seconds)
    for number in itertools.count():
        if over():
            return
        shop.publish()
        wait(1.0)
        if number % 4 == 3:
            happening = shop.chance.choice(faults)
            result.faults[happening.__name__] += 1
            happening()
        for watch in watched.values():
            watch.look()


def _settled(shop: Shop, result: Result) -> None:
    """All is well: every event acknowledged, everything cosigned."""
    shop.control["clock_ms"] = 0
    if not until(lambda: len(shop.line.acked) == shop.sent, PATIENCE):
        result.findings.append(
            f"{shop.sent - len(shop.line.acked)} events are not acknowledged {PATIENCE} s after the last fault"
        )

    def synced() -> bool:
        found = shop.gateway.status()
        return bool(found) and int(found["uplink"]["cosigned"]) >= shop.gateway.recorded()

    if not until(synced, PATIENCE):
        result.findings.append(f"not everything is cosigned {PATIENCE} s after the last fault")


def _account(shop: Shop, result: Result) -> None:
    told = shop.cloud.told()
    result.events = len(shop.line.acked)
    promised = []
    for number in shop.line.acked:
        device, did = events.identity(number, shop.line.boot)
        promised.append((device_of(shop.gateway.name, int(device[-2:])), did))
    lost = [one for one in promised if not told[one]]
    doubled = [one for one in promised if told[one] > 1]
    if lost or doubled:
        result.findings.append(f"{len(lost)} events lost ({lost[:2]}), {len(doubled)} doubled ({doubled[:2]})")


def main() -> int:
    """The command; exit code 3 when something did not hold."""
    parser = argparse.ArgumentParser(description="Everything at once for a long time")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", action="store_true", help="a gateway that acknowledges what it could not store")
    given = parser.parse_args()
    result = play(int(given.minutes * 60), given.seed, "acknowledge" if given.bug else "")
    growth = ", ".join(f"{name} {(part - 1) * 100:+.1f} %" for name, part in result.growth.items())
    return told(
        f"{result.events} events; {dict(result.faults)}; memory: {growth}; open files: {result.files}",
        result.findings,
    )


if __name__ == "__main__":
    sys.exit(main())
