"""An MDB bus behind an adapter: the text protocol, and vends by badge, by card and at a satellite."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.bench import LineSpec
from firmware_sim.devices.mdb_adapter import Machine
from firmware_sim.devices.mdb_adapter import MdbAdapter as AdapterTwin
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.device_events import AdapterSaid
from gateway.door import Door
from gateway.mdb_desk import place_of
from gateway.ports import Desired, Planogram, Slot
from gateway.premises import CabinetUnreachableError, Given
from gateway.recover_draws import recover_draws
from gateway.take_draw import take_draw
from gateway.vending import Fact
from tests.gateway.site import MORNING, desired
from tests.gateway.talking import DEVICE, Talking, talk, talk_on_a_pty
from wire.records import DeviceEvent, Draw, DrawResolved

VECTORS = tomllib.loads((Path(__file__).parents[1] / "vectors/mdb_adapter.toml").read_text())
LINE = LineSpec(baud=115_200, half_duplex=False)
FEW: dict[str, Any] = {"patience": 10, "vend_seconds": 8}


def planned(*slots: str) -> Desired:
    """A planogram with these slots."""
    told = desired("sensor", DEVICE)
    places = tuple(Slot(slot, f"item-{slot}", 10, 2, 10, "sensor") for slot in slots)
    return Desired(told.version, {DEVICE: Planogram(DEVICE, 7, places)}, told.badges, told.rules)


MACHINE = planned("5", "10", "0206")


def adapter(**chosen: Any) -> Any:
    return drivers.create("mdb_adapter", chosen)


def lines(driver: Any) -> list[str]:
    return bytes(driver.outgoing()).decode().splitlines()


@pytest.mark.parametrize("one", VECTORS["conversation"], ids=lambda one: str(one["id"]))
def test_every_line_of_the_given_conversations(one: dict[str, Any]) -> None:
    role = "vmc" if any(" D," in line for line in one["lines"]) else "satellite" if "M,1" in str(one) else "cashless"
    driver = adapter(role=role)
    speak = {
        "C,VEND,1.00": lambda: driver.approve("1.00"), "C,STOP": driver.deny, "D,2": lambda: driver.tick(0.0),
        "D,REQ,1.20,10": lambda: driver.ask("1.20", "10"), "D,END": lambda: driver.end(vended=True),
        "D,END,-1": lambda: driver.end(vended=False), "M,1": lambda: driver.tick(0.0),
        "D,READER,1": lambda: (driver.tick(1.0), driver.tick(12.0)),
    }  # fmt: skip
    for line in one["lines"]:
        way, _, text = line.partition(" ")
        if way == "<":
            told = driver.feed(text.encode() + b"\r\n", 1.0)
            assert (len(told), driver.counters.refused) == (0 if text == "m,ACK" else 1, 0)
        elif text in speak:
            driver.outgoing()
            speak[text]()
            assert text in lines(driver)


@pytest.mark.parametrize(
    ("line", "topic", "fields"),
    [
        ("c,STATUS,VEND,1.00,5", "vend_request", ("1.00", "5")), ("c,VEND,SUCCESS", "vended", ("SUCCESS",)),
        ("c,ERR,VEND 3", "failed", ("3",)), ('c,ERR,"VEND 3"', "failed", ("3",)),
        ("d,STATUS,RESULT,1,1.20", "result", ("1", "1.20")), ("d,STATUS,RESULT,-1", "result", ("-1",)),
        ("c,STATUS,IDLE,500,1", "status", ("IDLE", "500")), ("d,STATUS,INIT,1", "init", ("1",)),
        ("p,NACK", "bus", ("p", "NACK")), ('d,ERR,"-1"', "error", ('"-1"',)),
    ],
)  # fmt: skip
def test_lines_and_what_they_mean(line: str, topic: str, fields: tuple[str, ...]) -> None:
    (event,) = adapter().feed(line.encode() + b"\n", 1.0)

    assert event == AdapterSaid(topic, fields, line.encode())


@pytest.mark.parametrize(
    "line",
    [
        "c,STATUS,VEND,1.00", "c,STATUS,VEND,1.0.0,5", "c,STATUS,VEND,-1,5", "c,VEND,SUCCES", "c,VEND,SUCCESS,5",
        "C,VEND,SUCCESS", "d,STATUS,RESULT,1,", "c,STATUS", "x,STATUS,IDLE", "c,STATUS,VEND,1.00,5,6", "p,012",
        "c,ERR,VEND x" * 20,
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_line_is_noise(line: str) -> None:
    driver = adapter()

    assert [one for one in driver.feed(line.encode() + b"\n", 1.0) if one.topic != "error"] == []


def test_a_satellites_block_with_or_without_its_sum() -> None:
    for block in ("0302060001", "03020600010C"):
        (event,) = adapter(role="satellite").feed(f"p,{block}\r\n".encode(), 1.0)

        assert event.topic == "USD_VEND_FAIL"
        assert event.fields == ("item=0206", "sold_out=True")


def test_a_sum_of_two_is_no_word_that_it_is_done() -> None:
    events = adapter(role="satellite").feed(b"p,01020600F902\r\n", 1.0)

    assert [one.topic for one in events] == ["USD_VEND_REQUEST"]


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_make_it_raise_or_hold_much(data: bytes) -> None:
    driver = adapter(role="satellite")

    driver.feed(data, 1.0)

    assert len(driver._line) <= 120


def test_rows_and_columns() -> None:
    assert [place_of(item) for item in ("0206", "2-6", "5", "x-1", "1-999")] == [(2, 6), (2, 6), None, None, None]


def press(site: Talking, item: str) -> None:
    """Somebody presses a button of the machine."""
    site.twin.select(item, site.line.now)
    site.line.stir(site.twin)


async def ready(site: Talking) -> None:
    async def there() -> bool:
        try:
            await site.desk.look("5" if site.driver.settings.role != "satellite" else "0206")
        except CabinetUnreachableError:
            return False
        return True

    await site.until(there)


@pytest.mark.parametrize("first", ["selection", "badge"])
def test_a_vend_approved_by_badge(tmp_path: Path, first: str) -> None:
    twin = AdapterTwin(Machine(), repeats=True)

    async def play(site: Talking) -> None:
        await ready(site)
        if first == "selection":
            press(site, "5")
            await site.clock.sleep(2)
        else:
            asyncio.get_running_loop().call_later(3, press, site, "5")

        result = await take_draw(site.premises, site.desk, "B0017", "5")

        assert (result.outcome, twin.machine.dispensed) == ("confirmed", ["5"])
        (draw,) = await site.kinds(Draw)
        assert (draw.who, draw.slot, draw.item, draw.qty) == ("p-17", "5", "item-5", 1)
        assert (draw.actuation, draw.confirmation) == ("approved", "the machine: vend success")

    talk(tmp_path, "mdb_adapter", FEW, twin, play, spec=LINE, slots=MACHINE)


def test_an_unknown_badge_gets_nothing_and_a_selection_without_badge_is_let_go(tmp_path: Path) -> None:
    twin = AdapterTwin(Machine())

    async def play(site: Talking) -> None:
        await ready(site)
        press(site, "5")
        await site.clock.sleep(2)
        assert (await take_draw(site.premises, site.desk, "NOBODY", "5")).reason == "unknown_badge"
        assert (await take_draw(site.premises, site.desk, "B0017", "10")).reason == "unreachable"
        await site.told("vend_refused")

        assert twin.machine.dispensed == []
        assert "C,STOP" in twin.lines

    talk(tmp_path, "mdb_adapter", FEW, twin, play, spec=LINE, slots=MACHINE)


def test_a_vend_that_failed_is_not_charged(tmp_path: Path) -> None:
    twin = AdapterTwin(Machine(turns=lambda _: "3"))

    async def play(site: Talking) -> None:
        await ready(site)
        press(site, "5")
        await site.clock.sleep(1)
        result = await take_draw(site.premises, site.desk, "B0017", "5")
        assert (result.outcome, result.qty) == ("not_dispensed", 0)

    talk(tmp_path, "mdb_adapter", FEW, twin, play, spec=LINE, slots=MACHINE)


@pytest.mark.parametrize(("strict", "outcome"), [(False, "unverified"), (True, "confirmed")])
def test_a_reset_after_the_approval_is_a_doubt_unless_the_contract_says_a_sale(
    tmp_path: Path, strict: bool, outcome: str
) -> None:
    twin = AdapterTwin(Machine(), resets=True)

    async def play(site: Talking) -> None:
        await ready(site)
        press(site, "5")
        await site.clock.sleep(1)
        result = await take_draw(site.premises, site.desk, "B0017", "5")
        assert (result.outcome, result.qty) == (outcome, 1)
        assert "bus_reset" in await site.events()

    talk(tmp_path, "mdb_adapter", {**FEW, "mdb_strict": strict}, twin, play, spec=LINE, slots=MACHINE)


def test_a_word_that_comes_too_late_decides_the_doubt(tmp_path: Path) -> None:
    twin = AdapterTwin(Machine(turns=lambda _: None))

    async def play(site: Talking) -> None:
        await ready(site)
        press(site, "5")
        await site.clock.sleep(1)
        twin.machine.turns = lambda _: None
        site.line.detach(twin)
        asyncio.get_running_loop().call_later(2, lambda: site.line.attach(twin))
        result = await take_draw(site.premises, site.desk, "B0017", "5")
        assert result.outcome == "unverified"
        await site.desk.hear(AdapterSaid("vended", ("SUCCESS",)))
        await site.desk.hear(AdapterSaid("vended", ("SUCCESS",)))

        (end,) = await site.kinds(DrawResolved)
        assert (end.outcome, end.qty) == ("confirmed", 1)
        assert (await site.events()).count("result_unasked") == 1

    talk(tmp_path, "mdb_adapter", FEW, twin, play, spec=LINE, slots=MACHINE)


def test_a_vend_cut_by_a_power_failure_stays_in_doubt(tmp_path: Path) -> None:
    twin = AdapterTwin(Machine())

    async def before(site: Talking) -> None:
        await ready(site)
        press(site, "5")
        await site.clock.sleep(1)
        task = asyncio.create_task(take_draw(site.premises, site.desk, "B0017", "5"))
        await site.clock.sleep(1)
        await site.journal.abandon()
        task.cancel()

    async def after(site: Talking) -> None:
        await recover_draws(site.premises, {DEVICE: site.desk})
        assert [(one.outcome, one.qty) for one in await site.kinds(Draw)] == [("unverified", 1)]

    talk(tmp_path, "mdb_adapter", FEW, twin, before, spec=LINE, slots=MACHINE, boot="a" * 16)
    talk(tmp_path, "mdb_adapter", FEW, AdapterTwin(Machine()), after, spec=LINE, slots=MACHINE, boot="b" * 16,
         at=MORNING + 3_600_000)  # fmt: skip


@pytest.mark.parametrize(
    ("trouble", "outcome"), [(None, "confirmed"), ("1", "not_dispensed"), ("2", "jammed"), ("4", "not_dispensed")]
)
def test_as_the_vmc_of_a_satellite_an_item_is_driven_once(tmp_path: Path, trouble: str | None, outcome: str) -> None:
    twin = AdapterTwin(Machine(turns=lambda _: trouble))

    async def play(site: Talking) -> None:
        await ready(site)
        result = await take_draw(site.premises, site.desk, "B0017", "0206")
        assert result.outcome == outcome
        assert twin.lines.count("R,43,020206") == 1

    talk(tmp_path, "mdb_adapter", {**FEW, "role": "satellite"}, twin, play, spec=LINE, slots=MACHINE)


def test_a_satellite_that_says_nothing_leaves_a_doubt(tmp_path: Path) -> None:
    twin = AdapterTwin(Machine())

    async def play(site: Talking) -> None:
        await ready(site)
        asyncio.get_running_loop().call_later(0.5, lambda: site.line.cut_power(twin))
        result = await take_draw(site.premises, site.desk, "B0017", "0206")
        assert result.outcome == "unverified"
        assert twin.lines.count("R,43,020206") == 1

    talk(tmp_path, "mdb_adapter", {**FEW, "role": "satellite"}, twin, play, spec=LINE, slots=MACHINE)


class Lock:
    """A lock board's cabinet that does as it is told."""

    device, cfg = "lock-1", ""

    def __init__(self, fact: Fact) -> None:
        self.fact = fact
        self.opened: list[str] = []

    async def look(self, slot: str) -> dict[str, int]:
        return {slot: 1}

    async def give(self, intent: Any, key: Any, confirm: Any) -> Given:
        self.opened.append(intent.slot)
        return Given(self.fact, 1, "opened", "door_closed")

    async def recall(self, intent: Any, key: Any, confirm: Any) -> Given:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("card", "fact", "outcome", "end"),
    [
        ("1,1.20", Fact.UNPROVEN, "unverified", "D,END"), ("-1", Fact.UNPROVEN, "not_taken", "D,END,-1"),
        ("1,9.99", Fact.UNPROVEN, "not_taken", "D,END,-1"), ("1,1.20", Fact.NOT_OPENED, "not_dispensed", "D,END,-1"),
    ],
)  # fmt: skip
def test_as_a_vmc_the_lock_opens_when_a_reader_approved(
    tmp_path: Path, card: str, fact: Fact, outcome: str, end: str
) -> None:
    twin = AdapterTwin(Machine(card=lambda _amount, _item: card))
    lock = Lock(fact)

    async def play(site: Talking) -> None:
        site.desk.door = Door(lock, "3")
        await ready(site)
        result = await take_draw(site.premises, site.desk, "B0017", "10")
        await site.clock.sleep(1)
        assert result.outcome == outcome
        assert lock.opened == (["3"] if card == "1,1.20" else [])
        assert [line for line in twin.lines if line.startswith("D,END")] == [end]

    talk(tmp_path, "mdb_adapter", {**FEW, "role": "vmc", "price": "1.20"}, twin, play, spec=LINE, slots=MACHINE)


