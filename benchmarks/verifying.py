"""The offline check of a month of quarter-hour readings, against reading the same file and hashing its leaves.

`./run python benchmarks/verifying.py [--quick] [--json]`. A real cloud gets 2,977 readings of one meter in 124 sealed
batches, closes the month by a peak and valley tariff, and gives out the bundle; then `tally-verify`'s own function
checks signatures, paths, counters, registers and rates every line again. Processor time, one process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from hashlib import sha256

import msgspec

from benchmarks.cloud_process import Cloud, running_cloud
from benchmarks.http_load import drive
from benchmarks.measure import Goal, Options, Report, alternate, run
from benchmarks.signed_requests import Gateway, place_of
from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from cloud.calendar import month
from wire.records import Reading

ZONE, MONTH, QUARTER = "Europe/Berlin", "2026-10", 900_000
MOST_MS = 500
DEVICE = f"{place_of(0)}meter-00"
BOOT = "b" * 16
TERMS = {
    "agreement_id": "agr-1", "supplier_id": "sup", "customer_id": "cust", "currency": "EUR", "zone": ZONE,
    "starts": "2026-10-01", "devices": [DEVICE],
    "charges": [
        {"kind": "time_of_use", "source": {"measure": "energy", "devices": [DEVICE], "unit": "kWh"},
         "prices": {"peak": "0.31", "valley": "0.17"},
         "windows": {"rules": [{"window": "peak", "from": "08:00", "to": "20:00"}], "otherwise": "valley"}},
        {"kind": "flat", "amount": "30"},
    ],
}  # fmt: skip


def benchmark(options: Options, report: Report) -> None:
    """One row."""
    with running_cloud(options.folder, f"sqlite:///{options.folder / 'cloud.db'}") as cloud:
        raw = bundle(cloud, options.size(124, 4))
    turn = alternate(options, lambda: options.size(10, 2), partial(product_ms, raw), partial(limit_ms, raw))
    shown = f"a month of quarter-hour readings verified, {len(raw) // 1024} KiB"
    report.add_turn(shown, turn, "ms", Goal("max", MOST_MS, "value"))


def bundle(cloud: Cloud, batches: int) -> bytes:
    """The bundle of the month; a quick run tells only its first days."""
    (gateway,) = cloud.gateways(1)
    for party in ("sup", "cust"):
        cloud.ask("POST", "/v1/parties", {"party_id": party, "name": party})
    cloud.ask("POST", "/v1/agreements", TERMS)
    each = 24
    told = readings(batches * each + 1)
    drive(cloud.port, [requests(gateway, [told[at : at + each] for at in range(0, len(told), each)])])
    made = cloud.ask("POST", "/v1/agreements/agr-1/statements", {"period": MONTH})
    return cloud.raw(f"/v1/statements/{made['statement_id']}/bundle")


def requests(gateway: Gateway, pieces: Sequence[Sequence[Reading]]) -> list[bytes]:
    """A request for each piece."""
    return [gateway.telling(list(piece)) for piece in pieces]


def readings(count: int) -> list[Reading]:
    """The register each quarter of an hour from the month's first instant on."""
    begins = month(MONTH, ZONE).from_ms
    return [
        Reading(
            v=1, z="", src=DEVICE, ep=BOOT, n=0, t=begins + number * QUARTER, ts="S", b=BOOT, m=number * QUARTER,
            raw=sha256(number.to_bytes(9, "big")).hexdigest(), cfg="9f2b6c01d4e87a35", register="import_wh",
            value=1_000_000 + number * 137 + number % 7, scale=0, unit="Wh",
        )
        for number in range(count)
    ]  # fmt: skip


def product_ms(raw: bytes, count: int) -> float:
    """Milliseconds a check."""
    begun = time.process_time()
    for _ in range(count):
        verdict = verify(load(raw), Trust())
        assert verdict.verified, verdict.findings[:3]
    return 1000 * (time.process_time() - begun) / count


def limit_ms(raw: bytes, count: int) -> float:
    """Milliseconds for reading the file and hashing its leaves."""
    begun = time.process_time()
    for _ in range(count):
        for log in msgspec.json.decode(raw)["logs"]:
            for leaf in log["leaves"]:
                sha256(leaf.encode() if isinstance(leaf, str) else b"").digest()
    return 1000 * (time.process_time() - begun) / count


if __name__ == "__main__":
    sys.exit(run("The offline check", benchmark))
