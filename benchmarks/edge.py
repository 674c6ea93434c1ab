"""The edge, from a cabinet's publish to the cloud's receipt: speed, order, size, and (--scenarios) what gets lost.

`./run python benchmarks/edge.py [--scenarios] [--quick] [--json]`. A real broker, a real `tally-gateway run`, and a
cloud that does nothing but cosign. The peer is a paho consumer that counts what the same publisher sends to the broker.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import edge_scenarios, reference
from benchmarks.broker import Broker, running_broker
from benchmarks.gateway_process import Gateway, a_gateway
from benchmarks.measure import Goal, Options, Report, Turn, alternate, median, percentile, run, say, sync_times
from benchmarks.processes import cpu_seconds, memory_mib
from benchmarks.publishing import PUBLISHERS, Published, Publisher, Publishing
from benchmarks.tiny_cloud import until

RATE = 100
MOST_LATENCY_MS, MOST_SYNCS = 100, 10
BOOTS = itertools.count(1)
# A paho publisher is what cabinets have; a bare socket asks harder, since it leaves the machine to the consumer.
GOALS: dict[Publisher, Goal | None] = {"paho_publisher": Goal("min", 0.60, "ratio"), "mqtt_publisher": None}


def benchmark(options: Options, report: Report) -> None:
    """Speeds, or with --scenarios the losses."""
    with running_broker(options.folder) as broker:
        say(f"  broker: {broker.name}")
        if "scenarios" in options.extra:
            edge_scenarios.measure(options, report, broker)
            return
        with a_gateway("speed", options.folder, broker) as gateway:
            burst(options, report, broker, gateway)
            steady(options, report, broker, gateway)
            idle(options, report, gateway)
            _, peak = memory_mib(gateway.program.pid)
            report.add("memory of the gateway at its peak", peak, "MiB", goal=Goal("max", 76, "value"))
        starts_and_stops(options, report, broker)


def burst(options: Options, report: Report, broker: Broker, gateway: Gateway) -> None:
    """As fast as it goes: against the counting consumer; CPU, order, losses."""
    sent: list[Published] = []
    before = cpu_seconds(gateway.program.pid)
    for publisher, goal in GOALS.items():
        turn = compare(options, broker, gateway, sent, publisher)
        name = f"{PUBLISHERS[publisher]}, QoS 1, to durable journal, to a consumer that only counts"
        report.add_turn(name, turn, "messages/s", goal)
    judged = gateway.settle(sent)
    cpu = (cpu_seconds(gateway.program.pid) - before) / sum(one.count for one in sent) * 1000
    report.add("CPU for 1,000 messages, journal and uplink", cpu, "s", goal=Goal("max", 0.15, "value"))
    report.add("messages out of order within a device", judged.disordered, "messages", goal=Goal("max", 0, "value"))
    report.add("messages lost or doubled", judged.lost + judged.doubled, "messages", goal=Goal("max", 0, "value"))


def compare(options: Options, broker: Broker, gateway: Gateway, sent: list[Published], publisher: Publisher) -> Turn:
    """The gateway and the counting consumer in turns; what the gateway was sent goes to ``sent``."""
    count = options.size(20_000, 1000)

    def product(boot: int) -> float:
        already = gateway.recorded()
        publishing = Publishing(broker, count, boot, progress=lambda: gateway.recorded() - already, publisher=publisher)
        ended = gateway.await_recorded(already + count)
        published = publishing.finish()
        sent.append(published)
        gateway.settle(sent)
        return count / (ended - published.began)

    return alternate(
        options,
        lambda: next(BOOTS),
        product,
        lambda boot: reference.counted_rate(broker, count, boot, publisher),
    )


def steady(options: Options, report: Report, broker: Broker, gateway: Gateway) -> None:
    """A hundred a second, from the publish to the receipt; the disk's own syncs are measured around it."""
    count = options.size(2000, 150)
    syncs = sync_times(options.folder)
    before = cpu_seconds(gateway.program.pid)
    published = Publishing(broker, count, next(BOOTS), "--rate", str(RATE)).finish()
    used = cpu_seconds(gateway.program.pid) - before
    gateway.settle([published])
    syncs += sync_times(options.folder)
    receipted = {(one.record.src, one.record.did): one.receipted for one in gateway.cloud.ledger()}
    left = zip(published.identities, published.left, strict=True)
    took = [(receipted[identity] - at) * 1000 for identity, at in left if identity in receipted]
    sync = percentile(syncs, 0.99)
    report.add(f"latency at {RATE}/s, publish to receipt, p50", percentile(took, 0.5), "ms")
    goal = Goal("max", MOST_LATENCY_MS + MOST_SYNCS * sync, "value")
    name = f"latency at {RATE}/s, publish to receipt, p99 (limit: fdatasync p99)"
    report.add(name, percentile(took, 0.99), "ms", limit=sync, goal=goal)
    report.add(f"CPU at {RATE}/s", used / (published.ended - published.began) * 100, "% of a core")


def idle(options: Options, report: Report, gateway: Gateway) -> None:
    """Twenty cabinets that say nothing."""
    seconds = options.size(30, 2)
    time.sleep(1)
    before = cpu_seconds(gateway.program.pid)
    time.sleep(seconds)
    used = (cpu_seconds(gateway.program.pid) - before) / seconds * 100
    report.add("CPU when idle", used, "% of a core", goal=Goal("max", 0.5, "value"))


def starts_and_stops(options: Options, report: Report, broker: Broker) -> None:
    """From the start of the process to the receipt for an event that waited at the broker; and SIGTERM under load."""
    names = (f"start-{number}" for number in itertools.count())
    stops: list[float] = []

    def first() -> float:
        return start_and_stop(options.folder, next(names), broker, stops)

    figure, goal = median(options, first), Goal("max", 2, "value")
    bare = median(options, reference.bare_start)
    name = "start to the receipt of an event that waited (limit: Python that imports the libraries)"
    report.add(name, figure, "s", limit=bare, goal=goal)
    goal = Goal("max", 1, "value")
    report.add("SIGTERM to the end of the process, at 500/s", statistics.median(stops), "s", goal=goal)


def start_and_stop(folder: Path, name: str, broker: Broker, stops: list[float]) -> float:
    """Seconds to the first receipt of one gateway; the seconds of its stop in mid-stream go to ``stops``."""
    with a_gateway(name, folder, broker) as gateway:
        until(lambda: bool(gateway.status()), 20)
        under_way = Publishing(broker, 500, next(BOOTS), "--rate", "500")
        time.sleep(0.5)
        stops.append(gateway.program.stop())
        under_way.finish()
        waiting = Publishing(broker, 1, next(BOOTS), "--rate", "100").finish()
        began = gateway.start()
        identity = next(iter(waiting.identities))
        if not until(lambda: any(_receipts(gateway, identity)), 30):
            raise RuntimeError(f"an event that waited did not arrive:\n{gateway.program.tail()}")
        gateway.program.stop()
        return next(_receipts(gateway, identity)) - began


def _receipts(gateway: Gateway, identity: tuple[str, str]) -> Iterator[float]:
    return (one.receipted for one in gateway.cloud.ledger() if (one.record.src, one.record.did) == identity)


if __name__ == "__main__":
    raise SystemExit(run("The gateway, from a cabinet's publish to the receipt", benchmark, ["scenarios"]))
