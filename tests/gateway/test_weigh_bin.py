"""A bin on a scale: transmitters' frames, weights to pieces, and what becomes of them in the journal."""

from __future__ import annotations

import asyncio
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.bench import LineSpec
from firmware_sim.devices.lock_8a import DoorMoved
from firmware_sim.devices.modbus_slave import crc16
from firmware_sim.devices.weigh_bin import WeighBin as BinTwin
from firmware_sim.faults import LinePlan, stream
from gateway import drivers
from gateway.device_events import DeviceFault, Weighed
from gateway.drivers.weigh_profiles import ScaleMap, milligrams
from gateway.take_draw import take_draw
from gateway.take_refill import take_refill
from gateway.weights import Piece, Stillness, pieces
from tests.gateway.one_device import on_a_pty, until
from tests.gateway.site import MORNING
from tests.gateway.weighing import BASE, BIN, UNIT, Site, weigh
from wire.records import Count, Draw

VECTORS = tomllib.loads((Path(__file__).parents[1] / "vectors/weigh_bin.toml").read_text())


def mg(grams: str) -> int:
    return int(Decimal(grams) * 1000)


@pytest.mark.parametrize("one", VECTORS["inference"], ids=lambda one: str(one["id"]))
def test_the_given_weights(one: dict[str, Any]) -> None:
    piece = Piece(mg(one["unit_g"]), tolerance=int(Decimal(one["tol_frac"]) * 100))

    found = pieces(mg(one["before_g"]), mg(one["after_g"]), piece)

    assert found == (None if one["draws"] == "none" else one["draws"])


def test_many_pieces_at_once_are_not_believed_where_they_differ() -> None:
    assert pieces(10_000 * 5, 0, Piece(10_000, spread=400)) == 5
    assert pieces(10_000 * 6, 0, Piece(10_000, spread=400)) is None


@given(count=st.integers(-200, 200), unit=st.integers(100, 10**6), off=st.integers(-25, 25))
def test_whole_pieces_are_found_within_the_tolerance(count: int, unit: int, off: int) -> None:
    assert pieces(count * unit + int(off * unit / 100), 0, Piece(unit)) == count


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6), st.integers(1, 45))
def test_a_number_is_never_further_away_than_the_tolerance(gone: int, unit: int, tolerance: int) -> None:
    count = pieces(gone, 0, Piece(unit, tolerance=tolerance))

    assert count is None or 100 * abs(gone - count * unit) <= tolerance * unit


def test_still_means_within_a_span_for_a_time() -> None:
    still = Stillness(within=10, samples=3, seconds=2.0)

    said = [still.weigh(weight, at, stable=None) for at, weight in enumerate([100, 104, 130, 131, 133, 132])]

    assert said == [None, None, None, None, 131, 132]
    assert still.weigh(132, 6.0, stable=False) is None
    assert still.weigh(132, 7.0, stable=True) is None


def scale(**settings: Any) -> Any:
    return drivers.create("weigh_bin", {"piece_mg": UNIT, "echo": "no", **settings})


def test_the_given_frames() -> None:
    frames = {one["id"]: bytes.fromhex(one["hex"]) for one in VECTORS["frame"]}
    floats, counts = scale(), scale(profile="generic_int32", divisor=1)
    floats.request(floats.wants)
    counts.request(counts.wants)

    assert floats.feed(frames["scale_modbus.02"], 1.0) == [Weighed(1_234_500, raw=frames["scale_modbus.02"])]
    assert counts.feed(frames["scale_modbus.03"], 1.0) == [Weighed(-37_000, raw=frames["scale_modbus.03"])]


@pytest.mark.parametrize(
    ("hexed", "of", "weight"),
    [
        ("449A5000", ScaleMap(0), 1_234_500), ("5000449A", ScaleMap(0, order="CDAB"), 1_234_500),
        ("9A440050", ScaleMap(0, order="BADC"), 1_234_500), ("00509A44", ScaleMap(0, order="DCBA"), 1_234_500),
        ("FFFFFFDB", ScaleMap(0, type="int32", divisor=10), -3_700), ("FFDB", ScaleMap(0, type="int16"), -37_000),
        ("DBFF", ScaleMap(0, type="uint16", order="BADC", unit="mg"), 0xFFDB),
        ("00000003", ScaleMap(0, type="uint32", unit="kg", divisor=1000), 3_000), ("7FC00000", ScaleMap(0), None),
        ("FF800000", ScaleMap(0), None), ("00000000", ScaleMap(0), 0), ("3A83126F", ScaleMap(0), 1),
    ],
)  # fmt: skip
def test_word_order_sign_unit_and_divisor(hexed: str, of: ScaleMap, weight: int | None) -> None:
    assert milligrams(bytes.fromhex(hexed), of) == weight


