"""Energy behind transformers, resets and gaps on a bill: what is multiplied, and what the line says about itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from cloud.agreements.terms import AgreementTerms, Version
from cloud.billing.facts import Fact
from cloud.billing.scope import Scope
from cloud.billing.settle import Settlement, settle
from cloud.calendar import next_day, period, utc_text
from cloud.rating.lines import LeafRef, describe
from cloud.rating.price import parse_case, price
from tests.cloud.billing.test_settle import BEGIN, DAYS, PLAIN, reading, said
from wire.records import DeviceEvent, Reading

HOUR = 3_600_000
WHOLE = period(DAYS[0], DAYS[6], "UTC")


def settled(readings: list[tuple[int, int]], quality: Any = "synchronised", **meter: object) -> Settlement:
    """The bill of (hour, Wh) readings, with what is declared of the meter."""
    charge = {"kind": "energy", "unit_price": "0.30", "devices": [{"device": "meter-1", **meter}]}
    terms = AgreementTerms.model_validate(PLAIN | {"zone": "UTC", "charges": [charge]})
    facts = [
        Fact(LeafRef(log=0, index=index, at=BEGIN + hour * HOUR, quality=quality), reading(index, wh))
        for index, (hour, wh) in enumerate(readings)
    ]
    scope = Scope(period=WHOLE, closed=(), versions=(Version(1, "2026-11-01", terms),), settled=(0,))
    return settle(scope, facts)


def ratio(hour: int, factor: str) -> dict[str, str]:
    return {"since": f"2026-11-01T{hour:02d}:00:00Z", "factor": factor}


def test_energy_behind_transformers_is_multiplied_from_its_day_on() -> None:
    (line,) = settled([(0, 1000), (2, 2000), (4, 4000)], ratios=[ratio(0, "40"), ratio(2, "80")]).lines

    assert line.quantity.value == "200"
    assert line.quality == ""
    assert [point.value for point in line.registers] == [1000, 4000]


def test_a_ratio_that_changes_between_two_readings_is_split_and_named_on_the_bill() -> None:
    (line,) = settled([(0, 0), (4, 4000)], ratios=[ratio(0, "40"), ratio(1, "80")]).lines

    assert line.quantity.value == "280"
    assert line.quality == "estimated_split"
    assert "split estimated" in describe(line)


def test_a_reset_is_two_lines_and_an_event() -> None:
    found = settled([(0, 9000), (1, 9500), (2, 10), (3, 20), (4, 30)])

    assert [line.quantity.value for line in found.lines] == ["0.5", "0.02"]
    assert [one.reason for one in found.unbilled] == ["register_reset"]


def test_a_wrap_and_a_time_of_arrival_are_named() -> None:
    wrapped = settled([(0, 9_999_000), (1, 1000)], modulus="10000", max_kw="10").lines[0]
    late = settled([(0, 0), (1, 1000)], "received_time").lines[0]

    assert (wrapped.quantity.value, wrapped.quality) == ("2", "rollover_corrected")
    assert late.quality == "received_time_only"


@pytest.mark.parametrize(
    "wrong",
    [
        [{"since": "2026-11-01T00:00:00", "factor": "40"}],
        [{"since": "soon", "factor": "40"}],
        [ratio(0, "0")],
        [ratio(2, "40"), ratio(1, "80")],
    ],
)
def test_a_ratio_without_offset_factor_or_order_is_refused(wrong: list[dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        settled([], ratios=wrong)


def told(readings: list[dict[str, Any]], **meter: object) -> Settlement:
    """The bill of readings that say more of themselves, one an hour; what is no reading is what the meter said."""
    charge = {"kind": "energy", "unit_price": "0.30", "devices": [{"device": "meter-1", **meter}]}
    terms = AgreementTerms.model_validate(PLAIN | {"zone": "UTC", "charges": [charge]})
    facts = []
    for index, fields in enumerate(readings):
        base: dict[str, Any] = said("meter-1", index)
        if "wh" in fields:
            body = {"register": "import_wh", "value": fields["wh"], "scale": 0, "unit": "Wh"}
            more = {name: value for name, value in fields.items() if name != "wh"}
            record: Any = Reading(**(base | body | more))
        else:
            record = DeviceEvent(**base, event="identified" if "number" in fields else "meter_facts", data=fields)
        facts.append(Fact(LeafRef(log=0, index=index, at=BEGIN + index * HOUR, quality="synchronised"), record))
    scope = Scope(period=WHOLE, closed=(), versions=(Version(1, "2026-11-01", terms),), settled=(0,))
    return settle(scope, facts)


BEHIND = {"q": ["secondary"]}


def test_a_register_behind_transformers_is_not_billed_until_its_ratio_is_agreed() -> None:
    readings = [{"wh": 0} | BEHIND, {"wh": 1000} | BEHIND]

    forgotten = told(readings)
    agreed = told(readings, ratios=[ratio(0, "40")])
    outright = told(readings, ratios=[ratio(0, "1")])

    assert forgotten.lines == []
    assert [(one.reason, len(one.leaves)) for one in forgotten.unbilled] == [("ratio_missing", 2)]
    assert [found.lines[0].quantity.value for found in (agreed, outright)] == ["40", "1"]


def test_a_ratio_that_begins_later_does_not_count_for_readings_before_it() -> None:
    found = told([{"wh": at * 1000} | BEHIND for at in range(4)], ratios=[ratio(2, "40")])

    assert [line.quantity.value for line in found.lines] == ["40"]
    assert [(one.reason, len(one.leaves)) for one in found.unbilled] == [("ratio_missing", 2)]


def test_what_the_meter_says_of_its_register_counts_where_the_agreement_is_silent() -> None:
    own: dict[str, Any] = {"number": "1", "registers": {"import_wh": {"modulus": "10000", "max_kw": "10"}}}
    wrap = [{"wh": 9_999_000}, {"wh": 1000}]

    by_the_meter = told([own, *wrap])
    nameless = told([{"registers": own["registers"]}, *wrap])

    for found in (by_the_meter, nameless):
        assert [(line.quantity.value, line.rollovers, line.modulus) for line in found.lines] == [("2", 1, "10000")]
        assert found.registers[0].modulus == "10000"
        assert found.unbilled == []


def test_a_modulus_that_the_agreement_and_the_meter_say_differently_is_named_and_no_wrap_is_billed() -> None:
    own: dict[str, Any] = {"number": "1", "registers": {"import_wh": {"modulus": "10000", "max_kw": "10"}}}
    wrap = [{"wh": 9_999_000}, {"wh": 1000}]

    far = told([own, *wrap], modulus="100000", max_kw="10")
    near = told([own, {"wh": 9_998_000}, *wrap], modulus="9999.9", max_kw="10")

    assert [one.reason for one in far.unbilled] == ["modulus_differs", "register_fall"]
    assert [(one.reason, len(one.leaves)) for one in near.unbilled] == [("modulus_differs", 2)]
    assert [line.quantity.value for line in near.lines] == ["1"]


def test_what_is_said_of_a_meter_without_a_number_is_no_exchange() -> None:
    facts = {"registers": {"import_wh": {"modulus": "10000", "max_kw": "10"}}}

    (line,) = told([facts, {"wh": 0}, facts, {"wh": 2000}]).lines

    assert line.quantity.value == "2"


def test_a_ratio_that_the_meter_is_set_up_with_is_named_where_the_agreement_says_another() -> None:
    facts = {"registers": {"import_wh": {"ratio": "ct", "factor": "40"}}}
    readings: list[dict[str, Any]] = [facts, {"wh": 0} | BEHIND, {"wh": 1000} | BEHIND]

    forgotten = told(readings)
    other = told(readings, ratios=[ratio(0, "80")])
    same = told(readings, ratios=[ratio(0, "40")])

    assert [one.reason for one in forgotten.unbilled] == ["ratio_missing"]
    assert [one.reason for one in other.unbilled] == ["ratio_differs"]
    assert [line.quantity.value for line in other.lines] == ["80"]
    assert same.unbilled == []


@pytest.mark.parametrize("rubbish", ["ten", "-1", "0", "1e5", 10000, None, ["10000"], {"modulus": 1}])
def test_a_modulus_that_is_no_number_is_no_modulus(rubbish: Any) -> None:
    own = {"number": "1", "registers": {"import_wh": {"modulus": rubbish, "max_kw": "10"}}}

    found = told([own, {"wh": 9_999_000}, {"wh": 1000}])

    assert [one.reason for one in found.unbilled] == ["register_fall"]


def test_another_meter_does_not_inherit_the_modulus_of_the_one_before() -> None:
    own: dict[str, Any] = {"number": "1", "registers": {"import_wh": {"modulus": "10000", "max_kw": "10"}}}

    found = told([own, {"wh": 10}, {"number": "2"}, {"wh": 9_999_000}, {"wh": 1000}])

    assert [one.reason for one in found.unbilled] == ["register_fall"]


def test_a_reading_whose_device_told_no_time_is_billed_by_the_time_of_its_arrival_and_says_so() -> None:
    arrived: dict[str, Any] = {"q": ["received"]}

    (late,) = told([{"wh": 1000}, {"wh": 1500, **arrived}]).lines
    (worse,) = told([{"wh": 1000}, {"wh": 1500, "quality": "substituted", **arrived}]).lines
    (own,) = told([{"wh": 1000}, {"wh": 1500, "q": ["device_time"]}]).lines

    assert [(line.quantity.value, line.quality) for line in (late, worse, own)] == [
        ("0.5", "received_time_only"), ("0.5", "received_time_only"), ("0.5", ""),
    ]  # fmt: skip


def test_a_reading_that_stands_for_another_says_so_on_the_line() -> None:
    (line,) = told([{"wh": 0}, {"wh": 1000, "quality": "substituted"}, {"wh": 2000}]).lines

    assert (line.quantity.value, line.quality) == ("2", "substituted")
    assert "substituted" in describe(line)


def test_the_mean_ratio_of_a_tiered_charge_ends_its_digits() -> None:
    found = settled([(0, 0), (3, 1000)], ratios=[ratio(0, "40"), ratio(1, "41")])

    assert found.lines[0].quantity.value == "40.666667"


def metering(kind: str) -> dict[str, Any]:
    """The two ways in which a charge names its meter."""
    source = {"source": {"measure": "energy", "devices": ["meter-1"]}}
    return {"kind": kind, "unit_price": "0.30"} | ({"devices": ["meter-1"]} if kind == "energy" else source)


EDGES = [(0, 1000), (24 * 5, 4000), (24 * 6, 5500), (24 * 7, 9000)]


@pytest.mark.parametrize("kind", ["energy", "standard"])
def test_a_reading_at_a_periods_end_closes_it_and_opens_the_next_on_statements_as_in_a_priced_case(kind: str) -> None:
    charge = metering(kind)
    terms = AgreementTerms.model_validate(PLAIN | {"zone": "UTC", "charges": [charge]})
    facts = [
        Fact(LeafRef(log=0, index=index, at=BEGIN + hour * HOUR, quality="synchronised"), reading(index, wh))
        for index, (hour, wh) in enumerate(EDGES)
    ]
    versions = (Version(1, "2026-11-01", terms),)
    following = period(DAYS[6], next_day(DAYS[6]), "UTC")

    first = settle(Scope(period=WHOLE, closed=(), versions=versions, settled=(0,)), facts)
    second = settle(
        Scope(period=following, closed=(WHOLE,), versions=versions, settled=(4,), registers=tuple(first.registers)),
        facts,
    )

    case = {
        "currency": "EUR", "period": {"first": DAYS[0].isoformat(), "end": DAYS[6].isoformat()}, "charges": [charge],
        "readings": [
            {"at": utc_text(BEGIN + hour * HOUR), "value": f"{wh // 1000}.{wh % 1000:03}", "device": "meter-1"}
            for hour, wh in EDGES
        ],
    }  # fmt: skip
    priced = price(parse_case(json.dumps(case)))
    assert [line.quantity.value for line in (*first.lines, *second.lines)] == ["4.5", "3.5"]
    assert [line.quantity.value for line in priced.lines] == ["4.5"]
    assert first.registers[0].point == second.lines[0].registers[0]


@pytest.mark.parametrize("kind", ["energy", "standard"])
def test_two_readings_at_the_very_beginning_are_billed_by_the_first_period(kind: str) -> None:
    terms = AgreementTerms.model_validate(PLAIN | {"zone": "UTC", "charges": [metering(kind)]})
    facts = [
        Fact(LeafRef(log=0, index=index, at=BEGIN, quality="synchronised"), reading(index, 1000 * index))
        for index in range(2)
    ]
    scope = Scope(period=WHOLE, closed=(), versions=(Version(1, "2026-11-01", terms),), settled=(0,))

    assert [line.quantity.value for line in settle(scope, facts).lines] == ["1"]
