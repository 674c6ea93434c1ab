"""Whatever a charge's terms can say otherwise is said otherwise on the statement: no convention is hidden."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.agreements.terms import AgreementTerms
from tests.cloud.rating.test_contradictions import AGREEMENT

EVENTS = {"measure": "events", "types": ["click"]}
STANDARD = {"kind": "standard", "unit_price": "1", "source": EVENTS}
TIERS = {"kind": "graduated", "source": EVENTS, "tiers": [{"up_to": "9", "unit_price": "1"}]}
RULE = {"window": "peak", "from": "08:00", "to": "20:00"}
WINDOWS = {"rules": [RULE], "otherwise": "low"}
CLOCK = {"kind": "time_of_use", "source": EVENTS, "prices": {"peak": "2", "low": "1"}, "windows": WINDOWS}
VALID = {"robots": {"marks": {"agent": ["bot"]}, "most_a_minute": 5}, "repeats": {"seconds": 60},
         "follows": {"type": "view", "seconds": 60}, "refused_by": ["no"]}  # fmt: skip
PERCENT = {"kind": "percentage", "percent": "2", "source": EVENTS}
GUARANTEE: dict[str, Any] = {
    "name": "air", "metric": "co2", "unit": "ppm", "at_most": "1000", "sensors": ["d"], "target": "95",
    "steps": [{"below": "95", "credit": "10"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("charge", "other"),
    [
        *((STANDARD | {"valid": VALID}, {"valid": VALID | one}) for one in (
            {"robots": {"marks": {"agent": ["curl"]}, "most_a_minute": 5}},
            {"robots": {"marks": {"net": ["bot"]}, "most_a_minute": 5}},
            {"robots": {"marks": {"agent": ["bot"]}, "most_a_minute": 6}},
            {"robots": {"marks": {"agent": ["bot"]}, "most_a_minute": 5, "same": ["ip"]}},
            {"repeats": {"seconds": 61}}, {"repeats": {"seconds": 60, "same": ["ip"]}},
            {"repeats": {"seconds": 60, "counted_from": "last_of_any"}},
            {"follows": {"type": "lead", "seconds": 60}}, {"follows": {"type": "view", "seconds": 60, "same": ["ip"]}},
            {"follows": {"type": "view", "seconds": 61}}, {"refused_by": ["never"]}, {"needs_price": True},
            {"received_within_seconds": 9},
        )),
        *((STANDARD, one) for one in (
            {"source": EVENTS | {"types": ["view"]}}, {"source": EVENTS | {"where": {"team": ["red"]}}},
            {"source": EVENTS | {"group_by": ["team"]}}, {"aggregation": {"function": "max"}},
            {"convert": {"divide_by": "3", "unit": "k"}}, {"round_quantity": {"places": 2}},
            {"free_units": {"quantity": "3"}}, {"discounts": [{"percent": "5"}]}, {"discounts": [{"amount": "5"}]},
            {"discounts": [{"amount": "5", "prorated": True}]}, {"minimum": {"amount": "3"}},
            {"maximum": {"amount": "3", "prorated": True}}, {"across_versions": "continue"},
        )),
        (STANDARD | {"minimum": {"amount": "3"}}, {"minimum": {"amount": "3", "holds": "for_each_price"}}),
        (STANDARD | {"minimum": {"amount": "3"}}, {"bounds_apply": "before_discounts"}),
        (STANDARD | {"free_units": {"quantity": "3"}}, {"free_units": {"quantity": "3", "when": "before_conversion"}}),
        (STANDARD | {"free_units": {"quantity": "3"}}, {"free_units": {"quantity": "3", "holds": "for_each_price"}}),
        *((TIERS, one) for one in ({"bounds": "exclusive"}, {"first_flat_at_zero": "not_due"},
                                   {"beyond_last_tier": "cap"}, {"beyond_last_tier": "extend"})),
        *((CLOCK, one) for one in (
            {"split": "at_end"}, {"windows": WINDOWS | {"rules": [RULE | {"weekdays": [1]}]}},
            {"windows": WINDOWS | {"rules": [RULE | {"holidays": "never"}]}},
            {"windows": WINDOWS | {"rules": [RULE | {"to": "21:00"}]}},
            {"windows": WINDOWS | {"holidays": ["2026-12-25"]}},
        )),
        *((PERCENT, one) for one in ({"free_events": 1}, {"free_amount": "5"}, {"least_per_event": "1"},
                                     {"most_per_event": "1"})),
        (PERCENT | {"free_events": 1}, {"free_holds": "for_each_price"}),
        *(({"kind": "flat", "amount": "1"}, {"proration": one}) for one in (
            {"count": "seconds"}, {"denominator": "actual_period"}, {"ratio_places": 3}
        )),
        ({"kind": "flat", "amount": "1"}, {"discounts": [{"percent": "5"}]}),
    ],
)  # fmt: skip
def test_another_option_is_another_sentence(charge: dict[str, Any], other: dict[str, Any]) -> None:
    one, two = (AgreementTerms.model_validate(AGREEMENT | {"charges": [told]}) for told in (charge, charge | other))

    assert one.options() != two.options()


@pytest.mark.parametrize(
    "other",
    [
        {"cycle": {"anchor_day": 31, "short_months": "first_of_next"}}, {"grace_days": 3},
        {"payment": {"due_days": 9}}, {"payment": {"allocation": "by_hand"}}, {"payment": {"overpaid": "refund"}},
        {"rounding": {"mode": "half_even"}}, {"rounding": {"place": "total"}}, {"estimates": {"silent_minutes": 30}},
        {"tax": {"rules": [{"category": "S", "percent": "19"}], "credit_notes": "rounded_net"}},
        *({"guarantees": [GUARANTEE | one]} for one in (
            {}, {"missing": "supplier"}, {"uncovered": "met"}, {"joined": "mean"}, {"statistic": "max"},
            {"least_coverage": "80"}, {"window_coverage": "50"}, {"cap": "9"}, {"of": ["flat"]},
            {"credited_on": "credit_note"}, {"objection_days": 3},
        )),
    ],
)  # fmt: skip
def test_another_option_of_the_agreement_is_another_sentence(other: dict[str, Any]) -> None:
    charge = {"kind": "flat", "amount": "1"}
    plain: dict[str, Any] = (
        AGREEMENT | {"charges": [charge]} | ({"guarantees": [GUARANTEE]} if other.get("guarantees") else {})
    )
    plain |= {"tax": {"rules": [{"category": "S", "percent": "19"}]}} if "tax" in other else {}
    one, two = AgreementTerms.model_validate(plain), AgreementTerms.model_validate(plain | other)

    assert (one.options() != two.options()) == (one.canonical() != two.canonical())
