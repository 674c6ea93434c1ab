"""The plan of reads: fewest requests, within what the device allows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.block_reads import Limits, block_of, blocks
from gateway.device_events import Want


def want(address: int, width: int = 2, table: int = 4) -> Want:
    return Want(f"r{table}-{address}", 60, table, address, width)


def spans(plan: tuple[tuple[Want, ...], ...]) -> list[tuple[int, int]]:
    return [(min(w.address for w in block), max(w.address + w.width for w in block)) for block in plan]


def test_twenty_neighbours_declared_apart_are_one_request() -> None:
    assert spans(blocks([want(2 * at) for at in reversed(range(20))], Limits(most=80))) == [(0, 40)]


def test_a_gap_is_read_through_where_that_saves_a_request() -> None:
    assert spans(blocks([want(0), want(0x34), want(0x48)], Limits(most=80))) == [(0, 0x4A)]


def test_a_device_that_refuses_unknown_registers_is_not_asked_for_them() -> None:
    assert spans(blocks([want(0), want(2), want(6)], Limits(gap=0))) == [(0, 4), (6, 8)]
    assert spans(blocks([want(0), want(6)], Limits(holes=((4, 3, 3),)))) == [(0, 2), (6, 8)]
    assert spans(blocks([want(0), want(6)], Limits(holes=((3, 3, 3),)))) == [(0, 8)]


def test_of_plans_with_as_many_requests_the_shortest_is_taken() -> None:
    # From the left, as far as 80 registers reach, would be 0-72 and 90-150: more to read than 0-2 and 70-150.
    assert spans(blocks([want(0), want(70), want(90), want(148)], Limits(most=80))) == [(0, 2), (70, 150)]


def test_tables_are_asked_apart_and_a_value_longer_than_a_read_stands_alone() -> None:
    assert spans(blocks([want(0, table=3), want(0), want(2)], Limits())) == [(0, 2), (0, 4)]
    assert spans(blocks([want(0, width=6), want(6)], Limits(most=4))) == [(0, 6), (6, 8)]


def test_the_urgent_one_takes_its_block_along() -> None:
    wants = [want(0), want(2), want(200)]

    assert block_of(wants[1], wants, Limits()) == (wants[0], wants[1])


@given(
    st.sets(st.tuples(st.integers(0, 300), st.integers(1, 4), st.sampled_from([3, 4])), max_size=25),
    st.integers(4, 125),
)
def test_everything_is_read_once_and_never_with_more_requests_than_from_the_left(
    places: set[tuple[int, int, int]], most: int
) -> None:
    wants = [want(address, width, table) for address, width, table in places]

    plan = blocks(wants, Limits(most=most))

    assert sorted(w.address for block in plan for w in block) == sorted(w.address for w in wants)
    assert all(end - start <= most for start, end in spans(plan))
    assert len(plan) <= greedy(wants, most)


def greedy(wants: list[Want], most: int) -> int:
    count, table, start = 0, 0, -1000
    for one in sorted(wants, key=lambda w: (w.table, w.address)):
        if one.table != table or one.address + one.width - start > most:
            count, table, start = count + 1, one.table, one.address
    return count
