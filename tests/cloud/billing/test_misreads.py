"""A closed statement billed what a later reading proves wrong: taken back by a delta line that names the line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.cloud.trade import FIRST, HOUR, Trade, refusals
from tests.cloud.twins import CloudTwin

METER = [{"kind": "energy", "unit_price": "1", "devices": ["meter-1"]}]
DAYS = [f"2026-11-{day:02d}" for day in range(1, 9)]
ESTIMATES = {"estimates": {"silent_minutes": 60}}


def shop(cloud: CloudTwin, **terms: object) -> Trade:
    return Trade(cloud, charges=METER, **terms)


def read(trade: Trade, day: int, *readings: tuple[int, int]) -> None:
    """(hour, Wh) of a day, counted from 1, and all of it to the cloud."""
    for hour, wh in readings:
        trade.to(DAYS[day - 1], hour)
        trade.read(wh)
    trade.send()


def close(trade: Trade, day: int) -> dict[str, Any]:
    return trade.close(DAYS[day - 1], DAYS[day])


def kwh(bills: list[dict[str, Any]]) -> dict[str, Decimal]:
    """What each day comes to on its own statement and on all later ones."""
    found: dict[str, Decimal] = {}
    for bill in bills:
        for line in bill["lines"]:
            label = line["belongs_to"] or bill["period"]["label"]
            found[label[:10]] = found.get(label[:10], Decimal(0)) + Decimal(line["quantity"]["value"])
    return {day: much for day, much in found.items() if much}


def sound(trade: Trade, bills: list[dict[str, Any]]) -> bool:
    return all(refusals(trade.bundle(bill)) == [] for bill in bills)


@pytest.mark.parametrize("terms", [{}, {"estimates": {"silent_minutes": 600}}])
def test_a_misread_upwards_that_was_billed_is_taken_back_on_the_line_that_billed_it(
    cloud: CloudTwin, terms: dict[str, Any]
) -> None:
    trade = shop(cloud, **terms)
    read(trade, 1, (1, 1000), (23, 3000), (24, 90_000))
    bills = [close(trade, 1)]
    read(trade, 2, (1, 4000), (2, 5000), (24, 6000))

    bills.append(close(trade, 2))

    assert bills[0]["lines"][0]["quantity"]["value"] == "89"
    (delta,) = [line for line in bills[1]["lines"] if "corrects" in line]
    assert (delta["quantity"]["value"], delta["corrects"]["statement"], delta["corrects"]["line"]) == ("-87", 1, 1)
    assert delta["corrects"]["hash"] == bills[0]["lines"][0]["hash"]
    assert [one["reason"] for one in bills[1]["unbilled"]] == ["implausible_rise"]
    # The hour over midnight is of the day that its later reading lies in, as ever.
    assert kwh(bills) == {FIRST: Decimal(2), DAYS[1]: Decimal(3)}
    assert sound(trade, bills)


def test_a_misread_that_is_known_as_one_at_closing_is_not_billed(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read(trade, 1, (1, 1000), (22, 3000), (23, 90_000))
    read(trade, 2, (1, 4000), (2, 5000), (3, 6000))

    bills = [close(trade, 1), close(trade, 2)]

    assert kwh(bills) == {FIRST: Decimal(2), DAYS[1]: Decimal(3)}
    assert [one["reason"] for one in bills[0]["unbilled"]] == ["implausible_rise"]
    assert not any("corrects" in line for line in bills[1]["lines"])
    assert sound(trade, bills)


@pytest.mark.parametrize("known", [True, False])
def test_a_reset_that_two_periods_share_is_counted_from_its_first_reading(cloud: CloudTwin, known: bool) -> None:
    trade = shop(cloud)
    read(trade, 1, (1, 8000), (2, 9000), (22, 10), (23, 30))
    bills = [] if known else [close(trade, 1)]
    read(trade, 2, (1, 60))
    bills += [close(trade, 1)] if known else []
    bills.append(close(trade, 2))

    assert kwh(bills) == {FIRST: Decimal("1.02"), DAYS[1]: Decimal("0.03")}
    assert sound(trade, bills)


def test_falls_that_wait_are_not_forgotten_by_a_period_without_readings(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read(trade, 1, (1, 8000), (2, 9000), (22, 10), (23, 30))
    bills = [close(trade, 1), close(trade, 2)]
    read(trade, 3, (1, 60))

    bills.append(close(trade, 3))

    assert kwh(bills) == {FIRST: Decimal("1.02"), DAYS[2]: Decimal("0.03")}
    assert sound(trade, bills)


def test_a_misread_at_the_end_of_an_estimated_gap_is_taken_back_from_every_period_it_lay_on(cloud: CloudTwin) -> None:
    trade = shop(cloud, **ESTIMATES)
    read(trade, 1, (0, 0), (12, 12_000))
    bills = [close(trade, 1)]
    read(trade, 2, (24, 90_000))
    bills.append(close(trade, 2))
    read(trade, 3, (12, 60_000), (13, 60_000), (24, 60_000))

    bills.append(close(trade, 3))

    # 48 kWh in the 48 hours from noon to noon, and not 78 in the 36 to the misread.
    assert kwh(bills) == {FIRST: Decimal(24), DAYS[1]: Decimal(24), DAYS[2]: Decimal(12)}
    assert sound(trade, bills)


def test_a_late_reading_inside_a_gap_over_closed_periods_moves_the_whole_gap(cloud: CloudTwin) -> None:
    trade = shop(cloud, **ESTIMATES)
    read(trade, 1, (0, 0), (12, 12_000))
    bills = [close(trade, 1), close(trade, 2)]
    read(trade, 3, (12, 60_000), (24, 72_000))
    bills.append(close(trade, 3))
    trade.to(DAYS[1], 12)
    trade.read(48_000)
    read(trade, 4, (12, 84_000), (24, 96_000))

    bills.append(close(trade, 4))

    # 36 kWh in the first day of the gap and 12 in the second.
    due = {FIRST: 30, DAYS[1]: 24, DAYS[2]: 18, DAYS[3]: 24}
    assert kwh(bills) == {day: Decimal(much) for day, much in due.items()}
    assert sound(trade, bills)


def test_a_reading_that_is_told_late_lies_between_those_told_before_it_and_is_no_fall(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read(trade, 1, (1, 1000), (2, 2000))
    read(trade, 2, (1, 9000))
    trade.to(FIRST, 22)
    trade.read(5000)
    trade.send()

    bills = [close(trade, 1)]
    read(trade, 2, (2, 9500))
    bills.append(close(trade, 2))

    assert kwh(bills) == {FIRST: Decimal(4), DAYS[1]: Decimal("4.5")}
    assert [one for bill in bills for one in bill["unbilled"]] == []
    assert sound(trade, bills)


def test_readings_told_late_are_no_reset(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read(trade, 1, (1, 1000), (2, 1100), (9, 9000))
    for hour in (3, 4, 5):
        trade.to(FIRST, hour)
        trade.read(hour * 1000)
    trade.at = trade.at + 20 * HOUR
    trade.send()

    assert kwh([close(trade, 1)]) == {FIRST: Decimal(8)}


def test_an_estimate_is_taken_back_as_it_was_billed_also_when_its_basis_was_corrected_with_it(cloud: CloudTwin) -> None:
    trade = shop(cloud, estimates={"silent_minutes": 120})
    bills = []
    # A statement that corrects the day before estimates by what it knows of that day, the day before did not.
    days = [
        [(0, 2303), (20, 2333)],
        [(1, 2347), (13, 2386), (16, 2393)],
        [(0, 2418), (7, 2440), (12, 2456)],
        [(6, 2513)],
    ]
    for day, readings in enumerate(days, 1):
        read(trade, day, *((hour, 1000 * value) for hour, value in readings))
        bills.append(close(trade, day))

    # The register at noon, and twelve of eighteen hours to the next reading.
    assert kwh(bills)[DAYS[2]] == Decimal(2456 - 2418) + Decimal(2513 - 2456) * 12 / 18
    assert sound(trade, bills)
