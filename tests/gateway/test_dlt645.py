"""DL/T 645-2007: every golden frame, and conversations with a meter that was written from the standard alone."""

from __future__ import annotations

import asyncio
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import LineSpec
from firmware_sim.devices.dlt645 import Dlt645Meter
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.device_events import CommandTaken, DeviceFault, Event, Identified, Measured, SwitchState, Want
from gateway.drivers import dlt645_frames as frames
from gateway.drivers.dlt645_items import FACTS, ITEMS
from gateway.meter_clocks import MeterClocks
from tests.gateway.one_device import DEVICE, OneDevice, on_a_line, on_a_pty, until
from tests.gateway.site import MORNING
from wire.records import DeviceEvent

FRAMES = tomllib.loads((Path(__file__).parents[1] / "vectors" / "dlt645.toml").read_text())["frame"]
REPLIES = [frame for frame in FRAMES if frame["direction"] == "device>host"]
DATA = [frame for frame in REPLIES if frame["decoded"].get("di")]
NAME_OF = {f"{item.di:08X}": name for name, item in ITEMS.items()} | {f"{di:08X}": name for name, di in FACTS.items()}
SPEC = LineSpec(baud=2400, parity="E")
ADDRESS = "151230011061"


def asked(frame: dict[str, Any], **settings: Any) -> Any:
    """A driver that has just asked the question this frame answers."""
    told = frame["decoded"]
    driver = drivers.create("dlt645", {"address": told.get("address", "AA" * 6), **settings})
    if told.get("read_address"):
        driver = drivers.create("dlt645", {})
        driver.pending()
    elif told.get("relay"):
        driver.look()
    elif told.get("ack"):
        driver.switch(on=False, at=0)
    elif told.get("di") and NAME_OF[told["di"]] in FACTS:
        driver.ask(NAME_OF[told["di"]])
    else:
        driver.request([Want(NAME_OF[told.get("di", "00010000")], 900)])
    return driver


def said(events: list[Event], told: dict[str, Any]) -> bool:
    """Whether the events are what the golden file says, exactly."""
    (event,) = events
    if isinstance(event, Measured):
        kilo = {"kWh": 3, "kW": 3}.get(told["unit"], 0)
        return Decimal(event.value).scaleb(event.scale) == Decimal(told["value"]).scaleb(kilo)
    if isinstance(event, SwitchState):
        return event.on is (told["relay"] == "closed")
    if isinstance(event, CommandTaken):
        return event.taken
    if isinstance(event, DeviceFault) and event.event == "told":
        return event.data["value"] == (told.get("time") or told.get("date"))
    return isinstance(event, DeviceFault) and event.data["code"] == told["error_word"]


@pytest.mark.parametrize("frame", [one for one in REPLIES if one["valid"]], ids=lambda one: one["id"])
@pytest.mark.parametrize("before", ["", "FE FE FE FE", "68", "16 68 00 FE", "68 61 10 01 30 12 15 68 11 04 33 33 34"])
def test_a_golden_answer_is_understood_whole_and_byte_by_byte(frame: dict[str, Any], before: str) -> None:
    data = bytes.fromhex(before) + bytes.fromhex(frame["hex"])
    whole, slow = asked(frame), asked(frame)

    events = whole.feed(data, 1.0)
    by_byte = [event for byte in data for event in slow.feed(bytes((byte,)), 1.0)]

    assert events == by_byte
    if frame["decoded"].get("read_address"):
        assert whole.pending().data[4:12] == frames.read(frame["decoded"]["read_address"], 0)[:8]
    else:
        assert said(events, frame["decoded"])


@pytest.mark.parametrize("frame", [one for one in REPLIES if not one["valid"]], ids=lambda one: one["id"])
def test_a_spoilt_answer_is_no_reading_and_says_why(frame: dict[str, Any]) -> None:
    driver = asked(frame)

    events = driver.feed(bytes.fromhex(frame["hex"]), 1.0) + driver.expired(2.0)

    assert [event for event in events if isinstance(event, Measured)] == []
    assert driver.counters.refused == 1
    if frame["error"] == "bcd":
        assert [event.data["why"] for event in events if isinstance(event, DeviceFault)] == ["bcd"]


