"""A person's order and what happens meanwhile: a relay that moved, silence, power cuts, another clock."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import msgspec

from gateway.boot import since_last_order
from gateway.clock import virtual_clock
from gateway.control_rules import Control
from gateway.journal.store import Journal
from gateway.recording import Stamp, happened
from gateway.run_controls import Controls, Steered
from gateway.standing_orders import restore
from tests.gateway.air_plant import MONDAY, RULE, Fan, Plant, Told, on_a_plant
from wire.records import DeviceEvent


def test_a_customer_is_put_back_on_also_a_minute_after_the_cut(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.now = 1
        await plant.clock.sleep(600)
        await plant.controls.order("fan-1", "S1", 0, "unpaid")
        await plant.clock.sleep(60)
        await plant.controls.order("fan-1", "S1", 1, "paid")
        resting = (plant.fan.now, plant.one.state.why)
        await plant.clock.sleep(180)

        assert (resting, plant.fan.commands) == ((0, "resting"), [0, 1])

    on_a_plant(tmp_path, play, cuts_off=True)


def test_an_order_looks_first_how_the_relay_stands_now(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.now = 1
        await plant.clock.sleep(601)
        plant.fan.now = 0
        await plant.controls.order("fan-1", "S1", 1, "paid; it had tripped by itself", seconds=0)
        await plant.clock.sleep(200)

        assert (plant.fan.commands, plant.fan.now) == ([1], 1)

    on_a_plant(tmp_path, play, cuts_off=True)


def test_a_person_who_comes_in_the_middle_of_a_command_has_the_last_word(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        ordered: list[asyncio.Task[Any]] = []
        written = plant.journal.append

        async def slowly(records: Any) -> Any:
            if not ordered and records[0].event == "control_commanded":
                ordered.append(asyncio.create_task(plant.controls.order("fan-1", "B1", 0, "hands in it")))
                await plant.clock.sleep(1)
            return await written(records)

        plant.journal.append = slowly  # type: ignore[method-assign]
        await plant.breathe(100, 240)
        await ordered[0]

        assert plant.fan.now == 0
        assert plant.fan.commands[-1] == 0
        assert 2 not in plant.fan.commands[plant.fan.commands.index(0) :]

    on_a_plant(tmp_path, play, **RULE, min_on_seconds=0, min_off_seconds=0)


def test_a_unit_that_has_not_answered_yet_rests_all_the_same(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.blind = True
        await plant.breathe(100, 150)
        early = list(plant.fan.commands)
        await plant.breathe(100, 120)

        assert (early, plant.fan.commands[:1]) == ([], [2])

    on_a_plant(tmp_path, play)


def test_a_silent_unit_is_asked_seldom(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.blind = True
        await plant.clock.sleep(3600)

        assert 50 <= plant.fan.asked <= 70

    on_a_plant(tmp_path, play)


def test_a_silent_unit_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        dead, alive = Fan("fan-2", slow=10_000), Fan("fan-3")
        rule = {**RULE, "min_off_seconds": 0}
        steered = {
            one.device: Steered(Control.model_validate({"unit": one.device, **rule}), one) for one in (dead, alive)
        }
        controls = Controls(steered, plant.board.values, plant.journal, plant.clock, Told())
        task = asyncio.create_task(controls.run())
        await plant.breathe(100, 30)
        task.cancel()

        assert alive.now == 2

    on_a_plant(tmp_path, play)


def test_a_command_that_was_followed_late_is_confirmed_late_and_not_given_twice(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.deaf = True

        def slow_motor(level: int) -> None:
            asyncio.get_running_loop().call_later(10, setattr, plant.fan, "now", level)

        plant.fan.on_command = slow_motor
        await plant.breathe(100, 300)

        assert plant.fan.commands == [2]
        assert await plant.names() == ["commanded", "failed", "confirmed"]
        assert plant.one.state.trouble == ""

    on_a_plant(tmp_path, play)


def test_the_words_of_a_unit_that_refuses_are_kept(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        plant.fan.refuses = "fan-1 refuses to be switched: locked"
        await plant.breathe(100, 240)

        failed = [one.data for one in await plant.events() if one.event == "control_failed"]
        assert failed == [{"level": 2, "read": 0, "error": "fan-1 refuses to be switched: locked"}]

    on_a_plant(tmp_path, play)


def test_without_a_clock_an_order_stands_for_what_may_be_left_of_it(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        await plant.controls.order("fan-1", "B1", 0, "I work at it", seconds=1000)
        await plant.breathe(100, 420)
        later = virtual_clock("c" * 16, asyncio.get_running_loop(), origin_ms=0, synchronised=False)
        again = Steered(plant.one.control, plant.fan)
        said = await plant.events()

        restore(again, [*said, msgspec.structs.replace(said[-1], event="control_moved", m=said[-1].m + 400_000)], later)

        assert again.order is not None
        assert again.order.level == 0
        assert 590_000 <= (again.order.until or 0) - later.mono_ms() <= 600_000

    on_a_plant(tmp_path, play)


def test_an_order_that_ended_while_the_power_was_off_is_said_to_have_ended(tmp_path: Path) -> None:
    async def play(plant: Plant) -> None:
        await plant.controls.order("fan-1", "B1", 1, seconds=100)
        said = await plant.events()
        await plant.clock.sleep(90)
        plant.one.order = None
        again = Steered(plant.one.control, Fan())
        await plant.clock.sleep(20)
        restore(again, said, plant.clock)
        task = asyncio.create_task(Controls({"fan-1": again}, {}, plant.journal, plant.clock, Told()).run())
        await plant.clock.sleep(1)
        task.cancel()

        assert (again.order, (await plant.names()).count("order_ended")) == (None, 1)

    on_a_plant(tmp_path, play)


def test_an_order_is_found_after_any_number_of_power_cuts(tmp_path: Path) -> None:
    async def boot_after_boot() -> list[DeviceEvent]:
        said: list[DeviceEvent] = []
        for number in range(4):
            boot = f"{number:016x}"
            salts = map("{:032x}".format, itertools.count(number * 100))
            journal = await Journal.open(tmp_path / "journal.db", boot=boot, salt=salts.__next__, demo=True)
            said = await since_last_order(journal, "fan-1")
            event = "control_moved" if number else "control_ordered"
            await journal.append([happened(event, Stamp(MONDAY, "S", boot, 0), "fan-1", data={"level": 1})])
            await journal.close()
        return said

    said = asyncio.run(boot_after_boot())

    assert [one.event for one in said] == ["control_ordered", "control_moved", "control_moved"]
