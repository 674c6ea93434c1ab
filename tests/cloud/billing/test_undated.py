"""Whatever the clocks do, each piece is billed once, in a statement that anybody can work out again."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from cloud.calendar import midnight, parse_day
from tests.cloud.billing.test_log_epochs import follow
from tests.cloud.trade import HOUR, MINUTE, ZONE, Trade, refusals
from tests.cloud.twins import CloudTwin
from wire.ids import RecordKey


class Days:
    """A cabinet whose gateway may have no clock, told late, restarted, put right; ``due``: pieces truly used,
    ``wh``: what the meter shows."""

    def __init__(self, cloud: CloudTwin, seed: int) -> None:
        self.trade = Trade(cloud)
        self.chance = Random(seed)
        self.doubtful: list[RecordKey] = []
        self.used: list[RecordKey] = []
        self.due = 0
        self.wh = 0

    def pass_a_day(self, day: int) -> None:
        for hour in sorted(self.chance.sample(range(1, 23), 6)):
            self.trade.to(f"2026-11-{day:02d}", hour)
            self.trade.at += self.chance.randrange(60) * MINUTE
            self._happen()
            if self.chance.random() < 0.4:
                self.trade.at += self.chance.randrange(90) * MINUTE
                self.trade.send(pieces=2)

    def _happen(self) -> None:
        clock: dict[str, Any] = {} if self.chance.random() < 0.25 else {"t": 0, "ts": "U"}
        match self.chance.randrange(9):
            case 8:
                unsent = len(self.trade.gateway.leaves) - self.trade.sent
                follow(self.trade, unsent, boot=f"{int(self.trade.boot, 16) + 1:016x}")
            case 0:
                self.trade.reboot(dated=not clock, previous=self.trade.boot)
            case 1:
                self.doubtful.append(self.trade.draw(outcome="unverified", **clock))
            case 2 if self.doubtful:
                self.trade.resolve(self.doubtful.pop(self.chance.randrange(len(self.doubtful))), **clock)
                self.due += 1
            case 3 if self.used:
                self.trade.reverse(self.used.pop(self.chance.randrange(len(self.used))))
                self.due -= 1
            case 4 | 5:
                self.wh += 1000 * self.chance.randrange(5)
                self.trade.read(self.wh, **clock)
            case _:
                self.used.append(self.trade.draw(**clock))
                self.due += 1


@pytest.mark.parametrize("seed", range(3))
def test_without_clocks_each_piece_is_billed_once_and_every_statement_verifies(cloud: CloudTwin, seed: int) -> None:
    days = Days(cloud, seed)
    days.trade.read(0)
    billed: defaultdict[str, Decimal] = defaultdict(Decimal)
    for day in range(1, 6):
        days.pass_a_day(day)
        if day == 5:
            days.trade.at = max(days.trade.at, midnight(parse_day("2026-11-05"), ZONE) + 23 * HOUR)
            days.trade.send()
        statement = days.trade.close(f"2026-11-{day:02d}", f"2026-11-{day + 1:02d}")
        assert refusals(days.trade.bundle(statement)) == []
        for line in statement["lines"]:
            billed[line["subject"]] += Decimal(line["quantity"]["value"])

    assert billed["drill-8"] == days.due
    assert billed["import_wh"] == days.wh // 1000
