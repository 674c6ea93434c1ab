"""What comes back: to the cabinet and the slot it came from, in its time by a right clock, piece by piece."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.ports import Planogram, Slot
from gateway.uses import Uses
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk, told
from tests.gateway.site import CABINET, MORNING
from tests.gateway.test_rules import NOON, draw, record
from wire.records import Count, Draw, DrawResolved, Loan, Return

WEEK = 7 * 86_400_000


def test_a_door_is_not_opened_for_what_was_drawn_at_another_cabinet(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        assert kiosk.gateway.premises is not None
        kiosk.gateway.premises.remember(draw(5, MORNING, "p-17", src="cab-9", slot="2"))
        kiosk.gateway.premises.remember(record(Loan, 6, MORNING, "p-17", src="cab-9", slot="4", item="item-4"))
        session = await kiosk.badge()

        goods = await kiosk.post("returns", session=session, record="cab-9/e/5")
        tool = await kiosk.post("loan-returns", session=session, record="cab-9/e/6")

        assert (goods["reason"], tool["reason"], kiosk.opened) == ("other_cabinet", "other_cabinet", [])

    at_the_kiosk(tmp_path, play)


def test_what_was_drawn_does_not_go_back_into_a_slot_that_is_for_something_else_now(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        session = await kiosk.badge()
        taken = await kiosk.post("draws", session=session, slot="2")
        assert kiosk.gateway.premises is not None
        now = told()
        slots = (Slot("2", "item-9", 10),)
        now.current = msgspec.structs.replace(now.current, planograms={CABINET: Planogram(CABINET, 8, slots)})
        kiosk.gateway.premises.desired = now

        unused = await kiosk.post("returns", session=session, record=taken["record"])
        used = await kiosk.post("returns", session=session, record=taken["record"], condition="used")

        assert (unused["reason"], used["outcome"]) == ("slot_changed", "returned")
        assert [one.slot for one in await kiosk.kinds(Return)] == ["burn"]

    at_the_kiosk(tmp_path, play)


def test_more_than_is_left_of_a_draw_never_comes_back(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(confirm="none")
        assert kiosk.gateway.premises is not None
        kiosk.gateway.premises.remember(draw(5, MORNING, "p-17", src=CABINET, slot="2", item="item-2", qty=3))
        session, name = await kiosk.badge(), f"{CABINET}/e/5"
        told_ = [await kiosk.post("returns", session=session, record=name, quantity=n) for n in (4, 2, 2, 1, 1)]

        assert [one["reason"] for one in told_] == [
            "nothing_to_return",
            "",
            "nothing_to_return",
            "",
            "nothing_to_return",
        ]
        assert sum(one.qty for one in await kiosk.kinds(Return)) == 3

    at_the_kiosk(tmp_path, play)


def test_one_piece_of_several_with_numbers_does_not_bring_all_numbers_back(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        assert kiosk.gateway.premises is not None
        taken = draw(5, MORNING, "p-17", src=CABINET, slot="2", item="item-2", qty=2, serial="S-1 S-2")
        kiosk.gateway.premises.remember(taken)
        session = await kiosk.badge()

        await kiosk.post("returns", session=session, record=f"{CABINET}/e/5", quantity=1)

        assert [one.serial for one in await kiosk.kinds(Return)] == [""]

    at_the_kiosk(tmp_path, play)


def test_a_loan_made_under_a_clock_that_was_not_set_is_due_when_its_days_are_over() -> None:
    uses = Uses()
    uses.apply(record(Loan, 1, 5_000, ts="U", b="b", ep="b", m=5_000, due=5_000 + WEEK))
    (lent,) = uses.loans()
    before = uses.due(lent)
    uses.apply(record(Count, 2, NOON, b="b", ep="b", m=65_000))

    assert (before, uses.due(lent)) == (None, NOON - 60_000 + WEEK)


def test_what_is_brought_back_of_an_unproven_draw_has_come_out_and_is_billed_and_credited(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(confirm="none")
        await kiosk.post("refills", cabinet=CABINET, badge="B0020", slot="2", quantity=5)
        session = await kiosk.badge()
        taken = await kiosk.post("draws", session=session, slot="2", quantity=2)

        part = await kiosk.post("returns", session=session, record=taken["record"], quantity=1)
        back = await kiosk.post("returns", session=session, record=taken["record"], quantity=2)

        (draw,), (end,), (returned,) = [await kiosk.kinds(one) for one in (Draw, DrawResolved, Return)]
        assert (taken["outcome"], part["reason"], back["outcome"]) == ("unverified", "quantity", "returned")
        assert (end.ref.key, end.outcome, end.qty, end.n < returned.n) == (draw.key, "confirmed", 2, True)
        assert back["record"] == f"{returned.src}/{returned.ep}/{returned.n}"
        assert kiosk.gateway.premises is not None
        assert (kiosk.gateway.premises.shelf.waiting(), (await kiosk.slots(session))["2"]["on_hand"]) == ([], 5)

    at_the_kiosk(tmp_path, play)
