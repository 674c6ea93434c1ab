"""Every serial kind behind a device file, against its twin, with everything a line and a power plug can do to it.

Each event is delivered exactly once or said to be unknown; the twin knows what is true. A kind that is not played here
fails the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from firmware_sim.bench import LineSpec
from firmware_sim.devices.badge_ascii import BadgeAscii
from firmware_sim.devices.badge_r200 import BadgeR200
from firmware_sim.devices.cjt188 import Cjt188Meter
from firmware_sim.devices.dex_socket import DexSocket
from firmware_sim.devices.dlt645 import Dlt645Meter
from firmware_sim.devices.fan_coil import FanCoil
from firmware_sim.devices.iec62056 import ModeCMeter
from firmware_sim.devices.mbus import MbusMeter
from firmware_sim.devices.mdb_adapter import Machine, MdbAdapter
from firmware_sim.devices.mhz19b import MhZ19B
from firmware_sim.devices.modbus_meter import ModbusMeter
from firmware_sim.devices.modbus_unit import ModbusUnit
from firmware_sim.devices.pms5003 import Air, Pms5003
from firmware_sim.devices.sds011 import Sds011
from firmware_sim.devices.sps30 import Sps30
from firmware_sim.devices.uhf_r200 import UhfR200
from firmware_sim.devices.weigh_bin import WeighBin
from firmware_sim.faults import LinePlan
from gateway import drivers
from gateway.ports import LinkDown
from gateway.take_draw import take_draw
from tests.gateway.behind_a_pty import DEVICE, Behind, Case, Play, play_on_a_pty
from tests.gateway.board_site import KINDS
from tests.gateway.test_audit_site import billed
from tests.gateway.test_audit_site import machine as sold_from
from tests.gateway.test_boards_pty import vend
from tests.gateway.test_mdb_adapter import planned
from tests.gateway.test_uhf_r200 import KNOWN, A, B
from wire.records import DeviceEvent, Draw, Reading, Runtime, Window

PLAN = LinePlan(noise=0.08, flip=0.04, cut=0.04, lose=0.04, late=0.03, late_s=0.2, split=0.2, split_s=0.02)
FAST, EVEN = LineSpec(baud=38400), LineSpec(baud=19200, parity="E")
KILOWATTS = 3600


def counts(register: str, worth: Callable[[Any, float], Any], enough: int = 4) -> Play:
    """A counter that runs fast, through a power cut: what is recorded was true, in order, each look once."""

    async def play(site: Behind) -> None:
        begun = worth(site.twin, site.line.now)
        site.twin.set_load_w(KILOWATTS * 1000, site.line.now)
        await site.clock.sleep(3)
        await site.power_cut()

        async def read() -> bool:
            return len([one for one in await site.records(Reading) if one.register == register]) >= enough

        assert await site.soon(read), register
        found = [one for one in await site.records(Reading) if one.register == register]
        shown = [one.value * 10 ** max(one.scale, 0) // 10 ** max(-one.scale, 0) for one in found]
        assert shown == sorted(shown)
        assert begun - 1000 <= shown[0] <= shown[-1] <= worth(site.twin, site.line.now)
        assert len({one.m for one in found}) == len(found)

    return play


def breathes(**truth: tuple[int, int]) -> Play:
    """Air between these: no window says anything else, none is longer than it is, none is told twice."""

    async def play(site: Behind) -> None:
        await site.clock.sleep(4)
        await site.power_cut(0.3)

        async def summed_up() -> bool:
            return {one.metric for one in await site.records(Window)} >= set(truth)

        assert await site.soon(summed_up)
        windows = [one for one in await site.records(Window) if one.metric in truth]
        for one in windows:
            low, high = truth[one.metric]
            assert low <= one.min <= one.mean <= one.max <= high, one
            assert 0 <= one.coverage <= 10, one
        assert len({(one.metric, one.from_) for one in windows}) == len(windows)

    return play


async def blows(site: Behind) -> None:
    """A fan at one speed: seconds are effective or unknown, and no others."""
    site.twin.run("mid")
    await site.clock.sleep(5)
    await site.power_cut()

    async def summed_up() -> bool:
        return bool(await site.records(Runtime))

    assert await site.soon(summed_up)
    told = await site.records(Runtime)
    assert set().union(*(one.speeds for one in told)) <= {"mid"}
    assert all(sum(one.speeds.values()) + one.unknown <= 10 for one in told)


async def obeys(site: Behind) -> None:
    """A level that is read back is the level it runs at."""
    unit = site.site.units[DEVICE]
    seen = 0
    for level in (1, 3, 0, 2, 1, 3, 0, 1, 2, 3, 0, 2):
        if level == 2:
            await site.power_cut(0.2)
        try:
            await unit.switch(level)
            told = await unit.level()
        except LinkDown:
            continue
        assert told in (None, site.twin.speed)
        seen += told == level
    assert seen >= 2


async def loses_tags(site: Behind) -> None:
    """Two tags go, one after the other."""

    async def known() -> bool:
        return "tags_known" in [one.event for one in await site.records(DeviceEvent)]

    assert await site.soon(known)
    site.twin.inside -= {A[0]}
    await site.clock.sleep(3)
    await site.power_cut(0.4)
    site.twin.inside -= {B[0]}

    async def drawn() -> bool:
        return sum(await site.pieces()) >= 2

    assert await site.soon(drawn)
    assert sum(await site.pieces()) == 2


async def vends(site: Behind) -> None:
    """Somebody presses, somebody pays; the adapter loses its power in between."""
    desk: Any = site.site.cabinets[DEVICE]

    async def there() -> bool:
        return bool(desk.online() == (True, "enabled"))

    assert await site.soon(there)
    for number in range(12):
        if number > 3 and (await site.pieces())[0]:
            break
        if number == 2:
            await site.power_cut(0.3)
            await site.soon(there, 5)
        site.twin.select("5", site.line.now)
        site.stir()
        await site.clock.sleep(0.3)
        await take_draw(site.premises, desk, "B0017", "5")
    await site.clock.sleep(1)
    sure, unsure_ = await site.pieces()
    told = sum(one.event == "result_unasked" for one in await site.records(DeviceEvent))
    assert sure <= len(site.twin.machine.dispensed) <= sure + unsure_ + told
    assert sure


async def audits(site: Behind) -> None:
    """A machine sells; its counters are read over DEX again and again."""
    sold = site.twin.machine

    async def read() -> bool:
        return any(one.event == "audit" for one in await site.records(DeviceEvent))

    assert await site.soon(read)
    begun = dict(sold.truth)
    for number in range(3):
        sold.vend(str(number + 1))
        await site.clock.sleep(0.3)
    await site.power_cut(0.3)
    wanted = {name: many - begun[name] for name, many in sold.truth.items() if many > begun[name]}

    async def told() -> bool:
        return billed(await site.records(Draw)) == wanted

    for _ in range(5):
        # Who comes back to a machine reads it at once.
        await site.replug()
        if await site.soon(told, 8):
            break
    assert billed(await site.records(Draw)) == wanted
    assert not [one for one in await site.records(DeviceEvent) if one.event == "audit_gap" and one.data["count"]]


async def weighs(site: Behind) -> None:
    """Hands take pieces, once it is known how much lay there: before that nobody can tell what is missing."""

    async def known() -> bool:
        return "weight_known" in [one.event for one in await site.records(DeviceEvent)]

    assert await site.soon(known)
    left = 0
    for count in (1, 2, 1):
        site.twin.take(site.line.now, count)
        left += count
        await site.clock.sleep(3)
        await site.power_cut(0.3)

    async def drawn() -> bool:
        return sum(await site.pieces()) >= left

    assert await site.soon(drawn)
    assert sum(await site.pieces()) == left


def shows_badges(show: Callable[[Any, float, int], None], hide: Callable[[Any], None], worth: tuple[str, ...]) -> Play:
    """Cards held to a reader, one after the other."""

    async def play(site: Behind) -> None:
        heard: list[str] = []

        async def deliver(cabinet: str, badge: str) -> None:
            heard.append(f"{cabinet}/{badge}")

        site.site.readers[-1].settle(["cab-1"], deliver)
        await site.clock.sleep(0.5)
        for number in range(len(worth)):
            show(site.twin, site.line.now, number)
            site.stir()
            await site.clock.sleep(1.5)
            hide(site.twin)
            await site.clock.sleep(0.5)
            await site.power_cut(0.3)

        assert heard == [f"cab-1/{badge}" for badge in worth]

    return play


CARDS = (0x62E3086CED, 0x0200107D0D)
FAR = ("E200001D7315016521408FC6", "E200471BB0006013044509D0")
AIR = {"window": 10, "warm_up": 0, "frozen": 0}
SCALE = {"piece_mg": 12_350, "every": 0.15, "still_seconds": 0.5, "patience": 20, "empty_mg": 0}
CASES = [
    Case("badge_ascii", {}, lambda _: BadgeAscii(), shows_badges(
        lambda twin, now, n: twin.show(CARDS[n], now), lambda twin: twin.take_away(), ("62E3086CED", "0200107D0D"))),
    Case("badge_r200", {}, lambda _: BadgeR200(), shows_badges(
        lambda twin, _, n: twin.near.add(FAR[n]), lambda twin: twin.near.clear(), FAR),
        LineSpec(baud=115_200, half_duplex=False)),
    Case("cjt188", {"registers": {"heating": 0.5}}, lambda now: Cjt188Meter("00740012064713", now=now),
         counts("heating", lambda twin, now: twin.heat_wh(now)), EVEN, echo=True),
    Case("dlt645", {"address": "151230011061", "every": 0.5}, lambda now: Dlt645Meter("151230011061", now=now),
         counts("import_wh", lambda twin, now: twin.import_wh(now)), EVEN, echo=True),
    Case("evadts", {"socket": "dex"}, lambda _: DexSocket(sold_from()), audits,
         LineSpec(baud=9600, half_duplex=False)),
    Case("fan_coil", {"flow": 4, "window": 10, "every": 0.3}, lambda _: FanCoil(baud=38400), blows, FAST, echo=True),
    Case("iec62056", {"every": 2}, lambda now: ModeCMeter(turn_round_s=0.02, now=now),
         counts("import_wh", lambda twin, now: twin.wh(now), 2), LineSpec(baud=300), echo=True),
    Case("mbus", {"address": 1, "every": 0.5}, lambda now: MbusMeter(now=now),
         counts("energy", lambda twin, now: twin.wh(now)), EVEN, echo=True),
    Case("mdb_adapter", {"patience": 5, "vend_seconds": 5}, lambda _: MdbAdapter(Machine(), repeats=True), vends,
         LineSpec(baud=115_200, half_duplex=False), planned("5")),
    Case("mhz19b", {**AIR, "every": 1}, lambda now: MhZ19B(now=now), breathes(co2=(4100, 6360)),
         LineSpec(half_duplex=False)),
    Case("modbus_meter", {"profile": "sdm120", "registers": {"import_wh": 0.3}},
         lambda _: ModbusMeter("sdm120", baud=38400),
         counts("import_wh", lambda twin, now: int(twin.shows("import_wh", now))), FAST, echo=True),
    Case("modbus_unit", {"at": 0, "levels": [0, 1, 2, 3]}, lambda _: ModbusUnit(baud=38400), obeys, FAST, echo=True),
    Case("pms5003", AIR, lambda now: Pms5003(air=Air(10, 20, 30), now=now), breathes(pm25=(0, 200), pm10=(0, 300)),
         LineSpec(half_duplex=False)),
    Case("sds011", AIR, lambda now: Sds011(now=now), breathes(pm25=(610, 610), pm10=(930, 930)),
         LineSpec(half_duplex=False)),
    Case("sps30", {**AIR, "every": 1}, lambda now: Sps30(now=now), breathes(pm1=(520, 520), pm10=(1330, 1330)),
         LineSpec(baud=115_200, half_duplex=False)),
    Case("uhf_r200", {"tags": KNOWN, "watch": 3, "rounds": 12, "needed": 3}, lambda _: UhfR200(
        {*A, *B}), loses_tags, LineSpec(baud=115_200, half_duplex=False)),
    Case("weigh_bin", SCALE, lambda _: WeighBin([12_350] * 20, baud=38400), weighs, FAST, echo=True),
]  # fmt: skip


def test_no_kind_is_left_out() -> None:
    serial = {kind for kind, driver in drivers.discover().items() if driver.link == "serial"}

    assert serial == {case.kind for case in CASES} | {one.driver for one in KINDS.values()}


def test_every_kind_delivers_each_event_once_or_says_that_it_is_unknown(tmp_path: Path) -> None:
    async def one(case: Case) -> str:
        try:
            await play_on_a_pty(tmp_path / case.kind, case, replace(PLAN, echo=case.echo))
        except AssertionError as error:
            return f"{case.kind}: {error}"
        return ""

    async def main() -> list[str]:
        return await asyncio.gather(*(one(case) for case in CASES))

    assert [told for told in asyncio.run(main()) if told] == []


def test_every_board_vends_through_a_power_cut_and_no_piece_is_lost_or_invented(tmp_path: Path) -> None:
    async def main() -> None:
        await asyncio.gather(*(vend(tmp_path, kind, power_cut=True) for kind in sorted(KINDS)))

    asyncio.run(main())
