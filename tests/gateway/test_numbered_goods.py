"""Goods with lots, ends and serial numbers, from refill through draw and return; and the order that a refill fills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gateway.ports import OpenOrder
from gateway.rules import Item
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from tests.gateway.site import CABINET
from wire.records import Draw, Refill, Return

NUMBERED = (Item("item-2", serial=True), Item("item-3", lot=True))


async def fill(kiosk: Kiosk, *slots: dict[str, Any]) -> list[dict[str, Any]]:
    """One visit; what was said to each slot of it."""
    session = await kiosk.badge("B0020")
    visit = (await kiosk.post("visits", session=session))["visit"]
    told = [await kiosk.post(f"visits/{visit}/slots", session=session, **one) for one in slots]
    await kiosk.client.delete(f"/kiosk/v1/visits/{visit}?session={session}")
    await kiosk.client.delete(f"/kiosk/v1/sessions/{session}")
    return told


def test_each_piece_with_a_serial_number_is_refilled_drawn_and_returned_by_its_number(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(items=NUMBERED)
        await fill(kiosk, {"slot": "2", "serials": ["S-1", "S-2"], "expires": "2028-01-31"})
        session = await kiosk.badge()
        nameless = await kiosk.post("draws", session=session, slot="2")
        strange = await kiosk.post("draws", session=session, slot="2", serial="S-9")
        taken = await kiosk.post("draws", session=session, slot="2", serial="S-2")
        left = (await kiosk.slots(session))["2"]
        await kiosk.post("returns", session=session, record=taken["record"], condition="unused")

        assert (nameless["reason"], strange["reason"]) == ("serial_needed", "serial_unknown")
        assert [(one.qty, one.serial) for one in await kiosk.kinds(Refill)] == [(1, "S-1"), (1, "S-2")]
        assert [(one.serial, one.qty) for one in await kiosk.kinds(Draw) if one.qty] == [("S-2", 1)]
        assert (left["on_hand"], left["serials"]) == (1, ["S-1"])
        (back,) = await kiosk.kinds(Return)
        (first, *_) = await kiosk.kinds(Refill)
        assert (back.serial, back.expires) == ("S-2", first.expires)
        assert (await kiosk.slots(session))["2"]["serials"] == ["S-1", "S-2"]

    at_the_kiosk(tmp_path, play)


def test_the_last_piece_need_not_be_named_and_never_are_two_taken_at_once(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(items=NUMBERED, confirm="none")
        await fill(kiosk, {"slot": "2", "serials": ["S-1"]})
        session = await kiosk.badge()
        both = await kiosk.post("draws", session=session, slot="2", quantity=2, serial="S-1")
        await kiosk.post("draws", session=session, slot="2")

        assert both["reason"] == "one_at_a_time"
        assert [one.serial for one in await kiosk.kinds(Draw) if one.qty] == ["S-1"]

    at_the_kiosk(tmp_path, play)


def test_a_refill_without_the_lot_or_the_numbers_that_the_item_needs_is_asked_for_them(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(items=NUMBERED)
        told = await fill(
            kiosk,
            {"slot": "2", "filled": 2, "serials": ["S-1"]},
            {"slot": "2", "serials": ["S-1", "S-1"]},
            {"slot": "3", "filled": 2},
            {"slot": "3", "filled": 2, "lot": "L7"},
        )

        assert [one["reason"] for one in told] == ["serials_needed", "serial_twice", "lot_needed", ""]
        assert [(one.slot, one.lot) for one in await kiosk.kinds(Refill)] == [("3", "L7")]

    at_the_kiosk(tmp_path, play)


def test_what_comes_back_ends_when_its_lot_ends_and_leaves_first_again(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(items=NUMBERED)
        await fill(
            kiosk,
            {"slot": "3", "filled": 2, "lot": "L8", "expires": "2028-01-31"},
            {"slot": "3", "filled": 1, "lot": "L7", "expires": "2027-06-30"},
        )
        session = await kiosk.badge()
        first = await kiosk.post("draws", session=session, slot="3")
        await kiosk.post("draws", session=session, slot="3")
        await kiosk.post("returns", session=session, record=first["record"], condition="unused")
        await kiosk.post("draws", session=session, slot="3")

        assert [one.lot for one in await kiosk.kinds(Draw) if one.qty] == ["L7", "L8", "L7"]

    at_the_kiosk(tmp_path, play)


def test_the_pick_list_names_the_order_and_the_refill_says_which_it_fills(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        premises = kiosk.gateway.premises
        assert premises is not None
        orders = {CABINET: {"1": OpenOrder("ord_1", "item-1"), "2": OpenOrder("ord_2", "another-item")}}
        kiosk.rule()
        premises.desired.current = msgspec.structs.replace(premises.desired.current, orders=orders)  # type: ignore[misc]
        session = await kiosk.badge("B0020")
        visit = await kiosk.post("visits", session=session)
        # The cloud closes the order with the first of two refills; both were brought by it.
        premises.desired.current = msgspec.structs.replace(premises.desired.current, orders={})  # type: ignore[misc]
        for filled in (3, 4):
            await kiosk.post(f"visits/{visit['visit']}/slots", session=session, slot="1", filled=filled)

        assert {one["slot"]: one["order"] for one in visit["pick"]} == {"1": "ord_1", "2": "", "3": "", "4": ""}
        assert [(one.qty, one.order) for one in await kiosk.kinds(Refill)] == [(3, "ord_1"), (4, "ord_1")]

    at_the_kiosk(tmp_path, play)
