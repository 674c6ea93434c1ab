"""Three gateways and a cloud with a bad network in between: stored = sent, orders and statements not repeated.

    ./run python -m tests.reliability.chaos                      # 100,000 records, some minutes
    ./run python -m tests.reliability.chaos --records 20000

Real `tally-gateway run` and `tally-cloud serve`; 15 % of the answers are dropped after the cloud did its work, 10 % of
the requests cut, 5 % repeated whole, at random and all at once for three gateways that sync at the same time, each
with a backlog and with live events of twenty cabinets. People close the month and confirm orders over the same network.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from benchmarks import events
from benchmarks.chaos_proxy import ChaosProxy, Weather
from benchmarks.device_line import DeviceLine
from benchmarks.month import draws, identity, lay
from benchmarks.processes import free_port
from benchmarks.programs import MONTH, PRICE, CloudProgram, GatewayProgram, device_of
from benchmarks.tiny_cloud import until
from tests.reliability.hasty_gateway import with_bug

GATEWAYS = 3
FEW = 20
TRIES = 60


@dataclass
class Result:
    """``sent``: records that devices were promised; ``fates``: what the network did with requests."""

    sent: int = 0
    fates: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


@dataclass
class Site:
    """One gateway with what it was told: ``backlog`` records of cab and meter, ``live`` events of its cabinets."""

    program: GatewayProgram
    line: DeviceLine
    backlog: int
    live: int


def play(records: int, seed: int, weather: Weather | None = None, *, bug: str = "", patience: float = 900.0) -> Result:
    """So many records through the weather, then the account."""
    result = Result()
    with tempfile.TemporaryDirectory(prefix="tallystick-chaos-") as name:
        folder = Path(name)
        cloud = CloudProgram(folder)
        proxy = ChaosProxy(cloud.port, weather or Weather(), seed)
        sites: list[Site] = []
        try:
            cloud.furnish()
            each = records // GATEWAYS
            for number in range(GATEWAYS):
                line = DeviceLine(free_port(), boot=number + 1)
                program = GatewayProgram(folder, cloud.enrol(number, proxy.port), line.port)
                sites.append(Site(program, line, each - each // 4, each // 4))
                asyncio.run(lay(program.state / "journal.db", program.name, sites[-1].backlog))
            for site in sites:
                site.program.start(with_bug(bug))
            _sync(cloud, sites, patience, result)
            if not bug:
                _people(cloud, proxy.port, sites, result)
            result.fates = dict(proxy.fates)
        finally:
            for site in sites:
                site.program.stop()
                site.line.close()
            proxy.close()
            cloud.kill()
    return result


def _sync(cloud: CloudProgram, sites: list[Site], patience: float, result: Result) -> None:
    """Live events flow in a few at a time; everything must be in the cloud in the end."""
    for number in itertools.count():
        some = [range(number * FEW, min((number + 1) * FEW, site.live)) for site in sites]
        if not any(some):
            break
        for site, numbers in zip(sites, some, strict=True):
            site.line.publish(numbers)
        done = all(
            until(lambda site=site, numbers=numbers: site.line.acked.keys() >= {*numbers}, 120)  # type: ignore[misc]
            for site, numbers in zip(sites, some, strict=True)
        )
        if not done:
            result.findings.append("a live event was not acknowledged within 120 s")
            return
    wanted = {site.program.name: site.program.recorded() for site in sites}
    until(lambda: cloud.count("leaves") >= sum(wanted.values()), patience)
    told = cloud.told()
    for site in sites:
        name = site.program.name
        promised = [identity(name, at) for at in range(site.backlog)]
        for at in range(site.live):
            device, did = events.identity(at, site.line.boot)
            promised.append((device_of(name, int(device[-2:])), did))
        lost = [one for one in promised if not told[one]]
        doubled = [one for one in promised if told[one] > 1]
        result.sent += len(promised)
        if lost or doubled:
            result.findings.append(
                f"{name}: {len(lost)} records lost ({lost[:2]}), {len(doubled)} doubled ({doubled[:2]})"
            )


def _insist(cloud: CloudProgram, port: int, path: str, body: object, key: str) -> Any:
    """A request of a person's program: asked again under the same key until it is answered."""
    for _ in range(TRIES):
        with suppress(httpx.HTTPError):
            return cloud.ask("POST", path, body, port=port, key=key)
    raise RuntimeError(f"{path} had no answer in {TRIES} tries")


def _people(cloud: CloudProgram, port: int, sites: list[Site], result: Result) -> None:
    """The month is closed and each order confirmed over the bad network; there must be one of each."""
    for number, site in enumerate(sites):
        body = {"from": MONTH[0], "to": MONTH[1]}
        _insist(cloud, port, f"/v1/agreements/agr-{number}/statements", body, f"close-{number}")
        made = cloud.ask("GET", f"/v1/statements?agreement_id=agr-{number}")["items"]
        due = str(Decimal(PRICE) * draws(site.backlog))
        if [one["total"]["amount"] for one in made] != [due]:
            totals = [one["total"]["amount"] for one in made]
            result.findings.append(f"agr-{number}: statements of {totals} instead of one of {due}")
    for one in cloud.every("/v1/orders?state=proposed"):
        _insist(cloud, port, f"/v1/orders/{one['order_id']}/confirmation", None, f"order-{one['order_id']}")
    orders = [one for state in ("proposed", "ordered") for one in cloud.every(f"/v1/orders?state={state}")]
    slots = [(one["device_id"], one["slot"]) for one in orders]
    if len(slots) != len(set(slots)) or not slots:
        result.findings.append(f"orders stand twice or not at all: {sorted(slots)}")


def main() -> int:
    """The command; exit code 3 when something was lost, doubled or repeated."""
    parser = argparse.ArgumentParser(description="A bad network between gateways and cloud")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds each way")
    parser.add_argument("--rate", type=int, default=0, help="bytes a second, each request by itself; 0: no limit")
    parser.add_argument("--bug", action="store_true", help="gateways that forget what they sent: must be found")
    given = parser.parse_args()
    weather = Weather(latency=given.latency, rate=given.rate)
    bug = "forget" if given.bug else ""
    result = play(given.records, given.seed, weather, bug=bug, patience=20.0 if bug else 900.0)
    fates = ", ".join(f"{fate} {count}" for fate, count in sorted(result.fates.items()))
    sys.stdout.write(f"{result.sent} records; requests: {fates}; {len(result.findings)} broken promises\n")
    for finding in result.findings[:20]:
        sys.stdout.write(f"  {finding}\n")
    return 3 if result.findings else 0


if __name__ == "__main__":
    sys.exit(main())
