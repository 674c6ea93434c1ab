"""Rules, periods and limits as arithmetic: clock changes, wrong clocks, shared limits, credit, blocks, old rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import AccessPolicy, Asked, Decision, Situation, decide
from gateway.periods import business_day, period_of
from gateway.ports import Badge, Desired, Planogram, Slot
from gateway.reasons import WHOM
from gateway.rules import Blocked, CabinetRules, CostCentre, Item, Job, Limit, Person, Rules, Share, Shift
from gateway.uses import Now, Uses
from wire.records import Draw, Intent, Ref, Return

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000
SHIFTS = (Shift("early", "06:00"), Shift("late", "14:00"), Shift("night", "22:00"))
SITE = Rules(version=5, zone="Europe/Berlin", day_starts="06:00", shifts=SHIFTS)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()) * 1000


@pytest.mark.parametrize(
    ("span", "at", "starts", "ends"),
    [
        ("day", "2026-11-22T05:59", "2026-11-21T06:00", "2026-11-22T06:00"),
        ("day", "2026-11-22T06:00", "2026-11-22T06:00", "2026-11-23T06:00"),
        ("shift", "2026-11-22T23:30", "2026-11-22T22:00", "2026-11-23T06:00"),
        ("shift", "2026-11-23T02:00", "2026-11-22T22:00", "2026-11-23T06:00"),
        ("week", "2026-11-23T05:00", "2026-11-16T06:00", "2026-11-23T06:00"),
        ("month", "2026-12-01T03:00", "2026-11-01T06:00", "2026-12-01T06:00"),
        ("month", "2026-02-28T12:00", "2026-02-01T06:00", "2026-03-01T06:00"),
    ],
)
def test_a_period_of_the_site_has_its_own_borders(span: Any, at: str, starts: str, ends: str) -> None:
    assert period_of(span, ms(at), SITE) == (ms(starts), ms(ends))


def test_a_day_with_a_clock_change_has_23_or_25_hours() -> None:
    midnight = msgspec.structs.replace(SITE, day_starts="00:00")

    spring = period_of("day", ms("2026-03-29T12:00"), midnight)
    autumn = period_of("day", ms("2026-10-25T12:00"), midnight)

    assert ((spring.end - spring.start) // HOUR, (autumn.end - autumn.start) // HOUR) == (23, 25)


@given(st.integers(ms("2024-01-01T00:00"), ms("2028-01-01T00:00")), st.sampled_from(["shift", "day", "week", "month"]))
def test_every_moment_lies_in_its_period_and_the_next_one_begins_where_it_ends(at: int, span: Any) -> None:
    now = period_of(span, at, SITE)

    assert now.start <= at < now.end
    assert period_of(span, now.end, SITE).start == now.end
    assert period_of(span, now.start, SITE) == now
    assert business_day(at, SITE) == business_day(period_of("day", at, SITE).start, SITE)


NOON = ms("2026-11-18T12:00")


def record(kind: type[Any], n: int, at: int, who: str = "p-1", **fields: Any) -> Any:
    base = {"v": 1, "z": "", "src": "cab", "ep": "e", "n": n, "t": at, "ts": "S", "b": "e", "m": at - NOON + HOUR * 500}
    goods = {"slot": "1", "item": "glove", "qty": 1}
    return kind(**{**base, "who": who, **goods, **fields})


def draw(n: int, at: int, who: str = "p-1", **fields: Any) -> Draw:
    said = {"asked": 1, "outcome": "confirmed", "actuation": "", "confirmation": "", **fields}
    made: Draw = record(Draw, n, at, who, **said)
    return made


def desired(**rules: Any) -> Desired:
    slots = (Slot("1", "glove", 10), Slot("2", "bit", 10))
    badges = {f"B{n}": Badge(f"B{n}", f"p-{n}") for n in (1, 2, 3)}
    return Desired(4, {"cab": Planogram("cab", 7, slots)}, badges, 9, msgspec.structs.replace(SITE, **rules))


def asked(
    told: Desired, uses: Uses | None = None, *, now: Now | None = None, age: int | None = 0, **question: Any
) -> Decision:
    at = now or Now(NOON, "S", "e", HOUR * 500)
    ask = Asked(**{"cabinet": "cab", "slot": "1", "badge": "B1", **question})
    return decide(told, age, AccessPolicy(), ask, Situation(uses or Uses(), at))


def used(*records: Any) -> Uses:
    found = Uses()
    for one in records:
        found.apply(one)
    return found


TWO = Limit("two", "day", quantity=2)


def test_yesterdays_draws_and_those_of_others_do_not_count() -> None:
    uses = used(draw(1, NOON - 24 * HOUR), draw(2, NOON - 24 * HOUR), draw(3, NOON - HOUR, "p-2"), draw(4, NOON - HOUR))

    found = asked(desired(limits=(TWO,)), uses)

    assert (found.allowed, found.left) == (True, 1)
    assert asked(desired(limits=(TWO,)), uses, quantity=2).reason == "limit_quantity"


def test_an_attempt_that_is_open_counts_as_what_it_asks_for_until_it_ends() -> None:
    intent = Intent(
        v=1, z="", src="cab", ep="e", n=1, t=NOON, ts="S", b="e", m=0, who="p-1", slot="1", item="glove", asked=2
    )
    told, uses = desired(limits=(TWO,)), used(intent)
    during = asked(told, uses)
    uses.apply(draw(2, NOON, qty=0, outcome="jammed", intent="e/1"))

    assert (during.reason, asked(told, uses).allowed) == ("limit_quantity", True)


def test_what_comes_back_is_given_back_to_the_limit() -> None:
    uses = used(draw(1, NOON - HOUR), draw(2, NOON - HOUR))
    before = asked(desired(limits=(TWO,)), uses)
    uses.apply(record(Return, 3, NOON, ref=Ref("cab", "e", 1), condition="unused"))

    assert (before.allowed, asked(desired(limits=(TWO,)), uses).left) == (False, 1)


@pytest.mark.parametrize(
    ("each", "limit", "left"),
    [
        ("group", {"groups": ("millers",)}, 0),
        ("cost_centre", {"cost_centres": ("CC1",)}, 1),
        ("job", {}, 1),
        ("all", {}, 0),
        ("person", {}, 2),
    ],
)
def test_a_limit_adds_up_whose_draws_it_says(each: Any, limit: dict[str, Any], left: int) -> None:
    people = (Person("p-1", groups=("millers",), cost_centre="CC1"), Person("p-2", groups=("millers",)), Person("p-3"))
    told = desired(
        persons=people,
        jobs=(Job("J-1", cost_centre="CC1"),),
        limits=(Limit("shared", "week", quantity=2, each=each, **limit),),
    )
    uses = used(draw(1, NOON - HOUR, "p-2", for_="J-1"), draw(2, NOON - HOUR, "p-2", for_="CC9"))

    assert asked(told, uses, for_="CC1/J-1").left == left


def test_a_limit_of_money_counts_prices_and_says_how_many_are_left() -> None:
    items = (Item("glove", price_minor=250),)
    told = desired(items=items, limits=(Limit("budget", "month", value_minor=1000),))

    found = asked(told, used(draw(1, NOON - HOUR, qty=2)), quantity=3)

    assert (found.reason, found.left) == ("limit_value", 2)
    assert asked(told, used(draw(1, NOON - HOUR, qty=2)), quantity=2).allowed


@pytest.mark.parametrize("state", ["U", "I"])
def test_a_clock_that_nobody_vouches_for_locks_nobody_out(state: Any) -> None:
    told, uses = desired(limits=(TWO,)), used(draw(1, NOON - HOUR), draw(2, NOON - HOUR))
    frozen = Now(0 if state == "U" else NOON, state, "later-boot", 60_000)

    found = asked(told, uses, now=frozen)

    assert (found.allowed, found.q) == (True, ("limit_unsure",))


def test_draws_under_a_wrong_clock_count_as_soon_as_it_is_right() -> None:
    early = [draw(n, 5_000 * n, ts="U", b="b", ep="b", m=5_000 * n) for n in (1, 2)]

    found = asked(desired(limits=(TWO,)), used(*early), now=Now(NOON, "S", "b", 60_000))

    assert found.reason == "limit_quantity"


def test_credit_is_what_the_share_leaves_after_draws_that_the_cloud_has_not_booked() -> None:
    share = Share(("cab",), limit_minor=1000, used_minor=400, as_of={"cab/e": 1}, prices={"glove": 250})
    told = msgspec.structs.replace(desired(), credit={"agr": share})
    uses = used(draw(1, NOON - HOUR), draw(2, NOON - HOUR))

    one, two = asked(told, uses), asked(told, uses, quantity=2)

    assert (one.allowed, one.left) == (True, 1)
    assert (two.reason, two.ask) == ("credit", WHOM["supplier"])
    assert "unpriced" in asked(told, uses, slot="2").q
    spared = msgspec.structs.replace(told, credit={"agr": msgspec.structs.replace(share, when_spent="allow")})
    assert asked(spared, uses, quantity=2).q == ("over_credit",)


@pytest.mark.parametrize(
    ("rules", "question", "reason"),
    [
        ({"blocked": Blocked(badges=frozenset({"B1"}))}, {}, "badge_blocked"),
        ({"blocked": Blocked(persons=frozenset({"p-1"}))}, {}, "person_blocked"),
        ({"blocked": Blocked(items=frozenset({"glove"}))}, {}, "item_blocked"),
        ({"persons": (Person("p-1", active=False),)}, {}, "person_inactive"),
        ({"items": (Item("glove", groups=("welders",)),)}, {}, "not_your_item"),
        ({"items": (Item("glove", needs_job=True),)}, {}, "needs_job"),
        ({"items": (Item("glove", needs_cost_centre=True),)}, {}, "needs_cost_centre"),
        ({"jobs": (Job("J-1", open=False),)}, {"for_": "J-1"}, "unknown_job"),
        ({"cost_centres": (CostCentre("CC1", open=False),)}, {"for_": "CC1"}, "unknown_cost_centre"),
        ({"persons": (Person("p-1", jobs=("J-2",)),), "jobs": (Job("J-1"),)}, {"for_": "J-1"}, "unknown_job"),
        ({"items": (Item("glove", loan_days=3),)}, {}, "is_a_loan"),
        ({"cabinets": {"cab": CabinetRules(max_age_hours=1)}}, {"age": 7200}, "list_too_old"),
        ({"cabinets": {"cab": CabinetRules(max_age_hours=1, when_old="essentials")}}, {"age": 7200}, "not_essential"),
        ({"cabinets": {"cab": CabinetRules(max_age_hours=1, when_old="allow")}}, {"age": 7200}, ""),
        ({"cabinets": {"cab": CabinetRules(max_age_hours=0)}}, {"age": 10**9}, ""),
    ],
)
def test_a_rule_refuses_with_its_own_reason(rules: dict[str, Any], question: dict[str, Any], reason: str) -> None:
    assert asked(desired(**rules), **question).reason == reason


def test_ten_thousand_people_and_two_hundred_limits_are_one_look_up_each() -> None:
    people = tuple(Person(f"p-{n}") for n in range(10_000))
    limits = tuple(Limit(f"l-{n}", quantity=5, items=(f"item-{n}",)) for n in range(200))

    told = desired(persons=people, limits=limits)

    assert told.book.person("p-9999") is people[-1]
    assert told.book.limits_on("item-7") == (limits[7],)
