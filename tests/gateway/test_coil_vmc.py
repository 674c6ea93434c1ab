"""What is special about the FA FB controller: it asks, numbers are idempotency keys, "got it" comes after the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import drivers
from gateway.device_events import CommandTaken, DeviceFault, Dispensed
from gateway.ports import NotStored
from tests.gateway.board_site import BoardSite, Gateway, balance, on_a_board
from tests.gateway.test_drivers import hexed
from wire.records import DeviceEvent

POLL = bytes.fromhex("FA FB 41 00 40")
ACK = bytes.fromhex("FA FB 42 00 43")
DONE = bytes.fromhex("FA FB 04 04 A4 02 00 3C 9B")


def board(**settings: Any) -> Any:
    return drivers.create("coil_vmc", settings)


def said(driver: Any, data: bytes, now: float) -> tuple[list[Any], bytes]:
    """Events of these bytes, and what is written at once."""
    events = driver.feed(data, now)
    return events, driver.outgoing()


def test_a_poll_is_answered_at_once_with_nothing_or_with_the_command_that_waits() -> None:
    driver = board()
    first = said(driver, POLL, 1.0)
    driver._number = 165
    driver.drive("60")
    second = said(driver, POLL, 1.2)

    assert first == ([], ACK)
    assert second == ([], hexed("coil_vmc", "coil_vmc.c03"))


def test_a_command_is_repeated_under_its_number_five_times_and_then_given_up() -> None:
    driver = board()
    driver.drive("9")

    written = [said(driver, POLL, 1 + n / 5) for n in range(6)]

    assert len({frame for _, frame in written[:5]}) == 1
    assert written[5] == ([CommandTaken(taken=False, why="not confirmed")], ACK)


def test_after_a_second_of_silence_a_command_that_was_said_is_not_said_again() -> None:
    driver = board()
    driver.drive("9")
    said(driver, POLL, 1.0)

    events, written = said(driver, POLL, 2.5)

    assert (events, written) == ([CommandTaken(taken=False, why="the board was away")], ACK)


def test_a_board_that_asks_for_a_synchronisation_has_forgotten_our_numbers() -> None:
    driver = board()
    driver.drive("9")
    said(driver, POLL, 1.0)

    events, written = said(driver, hexed("coil_vmc", "coil_vmc.c09"), 1.2)

    assert [event.taken for event in events] == [False]
    assert written == b""
    driver.kept(events[0])
    assert driver.outgoing() == ACK
    assert said(driver, POLL, 1.4)[1][2] == 0x31


def test_a_message_is_confirmed_when_it_is_on_disk_and_not_before() -> None:
    driver = board()

    events, written = said(driver, DONE, 1.0)
    repeated = said(driver, DONE, 1.2)
    driver.kept(events[0])

    assert isinstance(events[0], Dispensed)
    assert (written, repeated) == (b"", ([], b""))
    assert driver.outgoing() == ACK


def test_a_message_that_is_told_again_is_confirmed_again_and_told_once() -> None:
    driver = board()
    (event,) = driver.feed(DONE, 1.0)
    driver.kept(event)
    driver.outgoing()

    assert said(driver, DONE, 1.2) == ([], ACK)
    assert driver.doubles == 1


@pytest.mark.parametrize("later", [[], ["verdict/e/9"], ["visit/e/12", "tried_out/e/11"]])
def test_across_a_restart_the_last_message_is_still_known(later: list[str]) -> None:
    before, after = board(), board()
    before.remember([], "a" * 16)
    (event,) = before.feed(DONE, 1.0)

    after.remember([*later, f"{event.did}+", event.did], "b" * 16)

    assert said(after, DONE, 1.0) == ([], ACK)


def test_our_own_ack_that_comes_back_is_not_the_boards_word() -> None:
    driver = board()
    said(driver, POLL, 1.0)
    driver.drive("9")

    echoed = driver.feed(ACK, 1.01)
    _, command = said(driver, POLL, 1.2)
    events = driver.feed(command + ACK, 1.21)

    assert echoed == []
    assert events == [CommandTaken(taken=True)]
    assert driver.counters.echoes == 2


def test_questions_make_room_for_each_other_and_never_for_a_turn() -> None:
    driver = board()
    driver.drive("9")

    for _ in range(50):
        driver.check("9")

    with pytest.raises(ValueError, match="one coil at a time"):
        driver.drive("9")
    assert said(driver, POLL, 1.0)[1][2] == 0x06
    assert len(driver._commands) == 8


def test_what_is_refused_is_counted_by_its_reason() -> None:
    driver = board()

    for name in ("coil_vmc.n1", "coil_vmc.n2"):
        driver.feed(hexed("coil_vmc", name), 1.0)
        driver.feed(b"", 1.0)
    driver.feed(POLL, 9.0)
    (event,) = driver.feed(hexed("coil_vmc", "coil_vmc.n3"), 9.1)

    assert driver.counters.refusals == {"xor": 1, "short": 1, "layout": 1}
    assert isinstance(event, DeviceFault)
    assert event.event == "malformed"


def test_a_message_nobody_knows_is_told_once_with_its_command() -> None:
    driver = board()
    strange = bytes.fromhex("FA FB 7F 02 01 05 7E")
    strange = strange[:-1] + bytes([xor(strange[:-1])])
    again = strange[:4] + b"\x02\x05"

    (event,) = driver.feed(strange, 1.0)

    assert (event.event, event.data) == ("unknown_message", {"cmd": "7F"})
    assert driver.feed(again + bytes([xor(again)]), 1.2) == []
    assert driver.outgoing() == ACK


def xor(data: bytes) -> int:
    """The check by hand."""
    check = 0
    for byte in data:
        check ^= byte
    return check


# With a machine on the line


def test_an_ack_that_is_lost_in_a_power_cut_does_not_make_two_draws(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            gateway.driver.kept = lambda _event: None
            await gateway.draw()
            await gateway.cut_power()
        async with site.gateway() as gateway:
            await gateway.recover()
            await gateway.clock.sleep(5)

            assert balance(await gateway.records()) == (1, 0)
            assert len(await gateway.draws()) == 1
            assert gateway.driver.doubles

    on_a_board(tmp_path, "coil_vmc", play)


def test_while_the_journal_takes_nothing_the_board_is_not_confirmed_and_repeats(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            running = gateway.begin_draw()
            await gateway.clock.sleep(1.0)
            release = full(gateway)
            await gateway.clock.sleep(3.0)
            waiting = (running.done(), len(await gateway.draws()))
            release()
            await running

            assert waiting == (False, 0)
            assert balance(await gateway.records()) == (1, 0)

    on_a_board(tmp_path, "coil_vmc", play)


@pytest.mark.parametrize("after", [0.35, 0.36, 0.38, 0.4, 0.6, 2.6])
def test_a_gateway_whose_journal_takes_nothing_can_still_be_stopped(tmp_path: Path, after: float) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            gateway.begin_draw()
            await gateway.clock.sleep(after)
            full(gateway)
            await gateway.clock.sleep(0.01)

            await gateway.stop()

            assert gateway.tasks[0].done()

    on_a_board(tmp_path, "motor_zdm8", play)


def full(gateway: Gateway) -> Any:
    """The journal takes nothing until the returned function is called."""
    append = gateway.journal.append

    async def refuse(records: Any) -> Any:
        raise NotStored("full")

    gateway.journal.append = refuse  # type: ignore[method-assign]
    return lambda: setattr(gateway.journal, "append", append)


def test_what_the_machine_sells_by_itself_is_a_draw_that_nobody_here_asked_for(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.twin.sell(1, site.line.now)
            site.line.stir(site.twin)
            await gateway.clock.sleep(8)

            (draw,) = await gateway.draws()
            assert (draw.outcome, draw.qty, draw.intent) == ("confirmed", 1, "")
            assert draw.q == ["unasked"]
            assert (await gateway.events()).count("money") == 1

    on_a_board(tmp_path, "coil_vmc", play)


def test_what_a_restocker_presses_and_types_is_kept_as_a_claim(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.twin.press_full()
            site.twin.type_stock(1, 20)
            await gateway.clock.sleep(3)

            events = [record for record in await gateway.records() if isinstance(record, DeviceEvent)]
            assert [(one.event, one.slot, one.data) for one in events if one.event != "machine_status"] == [
                ("fully_loaded", "", {}),
                ("selection_set", "1", {"stock": 20}),
            ]

    on_a_board(tmp_path, "coil_vmc", play)


def test_a_selection_that_the_board_calls_empty_is_refused_before_anything_is_intended(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.twin.type_stock(1, 0)
            await gateway.clock.sleep(1)

            result = await gateway.draw()

            assert (result.outcome, result.reason) == ("refused", "unreachable")
            assert "out of stock" in result.sentence
            assert site.turns == 0

    on_a_board(tmp_path, "coil_vmc", play)


def test_jams_and_missing_motors_charge_nothing(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.coils.jam("1")
            jammed = await gateway.draw()
            site.coils.mend("1")
            site.twin.unplugged.add(1)
            missing = await gateway.draw()

            assert (jammed.outcome, missing.outcome, site.fell) == ("jammed", "not_dispensed", 0)

    on_a_board(tmp_path, "coil_vmc", play)


def test_a_lost_end_is_decided_by_the_boards_own_stock(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.twin._tell = lambda *_: None

            gone = await gateway.draw()
            site.coils.jam("1")
            stuck = await gateway.draw()

            assert (gone.outcome, gone.qty, stuck.outcome, stuck.qty) == ("confirmed", 1, "not_dispensed", 0)
            assert [draw.confirmation for draw in await gateway.draws()] == ["stock 40 -> 39", "stock 39 -> 39"]

    on_a_board(tmp_path, "coil_vmc", play)


def test_a_stock_that_was_told_before_the_last_piece_went_proves_nothing_about_the_next(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            first = await gateway.draw()
            running = gateway.begin_draw()
            await gateway.clock.sleep(1.5)
            site.line.cut_power(site.twin)
            await gateway.clock.sleep(3)
            site.line.restore_power(site.twin)
            second = await running

            assert (first.outcome, site.fell) == ("confirmed", 1)
            assert second.outcome == "unverified"

    on_a_board(tmp_path, "coil_vmc", play)


def test_some_time_after_a_piece_the_stock_is_asked_for_again(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            await gateway.draw()
            await gateway.clock.sleep(30)
            await gateway.draw()

            assert [draw.before["stock"] for draw in await gateway.draws()] == [40, 39]

    on_a_board(tmp_path, "coil_vmc", play)


def test_a_stock_that_stands_still_proves_nothing_on_a_board_that_does_not_count(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            site.twin._tell = lambda *_: None
            site.twin._counts = False

            result = await gateway.draw()

            assert (result.outcome, site.fell) == ("unverified", 1)

    on_a_board(tmp_path, "coil_vmc", play, counts_stock=False)


def test_a_machine_that_stops_asking_is_told_once_and_refused(tmp_path: Path) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway(settle=4) as gateway:
            site.line.cut_power(site.twin)
            await gateway.clock.sleep(20)
            result = await gateway.draw()
            away = gateway.session.devices()[0].answered
            site.line.restore_power(site.twin)
            await gateway.clock.sleep(20)

            assert (result.outcome, result.reason) == ("refused", "unreachable")
            assert (away, gateway.session.devices()[0].answered) == (False, True)
            assert [name for name in await gateway.events() if name in ("silent", "back")] == ["silent", "back"]

    on_a_board(tmp_path, "coil_vmc", play)
