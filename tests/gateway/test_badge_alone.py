"""What a bare badge may do without a session: nothing that a session would have refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.ports import Badge
from gateway.rules import Blocked, CabinetRules, Job, Limit, Person
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from tests.gateway.site import CABINET
from tests.gateway.test_rules import NOON, asked, desired, draw, used
from wire.records import Count, Draw, Refill


def test_a_badge_without_its_pin_draws_nothing_where_both_are_asked_for(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        alone = await kiosk.post("draws", cabinet=CABINET, badge="B0018", slot="1")
        kiosk.rule(cabinets={CABINET: CabinetRules(identify="badge_and_pin")})
        everybody = await kiosk.post("draws", cabinet=CABINET, badge="B0017", slot="1")

        assert (alone["reason"], everybody["reason"]) == ("pin_needed", "pin_needed")
        assert kiosk.opened == []

    at_the_kiosk(tmp_path, play)


@pytest.mark.parametrize("deed", ["refills", "counts"])
def test_whoever_has_no_role_cannot_say_what_lies_in_a_slot(tmp_path: Path, deed: str) -> None:
    async def play(kiosk: Kiosk) -> None:
        found = await kiosk.post(deed, cabinet=CABINET, badge="B0017", slot="1", quantity=3)

        assert (found["reason"], await kiosk.kinds(Count), await kiosk.kinds(Refill)) == ("role_needed", [], [])

    at_the_kiosk(tmp_path, play)


def test_a_blocked_restocker_is_not_believed_any_more(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(blocked=Blocked(badges=frozenset({"B0020"})))

        found = await kiosk.post("refills", cabinet=CABINET, badge="B0020", slot="1", quantity=3)

        assert (found["reason"], found["ask"]) == ("badge_blocked", "Ask your supervisor.")

    at_the_kiosk(tmp_path, play)


def test_a_badge_is_busy_while_somebody_else_is_logged_in(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        await kiosk.badge("B0017")

        other = await kiosk.post("draws", cabinet=CABINET, badge="B0020", slot="2")
        filled = await kiosk.post("refills", cabinet=CABINET, badge="B0020", slot="2", quantity=1)
        counted = await kiosk.post("counts", cabinet=CABINET, badge="B0020", slot="2", quantity=1)

        assert (other["outcome"], kiosk.opened) == ("busy", [])
        assert (filled["outcome"], counted["outcome"]) == ("busy", "busy")
        assert (await kiosk.kinds(Refill), await kiosk.kinds(Count)) == ([], [])

    at_the_kiosk(tmp_path, play)


def test_no_second_door_is_opened_beside_one_that_stands_open(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.shuts_after = 10_000
        kiosk.locks.door_forced(3, kiosk.clock.line())
        kiosk.line.stir(kiosk.locks)
        await kiosk.clock.sleep(6)
        beside = await kiosk.post("draws", cabinet=CABINET, badge="B0017", slot="2")
        kiosk.shut(3)
        kiosk.shuts_after = 3
        again = await kiosk.post("draws", cabinet=CABINET, badge="B0017", slot="2")

        assert (beside["reason"], again["outcome"]) == ("door_open", "confirmed")
        assert [one.slot for one in await kiosk.kinds(Draw) if one.qty] == ["2"]

    at_the_kiosk(tmp_path, play)


def test_two_badges_at_once_are_one_session_and_one_refusal(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        found = await asyncio.gather(
            *(kiosk.post("sessions", cabinet=CABINET, badge=one) for one in ("B0017", "B0020", "B0021"))
        )

        assert sorted(one["outcome"] for one in found) == ["busy", "busy", "open"]

    at_the_kiosk(tmp_path, play)


def test_a_limit_of_a_group_adds_up_those_whose_badge_says_so() -> None:
    told = desired(
        persons=(Person("p-1", groups=("millers",)),),
        limits=(Limit("shared", quantity=2, each="group", groups=("millers",)),),
    )
    told.badges["B2"] = Badge("B2", "p-2", ("millers",))

    assert asked(told, used(draw(1, NOON, "p-2"), draw(2, NOON, "p-2"))).reason == "limit_quantity"


def test_a_job_without_an_account_of_its_own_is_charged_to_the_persons() -> None:
    told = desired(
        persons=(Person("p-1", cost_centre="CC1"),),
        jobs=(Job("J-7"),),
        limits=(Limit("centre", quantity=1, each="cost_centre", cost_centres=("CC1",)),),
    )

    second = asked(told, used(draw(1, NOON, for_="CC1")), for_="J-7")

    assert (second.for_, second.reason) == ("CC1/J-7", "limit_quantity")
