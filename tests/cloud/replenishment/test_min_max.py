"""Min/max by worked examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.replenishment.policies.min_max import MILLION, Levels, decide
from cloud.replenishment.propose_orders import in_words


@pytest.mark.parametrize(
    ("on_hand", "on_order", "minimum", "maximum", "capacity", "pack", "quantity"),
    [
        (4, 0, 3, 10, 20, 1, None), (3, 0, 3, 10, 20, 1, 7), (0, 0, 0, 10, 20, 5, 10), (3, 0, 3, 10, 20, 5, 10),
        (2, 2, 3, 10, 20, 5, None), (2, 1, 3, 10, 20, 5, 10), (3, 0, 3, 10, 12, 5, 5), (1, 0, 1, 4, 5, 12, 12),
        (-2, 0, 3, 10, 0, 5, 15), (0, 0, 0, 0, 5, 1, None),
    ],
)  # fmt: skip
def test_at_or_below_min_the_order_brings_the_position_to_max_in_packs(
    on_hand: int, on_order: int, minimum: int, maximum: int, capacity: int, pack: int, quantity: int | None
) -> None:
    found = decide(on_hand * MILLION, on_order * MILLION, Levels(minimum, maximum, capacity, pack))

    assert (None if found is None else found.quantity) == quantity


def test_the_reason_is_a_sentence_of_its_numbers() -> None:
    found = decide(3 * MILLION, 0, Levels(3, 10, 20, 5))

    assert found is not None
    assert in_words("drill-8", found.reason, found.facts) == (
        "drill-8: 3 on hand and 0 on order are not more than the minimum of 3; 2 x 5 bring it to the maximum of 10."
    )


@given(st.integers(-50, 200), st.integers(0, 20), st.integers(1, 60), st.integers(0, 90), st.integers(1, 30))
def test_an_order_is_whole_packs_and_reaches_max_or_fills_the_slot(
    on_hand: int, minimum: int, more: int, room: int, pack: int
) -> None:
    levels = Levels(minimum, minimum + more, minimum + more + room, pack)
    found = decide(on_hand * MILLION, 0, levels)

    assert (found is None) == (on_hand > minimum)
    if found is not None:
        assert found.quantity % pack == 0
        assert found.quantity == pack or on_hand + found.quantity <= levels.capacity
        assert on_hand + found.quantity + pack > min(levels.maximum, levels.capacity)