@pytest.mark.parametrize("frame", DATA, ids=lambda one: one["id"])
def test_the_answer_of_another_meter_or_to_another_question_is_not_taken(frame: dict[str, Any]) -> None:
    other = drivers.create("dlt645", {"address": "999999000001"})
    later = drivers.create("dlt645", {"address": frame["decoded"].get("address", "AA" * 6)})
    other.request([Want("import_wh", 900)])
    later.request([Want("credit_money", 900)])

    assert other.feed(bytes.fromhex(frame["hex"]), 1.0) == []
    assert later.feed(bytes.fromhex(frame["hex"]), 1.0) == []


def test_our_own_frames_are_the_golden_ones() -> None:
    golden = {frame["id"]: bytes.fromhex(frame["hex"]) for frame in FRAMES}
    asking = {frame["id"]: bytes.fromhex(frame["request"]) for frame in FRAMES if "request" in frame}
    at = 4_102_272_000_000 - 8 * 3_600_000 - 300_000  # 2099-12-30 in Beijing, less the 300 s a command is valid
    driver = drivers.create("dlt645", {"address": ADDRESS, "password": "020637", "wake": 0})

    assert driver.order("trip", at).data == golden["dl-trip-1"]
    assert driver.order("permit", at).data == golden["dl-close-1"]
    assert driver.broadcast_time(1_647_497_267_000).data == golden["dl-bcast-1"]
    assert driver.look().data == asking["dl-state3-open"]
    assert drivers.create("dlt645", {"wake": 0}).pending().data == asking["dl-addr-1"]
    woken = drivers.create("dlt645", {"address": "000000000161"})
    assert woken.request([Want("import_wh", 900)]).data == asking["dl-energy-1"]
    assert woken.request([Want("voltage_l1", 900)]).data == asking["dl-volt-1"]


def test_a_sign_is_the_top_bit_only_where_a_value_can_be_negative() -> None:
    def answer(name: str, data: str) -> int:
        driver = drivers.create("dlt645", {"address": ADDRESS})
        driver.request([Want(name, 900)])
        di = ITEMS[name].di.to_bytes(4, "little")
        (event,) = driver.feed(frames.frame(ADDRESS, 0x91, di + bytes.fromhex(data)), 1.0)
        assert isinstance(event, Measured)
        return event.value

    assert answer("import_wh", "99 99 99 99") == 99_999_999
    assert answer("combined_wh", "56 34 12 80") == -123_456
    assert answer("power", "00 50 81") == -15_000


def test_a_long_block_comes_in_several_frames_and_is_one_answer(tmp_path: Path) -> None:
    settings = {"address": ADDRESS, "registers": {"import_wh_all": 60}}

    async def play(one: OneDevice) -> None:
        await one.clock.sleep(30)

        registers = await one.readings()
        assert registers == [(123_456, 1, "Wh"), (0, 1, "Wh"), (0, 1, "Wh"), (123_456, 1, "Wh"), (0, 1, "Wh")]

    meter = lambda now: Dlt645Meter(ADDRESS, start_wh=1_234_560, chunk=7, now=now)  # noqa: E731
    on_a_line(tmp_path, "dlt645", settings, meter, play, spec=SPEC)