@pytest.mark.parametrize("bits", ["7F C0 00 00", "7F 00 00 00", "FF 00 00 00"])
def test_a_weight_that_cannot_be_is_a_fault_told_once(bits: str) -> None:
    driver = scale()
    nan = bytes.fromhex(f"01 03 04 {bits}")
    nan += crc16(nan)
    driver.request(driver.wants)

    first = driver.feed(nan, 1.0)
    driver.request(driver.wants)

    assert [event.event for event in first] == ["weight_refused"]
    assert driver.feed(nan, 2.0) == []


def test_a_status_far_away_is_asked_for_on_its_own() -> None:
    driver = scale(stable_at=100, fault_mask=16)
    driver.request(driver.wants)
    assert driver.feed(bytes.fromhex("01 03 04 44 9A 50 00 F2 EC"), 1.0) == []

    request = driver.pending()
    status = bytes.fromhex("01 03 02 00 11")
    (event,) = driver.feed(status + crc16(status), 2.0)

    assert request.data[:6] == bytes.fromhex("01 03 00 64 00 01")
    assert (event.milligrams, event.stable, event.fault) == (1_234_500, True, "status_0011")
    assert driver.pending() is None


@pytest.mark.parametrize("wrong", [{"profile": "dini_dgt4"}, {"profile": "nobody"}])
def test_a_map_that_is_not_known_is_asked_for(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"profile"):
        scale(**wrong)


