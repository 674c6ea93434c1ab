"""A slot that the installer tries out is said to have moved only if it did."""

from __future__ import annotations

from pathlib import Path

from gateway.slot_tests import gives_goods, try_slot
from tests.gateway.board_site import BoardSite, on_a_board


def test_a_motor_on_a_board_of_locks_is_tried_as_a_motor(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            lock = await try_slot(gateway.premises, gateway.cabinet, "1")
            motor = await try_slot(gateway.premises, gateway.cabinet, "5")

            # The plan of this site knows no slot 5, so nobody could say whose piece it would be.
            assert (lock.verdict, motor.verdict) == ("moved", "no_item")
            assert (gives_goods(gateway.cabinet, ["1"]), gives_goods(gateway.cabinet, ["1", "5"])) == (False, True)

    on_a_board(tmp_path, "lock_wkly", play, motors=[5])
