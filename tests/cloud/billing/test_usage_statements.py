"""Charges on usage on statements that a customer checks offline: windows of the clock, several charges on one meter."""

from __future__ import annotations

from typing import Any

from tests.cloud.trade import FIRST, HOUR, Trade, refusals
from tests.cloud.twins import CloudTwin

SOURCE = {"measure": "energy", "devices": ["meter-1"], "unit": "kWh"}
WINDOWS = {
    "kind": "time_of_use", "source": SOURCE, "prices": {"peak": "0.30", "low": "0.10"},
    "windows": {"rules": [{"window": "peak", "from": "08:00", "to": "20:00"}], "otherwise": "low"},
}  # fmt: skip
DEMAND = {"kind": "bucketed_maximum", "source": SOURCE, "bucket": "day", "tiers": [{"unit_price": "2"}]}


def closed(cloud: CloudTwin, charges: list[dict[str, Any]]) -> tuple[Trade, dict[str, Any]]:
    """A day of hourly readings, each hour 1 kWh."""
    trade = Trade(cloud, charges=charges)
    for hour in range(25):
        trade.read(1000 * hour)
        trade.at += HOUR
    trade.send()
    return trade, trade.close(FIRST, "2026-11-02")


def test_a_reading_that_closes_one_window_and_opens_the_next_is_on_both_lines(cloud: CloudTwin) -> None:
    trade, made = closed(cloud, [WINDOWS])

    # The reading at midnight closes the last hour of the day, and opens the next day.
    assert {line["window"]: line["amount"]["amount"] for line in made["lines"]} == {"peak": "3.60", "low": "1.20"}
    assert refusals(trade.bundle(made)) == []


def test_several_charges_may_price_what_one_meter_counted(cloud: CloudTwin) -> None:
    trade, made = closed(cloud, [WINDOWS, DEMAND, {"kind": "energy", "unit_price": "0.05", "devices": ["meter-1"]}])

    assert {line["kind"] for line in made["lines"]} == {"time_of_use", "bucketed_maximum", "energy"}
    assert refusals(trade.bundle(made)) == []
