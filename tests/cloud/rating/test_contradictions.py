"""Contradictory terms are refused where they come in, and rated as ever where they were agreed on before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from cloud.agreements.terms import AgreementTerms, parse_terms
from cloud.calendar import month
from cloud.rating.price import CaseError
from cloud.rating.rate_period import PriceVersion, Rated, rate_period
from cloud.rating.uses import Use
from tests.cloud.rating.test_models import priced

AGREEMENT = {
    "supplier_id": "sup", "customer_id": "cust", "currency": "EUR", "zone": "UTC", "starts": "2026-11-01",
    "devices": ["d"], "event_sources": ["s"],
}  # fmt: skip
WEIGHTS = [{"speed": "1", "weight": "1", "season": "summer"}]
AREAS = [{"subject": "hall", "m2": "60"}, {"subject": "yard", "m2": "50", "first": "2026-11-10"}]
CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "percentage", "percent": "1", "least_per_event": "2", "most_per_event": "1"},
     r"least_per_event \(2\) is above most_per_event \(1\)"),
    ({"kind": "percentage", "percent": "1", "aggregation": {"function": "max"}, "free_events": 3},
     "max is no sum of single events"),
    ({"kind": "percentage", "percent": "1", "aggregation": {"function": "latest"}, "least_per_event": "3"},
     "latest is no sum of single events"),
    ({"kind": "dynamic", "aggregation": {"function": "unique"}}, "dynamic adds up what its events cost"),
    ({"kind": "dynamic", "convert": {"divide_by": "2", "unit": "k"}}, "dynamic prices each event by itself"),
    ({"kind": "standard", "unit_price": "1", "minimum": {"amount": "9"}, "maximum": {"amount": "3"}},
     r"the minimum \(9\) is above the maximum \(3\)"),
    ({"kind": "standard", "unit_price": "1", "discounts": [{"percent": "5", "prorated": True}]}, "it is for an amount"),
    ({"kind": "bucketed_maximum", "tiers": [{"unit_price": "1"}], "aggregation": {"function": "unique"}},
     "leave the aggregation out, or write max"),
    ({"kind": "weighted_runtime", "unit_price": "1", "weights": WEIGHTS}, "there is no season summer"),
    ({"kind": "weighted_runtime", "unit_price": "1", "weights": [{"speed": "1", "weight": "1"}],
      "aggregation": {"function": "max"}}, "weighted_runtime adds up weighted hours"),
    ({"kind": "area", "unit_price": "1", "areas": [AREAS[0] | {"first": "2026-11-10", "end": "2026-11-10"}]},
     "must be after first"),
    ({"kind": "area", "plant_cost": "1", "total_m2": "100", "areas": AREAS}, "110 m2 at once are more than total_m2"),
    ({"kind": "commitment", "minimum": {"amount": "1"}, "covers": [0]}, "covers 0, which is no other charge"),
    ({"kind": "commitment", "minimum": {"amount": "1"}, "covers": [7]}, "covers 7, which is no other charge"),
    ({"kind": "commitment", "minimum": {"amount": "1"}, "covers": []}, "positions of charges, each once"),
]  # fmt: skip
ALWAYS_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kind": "graduated", "tiers": [{"up_to": "9", "unit_price": "1"}, {"up_to": "5", "unit_price": "1"}]},
     "up_to must rise"),
    ({"kind": "volume", "tiers": [{"unit_price": "1"}, {"up_to": "5", "unit_price": "1"}]}, "only the last tier"),
    ({"kind": "standard", "unit_price": "-1"}, "a price is not negative"),
    ({"kind": "standard", "unit_price": "1", "free_units": {"quantity": "-3"}}, "not negative"),
    ({"kind": "package", "size": "0", "price": "1"}, "must be more than 0"),
    ({"kind": "weighted_runtime", "unit_price": "1", "weights": [{"speed": "1", "weight": "-1"}]}, "not negative"),
    ({"kind": "progressive_billing", "thresholds": ["9", "5"]}, "from the lowest to the highest"),
    ({"kind": "standard", "unit_price": "1", "discounts": [{"percent": "101"}]}, "would pay the customer"),
]  # fmt: skip


@pytest.mark.parametrize(("charge", "why"), [*CONTRADICTIONS, *ALWAYS_REFUSED])
def test_a_contradiction_is_refused_in_a_case_and_in_an_agreement(charge: dict[str, Any], why: str) -> None:
    with pytest.raises(CaseError, match=why):
        priced(charge, "20")

    with pytest.raises(ValidationError, match=why):
        AgreementTerms.model_validate(AGREEMENT | {"charges": [charge]})


@pytest.mark.parametrize("charge", [charge for charge, _ in CONTRADICTIONS], ids=[why for _, why in CONTRADICTIONS])
def test_what_was_agreed_on_before_it_was_refused_is_still_read_and_rated(charge: dict[str, Any]) -> None:
    raw = json.dumps(AGREEMENT | {"charges": [charge]})

    terms = parse_terms(raw)
    november = month("2026-11", "UTC")
    rated = Rated(
        currency="EUR", zone="UTC", rounding=terms.rounding, period=november, whole=november,
        versions=(PriceVersion(1, november.from_ms, tuple(terms.charges)),),
    )  # fmt: skip
    lines = rate_period(rated, lambda _: [Use(at=november.from_ms + 5, value=20, id="a", price="2")])

    assert terms.options()
    assert all(line.amount for line in lines)
    assert parse_terms(terms.canonical()).hash == terms.hash


def test_dynamic_terms_with_a_conversion_that_never_counted_are_priced_as_they_were() -> None:
    charge = {"kind": "dynamic", "convert": {"multiply_by": "1", "divide_by": "10", "unit": "k"}}
    terms = parse_terms(json.dumps(AGREEMENT | {"charges": [charge]}))
    november = month("2026-11", "UTC")
    versions = (PriceVersion(1, november.from_ms, tuple(terms.charges)),)
    rated = Rated(
        currency="EUR", zone="UTC", rounding=terms.rounding, period=november, whole=november, versions=versions
    )

    (line,) = rate_period(rated, lambda _: [Use(at=november.from_ms, value=20, id="a", price="2.5")])

    assert line.amount == "50.00"


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"versions": [{"version": number, "from": "2026-11-01", "charges": []} for number in (1, 2)]},
         "two versions begin at 2026-11-01"),
        ({"versions": [{"version": 1, "from": day, "charges": []} for day in ("2026-11-01", "2026-11-09")]},
         "version 1 stands there twice"),
        ({"usage": [{"at": "2026-11-09T10:00:00Z", "until": "2026-11-09T09:00:00Z"}]}, "ends before it begins"),
        ({"starts": "2026-11-20", "ends": "2026-11-20"}, "ends"),
    ],
)  # fmt: skip
def test_a_case_that_contradicts_itself_is_refused(case: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        priced({"kind": "standard", "unit_price": "1"}, **case)
