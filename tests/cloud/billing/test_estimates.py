"""A meter that is silent when a period ends: billed as estimated, named so, and put right when it is read again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.cloud.billing.test_corrections import amount_of
from tests.cloud.trade import FIRST, HOUR, Trade, refusals
from tests.cloud.twins import CloudTwin

METER = [{"kind": "energy", "unit_price": "0.85", "devices": ["meter-1"]}]
TIERS = [
    {
        "kind": "graduated", "source": {"measure": "energy", "devices": ["meter-1"], "unit": "kWh"},
        "tiers": [{"up_to": "10", "unit_price": "1"}, {"unit_price": "2"}],
    }
]  # fmt: skip
MIDNIGHT = "2026-11-02"
Line = dict[str, Any]


def shop(cloud: CloudTwin, charges: list[dict[str, Any]] | None = None, **terms: object) -> Trade:
    return Trade(cloud, charges=charges or METER, **({"estimates": {"silent_minutes": 60}} | terms))


def read_until(trade: Trade, hours: int, wh_an_hour: int = 1000) -> None:
    """The register at the beginning of the day and so many hours after it, then silence."""
    trade.read(0)
    trade.at += hours * HOUR
    trade.read(hours * wh_an_hour)
    trade.send()


def end_read(trade: Trade, day: str, wh: int) -> None:
    """A reading so late in the day that nothing is silent at its end."""
    trade.to(day, 24)
    trade.at -= HOUR // 2
    trade.read(wh)
    trade.send()


def told(lines: list[Line]) -> list[tuple[str, str, str]]:
    return [(line["quantity"]["value"], line.get("quality", "actual"), line["level"]) for line in lines]


def test_the_hours_after_the_last_reading_are_estimated_and_named(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read_until(trade, 18)

    bill = trade.close(FIRST, MIDNIGHT)

    assert told(bill["lines"]) == [("18", "actual", "B"), ("6", "estimated", "C")]
    assert "estimated" in bill["lines"][1]["text"]
    assert [step["what"] for step in bill["lines"][1]["steps"]] == ["measured before", "in", "estimated for"]
    assert refusals(trade.bundle(bill)) == []


@pytest.mark.parametrize("hours", [1, 5])
def test_a_gap_over_an_end_at_which_the_meter_was_not_silent_counts_with_what_follows(
    cloud: CloudTwin, hours: int
) -> None:
    trade = shop(cloud)
    read_until(trade, 23)
    trade.to(MIDNIGHT, hours)
    trade.read(23_900)
    end_read(trade, MIDNIGHT, 30_000)

    bills = [trade.close(FIRST, MIDNIGHT), trade.close(MIDNIGHT, "2026-11-03")]

    used = [sum(Decimal(line["quantity"]["value"]) for line in bill["lines"]) for bill in bills]
    assert used == [23, 7]
    assert [refusals(trade.bundle(bill)) for bill in bills] == [[], []]


def test_an_estimate_begins_with_the_period_in_which_the_meter_fell_silent(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read_until(trade, 23)

    bills = [trade.close(FIRST, MIDNIGHT), trade.close(MIDNIGHT, "2026-11-03")]

    assert [told(bill["lines"]) for bill in bills] == [[("23", "actual", "B")], [("25", "estimated", "C")]]
    assert [refusals(trade.bundle(bill)) for bill in bills] == [[], []]


def test_the_actual_reading_is_trued_up_by_a_delta_line_that_names_the_estimate(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read_until(trade, 18)
    first = trade.close(FIRST, MIDNIGHT)
    trade.to(MIDNIGHT, 12)
    trade.read(18_000 + 36_000)
    end_read(trade, MIDNIGHT, 54_000)

    second = trade.close(MIDNIGHT, "2026-11-03")

    # 36 kWh in the 18 hours of silence: 12 of them before midnight, where 6 were estimated.
    delta = next(line for line in second["lines"] if "corrects" in line)
    assert (delta["quantity"]["value"], delta["corrects"]["statement"], delta["corrects"]["line"]) == ("6", 1, 2)
    assert told(second["lines"])[0] == ("24", "estimated_split", "B")
    assert amount_of([first, second], "2026-11-01/2026-11-02") == Decimal("25.50")
    assert refusals(trade.bundle(second)) == []


def test_a_reading_that_is_known_at_closing_is_split_and_nothing_is_estimated(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read_until(trade, 18)
    trade.to(MIDNIGHT, 12)
    trade.read(54_000)
    trade.send()

    first = trade.close(FIRST, MIDNIGHT)
    end_read(trade, MIDNIGHT, 54_000)
    second = trade.close(MIDNIGHT, "2026-11-03")

    assert told(first["lines"]) == [("18", "actual", "B"), ("12", "estimated_split", "B")]
    assert told(second["lines"])[0] == ("24", "estimated_split", "B")
    assert [refusals(trade.bundle(one)) for one in (first, second)] == [[], []]


def test_days_of_silence_are_estimated_one_after_the_other_and_corrected_together(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read_until(trade, 24 * 1 - 2)
    bills = [trade.close(f"2026-11-0{day}", f"2026-11-0{day + 1}") for day in (1, 2, 3)]
    trade.to("2026-11-04", 10)
    trade.read(22_000 + 120_000)
    trade.send()

    bills.append(trade.close("2026-11-04", "2026-11-05"))

    assert [told(bill["lines"])[-1][:2] for bill in bills[:3]] == [
        ("2", "estimated"),
        ("24", "estimated"),
        ("24", "estimated"),
    ]
    # 120 kWh in 60 hours: 2 kW.
    kwh = [amount_of(bills, bill["period"]["label"]) / Decimal("0.85") for bill in bills[:3]]
    assert kwh == [Decimal(26), Decimal(48), Decimal(48)]
    assert [refusals(trade.bundle(bill)) for bill in bills] == [[], [], [], []]


def test_a_log_that_comes_late_with_the_readings_takes_the_estimate_back(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read_until(trade, 18)
    first = trade.close(FIRST, MIDNIGHT)
    for hour in range(19, 24):
        trade.to(FIRST, hour)
        trade.read(18_000 + (hour - 18) * 500)
    trade.to(MIDNIGHT, 0)
    trade.read(21_000)
    trade.send()

    second = trade.close(MIDNIGHT, "2026-11-03")

    # The reading at midnight closes the last half hour of the day.
    assert amount_of([first, second], "2026-11-01/2026-11-02") == Decimal("17.85")
    assert {line["corrects"]["line"] for line in second["lines"] if "corrects" in line} == {1, 2}
    assert refusals(trade.bundle(second)) == []


def test_an_exchange_in_the_silence_takes_the_estimate_back(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read_until(trade, 18)
    first = trade.close(FIRST, MIDNIGHT)
    trade.to(MIDNIGHT, 9)
    trade.event("meter-1", "replaced", was="1", **{"is": "2"})
    trade.read(5)
    trade.send()

    second = trade.close(MIDNIGHT, "2026-11-03")

    assert amount_of([first, second], "2026-11-01/2026-11-02") == Decimal("15.30")
    assert refusals(trade.bundle(second)) == []


def test_a_tiered_price_counts_the_estimate_and_says_how_much_of_it_that_is(cloud: CloudTwin) -> None:
    trade = shop(cloud, TIERS)
    read_until(trade, 18)
    first = trade.close(FIRST, MIDNIGHT)
    trade.to(MIDNIGHT, 12)
    trade.read(54_000)
    trade.send()

    second = trade.close(MIDNIGHT, "2026-11-03")

    (line,) = first["lines"]
    assert (line["quantity"]["value"], line["quality"], line["amount"]["amount"]) == ("24", "estimated", "38.00")
    assert line["steps"][0] == {"what": "of it over a gap in the readings", "quantity": "6", "unit": "kWh"}
    assert amount_of([first, second], "2026-11-01/2026-11-02") == Decimal(50)
    assert [refusals(trade.bundle(one)) for one in (first, second)] == [[], []]


def test_the_terms_say_so_and_a_short_pause_is_no_silence(cloud: CloudTwin) -> None:
    trade = shop(cloud, estimates={"silent_minutes": 600})
    read_until(trade, 18)

    bill = trade.close(FIRST, MIDNIGHT)

    assert told(bill["lines"]) == [("18", "actual", "B")]
    options = trade.get("/v1/agreements/agr-1")
    assert "estimates" in str(options)


@pytest.mark.parametrize("charges", [METER, TIERS])
def test_a_gap_that_began_shortly_before_midnight_loses_nothing(
    cloud: CloudTwin, charges: list[dict[str, Any]]
) -> None:
    trade = shop(cloud, charges)
    trade.read(0)
    end_read(trade, FIRST, 1000)
    first = trade.close(FIRST, MIDNIGHT)
    end_read(trade, "2026-11-03", 4000)

    second = trade.close(MIDNIGHT, "2026-11-03")
    third = trade.close("2026-11-03", "2026-11-04")

    of_energy = [line for one in (first, second, third) for line in one["lines"] if line["quantity"]["unit"] == "kWh"]
    assert sum(Decimal(line["quantity"]["value"]) for line in of_energy) == 4
    assert [line["belongs_to"] for line in of_energy] == [""] * 3
    assert [refusals(trade.bundle(one)) for one in (first, second, third)] == [[], [], []]


def test_a_silent_meter_with_a_single_reading_is_listed_and_not_billed(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.read(100)
    trade.send()

    bill = trade.close(FIRST, MIDNIGHT)

    assert bill["lines"] == []
    assert [one["reason"] for one in bill["unbilled"]] == ["silent"]
    assert refusals(trade.bundle(bill)) == []


def test_the_running_bill_estimates_nothing_of_the_day_that_is_not_over(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    read_until(trade, 4)
    trade.cloud.clock.ms = trade.at + 3 * HOUR

    running = trade.get("/v1/agreements/agr-1/running")

    assert told(running["lines"]) == [("4", "actual", "B")]


@pytest.mark.parametrize("wh", [0, 7_001, 40_003])
def test_estimate_and_correction_together_are_the_rating_of_all_data(cloud: CloudTwin, wh: int) -> None:
    trade = shop(cloud)
    read_until(trade, 17)
    statements = [trade.close(f"2026-11-0{day}", f"2026-11-0{day + 1}") for day in (1, 2)]
    end_read(trade, "2026-11-03", 17_000 + wh)

    statements.append(trade.close("2026-11-03", "2026-11-04"))

    kwh = sum(Decimal(line["quantity"]["value"]) for bill in statements for line in bill["lines"])
    assert kwh == Decimal(17) + Decimal(wh) / 1000
    assert refusals(trade.bundle(statements[2])) == []


def turned(hour: int, day: str = MIDNIGHT) -> list[dict[str, Any]]:
    """Transformers of 40, and of 80 from an hour of a day on."""
    return [
        {"since": f"{FIRST}T00:00:00+01:00", "factor": "40"},
        {"since": f"{day}T{hour:02d}:00:00+01:00", "factor": "80"},
    ]


def behind(hour: int, day: str = MIDNIGHT, kind: str = "energy") -> dict[str, Any]:
    """A charge and a meter whose transformers change."""
    charge = METER[0] if kind == "energy" else {"kind": kind, "unit_price": "0.85"} | {"source": TIERS[0]["source"]}
    return {"charges": [charge], "meters": [{"device": "meter-1", "ratios": turned(hour, day)}]}


@pytest.mark.parametrize("kind", ["energy", "standard"])
@pytest.mark.parametrize(
    ("hour", "day", "first", "second"),
    [
        # 18 hours of silence, 1 kWh of the register an hour: 6 of them before midnight.
        (6, MIDNIGHT, ["720", "240"], ["240", "480"]),
        (21, FIRST, ["720", "120", "240"], ["960"]),
    ],
)
def test_a_ratio_that_changes_in_a_gap_over_midnight_counts_for_its_own_time(
    cloud: CloudTwin, kind: str, hour: int, day: str, first: list[str], second: list[str]
) -> None:
    trade = shop(cloud, **behind(hour, day, kind))
    read_until(trade, 18)
    trade.to(MIDNIGHT, 12)
    trade.read(36_000)
    end_read(trade, MIDNIGHT, 36_000)

    bills = [trade.close(FIRST, MIDNIGHT), trade.close(MIDNIGHT, "2026-11-03")]

    found = [[line["quantity"]["value"] for line in bill["lines"]] for bill in bills]
    if kind == "energy":
        assert [[kwh for kwh in one if kwh != "0"] for one in found] == [first, second]
        assert [bill["lines"][at]["quality"] for bill, at in zip(bills, (-1, 0), strict=True)] == [
            "estimated_split"
        ] * 2
    sums = [sum(map(Decimal, one)) for one in (first, second)]
    assert [sum(map(Decimal, one)) for one in found] == sums
    assert [refusals(trade.bundle(bill)) for bill in bills] == [[], []]


def test_a_gap_that_was_estimated_is_trued_up_by_the_ratio_of_each_side(cloud: CloudTwin) -> None:
    trade = shop(cloud, **behind(21, FIRST))
    read_until(trade, 18)
    bills = [trade.close(FIRST, MIDNIGHT)]
    trade.to(MIDNIGHT, 12)
    trade.read(36_000)
    end_read(trade, MIDNIGHT, 36_000)

    bills.append(trade.close(MIDNIGHT, "2026-11-03"))

    # Before midnight 3 hours by 40 and 3 by 80; after it 12 by 80.
    assert amount_of(bills, "2026-11-01/2026-11-02") == Decimal("0.85") * (720 + 120 + 240)
    assert sum(Decimal(line["quantity"]["value"]) for bill in bills for line in bill["lines"]) == 720 + 360 + 960
    assert refusals(trade.bundle(bills[1])) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_silence_too_short_to_be_estimated_at_midnight_loses_nothing(cloud: CloudTwin, known: bool) -> None:
    trade = shop(cloud, estimates={"silent_minutes": 180})
    read_until(trade, 22)
    bills = [] if known else [trade.close(FIRST, MIDNIGHT)]
    trade.to(MIDNIGHT, 12)
    trade.read(22_000 + 28_000)
    trade.send()

    bills += [trade.close(FIRST, MIDNIGHT)] if known else []
    bills.append(trade.close(MIDNIGHT, "2026-11-03"))
    end_read(trade, "2026-11-03", 50_000)
    bills.append(trade.close("2026-11-03", "2026-11-04"))

    # Two hours before midnight are no silence: they count with the reading that ends them, as ever.
    assert amount_of(bills, "2026-11-01/2026-11-02") == Decimal("0.85") * 22
    assert sum(Decimal(line["quantity"]["value"]) for bill in bills for line in bill["lines"]) == 50
    assert [refusals(trade.bundle(bill)) for bill in bills] == [[], [], []]
