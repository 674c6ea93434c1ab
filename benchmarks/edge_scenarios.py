"""What the gateway loses or doubles when things go wrong: each scenario's events, counted in the cloud's ledger.

Nothing here is random: events are known beforehand, each by its device and identity, so that a missing or a double one
can be named. The scenarios, and what other gateways lose in them, are those of the edge comparison in docs.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.broker import Broker
from benchmarks.gateway_process import Gateway
from benchmarks.measure import Goal, Options, Report, say
from benchmarks.publishing import Published, Publishing
from benchmarks.tiny_cloud import until

NOTHING = Goal("max", 0, "value")
RATE = "500"
SMALL_DISK = "24m"


class Stage(NamedTuple):
    """What a scenario plays on."""

    options: Options
    report: Report
    broker: Broker
    gateway: Gateway

    def publish(self, full: int, quick: int, *words: str) -> Publishing:
        """Begins to publish new events, 500 a second."""
        return Publishing(self.broker, self.options.size(full, quick), next(BOOTS), "--rate", RATE, *words)

    def burst(self, full: int, quick: int, *words: str) -> Publishing:
        """Begins to publish new events as fast as it goes."""
        already, gateway = self.gateway.recorded(), self.gateway
        count = self.options.size(full, quick)
        return Publishing(self.broker, count, next(BOOTS), *words, progress=lambda: gateway.recorded() - already)

    def wait(self, full: float, quick: float) -> None:
        """Lets time pass."""
        time.sleep(quick if self.options.quick else full)


BOOTS = itertools.count(1001)
Scenario = Callable[[Stage], list[Published]]


def measure(options: Options, report: Report, broker: Broker) -> None:
    """Every scenario on a gateway of its own; lost and doubled events must be none."""
    for number, (name, scenario) in enumerate(SCENARIOS.items()):
        small = scenario is disk_full
        gateway = Gateway(f"scenario-{number}", options.folder, broker, demo=small, ballast_mb=1 if small else 8)
        try:
            if scenario is not cold_start_offline:
                gateway.start(_small_disk(gateway.state) if small else ())
                gateway.await_ready()
            sent = scenario(Stage(options, report, broker, gateway))
            judged = gateway.settle(sent)
        finally:
            gateway.close()
        say(f"      {name}: {sum(one.count for one in sent)} sent, {judged.lost} lost, {judged.doubled} doubled")
        report.add(f"{name}: lost or doubled", judged.lost + judged.doubled, "events", goal=NOTHING)


def kill_9(stage: Stage) -> list[Published]:
    """Killed without a word, three times, at 500 events a second."""
    under_way = stage.publish(4000, 600)
    for _ in range(stage.options.size(3, 1)):
        stage.wait(1.0, 0.4)
        stage.gateway.kill()
        stage.gateway.restart()
    return [under_way.finish()]


def sigterm(stage: Stage) -> list[Published]:
    """Stopped in good order, three times, at 500 events a second."""
    under_way = stage.publish(4000, 600)
    took = []
    for _ in range(stage.options.size(3, 1)):
        stage.wait(1.0, 0.4)
        took.append(stage.gateway.program.stop())
        stage.gateway.restart()
    stage.report.add("SIGTERM in mid-stream: longest stop", max(took), "s", goal=Goal("max", 1, "value"))
    return [under_way.finish()]


def uplink_down(stage: Stage) -> list[Published]:
    """Nobody listens for a while, then the backlog goes up."""
    stage.gateway.cloud.behave("away")
    published = stage.publish(6000, 600).finish()
    stage.gateway.cloud.behave("up")
    return [published]


def uplink_down_then_kill(stage: Stage) -> list[Published]:
    """The backlog must be on disk, not in memory."""
    stage.gateway.cloud.behave("away")
    published = stage.publish(4000, 600).finish()
    stage.gateway.kill()
    stage.gateway.cloud.behave("up")
    stage.gateway.restart()
    return [published]


def hung_uplink_then_kill(stage: Stage) -> list[Published]:
    """The cloud takes requests and never answers: taken is not acknowledged."""
    stage.gateway.cloud.behave("hung")
    published = stage.publish(2000, 600).finish()
    stage.wait(5, 0.5)
    stage.gateway.kill()
    stage.gateway.cloud.behave("up")
    stage.gateway.restart()
    return [published]


def cold_start_offline(stage: Stage) -> list[Published]:
    """The router comes up after the gateway; and then the power goes."""
    stage.gateway.cloud.behave("away")
    stage.gateway.restart()
    published = stage.publish(2000, 600).finish()
    stage.gateway.kill()
    stage.gateway.cloud.behave("up")
    stage.gateway.restart()
    return [published]


def flaky_uplink(stage: Stage) -> list[Published]:
    """Every third request is obeyed and its answer lost."""
    stage.gateway.cloud.behave("falters")
    return [stage.publish(5000, 600).finish()]


def slow_uplink(stage: Stage) -> list[Published]:
    """Every answer takes 300 ms more; how fast the backlog of a burst goes up."""
    stage.gateway.cloud.behave("slow")
    published = stage.burst(20_000, 600).finish()
    stage.gateway.settle([published])
    receipted = [one.receipted for one in stage.gateway.cloud.ledger()]
    rate = published.count / (max(receipted) - published.began)
    stage.report.add("slow uplink: publish to receipt of a burst", rate, "events/s")
    return [published]


def power_cut(stage: Stage) -> list[Published]:
    """The files as they are at one instant, with rubbish behind the last commit, are all that is left; three times."""
    under_way = stage.publish(4000, 600)
    state, image = stage.gateway.state, stage.gateway.folder / "image"
    for _ in range(stage.options.size(3, 1)):
        stage.wait(1.0, 0.4)
        stage.gateway.program.send(signal.SIGSTOP)
        shutil.copytree(state, image, ignore=shutil.ignore_patterns("*-shm", "*.pid"))
        stage.gateway.kill()
        tear(image / "journal.db-wal")
        shutil.rmtree(state)
        image.rename(state)
        stage.gateway.restart()
    return [under_way.finish()]


def tear(wal: Path) -> None:
    """Overwrites what lies behind the last commit of a write-ahead log: it was never synced, so it may be anything."""
    data = wal.read_bytes()
    page = struct.unpack(">I", data[8:12])[0] if len(data) >= 32 else 0
    end = 32
    for at in range(32, len(data) - page - 23, page + 24):
        size, salts = data[at + 4 : at + 8], data[at + 8 : at + 16]
        if salts != data[16:24]:
            break
        if size != bytes(4):
            end = at + page + 24
    wal.write_bytes(data[:end] + os.urandom(max(0, len(data) - end)))


def disk_full(stage: Stage) -> list[Published]:
    """Something fills the disk while events come: it is said, nothing is acknowledged, and all goes on with room."""
    gateway = stage.gateway
    if not until(lambda: _is_well(gateway), 20):
        raise RuntimeError(f"the gateway is not well before its disk is full: {gateway.status()}")
    under_way = stage.publish(6000, 1500)
    stage.wait(2, 0.5)
    disk = Path(f"/proc/{gateway.program.pid}/root") / gateway.state.relative_to("/")
    filler = disk / "something-else"
    _fill(filler)
    began = time.monotonic()
    stated = until(lambda: _complains(gateway), 20)
    stage.report.add(
        "disk full: until it is stated", time.monotonic() - began if stated else 999, "s", goal=Goal("max", 10, "value")
    )
    _fill(filler)
    stage.wait(3, 0.5)
    filler.unlink()
    published = under_way.finish()
    gateway.settle([published])
    well = until(lambda: _is_well(gateway), 20)
    stage.report.add("disk full: not well again without a restart", not well, "gateways", goal=NOTHING)
    return [published]


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def _is_well(gateway: Gateway) -> bool:
    found: Any = gateway.status()
    return bool(found) and found["journal"]["state"] == "ok" and not _journal_alarms(found)


def _complains(gateway: Gateway) -> bool:
    found: Any = gateway.status()
    return bool(found) and found["journal"]["state"] != "ok" and bool(_journal_alarms(found))


def _journal_alarms(found: Any) -> list[Any]:  # noqa: ANN401 -- JSON
    return [alarm for alarm in found["alarms"] if alarm["code"].startswith("journal")]


def _small_disk(folder: Path) -> list[str]:
    """Words that run a command with a small disk mounted on the folder, for that command alone; no root needed."""
    steps = [
        'cp -a "$0" "$0.kept"',
        f'mount -t tmpfs -o size={SMALL_DISK},mode=700 bench "$0"',
        'cp -a "$0.kept/." "$0"',
        'exec "$@"',
    ]
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", " && ".join(steps), str(folder)]


def equal_timestamps(stage: Stage) -> list[Published]:
    """Clocks of whole seconds: many events of a device at one time are still many events."""
    return [stage.burst(5000, 600, "--whole-seconds").finish()]


def malformed(stage: Stage) -> list[Published]:
    """After every twentieth event one that is none: it must neither stop nor delay the others."""
    return [stage.burst(4000, 600, "--bad-every", "20").finish()]


SCENARIOS: dict[str, Scenario] = {
    "kill -9 in mid-stream": kill_9,
    "SIGTERM in mid-stream": sigterm,
    "uplink down": uplink_down,
    "uplink down, then kill -9": uplink_down_then_kill,
    "uplink hangs, then kill -9": hung_uplink_then_kill,
    "started offline, then kill -9": cold_start_offline,
    "uplink falters": flaky_uplink,
    "uplink slow (300 ms)": slow_uplink,
    "power cut": power_cut,
    "disk full": disk_full,
    "equal timestamps": equal_timestamps,
    "malformed messages": malformed,
}
