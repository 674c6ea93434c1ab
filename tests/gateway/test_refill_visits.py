"""A visit of whoever refills: what he takes out nobody has drawn, and the numbers before and after are kept apart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from firmware_sim.devices.lock_8a import DoorMoved
from firmware_sim.devices.uhf_r200 import UhfR200 as ReaderTwin
from gateway.fill_slot import Filled, fill_slot
from gateway.rules import Item, Person, Rules
from gateway.take_draw import take_draw
from gateway.take_refill import take_refill
from gateway.take_visit import begin_visit, end_visit, open_door
from gateway.visitors import Visitor
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from tests.gateway.site import CABINET, desired
from tests.gateway.talking import Talking, talk
from tests.gateway.test_uhf_r200 import CHOSEN, LINE, A, B
from tests.gateway.weighing import BIN, UNIT, Site, weigh
from wire.records import Count, DeviceEvent, Draw, Loan, Refill


def restocker(cabinet: str) -> Visitor:
    return Visitor("t", cabinet, "B0020", Person("p-20"), frozenset({"restocker"}), "badge", 10**9)


def test_what_is_taken_out_of_a_weigh_bin_during_a_refill_is_no_draw(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        await take_refill(site.premises, site.cabinet, "1", 40, "B0017")
        visitor = restocker(BIN)
        await begin_visit(site.premises, site.cabinet, visitor)
        await site.take(3)
        await fill_slot(site.premises, site.cabinet, visitor, Filled("1", spoiled=3))
        await end_visit(site.premises, site.cabinet, visitor)
        await site.take(1)

        assert [(one.qty, one.q) for one in await site.kinds(Draw)] == [(1, ["unasked"])]
        assert site.premises.shelf.look(BIN, "1").on_hand == 36
        (fell,) = [one for one in await site.kinds(DeviceEvent) if one.event == "weight_fell"]
        assert fell.data["pieces"] == 3

    weigh(tmp_path, play)


def test_a_refill_of_a_bin_says_what_it_weighed_before_and_what_after(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        visitor = restocker(BIN)
        await begin_visit(site.premises, site.cabinet, visitor)
        site.bin.put(site.line.now, [UNIT] * 5)
        await site.clock.sleep(8)
        await fill_slot(site.premises, site.cabinet, visitor, Filled("1", filled=5))

        (filled,) = await site.kinds(Refill)
        assert filled.after["mg"] - filled.before["mg"] == 5 * UNIT

    weigh(tmp_path, play)


def test_tags_that_go_during_a_refill_are_no_draw_but_those_before_it_are(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B})

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        twin.inside -= {A[5]}
        visitor = restocker(CABINET)
        await begin_visit(site.premises, site.desk, visitor)
        twin.inside -= {A[0], A[1], B[0]}
        await end_visit(site.premises, site.desk, visitor)
        await site.clock.sleep(100)

        assert [(one.slot, one.qty) for one in await site.kinds(Draw)] == [("1", 1)]
        assert [one.data["tags"] for one in await site.told("tags_gone", 2)] == [[A[5]], [A[0], A[1], B[0]]]

    talk(tmp_path, "uhf_r200", CHOSEN, twin, play, spec=LINE)


def test_a_tool_taken_beside_what_was_asked_for_is_lent_and_on_the_same_account(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B})
    rules = Rules(version=5, items=(Item("item-2", loan_days=7, groups=("fitters",)),))

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        asyncio.get_running_loop().call_later(6, lambda: twin.inside.difference_update({A[0], B[1]}))

        await take_draw(site.premises, site.desk, "B0017", "1", for_="CC9")

        (lent,) = await site.kinds(Loan)
        assert (lent.slot, lent.who, lent.for_, lent.q) == ("2", "p-17", "CC9", ["unasked", "not_your_item"])
        assert lent.due == lent.t + 7 * 86_400_000
        assert [(one.slot, one.for_) for one in await site.kinds(Draw)] == [("1", "CC9")]

    slots = msgspec.structs.replace(desired(), book=rules)
    talk(tmp_path, "uhf_r200", CHOSEN, twin, play, spec=LINE, slots=slots)


def test_a_visit_begun_twice_is_one_visit(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge("B0020")

        first, again = [await kiosk.post("visits", session=session) for _ in range(2)]

        assert first["visit"] == again["visit"]
        assert [one.event for one in await kiosk.kinds(DeviceEvent)].count("service_begun") == 1

    at_the_kiosk(tmp_path, play)


def test_every_slot_is_on_record_before_and_after_a_visit(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge("B0020")
        visit = (await kiosk.post("visits", session=session))["visit"]
        await kiosk.post(f"visits/{visit}/slots", session=session, slot="2", filled=6)
        await kiosk.client.delete(f"/kiosk/v1/visits/{visit}?session={session}")

        shots = [one.data for one in await kiosk.kinds(DeviceEvent) if one.event == "snapshot"]
        assert [(one["when"], one["slots"], one["on_hand"]) for one in shots] == [
            ("before", ["1", "2", "3", "4"], [-1, -1, -1, -1]),
            ("after", ["1", "2", "3", "4"], [-1, 6, -1, -1]),
        ]

    at_the_kiosk(tmp_path, play)


def test_more_than_was_found_and_filled_cannot_be_taken_out(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge("B0020")
        visit = (await kiosk.post("visits", session=session))["visit"]

        told = await kiosk.post(f"visits/{visit}/slots", session=session, slot="2", found=3, filled=1, spoiled=5)

        assert (told["reason"], await kiosk.kinds(Count)) == ("quantity", [])

    at_the_kiosk(tmp_path, play)


def test_the_lock_in_front_of_a_bin_opens_for_whoever_refills_it(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        def moved(door: DoorMoved) -> None:
            if door.open:
                asyncio.get_running_loop().call_later(4, lambda: site.locks.door_closed(door.lock, site.line.now))

        site.locks.on_door = moved
        visitor = restocker(BIN)
        await begin_visit(site.premises, site.cabinet, visitor)

        opened = await open_door(site.premises, site.cabinet, visitor, "1")

        assert opened.outcome == "opened"
        assert "door_forced" not in await site.events()

    weigh(tmp_path, play, door=True)


def test_a_visit_that_a_power_cut_left_open_is_ended_once_with_what_was_written(tmp_path: Path) -> None:
    async def fill(kiosk: Kiosk) -> None:
        session = await kiosk.badge("B0020")
        visit = (await kiosk.post("visits", session=session))["visit"]
        await kiosk.post(f"visits/{visit}/slots", session=session, slot="2", filled=6)

    async def after_the_cut(kiosk: Kiosk) -> None:
        events = await kiosk.kinds(DeviceEvent)
        (begun,) = [one for one in events if one.event == "service_begun"]
        (ended,) = [one for one in events if one.event == "service_ended"]
        assert (ended.who, ended.q, ended.data) == ("p-20", ["interrupted"], {
            "visit": f"{begun.ep}/{begun.n}", "why": "interrupted", "doors_open": 0, "slots": ["2"], "filled": 6,
        })  # fmt: skip
        shots = [one.data for one in events if one.event == "snapshot"]
        assert [one["when"] for one in shots] == ["before", "after"]
        assert (await kiosk.get(f"cabinets/{CABINET}/state"))["state"] == "free"

    at_the_kiosk(tmp_path, fill)
    at_the_kiosk(tmp_path, after_the_cut, boot="c")
    at_the_kiosk(tmp_path, after_the_cut, boot="d")


def test_a_visit_that_two_end_at_once_is_ended_once(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        visitor = restocker(BIN)
        await begin_visit(site.premises, site.cabinet, visitor)

        await asyncio.gather(*(end_visit(site.premises, site.cabinet, visitor) for _ in range(2)))

        assert (await site.events()).count("service_ended") == 1
        assert (await site.events()).count("snapshot") == 2

    weigh(tmp_path, play)


def test_what_was_taken_out_of_a_bin_before_the_power_cut_in_a_visit_is_no_draw(tmp_path: Path) -> None:
    async def begin(site: Site) -> None:
        await begin_visit(site.premises, site.cabinet, restocker(BIN))

    async def after_the_cut(site: Site) -> None:
        await site.clock.sleep(30)

        assert await site.kinds(Draw) == []
        assert (await site.events())[-3:] == ["weight_fell", "service_ended", "snapshot"]

    twin = weigh(tmp_path, begin)
    twin.take(0.0, 3)
    weigh(tmp_path, after_the_cut, twin=twin, boot="d" * 16)
