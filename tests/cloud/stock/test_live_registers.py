"""The live view of registers says what the bill will say: by what meters told of themselves, and over every batch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.trade import FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin

OWN = {"import_wh": {"modulus": "1000", "max_kw": "50"}}
WRAP = (995_000, 999_000, 4_000)


def by_hours(trade: Trade, *readings: int) -> None:
    """One reading an hour, each in a batch of its own."""
    for wh in readings:
        trade.at += HOUR
        trade.read(wh)
        trade.send()


def doubts(trade: Trade) -> list[str]:
    return sorted(one["kind"] for one in trade.get("/v1/discrepancies")["items"])


def shown(trade: Trade) -> tuple[str, int]:
    (register,) = trade.get("/v1/registers")["items"]
    return register["reading"]["value"], register["held"]


@pytest.mark.parametrize("said", [{"event": "identified", "number": "A1"}, {"event": "meter_facts"}])
def test_a_wrap_by_the_meters_own_modulus_is_no_fall(cloud: CloudTwin, said: dict[str, str]) -> None:
    trade = Trade(cloud)
    trade.event("meter-1", **said, registers=OWN)
    trade.send()
    by_hours(trade, *WRAP)

    assert (shown(trade), doubts(trade)) == (("4000", 0), [])
    (line,) = [one for one in trade.close(FIRST, "2026-11-02")["lines"] if one["kind"] == "energy"]
    assert (line["quantity"]["value"], line["rollovers"]) == ("9", 1)


def test_what_the_meter_says_between_two_readings_counts_from_there(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    by_hours(trade, *WRAP[:2])
    trade.event("meter-1", "meter_facts", registers=OWN)
    by_hours(trade, WRAP[2])

    assert (shown(trade), doubts(trade)) == (("4000", 0), [])


def test_more_than_the_meter_says_it_can_carry_is_not_believed(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.event("meter-1", "meter_facts", registers=OWN)
    by_hours(trade, 1000, 90_000, 2000)

    assert (shown(trade), doubts(trade)) == (("2000", 0), ["implausible_rise"])


def test_another_meter_brings_its_own_facts_or_none(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.event("meter-1", "identified", number="A1", registers=OWN)
    by_hours(trade, 995_000)
    trade.event("meter-1", "identified", number="B2")
    by_hours(trade, 999_000, 4_000)

    assert doubts(trade) == ["register_fall"]


def test_a_modulus_that_agreement_and_meter_say_differently_is_named(cloud: CloudTwin) -> None:
    meter = {"device": "meter-1", "modulus": "999.9", "max_kw": "50"}
    trade = Trade(cloud, charges=[{"kind": "energy", "unit_price": "1", "devices": [meter]}])
    trade.event("meter-1", "meter_facts", registers=OWN)
    by_hours(trade, *WRAP)

    assert doubts(trade) == ["modulus_differs"]


def test_the_greatest_power_is_of_the_load_behind_the_transformers(cloud: CloudTwin) -> None:
    ratios = [{"since": "2026-11-01T00:00:00+01:00", "factor": "40"}]
    meters = [{"device": "meter-1", "max_kw": "50", "ratios": ratios}]
    trade = Trade(cloud, meters=meters, charges=[{"kind": "energy", "unit_price": "1", "devices": ["meter-1"]}])
    by_hours(trade, 1000, 2000, 5000)

    assert (shown(trade), doubts(trade)) == (("2000", 1), ["implausible_rise"])


def test_a_misread_upwards_is_one_in_the_live_view_as_on_the_bill(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    by_hours(trade, 1000, 2000, 90_000, 3000, 4000, 5000)
    live = [one for one in trade.get("/v1/discrepancies")["items"] if one["kind"] != "register_fall"]

    bill = trade.close(FIRST, "2026-11-02")

    assert [(one["kind"], one["evidence"]["index"]) for one in live] == [("implausible_rise", 2)]
    assert [(one["reason"], one["evidence"][0]["index"]) for one in bill["unbilled"]] == [("implausible_rise", 2)]
    assert shown(trade) == ("5000", 1)


def test_what_is_told_late_is_no_fall(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    by_hours(trade, 1000, 9000)
    for hour, wh in ((5, 3000), (6, 4000), (7, 5000)):
        trade.to(FIRST, 1)
        trade.at += hour * 60_000
        trade.read(wh)
        trade.send()

    found: Any = shown(trade)
    assert (found, doubts(trade)) == (("9000", 0), [])
