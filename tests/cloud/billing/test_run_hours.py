"""Hours of running on statements: by the clock that decides, once, and late ones as corrections."""

from __future__ import annotations

from typing import Any

from cloud.agreements.terms import AgreementTerms, Version
from cloud.billing.facts import Fact
from cloud.billing.scope import Scope
from cloud.billing.settle import settle
from cloud.calendar import parse_day, period
from cloud.rating.lines import LeafRef
from tests.cloud.billing.test_settle import BEGIN, PLAIN
from tests.cloud.trade import FIRST, HOUR, MINUTE, Trade, refusals
from tests.cloud.twins import CloudTwin
from wire.records import Runtime

COIL = [
    {
        "kind": "weighted_runtime", "unit_price": "36", "weights": [{"speed": "low", "weight": "1"}],
        "source": {"measure": "runtime", "devices": ["cab-1"], "group_by": ["device"]},
    }
]  # fmt: skip


def ran(trade: Trade, seconds: int, *, since: int | None = None, **fields: object) -> None:
    """A window of five minutes up to now, at the lowest speed for so many seconds."""
    begin = trade.at - 5 * MINUTE if since is None else since
    body: dict[str, Any] = {"from_": begin, "to": begin + 5 * MINUTE, "speeds": {"low": seconds}}
    trade.gateway.keep(Runtime(**trade.said("cab-1", **(body | fields))))


def amounts(bill: dict[str, Any]) -> list[str]:
    return [line["amount"]["amount"] for line in bill["lines"]]


def test_what_ran_before_the_clock_was_set_is_billed_by_its_repaired_time(cloud: CloudTwin) -> None:
    trade = Trade(cloud, charges=COIL)
    trade.at += HOUR
    ran(trade, 100, since=0, t=300_023, ts="U")
    trade.at += 5 * MINUTE
    ran(trade, 200)
    trade.send()

    bill = trade.close(FIRST, "2026-11-02")

    assert amounts(bill) == ["3.00"]
    assert refusals(trade.bundle(bill)) == []


def test_a_window_that_was_open_when_the_clock_was_set_ended_when_it_was_told(cloud: CloudTwin) -> None:
    trade = Trade(cloud, charges=COIL)
    trade.at += HOUR
    ran(trade, 100, since=trade.at + 4000 * HOUR)
    ran(trade, 200, since=300_000)
    trade.send()

    assert amounts(trade.close(FIRST, "2026-11-02")) == ["3.00"]


def test_a_late_window_without_a_set_clock_is_a_correction_of_its_own_day(cloud: CloudTwin) -> None:
    trade = Trade(cloud, charges=COIL)
    trade.at += HOUR
    ran(trade, 100)
    trade.send()
    bills = [trade.close(FIRST, "2026-11-02")]
    ran(trade, 200, since=0, t=300_023, ts="U")
    trade.at += 30 * HOUR
    ran(trade, 10)
    trade.send()

    bills.append(trade.close("2026-11-02", "2026-11-03"))

    assert amounts(bills[0]) == ["1.00"]
    late = [(line["belongs_to"], line["amount"]["amount"]) for line in bills[1]["lines"] if "corrects" in line]
    assert late == [("2026-11-01/2026-11-02", "2.00")]
    assert [refusals(trade.bundle(bill)) for bill in bills] == [[], []]


def test_a_window_that_two_logs_tell_is_billed_once() -> None:
    said = {"v": 1, "z": "0" * 32, "src": "cab-1", "ep": "b" * 16, "n": 1, "b": "b" * 16, "m": 0, "ts": "S"}
    window = Runtime(**said, t=BEGIN + HOUR, from_=BEGIN, to=BEGIN + HOUR, speeds={"low": 100})  # type: ignore[arg-type]
    facts = [Fact(LeafRef(log=log, index=0, at=window.t, quality="synchronised"), window) for log in (0, 1)]
    terms = AgreementTerms.model_validate(PLAIN | {"zone": "UTC", "devices": ["cab-1"], "charges": COIL})
    whole = period(parse_day("2026-11-01"), parse_day("2026-11-02"), "UTC")
    scope = Scope(period=whole, closed=(), versions=(Version(1, "2026-11-01", terms),), settled=(0, 0))

    assert [line.amount for line in settle(scope, facts).lines] == ["1.00"]
