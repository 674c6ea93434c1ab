"""Many events are sorted into cells of the clock, and come out where each of them by itself belongs."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.money import RoundingPolicy
from cloud.rating.buckets import bucket_name, greatest_of_each
from cloud.rating.charges import percentage
from cloud.rating.intervals import Splitting, cut, cut_by_windows
from cloud.rating.lines import Measured, Pricing
from cloud.rating.uses import HOUR_MS, Use, in_order, ordered
from cloud.time_windows import Window

DAY = 24 * HOUR_MS
# Clocks that are set by an hour, by half an hour, an odd offset, and seconds (Monrovia until 1972-01-07 00:44:30 UTC).
ZONES = {
    "Europe/Berlin": 1_774_746_000_000,
    "Australia/Lord_Howe": 1_775_314_800_000,
    "Asia/Kathmandu": 1_774_746_000_000,
    "Africa/Monrovia": 63_593_070_000,
}


@pytest.mark.parametrize("zone", list(ZONES))
@pytest.mark.parametrize("bucket", ["hour", "day"])
@given(st.lists(st.tuples(st.integers(-DAY, DAY), st.integers(-9, 9), st.sampled_from([0, -2])), max_size=40))
def test_the_greatest_of_each_bucket_is_found_one_by_one(
    zone: str, bucket: str, told: list[tuple[int, int, int]]
) -> None:
    uses = [Use(at=ZONES[zone] + after, value=value, scale=scale) for after, value, scale in told]

    found = greatest_of_each(uses, bucket, zone)

    single: dict[str, Fraction] = {}
    for use in uses:
        name = bucket_name(use.at, bucket, zone)
        single[name] = max(use.quantity, single.get(name, use.quantity))
    assert found == single


@given(
    st.lists(st.integers(1, 199), min_size=1, max_size=9, unique=True),
    st.lists(st.tuples(st.integers(0, 199), st.integers(0, 90))),
    st.sampled_from(get_args(Splitting)),
)
def test_uses_fall_into_the_windows_in_which_their_parts_lie(
    edges: list[int], told: list[tuple[int, int]], how: Splitting
) -> None:
    starts = [0, *sorted(edges)]
    windows = [Window(at, end, "ab"[n % 2]) for n, (at, end) in enumerate(zip(starts, [*starts[1:], 300], strict=True))]
    uses = [Use(at=at, until=at + lasts if lasts else 0) for at, lasts in told]

    found = cut_by_windows(uses, windows, how)

    single: dict[str, list[Use]] = {}
    for part in [part for use in uses for part in cut(use, starts, how)]:
        single.setdefault(windows[bisect_right(starts, part.at) - 1].name, []).append(part)
    assert found == single


@given(st.lists(st.builds(Use, at=st.integers(0, 5), source=st.sampled_from("ab"), id=st.sampled_from("xyz"))))
def test_uses_of_one_instant_are_in_order_of_source_and_id(uses: list[Use]) -> None:
    found = ordered(uses)

    assert found == sorted(uses, key=in_order)


def test_more_free_events_than_there_are_leave_nothing_to_pay() -> None:
    terms = percentage.Terms.model_validate(
        {"kind": "percentage", "percent": "2", "free_events": 9, "free_amount": "100"}
    )
    events = Measured(
        measure="usage", device="", subject="", first="2026-11-01", end="2026-12-01", quantity=Fraction(30),
        unit="EUR", uses=(Use(at=1, value=10), Use(at=2, value=20)),
    )  # fmt: skip

    lines = percentage.charge(events, terms, Pricing(1, 0, "EUR", RoundingPolicy()))

    assert [line.amount for line in lines] == ["0.00"]
