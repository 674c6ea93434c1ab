"""What to do next on the way to the cloud, decided without a clock, a network or a journal."""

from __future__ import annotations

import itertools

import pytest

from gateway.outbox import FIRST_WAIT, LARGEST, LONGEST_WAIT, REFUSED_WAIT, SMALLEST, Failure, Outbox


def an_outbox(chance: float = 0.999) -> Outbox:
    return Outbox(lambda: chance, linger=0.03)


def asked(chance: float = 0.999) -> Outbox:
    box = an_outbox(chance)
    box.headed()
    return box


def test_a_boot_asks_for_the_head_even_when_nothing_waits() -> None:
    box = an_outbox()

    assert (box.step, box.due(0, waiting=False)) == ("ask", 0)


def test_with_nothing_to_send_there_is_nothing_to_do() -> None:
    assert asked().due(0, waiting=False) is None


def test_every_error_makes_it_ask_again() -> None:
    box = asked()

    box.failed(10, "network")

    assert box.step == "ask"


def test_waits_double_up_to_a_limit_and_a_receipt_ends_them() -> None:
    box = asked()

    waits = [box.failed(0, "network") for _ in range(12)]
    box.headed()
    box.receipt(100, 100.1, 5)

    assert waits[0] <= FIRST_WAIT
    assert all(later >= earlier for earlier, later in itertools.pairwise(waits))
    assert LONGEST_WAIT * 0.9 < waits[-1] <= LONGEST_WAIT
    assert box.failed(200, "network") <= FIRST_WAIT


def test_chance_spreads_the_waits_over_half_of_them() -> None:
    assert an_outbox(0.0).failed(0, "refused") == REFUSED_WAIT / 2
    assert an_outbox(0.5).failed(0, "refused") == REFUSED_WAIT * 0.75


def test_an_answered_head_alone_does_not_end_the_waits() -> None:
    box = asked()
    for _ in range(6):
        box.failed(0, "server")
        box.headed()

    assert box.failed(0, "server") > 4


def test_a_stale_size_is_asked_about_at_once_but_not_for_ever() -> None:
    box = asked()

    waits = []
    for _ in range(3):
        waits.append(box.failed(0, "stale"))
        box.headed()

    assert waits[0] == 0
    assert all(wait > 0 for wait in waits[1:])


def test_the_cloud_may_ask_for_a_longer_wait() -> None:
    assert asked().failed(0, "busy", retry_after=20) == 20


@pytest.mark.parametrize("kind", ["timeout", "too_large"])
def test_what_does_not_get_through_is_sent_in_smaller_pieces(kind: Failure) -> None:
    box = asked()

    for _ in range(9):
        box.failed(0, kind)

    assert box.limit == SMALLEST


def test_a_near_cloud_gets_pieces_of_one_size() -> None:
    box = asked()
    before = box.limit

    box.receipt(0, 0.02, before)

    assert box.limit == before


def test_pieces_grow_where_the_way_takes_the_time() -> None:
    box = asked()
    for now in range(9):
        box.receipt(now, now + 0.5, box.limit)

    assert box.limit == LARGEST


def test_a_slow_piece_does_not_make_the_next_one_larger() -> None:
    box = asked()
    before = box.limit

    box.receipt(0, 9, before)

    assert box.limit == before


def test_a_busy_gateway_lingers_and_an_idle_one_does_not() -> None:
    box = asked()

    box.receipt(10.0, 10.005, 3)

    assert box.due(10.005, waiting=True) == pytest.approx(0.025)
    assert box.due(11.0, waiting=True) == 0


def test_a_forked_log_sends_nothing_any_more() -> None:
    box = an_outbox()

    box.stop()

    assert box.due(0, waiting=True) is None
