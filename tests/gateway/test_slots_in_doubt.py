"""Slots of which less is known than before: another article is planned for them, a door was forced, a motor is gone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.device_events import Dispensed
from gateway.health import Facts, alarms
from gateway.ports import Planogram, Slot
from gateway.vending import Fact, dispensed
from tests.gateway.board_site import SLOT, BoardSite, on_a_board
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk, told
from tests.gateway.site import CABINET
from wire.records import Draw, DrawResolved


def plan_anew(kiosk: Kiosk, item: str) -> None:
    assert kiosk.gateway.premises is not None
    now = told(confirm="none")
    slots = (Slot("2", item, 10, 2, 10, "none"),)
    now.current = msgspec.structs.replace(now.current, planograms={CABINET: Planogram(CABINET, 8, slots)})
    kiosk.gateway.premises.desired = now


async def fill(kiosk: Kiosk, quantity: int) -> None:
    await kiosk.post("refills", cabinet=CABINET, badge="B0020", slot="2", quantity=quantity)


def test_what_lay_in_a_slot_before_is_not_the_stock_of_what_is_planned_for_it_now(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        await fill(kiosk, 8)
        plan_anew(kiosk, "item-9")
        tile = (await kiosk.slots())["2"]
        session = await kiosk.badge("B0020")
        (pick,) = (await kiosk.post("visits", session=session))["pick"]

        assert (tile["on_hand"], tile["stock"], pick["quantity"]) == (None, "unknown", 10)

    at_the_kiosk(tmp_path, play)


def test_the_first_refill_of_another_article_begins_its_stock_anew(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        await fill(kiosk, 8)
        plan_anew(kiosk, "item-9")
        await fill(kiosk, 5)

        assert (await kiosk.slots())["2"]["on_hand"] == 5

    at_the_kiosk(tmp_path, play)


def test_a_count_of_another_article_decides_no_draw_of_the_one_before(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.rule(confirm="none")
        await fill(kiosk, 8)
        session = await kiosk.badge()
        await kiosk.post("draws", session=session, slot="2")
        await kiosk.client.delete(f"/kiosk/v1/sessions/{session}")
        plan_anew(kiosk, "item-9")

        await kiosk.post("counts", cabinet=CABINET, badge="B0020", slot="2", quantity=7)

        assert [one.outcome for one in await kiosk.kinds(Draw)] == ["unverified"]
        assert await kiosk.kinds(DrawResolved) == []

    at_the_kiosk(tmp_path, play)


def test_the_compartment_behind_a_forced_door_is_to_be_counted_also_after_a_restart(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        kiosk.locks.door_forced(3, kiosk.clock.line())
        kiosk.line.stir(kiosk.locks)
        await kiosk.clock.sleep(8)

        assert (await kiosk.slots())["3"]["doubtful"]

    async def later(kiosk: Kiosk) -> None:
        assert [one for one, tile in (await kiosk.slots()).items() if tile["doubtful"]] == ["3"]

    at_the_kiosk(tmp_path, play)
    at_the_kiosk(tmp_path, later, boot="c")


@pytest.mark.parametrize("kind", ["coil_vmc", "coil_tcn"])
def test_a_coil_without_a_motor_is_off_until_somebody_was_there(tmp_path: Path, kind: str) -> None:
    async def play(site: BoardSite) -> None:
        site.twin.unplugged.update({SLOT, int(SLOT)})
        async with site.gateway() as gateway:
            first, again = await gateway.draw(), await gateway.draw()
            turned, off = site.turns, gateway.premises.off()

            assert (first.outcome, first.qty, again.reason) == ("not_dispensed", 0, "slot_off")
            assert (turned, off) == (0, [(CABINET, "1", 0)])

    on_a_board(tmp_path, kind, play)


def test_a_slot_that_gives_nothing_more_is_an_alarm() -> None:
    (jammed, broken) = alarms(Facts(off=(("cab", "1", 3), ("cab", "2", 0))))

    assert (jammed.code, jammed.about, "jammed 3 times" in jammed.text) == ("slot_off", "cab/1", True)
    assert "has no motor" in broken.text


def test_where_the_slots_policy_takes_the_motors_word_a_light_piece_is_drawn() -> None:
    turned = Dispensed("", "", "1", 1, "ok", "off")

    assert dispensed(turned, "motor", 1, None) == (Fact.SEEN_BY_POLICY, 1)
    assert dispensed(turned, "none", 1, None) == (Fact.UNPROVEN, 1)
    assert dispensed(msgspec.structs.replace(turned, motor="jam", qty=0), "motor", 1, None) == (Fact.JAM, 0)