def test_a_lone_meter_says_who_it_is_and_is_then_called_by_its_name(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        await one.clock.sleep(20)

        assert one.driver.request([Want("import_wh", 900)]).data[4:12] == frames.read(ADDRESS, 0)[:8]
        assert await one.events() == ["identified"]
        assert await one.readings() == [(7, 1, "Wh")]

    on_a_line(tmp_path, "dlt645", {}, lambda now: Dlt645Meter(ADDRESS, start_wh=79, now=now), play, spec=SPEC)


def test_a_relay_is_open_when_it_reads_open_and_a_permitted_one_waits_for_the_key(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        await one.clock.sleep(5)
        assert (await one.switch.turn(on=False)) == CommandTaken(taken=True, raw=frames.frame(ADDRESS, 0x9C))
        opened = await one.switch.read_back()
        await one.switch.turn(on=True)
        permitted = await one.switch.read_back()
        one.twin.press_key(one.now)
        closed = await one.switch.read_back()

        states = [(state.on, state.permitted) for state in (opened, permitted, closed) if state]
        assert states == [(False, False), (False, True), (True, False)]

    settings = {"address": ADDRESS, "password": "020637"}
    world = lambda now: Dlt645Meter(ADDRESS, now=now, world_ms=lambda at: 1_793_000_000_000 + int(at * 1000))  # noqa: E731
    on_a_line(tmp_path, "dlt645", settings, world, play, spec=SPEC)


def test_a_wrong_password_moves_nothing_and_is_said(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        await one.clock.sleep(5)

        taken = await one.switch.turn(on=False)

        assert taken is not None
        assert (taken.taken, taken.why) == (False, "password wrong or not authorised")
        assert one.twin.relay_open is False

    on_a_line(tmp_path, "dlt645", {"address": ADDRESS}, lambda now: Dlt645Meter(ADDRESS, now=now), play, spec=SPEC)


def test_a_meter_that_pauses_in_the_middle_of_a_frame_is_read(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        await one.clock.sleep(20)

        assert await one.readings() == [(7, 1, "Wh")]

    meter = lambda now: Dlt645Meter(ADDRESS, start_wh=79, gap_s=0.45, turn_round_s=0.4, now=now)  # noqa: E731
    on_a_line(tmp_path, "dlt645", {"address": ADDRESS}, meter, play, spec=SPEC)


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_line_gives_each_reading_once_or_says_that_the_meter_is_silent(tmp_path: Path, seed: int) -> None:
    plan = LinePlan(noise=0.2, flip=0.1, cut=0.05, lose=0.1, late=0.1, split=0.3, echo=bool(seed % 2))

    async def play(one: OneDevice) -> None:
        one.twin.set_load_w(3_600_000, one.now)
        await one.clock.sleep(40 * 60)

        values = [value for value, _, _ in await one.readings()]
        assert len(values) >= 25
        assert values == sorted(set(values))
        assert all(0 <= value <= 100 * 2400 for value in values)

    settings = {"address": ADDRESS, "every": 60}
    on_a_line(
        tmp_path, "dlt645", settings, lambda now: Dlt645Meter(ADDRESS, now=now), play,
        spec=SPEC, plan=plan, seed=str(seed),
    )  # fmt: skip


def test_over_a_pseudo_terminal(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        async def read() -> bool:
            return len(await one.readings()) >= 1

        await until(one, read)
        assert (await one.readings())[0] == (7, 1, "Wh")

    fast = LineSpec(baud=19200, parity="E")
    meter = lambda now: Dlt645Meter(ADDRESS, start_wh=79, turn_round_s=0.02, now=now)  # noqa: E731
    on_a_pty(tmp_path, "dlt645", {"address": ADDRESS}, meter, play, spec=fast)


def test_the_time_is_told_once_a_day_and_what_the_meter_said_before_is_kept(tmp_path: Path) -> None:
    async def play(one: OneDevice) -> None:
        one.twin.set_clock_off(-120)
        clocks = MeterClocks("line-1", {DEVICE: one.driver}, one.session, one.clock, one.journal)
        running = asyncio.create_task(clocks.run())
        await one.clock.sleep(26 * 3600)
        running.cancel()

        told = [event for event in await one.kinds(DeviceEvent) if event.event == "clock_told"]
        shown = one.twin.clock(one.now).timestamp() * 1000
        assert len(told) == 1
        assert abs(shown - one.clock.wall_ms()) < 2_000
        assert all(event.data["meter_time"] for event in told)

    meter = lambda now: Dlt645Meter(ADDRESS, now=now, world_ms=lambda at: MORNING + round(at * 1000))  # noqa: E731
    on_a_line(tmp_path, "dlt645", {"address": ADDRESS, "every": 3600}, meter, play, spec=SPEC)


def test_another_number_is_another_meter() -> None:
    driver = drivers.create("dlt645", {"address": ADDRESS})

    def number(text: str) -> list[Event]:
        driver.restarted()
        driver.pending()
        di = FACTS["meter_number"].to_bytes(4, "little")
        events: list[Event] = driver.feed(frames.frame(ADDRESS, 0x91, di + bytes.fromhex(text)[::-1]), 1.0)
        return events

    first, again, other = number("000000000001"), number("000000000001"), number("000000000002")

    (told,) = first
    assert isinstance(told, Identified)
    assert told.facts == {"registers": {"import_wh": {"unit": "Wh", "modulus": "1000000"}}}
    assert again == []
    assert [event.event for event in other if isinstance(event, DeviceFault)] == ["replaced"]
