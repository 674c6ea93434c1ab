"""The price changes inside a period: what is there once for the period is there once, and where terms say so, anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloud.agreements.terms import parse_terms
from cloud.calendar import month
from cloud.rating.price import CaseError, Priced
from cloud.rating.rate_period import PriceVersion, Rated, rate_period, total_of
from cloud.rating.uses import Use
from tests.cloud.rating.test_contradictions import AGREEMENT
from tests.cloud.rating.test_models import priced

ONCE = {"holds": "for_the_period"}
ANEW = {"holds": "for_each_price"}


def changed(
    first: dict[str, Any] | list[dict[str, Any]], second: dict[str, Any] | list[dict[str, Any]],
    used: tuple[str, str] = ("80", "30"), **case: Any,
) -> Priced:  # fmt: skip
    """A November with one use in each half, and another price from the 16th on."""
    versions = [
        {"version": number, "from": begins, "charges": charges if isinstance(charges, list) else [charges]}
        for number, begins, charges in ((1, "2026-11-01", first), (2, "2026-11-16", second))
    ]
    usage = [
        {"at": at, "quantity": much, "id": at, "labels": {"subject": "a"}}
        for at, much in zip(("2026-11-05", "2026-11-20"), used, strict=True)
        if much != "0"
    ]
    return priced([], versions=versions, **({"usage": usage} | case))


def standard(unit_price: str, **more: Any) -> dict[str, Any]:
    return {"kind": "standard", "unit_price": unit_price} | more


@pytest.mark.parametrize(
    ("limit", "used", "total"),
    [
        ({"minimum": {"amount": "200"}}, ("80", "30"), "200.00"),
        ({"minimum": {"amount": "200"} | ONCE}, ("80", "30"), "200.00"),
        ({"minimum": {"amount": "200"} | ANEW}, ("80", "30"), "400.00"),
        ({"minimum": {"amount": "100"}}, ("80", "30"), "140.00"),
        ({"minimum": {"amount": "100"} | ANEW}, ("80", "30"), "200.00"),
        ({"minimum": {"amount": "100", "prorated": True}}, ("80", "10"), "130.00"),
        ({"minimum": {"amount": "100", "prorated": True} | ONCE}, ("80", "5"), "100.00"),
        ({"minimum": {"amount": "200"}}, ("0", "0"), "200.00"),
        ({"maximum": {"amount": "100"}}, ("80", "30"), "100.00"),
        ({"maximum": {"amount": "70"} | ANEW}, ("80", "30"), "130.00"),
        ({"free_units": {"quantity": "100"}}, ("80", "30"), "20.00"),
        ({"free_units": {"quantity": "100"} | ANEW}, ("80", "30"), "0.00"),
        ({"free_units": {"quantity": "50"}}, ("80", "30"), "90.00"),
        ({"free_units": {"quantity": "100", "prorated": True}}, ("80", "30"), "30.00"),
        ({"free_units": {"quantity": "100", "prorated": True} | ONCE}, ("80", "30"), "20.00"),
        ({"free_units": {"quantity": "100", "when": "before_conversion"},
          "convert": {"divide_by": "10", "unit": "k"}}, ("80", "30"), "2.00"),
        ({"free_units": {"quantity": "10"}, "convert": {"divide_by": "10", "unit": "k"}}, ("80", "30"), "2.00"),
        ({"discounts": [{"amount": "90"}]}, ("80", "30"), "50.00"),
        ({"discounts": [{"amount": "90"} | ANEW]}, ("80", "30"), "0.00"),
        ({"discounts": [{"percent": "50"}, {"amount": "50"}]}, ("80", "30"), "20.00"),
        ({"discounts": [{"percent": "50"}], "minimum": {"amount": "100"}, "bounds_apply": "before_discounts"},
         ("80", "30"), "70.00"),
        ({"discounts": [{"percent": "50"}], "minimum": {"amount": "100"}}, ("80", "30"), "100.00"),
    ],
)  # fmt: skip
def test_a_limit_holds_as_the_terms_say(limit: dict[str, Any], used: tuple[str, str], total: str) -> None:
    assert changed(standard("1", **limit), standard("2", **limit), used).total == total


def test_a_minimum_that_holds_once_is_one_line_of_the_whole_period_after_the_others() -> None:
    charge = standard("1", minimum={"amount": "200"}, name="calls")

    *_, line = changed(charge, charge | {"unit_price": "2"}).lines

    assert (line.effect, line.amount, line.version, line.first, line.end) == (
        "minimum", "60.00", 2, "2026-11-01", "2026-12-01",
    )  # fmt: skip


def test_the_terms_at_the_end_say_how_much_is_due_at_least() -> None:
    first, second = standard("1", minimum={"amount": "500"}), standard("1", minimum={"amount": "150"})

    assert changed(first, second).total == "150.00"
    assert changed(first, standard("1")).total == "110.00"
    assert changed(standard("1"), second).total == "150.00"


def test_free_units_of_the_second_price_are_less_what_was_free_at_the_first() -> None:
    first, second = standard("1", free_units={"quantity": "50"}), standard("2", free_units={"quantity": "70"})

    assert changed(first, second, ("80", "30")).total == "50.00"
    assert changed(second, first, ("80", "30")).total == "50.00"


def test_a_group_without_use_at_the_second_price_still_owes_the_rest_of_its_minimum() -> None:
    charge = standard("1", minimum={"amount": "50"}, source={"group_by": ["subject"]})
    usage = [
        {"at": "2026-11-05", "quantity": "20", "id": "e1", "labels": {"subject": "early"}},
        {"at": "2026-11-20", "quantity": "30", "id": "e2", "labels": {"subject": "late"}},
    ]

    found = changed(charge, charge, usage=usage)

    assert [(line.group["subject"], line.amount) for line in found.lines if line.effect == "minimum"] == [
        ("early", "30.00"), ("late", "20.00"),
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["line", "rate", "total"])
def test_a_minimum_looks_at_all_stretches_wherever_is_rounded(place: str) -> None:
    charge = standard("0.3333", minimum={"amount": "100"})

    assert changed(charge, charge, rounding={"place": place}).total == "100.00"


def test_another_charge_at_the_same_position_has_limits_of_its_own() -> None:
    calls = standard("1", minimum={"amount": "100"}, source={"types": ["call"]})
    storage = standard("1", minimum={"amount": "100"}, source={"types": ["byte"]})

    assert changed(calls, storage, ("0", "0")).total == "200.00"


def test_windows_and_tiers_share_what_is_there_once() -> None:
    windows = {
        "kind": "time_of_use", "prices": {"all": "1"}, "windows": {"rules": [], "otherwise": "all"},
        "discounts": [{"amount": "90"}], "minimum": {"amount": "70"},
    }  # fmt: skip
    tiers = {"kind": "graduated", "tiers": [{"up_to": "50", "unit_price": "2"}, {"unit_price": "1"}],
             "free_units": {"quantity": "100"}}  # fmt: skip

    assert [line.amount for line in changed(windows, windows).lines] == ["0.00", "20.00", "50.00"]
    assert changed(tiers, tiers).total == "20.00"
    assert changed(tiers | {"across_versions": "continue"}, tiers | {"across_versions": "continue"}).total == "20.00"


@pytest.mark.parametrize(
    ("more", "total"),
    [
        ({"free_amount": "100"}, "1.00"), ({"free_amount": "100", "free_holds": "for_each_price"}, "0.00"),
        ({"free_events": 1}, "3.00"), ({"free_events": 1, "free_holds": "for_each_price"}, "0.00"),
        ({"free_amount": "100", "aggregation": {"function": "max"}}, "1.00"),
    ],
)  # fmt: skip
def test_free_events_and_a_free_amount_are_there_once(more: dict[str, Any], total: str) -> None:
    charge = {"kind": "percentage", "percent": "10"} | more

    assert changed(charge, charge | {"percent": "5"}, ("80", "40" if "free_amount" in more else "60")).total == total


def test_a_fee_has_its_discount_of_an_amount_once() -> None:
    fee = {"kind": "flat", "amount": "100", "discounts": [{"amount": "30"}]}

    assert changed(fee, fee, ("0", "0")).total == "70.00"
    assert changed(fee | {"discounts": [{"amount": "30"} | ANEW]}, fee | {"discounts": [{"amount": "30"} | ANEW]},
                   ("0", "0")).total == "40.00"  # fmt: skip


def test_what_continues_cannot_begin_anew() -> None:
    with pytest.raises(CaseError, match="across_versions says continue, and holds for_each_price"):
        priced(standard("1", across_versions="continue", free_units={"quantity": "1"} | ANEW), "5")


def test_the_option_is_written_in_and_printed() -> None:
    charge = standard("1", minimum={"amount": "5"}, maximum={"amount": "9", "prorated": True})

    said = priced(charge, "5").options

    assert "standard: the minimum holds once for the whole period, also when the price changes in it" in said
    assert "standard: the maximum holds anew for each price inside a period" in said


def test_terms_agreed_on_before_there_was_the_option_are_rated_as_they_were() -> None:
    raw = json.dumps(AGREEMENT | {"charges": [standard("1", minimum={"amount": "200"})]})
    terms = parse_terms(raw)
    november, half = month("2026-11", "UTC"), 15 * 86_400_000
    versions = tuple(
        PriceVersion(number, november.from_ms + (number - 1) * half, tuple(terms.charges)) for number in (1, 2)
    )
    rated = Rated(
        currency="EUR", zone="UTC", rounding=terms.rounding, period=november, whole=november, versions=versions
    )

    lines = rate_period(rated, lambda _: [Use(at=november.from_ms, value=80, id="a")])

    assert str(total_of(lines)) == "400.00"
    assert b"holds" not in terms.canonical()
    assert "standard: the minimum holds anew for each price inside a period" in terms.options()
