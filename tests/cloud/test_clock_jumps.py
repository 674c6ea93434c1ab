"""Two hundred jumps of a gateway's clock (-30 to +400 days), boots without any: order and bill stay what they were."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gateway.clock import Clock
from gateway.recording import stamp
from tests.cloud.trade import DAY, FIRST, MINUTE, Trade, refusals
from tests.cloud.twins import CloudTwin
from wire.records import Draw, Reading, decode

JUMPS = 200
LAST = "2026-11-04"


class JumpyShop(Trade):
    """A shop whose records the gateway's real clock stamps; ``at`` is the true time, which nobody there knows."""

    def __init__(self, cloud: CloudTwin, chance: random.Random, *, jumps: bool) -> None:
        super().__init__(cloud)
        self.chance, self.jumps = chance, jumps
        self.wrong_by, self.synchronised, self.wh, self.number = 0, True, 0, 0
        self.start_clock()

    def start_clock(self) -> None:
        """A boot: monotonic time begins anew, and the wall is nobody's guess until it is synchronised."""
        self.number += 1
        zero = self.at
        self.clock = Clock(
            f"{self.number:016x}",
            wall=lambda: self.at + self.wrong_by,
            line=lambda: (self.at - zero) / 1000,
            synchronised=lambda: self.synchronised,
        )
        self.boot = self.clock.boot
        self.booted = self.at

    def said(self, src: str, **fields: object) -> dict[str, Any]:
        """What a record says, by the real clock."""
        at = stamp(self.clock)
        return super().said(src) | {"t": at.t, "ts": at.ts, "b": at.b, "m": at.m} | fields

    def step(self) -> None:
        """Some minutes of work, then perhaps a jump, a synchronisation, a power cut, a batch."""
        self.at += self.chance.randrange(1, 10) * MINUTE
        self.wh += self.chance.randrange(500)
        self.draw()
        self.read(self.wh)
        kind, days = self.chance.random(), self.chance.uniform(-30, 400)
        sends, unset = self.chance.random() < 0.2, self.chance.random() < 0.3
        if self.jumps:
            self.wrong_by, self.synchronised = int(days * DAY), False
            if kind < 0.25:
                self.wrong_by, self.synchronised = 0, True
        if kind > 0.9:
            self.send()
            last, self.n = [[src, n] for src, n in sorted(self.n.items())], {}
            self.start_clock()
            if self.jumps and unset:
                self.wrong_by = -self.at  # 1970
            self.event(self.gateway.gateway_id, "boot", last=last)
        elif sends:
            self.send()


def work(cloud: CloudTwin, seed: int, *, jumps: bool) -> JumpyShop:
    """The same two hundred steps of a shop, with jumps or without."""
    shop = JumpyShop(cloud, random.Random(seed), jumps=jumps)
    shop.refill(10_000)
    shop.read(0)
    for _ in range(JUMPS):
        shop.step()
    shop.send()
    return shop


def bill(statement: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What is owed for what."""
    return sorted(
        (one["kind"], one["subject"], one["quantity"]["value"], one["amount"]["amount"]) for one in statement["lines"]
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_jumps_change_neither_order_nor_bill_and_lock_nobody_out(cloud: CloudTwin, seed: int) -> None:
    shop = work(cloud, seed, jumps=True)
    records = [decode(leaf) for leaf in shop.gateway.leaves]

    statement = shop.close(FIRST, LAST)

    draws = [one for one in records if isinstance(one, Draw)]
    readings = [one for one in records if isinstance(one, Reading)]
    pieces = sum(int(line["quantity"]["value"]) for line in statement["lines"] if line["subject"] == "drill-8")
    kwh = [line["quantity"]["value"] for line in statement["lines"] if line["subject"] == "import_wh"]
    assert pieces == len(draws) == JUMPS
    assert sum(round(float(one) * 1000) for one in kwh) == readings[-1].value - readings[0].value
    assert refusals(shop.bundle(statement)) == []
    assert shop.gateway.signed_get(f"/v1/gateways/{shop.gateway.gateway_id}/desired").status_code == 200


def test_the_bill_is_the_very_one_that_a_right_clock_gives(cloud: CloudTwin) -> None:
    found = bill(work(cloud, 3, jumps=True).close(FIRST, LAST))
    # The same shop under another tenant of the same cloud, its clock right.
    _, cloud.key = cloud.add_tenant("right")

    assert bill(work(cloud, 3, jumps=False).close(FIRST, LAST)) == found


def test_within_a_boot_no_interval_is_negative_and_a_doubtful_time_is_flagged(cloud: CloudTwin) -> None:
    shop = work(cloud, 4, jumps=True)
    records = [decode(leaf) for leaf in shop.gateway.leaves]

    statement = shop.close(FIRST, LAST)

    stamped = {one.ts for one in records}
    assert {"S", "I", "U"} <= stamped
    shown = {leaf["index"]: leaf for line in statement["lines"] for leaf in line["evidence"]}
    by_boot: dict[str, list[tuple[int, str]]] = {}
    for index, leaf in sorted(shown.items()):
        by_boot.setdefault(records[index].b, []).append((records[index].m, leaf["at"]))
        assert (leaf["quality"] == "synchronised") == (records[index].ts == "S")
    for times in by_boot.values():
        assert times == sorted(times)
