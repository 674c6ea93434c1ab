"""Goods put by: for a person, an order or a code; once, in time, whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.rules import Item, Job, Person, Waiting
from tests.gateway.kiosk_site import PIN, Kiosk, at_the_kiosk
from tests.gateway.site import CABINET, MORNING
from wire.records import Draw, Loan


def box(named: str = "wc-1", slot: str = "3", **more: Any) -> Waiting:
    return Waiting(named, CABINET, slot, **{"code": PIN, **more})


async def fetch(kiosk: Kiosk) -> dict[str, Any]:
    return await kiosk.post("pickups", cabinet=CABINET, code="1234")


def test_a_code_works_once_also_after_a_restart(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(),))
        outcomes = [(await fetch(kiosk))["outcome"], (await fetch(kiosk))["reason"]]

        assert (outcomes, kiosk.opened) == (["picked_up", "picked_up_before"], [3])

    async def later(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(),))

        assert ((await fetch(kiosk))["reason"], kiosk.opened) == ("picked_up_before", [])

    at_the_kiosk(tmp_path, play)
    at_the_kiosk(tmp_path, later, boot="c")


def test_what_was_put_by_anew_under_the_old_name_is_something_else(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(),))
        await fetch(kiosk)
        kiosk.rule(waiting=(box(until_ms=MORNING + 86_400_000),))

        assert (await fetch(kiosk))["outcome"] == "picked_up"

    at_the_kiosk(tmp_path, play)


def test_an_emptied_compartment_stays_shut_until_its_end_or_the_list_says_otherwise(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(),))
        await fetch(kiosk)
        session = await kiosk.badge()
        kept = await kiosk.post("draws", session=session, slot="3")
        kiosk.rule(waiting=(box(until_ms=MORNING - 1),))
        freed = await kiosk.post("draws", session=session, slot="3")

        assert (kept["reason"], freed["outcome"]) == ("slot_reserved", "confirmed")

    at_the_kiosk(tmp_path, play)


def test_after_its_end_neither_code_nor_person_gets_it(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(until_ms=MORNING - 1), box("wc-2", "2", person="p-17", code="", until_ms=MORNING - 1)))
        coded = await fetch(kiosk)
        session = await kiosk.badge()
        mine = (await kiosk.get(f"sessions/{session}/mine"))["waiting"]
        asked = await kiosk.post("pickups", session=session, id="wc-2")

        assert (coded["reason"], mine, asked["reason"]) == ("pickup_over", [], "pickup_over")
        assert kiosk.opened == []

    at_the_kiosk(tmp_path, play)


def test_three_pieces_behind_one_door_are_picked_up_as_three(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(qty=3, item="parcel-7"),))

        found = await fetch(kiosk)

        assert (found["outcome"], found["qty"]) == ("picked_up", 3)
        assert [(one.item, one.qty) for one in await kiosk.kinds(Draw)] == [("parcel-7", 3)]

    at_the_kiosk(tmp_path, play)


def test_a_tool_that_is_put_by_is_lent(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(slot="4", person="p-17", code=""),))
        session = await kiosk.badge()

        found = await kiosk.post("pickups", session=session, id="wc-1")

        assert (found["outcome"], [one.who for one in await kiosk.kinds(Loan)]) == ("picked_up", ["p-17"])

    at_the_kiosk(tmp_path, play)


def test_what_lies_there_for_an_order_is_fetched_by_who_has_that_job_and_charged_to_it(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(
            persons=(Person("p-17", jobs=("WO-7",)),), jobs=(Job("WO-7"),), waiting=(box(order="WO-7", code=""),)
        )
        stranger = await kiosk.badge("B0020")
        refused = await kiosk.post("pickups", session=stranger, id="wc-1")
        await kiosk.client.delete(f"/kiosk/v1/sessions/{stranger}")
        session = await kiosk.badge()
        (mine,) = (await kiosk.get(f"sessions/{session}/mine"))["waiting"]

        found = await kiosk.post("pickups", session=session, id=mine["id"])

        assert (refused["reason"], found["outcome"]) == ("not_yours", "picked_up")
        assert [one.for_ for one in await kiosk.kinds(Draw)] == ["WO-7"]

    at_the_kiosk(tmp_path, play)


def test_the_tile_names_what_is_put_by_for_whom_it_is(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(person="p-17", code=""),))
        session = await kiosk.badge()
        his = (await kiosk.slots(session))["3"]["waiting"]
        await kiosk.post("pickups", session=session, id=his)

        assert (his, (await kiosk.slots())["3"]["waiting"]) == ("wc-1", "")
        assert (await kiosk.slots(session))["3"]["waiting"] == ""

    at_the_kiosk(tmp_path, play)


def test_what_did_not_come_out_may_be_fetched_again(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(waiting=(box(),))
        kiosk.locks.jam(3)
        stuck = await fetch(kiosk)
        kiosk.locks.mend(3)

        assert (stuck["outcome"], (await fetch(kiosk))["outcome"]) == ("not_dispensed", "picked_up")

    at_the_kiosk(tmp_path, play)


def test_a_work_order_that_was_taken_off_the_list_meanwhile_is_charged_with_nothing(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(jobs=(Job("WO-7"), Job("WO-8")))
        session = await kiosk.badge()
        kiosk.rule(jobs=(Job("WO-8"),))

        assert (await kiosk.post("draws", session=session, slot="2", job="WO-7"))["reason"] == "unknown_job"

    at_the_kiosk(tmp_path, play)


def test_the_account_of_the_piece_before_is_not_charged_with_the_next(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(persons=(Person("p-17", cost_centre="CC1"),), jobs=(Job("WO-7"),), items=(Item("item-1"),))
        session = await kiosk.badge()
        await kiosk.post("draws", session=session, slot="1", job="WO-7")
        await kiosk.post("draws", session=session, slot="2")

        assert [one.for_ for one in await kiosk.kinds(Draw)] == ["CC1/WO-7", "CC1"]

    at_the_kiosk(tmp_path, play)
