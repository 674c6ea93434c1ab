"""Charges on usage, settled from leaves and counted events: the same facts as everywhere, other prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloud.agreements.terms import AgreementTerms, Version
from cloud.billing.facts import Fact
from cloud.billing.scope import Scope
from cloud.billing.settle import Settlement, settle
from cloud.calendar import parse_day, period
from cloud.rating.events import EVENTS, CountedEvent
from cloud.rating.lines import LeafRef
from tests.cloud.billing.test_settle import PLAIN, draw, reading, said
from wire.records import Record, Runtime

NOVEMBER = period(parse_day("2026-11-01"), parse_day("2026-12-01"), "UTC")
HOUR = 3_600_000


def settled(charges: list[dict[str, Any]], facts: Sequence[Fact], **terms: Any) -> Settlement:
    agreed = AgreementTerms.model_validate(PLAIN | {"zone": "UTC", "charges": charges} | terms)
    version = Version(1, "2026-11-01", agreed)
    return settle(Scope(period=NOVEMBER, closed=(), versions=(version,), settled=(0,)), facts)


def fact(index: int, hour: int, record: Record) -> Fact:
    return Fact(LeafRef(log=0, index=index, at=NOVEMBER.from_ms + hour * HOUR, quality="synchronised"), record)


def event(serial: int, hour: int, **body: Any) -> Fact:
    at = NOVEMBER.from_ms + hour * HOUR
    record = CountedEvent(serial, "shop", f"e{serial}", body.pop("type", "order"), at, at, **body)
    return Fact(LeafRef(log=EVENTS, index=serial, at=at, quality="declared"), record)


def test_pieces_in_tiers_are_one_line_with_every_leaf() -> None:
    charge = {"kind": "graduated", "source": {"measure": "pieces", "subjects": ["drill-8"], "unit": "pc"},
              "tiers": [{"up_to": "10", "unit_price": "2"}, {"unit_price": "1"}]}  # fmt: skip

    made = settled([charge], [fact(index, index, draw(index, 6)) for index in range(3)])

    (line,) = made.lines
    assert (line.quantity.value, line.amount, [leaf.index for leaf in line.leaves]) == ("18", "28.00", [0, 1, 2])
    assert made.unbilled == []


def test_a_register_in_windows_of_the_clock_stands_on_the_readings_at_the_edges() -> None:
    charge = {"kind": "time_of_use", "source": {"measure": "energy", "devices": ["meter-1"], "unit": "kWh"},
              "windows": {"rules": [{"window": "peak", "from": "08:00", "to": "20:00"}], "otherwise": "low"},
              "prices": {"peak": "0.30", "low": "0.10"}}  # fmt: skip
    facts = [fact(index, index, reading(index, 1000 * index)) for index in range(25)]

    made = settled([charge], facts)

    low, peak = sorted(made.lines, key=lambda line: line.window)
    assert [(line.quantity.value, line.amount) for line in (low, peak)] == [("12", "1.20"), ("12", "3.60")]
    assert [leaf.index for leaf in peak.leaves] == [8, 20]


def test_run_time_weighs_seconds_by_speed() -> None:
    charge = {"kind": "weighted_runtime", "source": {"measure": "runtime"}, "unit_price": "3",
              "weights": [{"speed": "1", "weight": "0.5"}, {"speed": "2", "weight": "1"}]}  # fmt: skip
    span = {"from_": NOVEMBER.from_ms, "to": NOVEMBER.from_ms + HOUR, "speeds": {"1": 1800, "2": 1200}, "unknown": 600}
    record = Runtime(**said("meter-1", 0), **span)  # type: ignore[arg-type]

    (line,) = settled([charge], [fact(0, 1, record)]).lines

    assert (line.amount, [step.what for step in line.steps]) == ("1.75", ["speed 1", "speed 2", "speed unknown"])


def test_fees_areas_and_commitments_belong_to_the_period() -> None:
    charges: list[dict[str, Any]] = [
        {"kind": "flat", "amount": "30"},
        {"kind": "area", "areas": [{"subject": "hall", "m2": "10", "end": "2026-11-16"}], "unit_price": "2"},
        {"kind": "commitment", "minimum": {"amount": "60"}},
    ]

    made = settled(charges, [])

    assert [(line.kind, line.amount) for line in made.lines] == [
        ("flat", "30.00"), ("area", "10.00"), ("minimum", "20.00"),
    ]  # fmt: skip
    assert made.total == "60.00"


def test_counted_events_make_a_line_with_their_root_and_refusals_with_their_reason() -> None:
    charge = {"kind": "percentage", "percent": "10", "source": {"measure": "events", "types": ["order"]},
              "valid": {"refused_by": ["refund"], "repeats": {"seconds": 60}}}  # fmt: skip
    facts = [
        event(1, 1, value=100, subject="a"), event(2, 2, value=50, subject="b"), event(3, 2, value=50, subject="b"),
        event(4, 5, type="refund", labels={"of": "e1"}),
    ]  # fmt: skip

    made = settled([charge], facts)

    (line,) = made.lines
    assert (line.amount, line.level) == ("5.00", "C")
    assert line.evidence is not None
    assert line.evidence.events == 1
    assert [(one.reason, one.leaves[0].index) for one in made.unbilled] == [("refused", 1), ("repeat", 3)]


def test_what_the_terms_refuse_is_parked_and_not_lost() -> None:
    charge = {"kind": "volume", "source": {"measure": "pieces"}, "tiers": [{"up_to": "10", "unit_price": "2"}]}

    made = settled([charge, {"kind": "flat", "amount": "5"}], [fact(0, 1, draw(0, 11))])

    assert made.total == "5.00"
    assert [(one.reason, one.subject) for one in made.unbilled] == [("unpriced", "volume")]


def test_rounding_the_total_shares_it_out_to_the_lines() -> None:
    charges = [{"kind": "flat", "amount": "0.335", "name": name} for name in ("a", "b", "c")]

    made = settled(charges, [], rounding={"place": "total"})

    assert ([line.amount for line in made.lines], made.total) == (["0.34", "0.34", "0.33"], "1.01")
