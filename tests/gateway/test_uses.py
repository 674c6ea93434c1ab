"""What was drawn is remembered as far back as somebody asks, and no further."""

from __future__ import annotations

from gateway.periods import DAY_MS
from gateway.rules import Limit, Rules
from gateway.uses import RECENT, Now, Uses
from wire.records import Draw, Intent

START = 1_790_000_000_000
MINUTE = 60_000
MONTHLY = Rules(version=1, zone="UTC", limits=(Limit(id="m", period="month", quantity=9_999_999),))


def draw(n: int, at: int) -> Draw:
    return Draw(
        v=1, z="", src="cab", ep="e", n=n, t=at, ts="S", b="e", m=at - START, who="p-1", slot="1", item="glove",
        asked=1, qty=1, outcome="confirmed", actuation="done", confirmation="drop",
    )  # fmt: skip


def fed(uses: Uses, count: int) -> int:
    """One piece a minute; the time of the last."""
    for n in range(1, count + 1):
        uses.apply(draw(n, START + n * MINUTE))
    return START + count * MINUTE


def used(uses: Uses, at: int) -> int:
    left = uses.standing(MONTHLY.limits[0], MONTHLY, Now(at, "S", "e", at - START), person="p-1", for_="")
    return left.used


def test_where_no_limit_asks_only_the_last_few_are_remembered() -> None:
    uses = Uses()
    uses.look_back(Rules(), START, shares=False)

    fed(uses, RECENT + 500)

    assert sum(1 for _ in uses.of("p-1")) == RECENT


def test_a_limit_of_a_month_keeps_the_month_and_forgets_what_lies_before_it() -> None:
    uses = Uses()
    uses.look_back(MONTHLY, START, shares=False)

    at = fed(uses, RECENT + 500)
    kept = used(uses, at)
    uses.apply(draw(RECENT + 501, at + 60 * DAY_MS))

    assert kept == RECENT + 500
    assert sum(1 for _ in uses.of("p-1")) == RECENT


def test_new_rules_that_ask_for_more_than_is_remembered_say_so() -> None:
    uses = Uses()
    uses.look_back(Rules(), START, shares=False)
    at = fed(uses, RECENT + 500)

    asked = uses.look_back(MONTHLY, at, shares=False)
    anew = Uses()
    again = anew.look_back(MONTHLY, at, shares=False)
    fed(anew, RECENT + 500)

    assert (asked, again) == (True, False)
    assert used(anew, at) == RECENT + 500


def test_a_record_that_is_fed_twice_counts_once() -> None:
    uses = Uses()

    at = fed(uses, 3)
    fed(uses, 3)

    assert used(uses, at) == 3


def intent(n: int, did: str) -> Intent:
    return Intent(
        v=1, z="", src="cab", ep="e", n=n, t=START, ts="S", b="e", m=0, did=did, who="p-1", slot="1", item="glove",
        asked=2,
    )  # fmt: skip


def test_what_a_device_asks_for_counts_from_the_question_on_and_once() -> None:
    uses = Uses()

    uses.hold(intent(0, "1/7/a"))
    asked = used(uses, START)
    uses.apply(intent(1, "1/7/a"))

    assert (asked, used(uses, START)) == (2, 2)


def test_a_question_that_leads_to_nothing_counts_no_more() -> None:
    uses = Uses()

    uses.hold(intent(0, "1/7/a"))
    uses.never_was("cab", "1/7/a")

    assert used(uses, START) == 0