def test_a_badge_draws_what_the_bin_got_lighter_by(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        await take_refill(site.premises, site.cabinet, "1", 40, "B0017")
        asyncio.get_running_loop().call_later(3, lambda: site.bin.take(site.line.now, 3))

        result = await take_draw(site.premises, site.cabinet, "B0017", "1")

        assert (result.outcome, result.qty) == ("confirmed", 3)
        (draw,) = await site.kinds(Draw)
        assert (draw.who, draw.asked, draw.qty, draw.q) == ("p-17", 1, 3, ["over_take"])
        assert (draw.before["mg"] - draw.after["mg"], draw.actuation) == (3 * UNIT, "open bin")
        assert site.premises.shelf.look(BIN, "1").on_hand == 37

    weigh(tmp_path, play)


def test_behind_a_door_it_is_weighed_when_the_door_is_closed_again(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        loop = asyncio.get_running_loop()

        def moved(door: DoorMoved) -> None:
            if door.open:
                loop.call_later(2, lambda: site.bin.take(site.line.now, 2))
                loop.call_later(5, lambda: site.locks.door_closed(door.lock, site.line.now))

        site.locks.on_door = moved

        result = await take_draw(site.premises, site.cabinet, "B0017", "1", quantity=2)

        assert (result.outcome, result.qty) == ("confirmed", 2)
        (draw,) = await site.kinds(Draw)
        assert (draw.actuation, draw.q) == ("opened", [])

    weigh(tmp_path, play, door=True)


def test_nothing_taken_is_nothing_charged(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        result = await take_draw(site.premises, site.cabinet, "B0017", "1")

        assert (result.outcome, result.qty) == ("not_taken", 0)

    weigh(tmp_path, play)


def test_half_a_piece_is_never_guessed(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        def cut_one() -> None:
            site.bin.take(site.line.now)
            site.bin.put(site.line.now, [UNIT // 2])

        asyncio.get_running_loop().call_later(3, cut_one)

        result = await take_draw(site.premises, site.cabinet, "B0017", "1")

        assert (result.outcome, result.qty) == ("unverified", 1)
        assert "invalid_weight" in await site.events()
        assert site.premises.shelf.look(BIN, "1").doubtful

    weigh(tmp_path, play)


def test_what_nobody_asked_for_is_a_draw_without_a_person(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        await site.take(2)
        await site.take(1)

        draws = await site.kinds(Draw)
        assert [(one.who, one.qty, one.outcome, one.q) for one in draws] == [
            ("", 2, "confirmed", ["unasked"]), ("", 1, "confirmed", ["unasked"]),
        ]  # fmt: skip

    weigh(tmp_path, play)


def test_a_hand_that_leans_on_the_bin_takes_nothing(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.bin.lean(site.line.now, UNIT * 3 + UNIT // 2)
        await site.clock.sleep(5)
        site.bin.lean(site.line.now, 0)
        await site.clock.sleep(8)

        assert await site.kinds(Draw) == []
        assert "invalid_weight" in await site.events()

    weigh(tmp_path, play)


def test_a_refill_is_counted_when_nobody_has_written_it_down(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        assert [(one.qty, one.q) for one in await site.kinds(Count)] == [(40, ["scale"])]
        site.bin.put(site.line.now, [UNIT] * 10)
        await site.clock.sleep(8)
        assert "weight_rose" in await site.events()
        assert site.premises.shelf.look(BIN, "1").on_hand == 40
        await site.clock.sleep(700)
        assert site.premises.shelf.look(BIN, "1").on_hand == 50
        site.bin.put(site.line.now, [UNIT] * 5)
        await site.clock.sleep(60)
        await take_refill(site.premises, site.cabinet, "1", 5, "B0017")
        await site.clock.sleep(700)
        assert [one.qty for one in await site.kinds(Count)] == [40, 50]

    weigh(tmp_path, play, empty_mg=250_000)


def test_pieces_that_left_while_the_gateway_was_away_are_in_doubt(tmp_path: Path) -> None:
    async def before(site: Site) -> None:
        await site.take(1)
        await site.journal.abandon()

    async def after(site: Site) -> None:
        draws = await site.kinds(Draw)
        assert [(one.qty, one.outcome, one.q) for one in draws] == [
            (1, "confirmed", ["unasked"]), (2, "unverified", ["gap"]),
        ]  # fmt: skip

    cell = weigh(tmp_path, before, boot="a" * 16)
    cell.take(0.0, 2)
    weigh(tmp_path, after, twin=cell, boot="b" * 16, at=MORNING + 3_600_000)


def test_what_changed_while_the_scale_said_nothing_is_in_doubt(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.line.cut_power(site.bin)
        await site.clock.sleep(300)
        site.bin.take(site.line.now, 2)
        site.line.restore_power(site.bin)
        await site.clock.sleep(60)
        assert [(one.qty, one.outcome, one.q) for one in await site.kinds(Draw)] == [(2, "unverified", ["gap"])]
        await site.take(1)
        assert [one.outcome for one in await site.kinds(Draw)] == ["unverified", "confirmed"]

    weigh(tmp_path, play)


def test_a_draw_cut_by_a_power_failure_is_ended_by_the_weight(tmp_path: Path) -> None:
    async def before(site: Site) -> None:
        task = asyncio.create_task(take_draw(site.premises, site.cabinet, "B0017", "1"))
        await site.clock.sleep(3)
        site.bin.take(site.line.now)
        await site.clock.sleep(0.5)
        await site.journal.abandon()
        task.cancel()

    async def after(site: Site) -> None:
        await site.clock.sleep(20)
        draws = await site.kinds(Draw)
        assert [(one.who, one.qty, one.outcome) for one in draws] == [("p-17", 1, "confirmed")]
        assert "recovered" in draws[0].q
        await site.take(1)
        assert [one.qty for one in await site.kinds(Draw)] == [1, 1]

    cell = weigh(tmp_path, before, boot="a" * 16)
    weigh(tmp_path, after, twin=cell, boot="b" * 16, at=MORNING + 3_600_000)


def test_a_creeping_zero_is_followed_while_nobody_is_served(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        for _ in range(30):
            site.bin.creep_mg += UNIT // 12
            await site.clock.sleep(5)
        assert await site.kinds(Draw) == []
        await site.take(1)
        assert [one.qty for one in await site.kinds(Draw)] == [1]

    weigh(tmp_path, play)


@pytest.mark.parametrize("status_at", [None, 4])
def test_on_a_bad_line_every_piece_is_drawn_once(tmp_path: Path, status_at: int | None) -> None:
    chance = stream("hands")
    plan = LinePlan(noise=0.1, flip=0.05, cut=0.05, lose=0.05, late=0.02, split=0.2, echo=True)
    twin = BinTwin([UNIT + chance.randint(-150, 150) for _ in range(60)], status_at=status_at, swapped=True)
    left = 0

    async def play(site: Site) -> None:
        nonlocal left
        for _ in range(20):
            count = chance.randint(1, 3)
            left += count
            await site.take(count)
            await site.clock.sleep(chance.randint(5, 20))

        await site.clock.sleep(60)
        draws = await site.kinds(Draw)
        assert sum(one.qty for one in draws if one.outcome == "confirmed") == left
        assert {one.outcome for one in draws} == {"confirmed"}

    settings: dict[str, Any] = {"spread_mg": 90, "order": "CDAB"} | ({"stable_at": 4} if status_at else {})
    weigh(tmp_path, play, twin=twin, plan=plan, **settings)


def test_over_a_pseudo_terminal_too(tmp_path: Path) -> None:
    async def play(site: Any) -> None:
        heard: list[Any] = []
        site.session.interpret("dev-1", Listener(heard))

        async def enough() -> bool:
            return len(heard) >= 5

        await until(site, enough)
        assert {one.milligrams for one in heard if isinstance(one, Weighed)} == {250_000 + 3 * UNIT}
        assert not [one for one in heard if isinstance(one, DeviceFault)]

    plan = LinePlan(noise=0.1, flip=0.03, lose=0.03, split=0.2)
    twin = BinTwin([UNIT] * 3, baud=38400)
    on_a_pty(tmp_path, "weigh_bin", {**BASE, "every": 0.1}, lambda _: twin, play, spec=LineSpec(baud=38400), plan=plan)


class Listener:
    """Keeps what it hears."""

    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    def hear(self, event: Any, at: Any, cfg: str) -> list[Any]:
        self._heard.append(event)
        return []

    def tick(self, at: Any) -> list[Any]:
        return []
