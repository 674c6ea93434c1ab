"""Charge models by worked examples: what is measured, what the terms say, what is due."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from cloud.agreements.terms import AgreementError, AgreementTerms, canonical_json, parse_terms
from cloud.money import RoundingPolicy
from cloud.rating.charges import energy, monthly_fee, per_piece
from cloud.rating.lines import LeafRef, Measured, Pricing, RegisterPoint, describe
from cloud.rating.rate_usage import charge_models, rate
from tests.cloud.trade import TERMS


def pricing(currency: str = "EUR", mode: str = "half_up") -> Pricing:
    return Pricing(1, 0, currency, RoundingPolicy.model_validate({"mode": mode}))


def pieces(item: str, quantity: int | Fraction, unit: str = "pc") -> Measured:
    return Measured(
        measure="pieces", device="cab-1", subject=item, first="2026-11-01", end="2026-12-01",
        quantity=Fraction(quantity), unit=unit,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("price", "quantity", "currency", "mode", "unrounded", "amount"),
    [
        ("1.20", 5, "EUR", "half_up", "6", "6.00"),
        ("0.335", 3, "EUR", "half_up", "1.005", "1.01"),
        ("0.335", -3, "EUR", "half_up", "-1.005", "-1.01"),
        ("0.335", 3, "EUR", "half_even", "1.005", "1.00"),
        ("0.001", 1, "EUR", "up", "0.001", "0.01"),
        ("0.019", 1, "EUR", "down", "0.019", "0.01"),
        ("0.5", 3, "JPY", "half_up", "1.5", "2"),
        ("0.0005", 1, "KWD", "half_up", "0.0005", "0.001"),
        ("0", 7, "CNY", "half_up", "0", "0.00"),
    ],
)
def test_pieces_times_price(price: str, quantity: int, currency: str, mode: str, unrounded: str, amount: str) -> None:
    terms = per_piece.Terms(kind="per_piece", prices={"drill-8": price})

    (line,) = per_piece.charge(pieces("drill-8", quantity), terms, pricing(currency, mode))

    assert (line.unit_price, line.unrounded, line.rounding, line.amount) == (price, unrounded, mode, amount)


def test_an_item_without_a_price_or_in_another_unit_is_no_line() -> None:
    terms = per_piece.Terms(kind="per_piece", prices={"drill-8": "1.20"})

    assert per_piece.charge(pieces("glove", 1), terms, pricing()) == []
    assert per_piece.charge(pieces("drill-8", 1, "kg"), terms, pricing()) == []


@pytest.mark.parametrize(
    ("fee", "days", "month_days", "unrounded", "amount"),
    [
        ("300.00", 30, 30, "300", "300.00"), ("300.00", 10, 31, "96.774193548387", "96.77"),
        ("300.00", 21, 31, "203.225806451613", "203.23"), ("0.10", 1, 28, "0.003571428571", "0.00"),
    ],
)  # fmt: skip
def test_a_fee_is_multiplied_by_days_and_divided_by_the_days_of_the_month(
    fee: str, days: int, month_days: int, unrounded: str, amount: str
) -> None:
    measured = Measured(
        measure="days", device="", subject="", first="2026-11-01", end="2026-12-01", quantity=Fraction(days),
        unit="d", days=days, month_days=month_days,
    )  # fmt: skip

    (line,) = monthly_fee.charge(measured, monthly_fee.Terms(kind="monthly_fee", amount=fee), pricing())

    assert (line.unrounded, line.amount) == (unrounded, amount)
    assert describe(line) == f"monthly_fee: {days} of {month_days} days of {fee} = {amount}"


def test_energy_is_priced_by_the_kilowatt_hour_and_shows_its_registers() -> None:
    leaf = LeafRef(log=0, index=1, at=0, quality="synchronised")
    points = tuple(
        RegisterPoint(device="meter-1", register="import_wh", value=value, scale=0, unit="Wh", leaf=leaf)
        for value in (1000, 3555)
    )
    measured = Measured(
        measure="energy", device="meter-1", subject="import_wh", first="2026-11-01", end="2026-12-01",
        quantity=Fraction(2555, 1000), unit="kWh", registers=points, charge=0,
    )  # fmt: skip
    terms = energy.Terms.model_validate({"kind": "energy", "unit_price": "0.85", "devices": ["meter-1"]})

    (line,) = energy.charge(measured, terms, pricing())

    assert (line.unrounded, line.amount) == ("2.17175", "2.17")
    assert describe(line) == "2.555 kWh import_wh at meter-1, each 0.85, register 1000 Wh to 3555 Wh = 2.17"


def test_pieces_are_priced_by_the_first_charge_that_knows_them() -> None:
    terms = [
        per_piece.Terms(kind="per_piece", prices={"glove": "1"}),
        monthly_fee.Terms(kind="monthly_fee", amount="5"),
        per_piece.Terms(kind="per_piece", prices={"drill-8": "2"}),
    ]

    (line,) = rate(pieces("drill-8", 2), terms, pricing())

    assert (line.charge, line.amount) == (2, "4.00")


def test_charge_models_are_found_not_registered() -> None:
    assert {"per_piece", "energy", "monthly_fee"} <= set(charge_models())


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "per_piece", "prices": {}},
        {"kind": "per_piece", "prices": {"a": 1.2}},
        {"kind": "per_piece", "prices": {"a": "-1"}},
        {"kind": "per_piece", "prices": {"a": "1"}, "discount": "1"},
        {"kind": "per_piece", "prices": {"bad id": "1"}},
    ],
)
def test_terms_that_are_not_plain_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        per_piece.Terms.model_validate(body)


def terms(**changed: object) -> AgreementTerms:
    plain = {name: value for name, value in TERMS.items() if name != "agreement_id"}
    return parse_terms(canonical_json(plain | changed))


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"currency": "EURO"}, "ISO 4217"),
        ({"zone": "Europe/Atlantis"}, "time zone"),
        ({"starts": "1.11.2026"}, "not a date"),
        ({"ends": "2026-11-01"}, "must be after"),
        ({"devices": ["cab-1", "cab-1"]}, "named twice"),
        ({"devices": []}, "at least 1"),
        ({"devices": ["cab-1"]}, "meter-1 is not among"),
        ({"charges": [{"kind": "lottery"}]}, "does not match"),
        ({"rounding": {"mode": "bankers"}}, "half_up"),
        ({"surprise": 1}, "Extra inputs"),
        ({"charges": [{"kind": "per_piece", "prices": {"a": "1"}}] * 2}, "already has a price"),
        (
            {"charges": [{"kind": "energy", "unit_price": "1", "devices": ["meter-1", {"device": "meter-1"}]}]},
            "billed twice",
        ),
    ],
)
def test_terms_that_do_not_fit_together_are_refused_with_the_field(changed: dict[str, Any], wrong: str) -> None:
    with pytest.raises(AgreementError, match=wrong):
        terms(**changed)


def test_the_hash_is_over_terms_with_every_default_spelled_out() -> None:
    spelled = terms(rounding={"mode": "half_up", "place": "line"})

    assert spelled.hash == terms().hash
    assert b'"register":"import_wh"' in spelled.canonical()
    assert terms(rounding={"mode": "down"}).hash != spelled.hash
    assert parse_terms(spelled.canonical()) == spelled
