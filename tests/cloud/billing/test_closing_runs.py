"""Closing by sixteen processes at once, half of them killed: one statement a period, no number missing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from cloud.billing.statement import Statement
from cloud.calendar import midnight, parse_day
from cloud.database import Tx
from cloud.invoices import repository as documents
from tests.cloud.trade import ZONE, Trade, refusals
from tests.cloud.twins import CloudTwin

ROOT = Path(__file__).parents[3]
RUNS = 16
AGREEMENTS = 12  # more than one transaction closes
MONTHS = 6


@contextmanager
def started(cloud: CloudTwin, now_ms: int, count: int) -> Iterator[subprocess.Popen[str]]:
    """So many real processes that close at once."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TALLY_STATE": str(cloud.state),
        "TALLY_DATABASE": cloud.address,
        "TALLY_DEMO_CLOCK": f"{now_ms},0,0",
    }
    script = str(Path(__file__).with_name("closing_children.py"))
    command = [sys.executable, script, str(count), cloud.tenant]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process


def closed_so_far(cloud: CloudTwin) -> int:
    return int(cloud.look(lambda tx: tx.all("SELECT COUNT(*) FROM statements")[0][0]))


def prepared(cloud: CloudTwin) -> Trade:
    """A dozen agreements of one supplier, six months each, all numbered in one series."""
    trade = Trade(cloud, starts="2026-06-01")
    for number in range(2, AGREEMENTS + 1):
        device = f"fan-{number}"
        trade.post("/v1/devices", {"device_id": device, "kind": "fan", "gateway_id": "gw-1"})
        fee = {"kind": "monthly_fee", "amount": "31.00"}
        terms = {
            "agreement_id": f"agr-{number}", "supplier_id": "sup", "customer_id": "cust", "currency": "EUR",
            "zone": ZONE, "starts": "2026-06-01", "devices": [device], "charges": [fee],
        }  # fmt: skip
        trade.post("/v1/agreements", terms)
    trade.to("2026-06-01")
    trade.booted = trade.at
    for month in range(6, 12):
        trade.to(f"2026-{month:02d}-03", 9)
        trade.draw()
    trade.send()
    return trade


def test_sixteen_runs_at_once_half_of_them_killed_close_each_period_once(cloud: CloudTwin) -> None:
    trade = prepared(cloud)
    now_ms = midnight(parse_day("2026-12-01"), ZONE)
    chance = random.Random(16)

    with started(cloud, now_ms, RUNS) as family:
        assert family.stdout is not None
        children = [int(pid) for pid in family.stdout.readline().split()]
        victims = children[::2]
        wanted = sorted(chance.randrange(AGREEMENTS * MONTHS) for _ in victims)
        for victim, progress in zip(victims, wanted, strict=True):
            while closed_so_far(cloud) < progress and family.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    family.wait(chance.random() / 20)
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        told = [line.split() for line in family.stdout]
    ended = {int(child): int(code) for child, code in told}
    assert {ended[child] for child in children if child not in victims} == {0}
    assert list(ended.values()).count(-signal.SIGKILL) > 0
    with started(cloud, now_ms, 1) as last:
        assert last.communicate()[0].endswith(" 0\n")

    bodies = cloud.run(
        lambda tx: [row[0] for row in tx.all("SELECT body FROM statements ORDER BY agreement_id, number")]
    )
    heads = [msgspec.json.decode(body, type=Statement).head for body in bodies]
    assert Counter((one.agreement_id, one.period.first) for one in heads) == Counter(
        {(f"agr-{number}", f"2026-{month:02d}-01"): 1 for number in range(1, AGREEMENTS + 1) for month in range(6, 12)}
    )
    assert [one.number for one in heads] == list(range(1, MONTHS + 1)) * AGREEMENTS
    assert numbers(cloud) == list(range(1, AGREEMENTS * MONTHS + 1))
    assert refusals(trade.bundle({"statement_id": heads[MONTHS - 1].statement_id})) == []


def numbers(cloud: CloudTwin) -> list[int]:
    """The numbers of the one series, checked to chain."""

    def work(tx: Tx) -> list[int]:
        rows = documents.page(tx, cloud.tenant, "", "", "", 500)
        found = [documents.find(tx, cloud.tenant, row.document_id) for row in rows]
        series = sorted((one for one in found if one is not None), key=lambda one: one.number)
        assert [one.prev_hash for one in series] == ["", *(one.hash for one in series[:-1])]
        return [one.number for one in series]

    return cloud.run(work)