def test_an_adapter_that_falls_silent_is_named_once(tmp_path: Path) -> None:
    twin = AdapterTwin(Machine())

    async def play(site: Talking) -> None:
        await ready(site)
        site.line.cut_power(twin)
        await site.told("adapter_silent")
        await site.clock.sleep(120)
        assert (await site.events()).count("adapter_silent") == 1
        site.line.restore_power(twin)
        await ready(site)

    talk(tmp_path, "mdb_adapter", FEW, twin, play, spec=LINE, slots=MACHINE)


def test_on_a_bad_line_every_vend_is_once_or_in_doubt(tmp_path: Path) -> None:
    twin = AdapterTwin(Machine(), repeats=True)
    plan = LinePlan(noise=0.05, flip=0.05, cut=0.03, lose=0.05, split=0.2)

    async def play(site: Talking) -> None:
        await ready(site)
        for _ in range(25):
            asyncio.get_running_loop().call_later(2, press, site, "5")
            await take_draw(site.premises, site.desk, "B0017", "5")
            await site.clock.sleep(20)

        draws = await site.kinds(Draw)
        sure = sum(one.qty for one in draws if one.outcome == "confirmed")
        unsure = sum(one.qty for one in draws if one.outcome == "unverified")
        told = sum(one.event == "result_unasked" for one in await site.kinds(DeviceEvent))
        assert sure >= 10
        assert sure <= len(twin.machine.dispensed) <= sure + unsure + told

    talk(tmp_path, "mdb_adapter", FEW, twin, play, spec=LINE, slots=MACHINE, plan=plan)


def test_over_a_pseudo_terminal_too(tmp_path: Path) -> None:
    twin = AdapterTwin(Machine())

    async def play(site: Talking) -> None:
        async def idle() -> bool:
            return bool(site.desk.online() == (True, "enabled"))

        await site.until(idle, 30)
        press(site, "5")
        await site.clock.sleep(0.5)
        result = await take_draw(site.premises, site.desk, "B0017", "5")
        assert result.outcome == "confirmed"

    talk_on_a_pty(tmp_path, "mdb_adapter", FEW, twin, play, spec=LINE, slots=MACHINE)
