"""What lies in a slot by our own records, and who may take it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import AccessPolicy, Asked, Decision, Situation, decide
from gateway.ports import Badge, Desired, Planogram, Slot
from gateway.reasons import SENTENCES
from gateway.shelf import Shelf
from wire.records import Count, Draw, DrawResolved, Ref, Refill

SLOTS = (Slot("1", "glove", 10, confirm="door"), Slot("2", "bit", 5, confirm="sensor"))
LIST = Desired(4, {"cab": Planogram("cab", 7, SLOTS)}, {"B1": Badge("B1", "p-1")}, 9)


def base(n: int) -> dict[str, Any]:
    return {"v": 1, "z": "", "src": "cab", "ep": "e", "n": n, "t": 0, "ts": "S", "b": "e", "m": 0}


def goods(kind: type[Any], n: int, qty: int) -> Any:
    return kind(**base(n), slot="1", item="glove", qty=qty)


def draw(n: int, qty: int, outcome: str = "confirmed") -> Draw:
    return Draw(
        **base(n), slot="1", item="glove", asked=1, qty=qty, outcome=outcome,  # type: ignore[arg-type]
        actuation="", confirmation="", intent=f"e/{n}",
    )  # fmt: skip


def shelf(*records: Any) -> Shelf:
    found = Shelf()
    for record in records:
        found.apply(record)
    return found


@given(st.lists(st.tuples(st.sampled_from(["refill", "draw"]), st.integers(0, 9)), max_size=20), st.integers(0, 50))
def test_what_is_there_is_the_last_count_plus_refills_minus_draws(moves: list[tuple[str, int]], counted: int) -> None:
    records = [goods(Refill, n, q) if what == "refill" else draw(n, q) for n, (what, q) in enumerate(moves, 2)]

    found = shelf(goods(Refill, 0, 3), goods(Count, 1, counted), *records)

    expected = counted + sum(q if what == "refill" else -q for what, q in moves)
    assert found.look("cab", "1").on_hand == expected


def test_a_slot_that_nobody_counted_has_no_stock_to_show() -> None:
    assert shelf(draw(1, 1)).look("cab", "1").on_hand is None


def test_an_unverified_draw_is_off_the_shelf_and_wants_a_count() -> None:
    found = shelf(goods(Count, 1, 10), draw(2, 1, "unverified"))

    assert (found.look("cab", "1").on_hand, found.doubtful()) == (9, [("cab", "1")])


@pytest.mark.parametrize(
    ("counted", "proof"), [(8, [("confirmed", 1)] * 2), (10, [("not_dispensed", 0)] * 2), (9, []), (7, []), (11, [])]
)
def test_a_count_decides_only_where_it_fits_one_world(counted: int, proof: list[tuple[str, int]]) -> None:
    found = shelf(goods(Count, 1, 10), draw(2, 1, "unverified"), draw(3, 1, "unverified"))

    assert [(one.outcome, one.qty) for one in found.resolutions("cab", "1", counted)] == proof


def test_a_resolution_gives_back_what_did_not_leave() -> None:
    found = shelf(goods(Count, 1, 10), draw(2, 1, "unverified"))

    found.apply(DrawResolved(**base(3), ref=Ref("cab", "e", 2), outcome="not_dispensed", qty=0, evidence="counter"))

    assert found.look("cab", "1").on_hand == 10
    assert found.unverified("cab", "1", "e/2") is None


def test_a_denied_draw_moves_nothing_and_is_not_the_last_record_of_the_slot() -> None:
    found = shelf(goods(Count, 1, 10), draw(2, 0, "denied"))

    assert (found.look("cab", "1").on_hand, found.look("cab", "1").last) == (10, "e/1")


def asked(desired: Desired = LIST, age: int | None = 0, policy: AccessPolicy | None = None, **own: Any) -> Decision:
    question = {"cabinet": "cab", "badge": "B1", "slot": "2", "quantity": 1, **own}
    on_hand = question.pop("on_hand", None)
    return decide(desired, age, policy or AccessPolicy(), Asked(**question), Situation(on_hand=on_hand))


def test_a_known_badge_at_a_known_slot_is_allowed_with_the_versions_that_allowed_it() -> None:
    found = asked()

    assert (found.allowed, found.person, found.planogram, found.rules) == (True, "p-1", 7, 9)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"desired": Desired()}, "no_list"),
        ({"cabinet": "x"}, "unknown_cabinet"),
        ({"slot": "9"}, "unknown_slot"),
        ({"badge": "B2"}, "unknown_badge"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": 6}, "quantity"),
        ({"slot": "1", "quantity": 2}, "one_at_a_time"),
        ({"age": 31 * 86_400}, "list_too_old"),
        ({"policy": AccessPolicy(refuse_empty=True), "on_hand": 0}, "empty"),
    ],
)
def test_a_refusal_says_why_to_machines_and_people(question: dict[str, Any], reason: str) -> None:
    found = asked(**question)

    assert (found.allowed, found.reason) == (False, reason)
    assert found.sentence == SENTENCES[reason]


def test_an_old_list_may_be_allowed_and_is_flagged() -> None:
    found = asked(age=31 * 86_400, policy=AccessPolicy(when_old="allow"))

    assert (found.allowed, found.q) == (True, ("old_list",))


@pytest.mark.parametrize("age", [None, 29 * 86_400])
def test_a_list_of_unknown_or_fair_age_refuses_nobody(age: int | None) -> None:
    assert asked(age=age).allowed


def test_an_empty_slot_is_refused_only_where_that_is_wanted() -> None:
    assert asked(on_hand=0).allowed
