"""The stock ledger by itself: goods move, and nothing is ever set."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cloud.ingest.posted import Posted
from cloud.stock.ledger import Books, Place
from wire.ids import RecordKey
from wire.records import Count, Draw, DrawResolved, Loan, LoanBack, Record, Ref, Refill, Return, Reversal


class Story:
    """Records of one cabinet in log order, and the books they make."""

    def __init__(self) -> None:
        self.places: dict[RecordKey, tuple[int, int]] = {}
        self.books = Books(planogram={("cab", "1"): "bolt"}, places=self.places)
        self.n = 0

    def said(self) -> dict[str, object]:
        self.n += 1
        return {"v": 1, "z": "", "src": "cab", "ep": "e", "n": self.n, "t": 0, "ts": "S", "b": "e", "m": 0}

    def post(self, record: Record) -> RecordKey:
        posted = Posted("t", "log", 1, self.n, b"", record, self.n, "synchronised", "gw")
        self.places[record.key] = (1, self.n)
        self.books.post([posted])
        return record.key

    def refill(self, qty: int, item: str = "bolt") -> RecordKey:
        return self.post(Refill(**self.said(), slot="1", item=item, qty=qty))  # type: ignore[arg-type]

    def draw(self, qty: int = 1, outcome: str = "confirmed", item: str = "bolt") -> RecordKey:
        body = {"slot": "1", "item": item, "asked": qty, "qty": qty, "outcome": outcome}
        return self.post(Draw(**self.said(), **body, actuation="", confirmation=""))  # type: ignore[arg-type]

    def resolve(self, key: RecordKey, outcome: str = "confirmed", qty: int = 1) -> RecordKey:
        said = self.said()
        return self.post(DrawResolved(**said, ref=Ref(*key), outcome=outcome, qty=qty, evidence=""))  # type: ignore[arg-type]

    def reverse(self, key: RecordKey, qty: int = 1) -> RecordKey:
        return self.post(Reversal(**self.said(), ref=Ref(*key), qty=qty, reason=""))  # type: ignore[arg-type]

    def count(self, qty: int, position: str = "") -> RecordKey:
        return self.post(Count(**self.said(), slot="1", item="bolt", qty=qty, position=position))  # type: ignore[arg-type]

    def give(self, kind: type[Return | Loan | LoanBack], qty: int = 1) -> RecordKey:
        return self.post(kind(**self.said(), slot="1", item="bolt", qty=qty))  # type: ignore[arg-type]

    def held(self, place: Place, item: str = "bolt") -> int:
        return self.books.shelf("cab", "1", item, place) // 1_000_000

    def doubts(self) -> list[str]:
        return [one.kind for one in self.books.discrepancies]


def test_a_draw_moves_goods_from_the_slot_to_the_customer() -> None:
    story = Story()
    story.refill(10)
    story.draw(3)

    assert (story.held("slot"), story.held("consumed"), story.held("warehouse")) == (7, 3, -10)
    assert story.doubts() == []


def test_a_draw_that_did_not_happen_moves_nothing() -> None:
    story = Story()
    for outcome in ("not_dispensed", "jammed", "not_taken", "void", "denied", "cancelled"):
        story.draw(1, outcome)

    assert story.books.moves == []


def test_an_unverified_draw_is_doubtful_until_evidence_decides() -> None:
    story = Story()
    story.refill(10)
    taken, left = story.draw(1, "unverified"), story.draw(1, "unverified")
    assert (story.held("slot"), story.held("doubtful"), story.held("consumed")) == (8, 2, 0)

    story.resolve(taken)
    story.resolve(left, "not_dispensed", 0)

    assert (story.held("slot"), story.held("doubtful"), story.held("consumed")) == (9, 0, 1)


def test_evidence_of_more_pieces_than_presumed_takes_the_rest_from_the_slot() -> None:
    story = Story()
    story.refill(10)
    story.resolve(story.draw(1, "unverified"), "confirmed", 3)

    assert (story.held("slot"), story.held("doubtful"), story.held("consumed")) == (7, 0, 3)


def test_a_draw_is_resolved_once() -> None:
    story = Story()
    key = story.draw(1, "unverified")
    story.resolve(key)
    story.resolve(key, "not_dispensed", 0)

    assert (story.held("doubtful"), story.held("consumed")) == (0, 1)
    assert "taken_back_twice" in story.doubts()


def test_a_reversal_returns_no_more_than_was_drawn() -> None:
    story = Story()
    story.refill(10)
    key = story.draw(2)
    story.reverse(key, 1)
    story.reverse(key, 5)

    assert (story.held("slot"), story.held("consumed")) == (10, 0)
    assert "taken_back_twice" in story.doubts()


def test_a_reversal_of_something_unknown_is_noted_and_moves_nothing() -> None:
    story = Story()
    story.reverse(RecordKey("cab", "e", 99))

    assert story.doubts() == ["unknown_ref"]
    assert story.books.moves == []


def test_a_count_is_a_move_that_makes_the_balance_what_was_counted() -> None:
    story = Story()
    story.refill(10)
    story.draw(2)
    story.count(7)

    assert (story.held("slot"), story.held("variance")) == (7, 1)
    assert story.doubts() == ["count_variance"]


def test_a_count_speaks_of_the_position_at_which_it_was_taken() -> None:
    story = Story()
    story.refill(10)
    before = story.draw(2)
    story.draw(3)
    story.count(8, position=f"e/{before.n}")

    assert (story.held("slot"), story.held("variance")) == (5, 0)


def test_a_draw_that_did_not_happen_does_not_return_into_a_slot_that_was_counted_since() -> None:
    story = Story()
    story.refill(10)
    key = story.draw(1, "unverified")
    story.count(10)
    story.resolve(key, "not_dispensed", 0)

    assert (story.held("slot"), story.held("doubtful"), story.held("variance")) == (10, 0, 0)


def test_what_is_posted_late_leaves_a_slot_as_it_was_counted_since() -> None:
    story = Story()
    story.refill(10)
    story.n += 1
    story.count(7)
    story.n = 1
    story.draw(2)

    assert (story.held("slot"), story.held("consumed"), story.held("variance")) == (7, 2, 1)


def test_a_count_that_comes_later_than_a_newer_one_changes_nothing() -> None:
    story = Story()
    first = story.refill(10)
    story.draw(1)
    story.count(9)
    story.count(10, position=f"e/{first.n}")

    assert (story.held("slot"), story.doubts()) == (9, [])


def test_goods_that_are_lent_stay_the_suppliers() -> None:
    story = Story()
    story.refill(3)
    story.give(Loan)
    assert (story.held("slot"), story.held("loaned"), story.held("consumed")) == (2, 1, 0)

    story.give(LoanBack)

    assert (story.held("slot"), story.held("loaned")) == (3, 0)


def test_a_slot_below_nothing_is_noted_and_never_refused() -> None:
    story = Story()
    story.draw(1)
    story.draw(1)

    assert story.held("slot") == -2
    assert story.doubts() == ["negative_balance"]


def test_a_draw_of_an_item_that_the_planogram_does_not_have_there_is_posted_and_noted() -> None:
    story = Story()
    story.draw(1, item="nut")

    assert story.held("consumed", "nut") == 1
    assert "planogram_mismatch" in story.doubts()


ACTS = st.lists(
    st.tuples(st.sampled_from(["refill", "draw", "unsure", "resolve", "reverse", "count", "return"]), st.integers(0, 6))
)


@given(ACTS)
def test_whatever_happens_all_places_together_hold_nothing(acts: Sequence[tuple[str, int]]) -> None:
    story = Story()
    drawn: list[RecordKey] = [RecordKey("cab", "e", 77)]
    for act, number in acts:
        if act == "refill":
            story.refill(number)
        elif act in ("draw", "unsure"):
            drawn.append(story.draw(number, "confirmed" if act == "draw" else "unverified"))
        elif act == "resolve":
            story.resolve(drawn[-1], "confirmed" if number % 2 else "not_taken", number)
        elif act == "reverse":
            story.reverse(drawn[-1], number)
        elif act == "return":
            story.give(Return, number)
        else:
            story.count(number)
            assert story.held("slot") == number

    assert sum(story.books.balances.values()) == 0
    assert all(story.books.shelf(*shelf) >= 0 for shelf in story.books.balances if shelf[3] == "doubtful")
