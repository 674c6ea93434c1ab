"""What a gateway really signed and cannot be: stored as evidence, and nothing that is worked out of it falls over."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.cloud.conftest import databases
from tests.cloud.databases import Databases
from tests.cloud.trade import Trade
from tests.cloud.twins import CloudTwin
from tests.fuzz.absurd import refused
from tests.fuzz.requests import Attack

__all__ = ["databases"]


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_absurd_records_are_kept_and_everything_can_still_be_asked_for(
    databases: Databases, tmp_path: Path, seed: str
) -> None:
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path / "state") as cloud:
        trade = Trade(cloud)
        trade.refill(20)
        trade.draw()
        trade.read(1000)
        trade.send()
        wrong = refused(trade, 150, seed)
        cloud.clock.ms = max(cloud.clock.ms, 1_796_200_000_000)
        period = {"from": "2026-11-01", "to": "2026-12-01"}
        closed = cloud.ask("POST", "/v1/agreements/agr-1/statements", period)
        known = {"agreement_id": ["agr-1"], "device_id": ["cab-1", "meter-1"], "gateway_id": ["gw-1"]}
        if closed.status_code == 201:
            known["statement_id"] = [closed.json()["statement_id"]]
        attack = Attack(cloud, known | {"log": [trade.gateway.log]})
        for one in attack.operations():
            if one.method == "GET":
                for number in range(3):
                    attack.ask(one, Random(f"{seed} {number} {one.path}"), seed)

        assert wrong == []
        assert closed.status_code == 201 or closed.json()["type"] == "/problems/cannot-be-billed"
        assert attack.wrong == []


def test_a_bill_beyond_all_money_is_refused_by_name(databases: Databases, tmp_path: Path) -> None:
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path / "state") as cloud:
        trade = Trade(cloud)
        trade.draw(qty=10**15)
        trade.send()
        cloud.clock.ms = 1_796_200_000_000

        answer = cloud.ask("POST", "/v1/agreements/agr-1/statements", {"from": "2026-11-01", "to": "2026-12-01"})

        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/cannot-be-billed")
