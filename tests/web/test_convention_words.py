"""Conventions as a statement prints them, in the reader's language: none is left in English."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cloud.agreements.terms import AgreementTerms
from cloud.web.languages import read_languages
from cloud.web.views.convention_words import convention
from tests.cloud.billing.random_agreements import terms_of

LANGUAGES = read_languages()
EVENTS = {"measure": "events", "types": ["click"]}
TIERS = [{"up_to": "10", "unit_price": "1"}]
PRORATIONS = [
    {"count": count, "denominator": of} | rounded
    for count in ("days", "both_edges", "end_inclusive", "seconds", "fixed_30_days", "none")
    for of in ("whole_period", "actual_period")
    for rounded in ({}, {"ratio_places": 9}, {"ratio_places": 2, "ratio_mode": "half_even"})
]  # fmt: skip
CYCLES: list[dict[str, Any]] = [
    {"unit": unit, "anchor_day": day, "short_months": short}
    for unit, day, short in itertools.product(("month", "quarter", "year"), (5, 31), ("last_day", "first_of_next"))
] + [{"unit": "day", "every": 3}, {"unit": "week"}]
CHARGES: list[dict[str, Any]] = [
    *({"kind": "flat", "amount": "1", "proration": one} for one in PRORATIONS),
    *({"kind": "graduated", "tiers": TIERS, "beyond_last_tier": one, "source": EVENTS, "first_flat_at_zero": due}
      for one in ("error", "cap", "extend") for due in ("due", "not_due")),
    *({"kind": "bucketed_maximum", "tiers": TIERS, "bucket": one, "tiers_apply": apply, "source": EVENTS}
      for one in ("hour", "day", "week", "month") for apply in ("to_each_bucket", "to_the_sum")),
    *({"kind": "standard", "unit_price": "1", "source": EVENTS, "free_units": {"quantity": "3", "when": when},
       "round_quantity": {"mode": mode}, "minimum": {"amount": "3"}, "bounds_apply": apply,
       "across_versions": "continue"}
      for when in ("before_conversion", "after_conversion") for apply in ("after_discounts", "before_discounts")
      for mode in ("half_up", "half_even", "half_down", "up", "down", "ceiling", "floor")),
    {"kind": "package", "size": "7", "price": "1", "begun": "not_counted", "at_zero": "one", "source": EVENTS},
    *({"kind": "dynamic", "price_is": one, "source": EVENTS} for one in ("unit_price", "amount")),
    *({"kind": "time_of_use", "windows": {"rules": []}, "prices": {"other": "1"}, "split": one, "source": EVENTS}
      for one in ("by_time", "at_start", "at_end")),
    {"kind": "weighted_runtime", "unit_price": "1", "weights": [{"speed": "low", "weight": "1"}], "source": EVENTS},
    {"kind": "progressive_billing", "thresholds": ["5", "9"], "then_every": "9", "of": "usage"},
    {"kind": "progressive_billing", "thresholds": ["5", "9"]},
    {
        "kind": "percentage", "percent": "2", "source": EVENTS, "valid": {
            "follows": {"type": "view", "seconds": 60}, "repeats": {"seconds": 60}, "received_within_seconds": 60,
            "robots": {}, "refused_by": ["refused"], "needs_price": True,
        },
    },
    *({"kind": "percentage", "percent": "2", "source": EVENTS, "valid": {
        "follows": {"type": "com.acme:view", "seconds": 60, "same": ["visitor", "page"]},
        "repeats": {"seconds": 60, "same": ["visitor", "page"], "counted_from": counted},
        "robots": {"marks": {"agent": ["curl", "bot: any"], "net": ["10.0.0.0"]}, "most_a_minute": 9, "same": ["ip"]},
    }} for counted in ("last_valid", "last_of_any")),
    *({"kind": "percentage", "percent": "2", "source": EVENTS, "free_events": events, "free_amount": amount,
       "least_per_event": "0.1", "most_per_event": "5"} for events, amount in ((3, None), (0, "20"), (3, "20"))),
    *({"kind": "standard", "unit_price": "1", "source": EVENTS | {"group_by": ["team", "place"]},
       "aggregation": {"function": function, "of": "visitor", "per": per, "level": level},
       "free_units": {"quantity": "3", "prorated": True, "when": when},
       "minimum": {"amount": "3", "prorated": prorated}, "maximum": {"amount": "9", "prorated": prorated},
       "convert": {"divide_by": "60", "unit": "min"}}
      for function in ("unique", "latest", "time_weighted") for per in ("period", "second", "minute", "hour", "day")
      for level in ("set_by_use", "changed_by_use")
      for when, prorated in (("before_conversion", True), ("after_conversion", False))),
    *({"kind": "time_of_use", "windows": {"rules": [{"window": "night", "from": "22:00", "to": "06:00"}],
       "over_midnight": one}, "prices": {"night": "1", "other": "2"}, "source": EVENTS}
      for one in ("day_it_began", "own_day")),
    *({"kind": "time_of_use", "source": EVENTS | {"where": {"agent": ["a: b", "c"]}},
       "prices": {"peak": "1", "off": "2"},
       "windows": {"rules": [{"window": "peak", "from": "08:00", "to": "20:00", "holidays": holidays} | more],
                   "otherwise": "off", "holidays": ["2026-12-25", "2026-12-26"],
                   "seasons": [{"name": "winter", "first": "11-01", "last": "03-31"}]}}
      for holidays in ("like_any_day", "never", "only")
      for more in ({}, {"weekdays": [1, 7], "seasons": ["winter"]})),
    {"kind": "flat", "amount": "9",
     "discounts": [{"percent": "5"}, {"amount": "3"}, {"amount": "1", "prorated": True}]},
    {"kind": "monthly_fee", "amount": "5"},
    {"kind": "commitment", "minimum": {"amount": "5"}, "maximum": {"amount": "9", "prorated": True}},
]  # fmt: skip


GUARANTEE = {
    "name": "air", "metric": "pm2.5", "unit": "ug/m3", "at_most": "35", "sensors": ["d"], "target": "95",
    "steps": [{"below": "95", "credit": "10"}, {"below": "80", "credit": "100"}],
}  # fmt: skip
AGREED: list[dict[str, Any]] = [
    {"grace_days": 3, "payment": {"due": "end_of_month", "allocation": "by_hand", "overpaid": "refund"}},
    {"payment": {"due_days": 14, "dunning": [{"name": "first", "after_days": 7, "fee": "5", "suspends": True}]}},
    *(
        {"guarantees": [GUARANTEE | one]}
        for one in (
            {"at_least": "5", "joined": "any", "statistic": "max", "missing": "supplier", "uncovered": "not_judged"},
            {"at_most": None, "at_least": "5", "joined": "mean", "statistic": "min", "missing": "customer"},
            {"uncovered": "met", "of": ["flat"], "cap": "90", "credited_on": "credit_note"},
            {"of": ["flat"], "hours": [{"days": ["mon", "tue"], "from": "08:00", "to": "18:00"}]},
            {
                "credited_on": "credit_note",
                "exclusions": [
                    {"cause": "door", "device": "d", "begins": "door_open", "ends": "door_shut", "settles_minutes": 10}
                ],
            },
        )
    ),
]


def said() -> list[str]:
    """Every convention there is, at least once."""
    plain = {
        "supplier_id": "sup", "customer_id": "cust", "currency": "EUR", "zone": "UTC", "starts": "2026-01-01",
        "devices": ["d"], "event_sources": ["s"],
    }  # fmt: skip
    every = [AgreementTerms.model_validate(plain | {"charges": [one]}) for one in CHARGES]
    every += [AgreementTerms.model_validate(plain | {"charges": CHARGES[:1], "cycle": one}) for one in CYCLES]
    more = {"tax": {"rules": [{"category": "S", "percent": "19"}]}, "estimates": {"silent_minutes": 60}}
    every.append(AgreementTerms.model_validate(plain | more | {"charges": CHARGES[:1]}))
    every += [AgreementTerms.model_validate(plain | one | {"charges": CHARGES[:1]}) for one in AGREED]
    covering = {"kind": "commitment", "minimum": {"amount": "5"}, "covers": [0]}
    every.append(AgreementTerms.model_validate(plain | {"charges": [CHARGES[0], covering]}))
    every += [terms_of(number) for number in range(20)]
    of_documents = [
        "coupon TEN", "rest of coupon TEN", "what is left of the coupon is not carried on (0.00 of 5.00)",
        "what is left of the coupon is carried on to the next invoice (1.50 of 5.00)",
    ]  # fmt: skip
    return [*dict.fromkeys(text for one in every for text in one.options()), *of_documents]


@pytest.mark.parametrize("text", said())
def test_every_convention_is_said_in_chinese(text: str) -> None:
    shown = convention(LANGUAGES["zh_CN"], text)

    assert any("\u4e00" <= sign <= "\u9fff" for sign in shown)
    assert " the " not in shown
    assert " is " not in shown


def test_in_english_a_convention_is_what_was_agreed_on() -> None:
    words = LANGUAGES["en"]

    assert [convention(words, text) for text in said()[1:] if ": " in text] == [
        text for text in said()[1:] if ": " in text
    ]


def test_a_convention_that_nobody_translated_stays_as_it_was_agreed_on() -> None:
    assert convention(LANGUAGES["zh_CN"], "hall 3: as the crane says") == "hall 3: as the crane says"
