"""Thirty days without a network: 864,000 records go up over a bad line while devices go on being answered.

`./run python benchmarks/backlog.py [--quick] [--json]`. A real `tally-gateway run`, a real `tally-cloud serve` (SQLite)
and 5 % loss between them (half of it answers that are dropped after the cloud's work is done). Meanwhile cabinets tell
an event every 200 ms; from its last byte to the gateway's PUBACK, which means "on the disk", is what a device waits.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.chaos_proxy import ChaosProxy, Weather
from benchmarks.device_line import DeviceLine
from benchmarks.measure import Goal, Options, Report, percentile, run, say, sync_times
from benchmarks.month import identity, lay
from benchmarks.processes import cpu_seconds, free_port, memory_mib
from benchmarks.programs import CloudProgram, GatewayProgram
from benchmarks.tiny_cloud import until

DAYS, A_MINUTE = 30, 20
BACKLOG = DAYS * 24 * 60 * A_MINUTE
EVERY_MS = 60_000 // A_MINUTE
LOSS = Weather(dropped=0.025, cut=0.025, replayed=0.0)
LIVE_SECONDS = 0.2
MINUTES, LATENCY_MS, SYNCS, MEMORY_MIB = 20, 50, 5, 150
PATIENCE = 3600.0


def benchmark(options: Options, report: Report) -> None:
    """Lays the backlog, then lets it go up."""
    count = options.size(BACKLOG, 6000)
    cloud = CloudProgram(options.folder)
    proxy = ChaosProxy(cloud.port, LOSS, seed=1)
    line = DeviceLine(free_port())
    cloud.furnish()
    gateway = GatewayProgram(options.folder, cloud.enrol(0, proxy.port), line.port)
    try:
        lay_month(report, gateway, count)
        go_up(options, report, Parts(cloud, gateway, line), count)
    finally:
        gateway.stop()
        line.close()
        proxy.close()
        cloud.kill()
    say(f"      requests: {dict(proxy.fates)}")


class Parts:
    """The programs of one run."""

    def __init__(self, cloud: CloudProgram, gateway: GatewayProgram, line: DeviceLine) -> None:
        self.cloud, self.gateway, self.line = cloud, gateway, line


def lay_month(report: Report, gateway: GatewayProgram, count: int) -> None:
    """The records, as the gateway would have stored them day by day."""
    path = gateway.state / "journal.db"
    begun = time.process_time()
    asyncio.run(lay(path, gateway.name, count, EVERY_MS))
    report.add("CPU to store the backlog", time.process_time() - begun, "s")
    report.add(f"journal of {count:,} records", _size(path) / 2**20, "MiB", goal=Goal("max", 4096, "value"))


def go_up(options: Options, report: Report, parts: Parts, count: int) -> None:
    """From the start of the gateway until everything is cosigned, live events all the while."""
    gateway, line = parts.gateway, parts.line
    syncs = sync_times(options.folder)
    begun, sent = time.monotonic(), 0
    gateway.start()
    assert gateway.program is not None
    until(lambda: bool(gateway.status()) and line.connections > 0, 60)
    while time.monotonic() - begun < PATIENCE:
        line.publish([sent])
        sent += 1
        time.sleep(LIVE_SECONDS)
        if sent % 25 == 1:
            syncs += sync_times(options.folder, 0.02)
            if _cosigned(gateway) >= count:
                break
    took = time.monotonic() - begun
    busy = sent
    for _ in range(options.size(100, 10)):
        line.publish([sent])
        sent += 1
        time.sleep(LIVE_SECONDS / 2)
    until(lambda: len(line.acked) == sent, 30)
    _, peak = memory_mib(gateway.program.pid)
    _, cloud_peak = memory_mib(parts.cloud.program.pid)
    cpu = cpu_seconds(gateway.program.pid), cpu_seconds(parts.cloud.program.pid)
    waits = [(at - line.left[number]) * 1000 for number, at in line.acked.items() if number < busy]
    quiet = [(at - line.left[number]) * 1000 for number, at in line.acked.items() if number >= busy]
    sync = percentile(syncs, 0.99)
    report.add(
        "backlog: start of the gateway to the last cosignature", took, "s", goal=Goal("max", MINUTES * 60, "value")
    )
    report.add("CPU of the gateway meanwhile", cpu[0], "s")
    report.add("CPU of the cloud meanwhile", cpu[1], "s")
    report.add("live event to its durable ACK meanwhile, p50", percentile(waits, 0.5), "ms")
    goal = Goal("max", LATENCY_MS + SYNCS * sync, "value")
    report.add("live event to its durable ACK meanwhile, p99 (limit: fdatasync p99)", percentile(waits, 0.99), "ms",
               limit=sync, goal=goal)  # fmt: skip
    report.add("live event to its durable ACK with nothing to sync, p99", percentile(quiet, 0.99), "ms")
    report.add("memory of the gateway at its peak", peak, "MiB", goal=Goal("max", MEMORY_MIB, "value"))
    report.add("memory of the cloud at its peak", cloud_peak, "MiB", goal=Goal("max", MEMORY_MIB, "value"))
    told = parts.cloud.told()
    wrong = sum(told[identity(gateway.name, number)] != 1 for number in range(count))
    wrong += sent - len(line.acked)
    report.add("records lost or doubled, live events unanswered", wrong, "records", goal=Goal("max", 0, "value"))


def _cosigned(gateway: GatewayProgram) -> int:
    found = gateway.status()
    return int(found["uplink"]["cosigned"]) if found else 0


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*") if "ballast" not in one.name)


if __name__ == "__main__":
    raise SystemExit(run("Thirty days of backlog over a bad line, with live events", benchmark))
