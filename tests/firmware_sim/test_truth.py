"""The account the product is judged by, against examples worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from firmware_sim.truth import Energy, MonthlyFee, PerPiece, Terms, Truth

DAY, NEXT = date(2026, 11, 9), date(2026, 11, 10)
# 2026-11-09 is winter time in Berlin: local midnight is 23:00 UTC of the day before.
MIDNIGHT = int(datetime(2026, 11, 8, 23, tzinfo=UTC).timestamp()) * 1000
HOUR = 3_600_000
PRICES = {"insert": Decimal("4.35"), "glove": Decimal("0.395")}


def truth(*charges: PerPiece | Energy | MonthlyFee, starts: date = date(2026, 1, 1), digits: int = 2) -> Truth:
    return Truth(Terms("EUR", "Europe/Berlin", starts, charges, digits))


def test_pieces_are_billed_by_cabinet_and_item_and_each_line_is_rounded_half_up() -> None:
    account = truth(PerPiece(PRICES))
    for slot, item, quantity in (("1", "insert", 1), ("2", "insert", 2), ("3", "glove", 1)):
        account.piece_left("cab-1", slot, item, badge="B1", at_ms=MIDNIGHT + 8 * HOUR, quantity=quantity)

    bill = account.bill(DAY, NEXT)

    # 3 x 4.35 = 13.05; 1 x 0.395 = 0.395, half a cent goes up.
    assert [(line.subject, line.amount) for line in bill.lines] == [
        ("glove", Decimal("0.40")),
        ("insert", Decimal("13.05")),
    ]
    assert bill.total == Decimal("13.45")


def test_a_local_day_begins_and_ends_at_local_midnight() -> None:
    account = truth(PerPiece(PRICES))
    for at in (MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 24 * HOUR - 1, MIDNIGHT + 24 * HOUR):
        account.piece_left("cab-1", "1", "insert", badge="B1", at_ms=at)

    assert account.pieces(DAY, NEXT) == {("cab-1", "insert"): 2}


def test_the_day_the_clocks_go_back_has_twenty_five_hours_of_energy() -> None:
    account = truth(Energy(Decimal(1), ["m1"]))
    before = int(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp()) * 1000
    account.meter_installed("m1", 0, before)
    account.load("m1", 1000, before)

    assert account.wh(date(2026, 10, 25), date(2026, 10, 26)) == {"m1": 25_000}


def test_energy_is_the_difference_of_two_displays() -> None:
    account = truth(Energy(Decimal("0.85"), ["m1"]))
    account.meter_installed("m1", 1_234_567, MIDNIGHT - HOUR)
    account.load("m1", 7_321, MIDNIGHT + 6 * HOUR)
    account.load("m1", 0, MIDNIGHT + 6 * HOUR + 3_600_500)

    (line,) = account.bill(DAY, NEXT).lines

    # 7321 W for 3600.5 s = 7322.0168 Wh, the display moves by 7322; 7.322 kWh x 0.85 = 6.2237.
    assert line.quantity == Decimal("7.322")
    assert line.amount == Decimal("6.22")
    assert account.register_wh("m1", MIDNIGHT + 6 * HOUR + 1_800_000) == 1_234_567 + 3660


@pytest.mark.parametrize(
    ("first", "end", "amounts"),
    [
        (date(2026, 11, 9), date(2026, 11, 10), ["10.00"]),
        (date(2026, 11, 1), date(2026, 12, 1), ["300.00"]),
        (date(2026, 10, 22), date(2026, 11, 2), ["96.77", "10.00"]),
        (date(2028, 2, 29), date(2028, 3, 1), ["10.34"]),
    ],
)
def test_a_monthly_fee_goes_by_local_days_of_each_calendar_month(first: date, end: date, amounts: list[str]) -> None:
    account = truth(MonthlyFee(Decimal("300.00")))

    assert [line.amount for line in account.bill(first, end).lines] == [Decimal(text) for text in amounts]


def test_nothing_is_due_before_the_agreement_starts() -> None:
    account = truth(MonthlyFee(Decimal("300.00")), PerPiece(PRICES), starts=NEXT)
    account.piece_left("cab-1", "1", "insert", badge="B1", at_ms=MIDNIGHT + HOUR)

    assert account.bill(DAY, NEXT).lines == ()


def test_a_currency_without_minor_units_is_rounded_to_whole_ones() -> None:
    account = truth(PerPiece({"insert": Decimal("104.5")}), digits=0)
    account.piece_left("cab-1", "1", "insert", badge="B1", at_ms=MIDNIGHT)

    assert account.bill(DAY, NEXT).total == Decimal(105)


def test_what_is_left_in_a_slot_is_what_went_in_less_what_left() -> None:
    account = truth()
    account.refilled("cab-1", "1", "insert", badge="R1", at_ms=MIDNIGHT, quantity=20)
    account.piece_left("cab-1", "1", "insert", badge="B1", at_ms=MIDNIGHT + 1)
    account.piece_left("cab-1", "1", "insert", badge="B2", at_ms=MIDNIGHT + 2, quantity=2)

    assert account.on_hand() == {("cab-1", "1"): 17}


def test_two_loads_at_one_instant_leave_the_second() -> None:
    account = truth()
    account.meter_installed("m1", 0, MIDNIGHT)
    account.load("m1", 5000, MIDNIGHT)
    account.load("m1", 1000, MIDNIGHT)

    assert account.register_wh("m1", MIDNIGHT + HOUR) == 1000
