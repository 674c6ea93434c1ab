"""Units that follow the air in virtual time, over a real journal: what is written, switched and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.run_controls import DEAF, Steered, UnknownUnitError
from gateway.standing_orders import restore
from tests.gateway.air_plant import Plant, on_a_plant


def test_a_fan_follows_the_air_and_every_step_is_written_before_it_is_commanded(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        written: list[int] = []
        plant.fan.on_command = lambda _: written.append(plant.journal.stats().appended)

        await plant.breathe(100, 240)
        await plant.breathe(10, 600)

        assert plant.fan.commands == [2, 0]
        assert await plant.names() == ["commanded", "confirmed", "commanded", "confirmed"]
        assert written == [1, 3]
        assert (await plant.events())[0].data == {"level": 2, "was": 0, "why": "rule", "seen": "100"}

    on_a_plant(tmp_path, play)


def test_a_fan_that_does_not_follow_is_told_again_with_patience_and_named_once(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.deaf = True

        await plant.breathe(100, 900)
        deaf = (len(plant.fan.commands), (await plant.names()).count("failed"), plant.one.state.trouble)
        plant.fan.deaf = False
        await plant.breathe(100, 900)

        assert deaf == (6, 1, DEAF)
        assert (plant.fan.now, plant.one.state.trouble) == (2, "")

    on_a_plant(tmp_path, play)


def test_a_line_that_is_down_loses_no_command(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.air(100)
        await plant.clock.sleep(1)
        plant.fan.gone = True
        await plant.breathe(10, 600)
        plant.fan.gone = False
        await plant.breathe(10, 900)

        assert plant.fan.now == 0

    on_a_plant(tmp_path, play)


def test_a_fan_moved_by_hand_is_noticed_and_brought_back(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        await plant.breathe(100, 240)
        plant.fan.now = 3
        await plant.breathe(100, 120)

        assert plant.fan.now == 2
        assert "moved" in await plant.names()

    on_a_plant(tmp_path, play)


def test_a_persons_order_holds_for_its_time_and_then_the_rule_goes_on(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        await plant.breathe(100, 240)
        answer = await plant.controls.order("fan-1", "B1", 0, "noise", seconds=1800)
        during = plant.fan.now
        await plant.breathe(100, 1860)

        assert (answer.reason, during, plant.fan.now) == ("", 0, 2)
        ordered = [one for one in await plant.events() if one.event == "control_ordered"]
        assert [(one.who, one.data) for one in ordered] == [("p-1", {"level": 0, "seconds": 1800, "reason": "noise"})]
        assert "order_ended" in await plant.names()

    on_a_plant(tmp_path, play)


def test_an_order_survives_a_restart_for_the_time_that_is_left(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        await plant.controls.order("fan-1", "B1", 1, seconds=1000)
        await plant.clock.sleep(400)
        again = Steered(plant.one.control, plant.fan)

        restore(again, await plant.events(), plant.clock)

        assert again.order is not None
        assert again.order.until == plant.clock.mono_ms() + 600_000

    on_a_plant(tmp_path, play)


def test_a_relay_that_cuts_a_customer_off_moves_once_by_the_suppliers_order_and_never_again(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.now = 1
        await plant.clock.sleep(60)
        refused = await plant.controls.order("fan-1", "B1", 0, "unpaid since June")
        silent = await plant.controls.order("fan-1", "S1", 0)
        taken = await plant.controls.order("fan-1", "S1", 0, "unpaid since June")
        cut = plant.fan.now
        plant.fan.now = 1
        await plant.clock.sleep(3600)

        assert (refused.reason, silent.reason, taken.reason, cut) == ("not_allowed", "no_reason", "", 0)
        assert (plant.fan.commands, plant.fan.now) == ([0], 1)

    on_a_plant(tmp_path, play, cuts_off=True)


def test_an_order_to_cut_that_cannot_be_carried_out_expires(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.now, plant.fan.gone = 1, True
        await plant.controls.order("fan-1", "S1", 0, "unpaid")
        await plant.clock.sleep(3600)
        plant.fan.gone, plant.fan.commands = False, []
        await plant.clock.sleep(3600)

        assert (plant.fan.commands, plant.fan.now) == ([], 1)

    on_a_plant(tmp_path, play, cuts_off=True)


@pytest.mark.parametrize("level", [-1, 4])
def test_a_level_the_unit_does_not_know_is_refused(tmp_path: Path, level: int) -> None:
    async def play(plant: Plant) -> None:
        answer = await plant.controls.order("fan-1", "B1", level)

        assert (answer.reason, answer.text) == ("level", "This unit knows the levels 0 to 3.")

    on_a_plant(tmp_path, play)


def test_an_unknown_unit_is_named(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        with pytest.raises(UnknownUnitError, match="fan-1"):
            await plant.controls.order("fan-9", "B1", 0)

    on_a_plant(tmp_path, play)
