"""A slot that the installer tries out is said to have moved only if it did."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.boot import remember
from gateway.slot_tests import gives_goods, take_back, try_slot
from tests.gateway.board_site import BoardSite, on_a_board
from tests.gateway.site import CABINET
from wire.records import Draw, Reversal


def test_a_motor_on_a_board_of_locks_is_tried_as_a_motor(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            lock = await try_slot(gateway.premises, gateway.cabinet, "1")
            motor = await try_slot(gateway.premises, gateway.cabinet, "5")

            # The plan of this site knows no slot 5, so nobody could say whose piece it would be.
            assert (lock.verdict, motor.verdict) == ("moved", "no_item")
            assert (gives_goods(gateway.cabinet, ["1"]), gives_goods(gateway.cabinet, ["1", "5"])) == (False, True)

    on_a_board(tmp_path, "lock_wkly", play, motors=[5])


def test_a_piece_that_a_test_gave_away_is_taken_back_once_also_after_a_power_cut(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            tried = asyncio.create_task(try_slot(gateway.premises, gateway.cabinet, "1"))
            while not site.fell:
                await gateway.clock.sleep(0.05)
            await gateway.cut_power()
            tried.cancel()
        records = []
        for _ in range(2):
            async with site.gateway() as gateway:
                await remember(gateway.journal, [CABINET], gateway.premises.remember)
                await gateway.recover()
                await take_back(gateway.premises)
                records = await gateway.records()

        (draw,) = [one for one in records if isinstance(one, Draw)]
        assert (draw.outcome, draw.qty, draw.q) == ("confirmed", 1, ["slot_test", "recovered"])
        assert [(one.ref.key, one.qty) for one in records if isinstance(one, Reversal)] == [(draw.key, 1)]

    on_a_board(tmp_path, "coil_vmc", play)
