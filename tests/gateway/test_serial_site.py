"""One draw and one kWh through session, journal and use case, on a line with real byte timing."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.faults import LinePlan
from gateway.take_count import take_count
from gateway.take_draw import take_draw
from gateway.take_refill import take_refill
from tests.gateway.site import CABINET, MORNING, Site, on_a_site
from wire.records import Count, Draw, DrawResolved, Intent, Reading


def test_a_draw_goes_from_badge_to_record(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(4)
        await take_refill(site.premises, site.cabinet, "3", 10, "B0017")

        result = await take_draw(site.premises, site.cabinet, "B0017", "3")

        assert result.outcome == "confirmed"
        (intent,) = await site.kinds(Intent)
        (draw,) = await site.kinds(Draw)
        assert (draw.slot, draw.item, draw.qty, draw.who, draw.outcome) == ("3", "item-3", 1, "p-17", "confirmed")
        assert draw.intent == f"{intent.ep}/{intent.n}"
        assert site.premises.shelf.look(CABINET, "3").on_hand == 9

    on_a_site(tmp_path, play)


def test_readings_lie_on_the_quarter_hours(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.meter.set_load_w(3600, site.clock.line())

        await site.clock.sleep(3 * 900 + 10)

        readings = await site.kinds(Reading)
        assert [reading.value for reading in readings] == [1_234_000, 1_234_899, 1_235_799, 1_236_699]
        assert all((reading.t - MORNING) % 900_000 < 2_000 for reading in readings)
        assert {reading.unit for reading in readings} == {"Wh"}

    on_a_site(tmp_path, play)


@pytest.mark.parametrize("seed_plan", [LinePlan(echo=True), LinePlan(noise=0.2, echo=True), LinePlan(split=0.5)])
def test_echo_noise_and_pieces_do_not_change_what_is_recorded(tmp_path: Path, seed_plan: LinePlan) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(4)
        await take_refill(site.premises, site.cabinet, "1", 10, "B0017")

        outcomes = [(await take_draw(site.premises, site.cabinet, "B0017", "1")).outcome for _ in range(5)]

        assert outcomes == ["confirmed"] * 5
        assert site.locks.pulses[1] == 5

    on_a_site(tmp_path, play, plan=seed_plan)


def test_a_jammed_latch_gives_nothing_and_says_so(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.locks.jam(2)

        result = await take_draw(site.premises, site.cabinet, "B0017", "2")

        assert (result.outcome, result.qty) == ("not_dispensed", 0)
        assert "Nothing was charged" in result.sentence

    on_a_site(tmp_path, play)


def test_an_unknown_badge_is_refused_with_a_reason_and_the_refusal_is_kept(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        result = await take_draw(site.premises, site.cabinet, "NOBODY", "1")

        assert (result.outcome, result.reason) == ("refused", "unknown_badge")
        (draw,) = await site.kinds(Draw)
        assert (draw.outcome, draw.qty, draw.confirmation) == ("denied", 0, "unknown_badge")
        assert await site.kinds(Intent) == []

    on_a_site(tmp_path, play)


def test_an_unproven_draw_is_decided_by_a_count_that_fits(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(4)
        await take_refill(site.premises, site.cabinet, "1", 10, "B0017")
        drawn = await take_draw(site.premises, site.cabinet, "B0017", "1")

        await take_count(site.premises, site.cabinet, "1", 9, "B0017")

        assert drawn.outcome == "unverified"
        (resolved,) = await site.kinds(DrawResolved)
        assert (resolved.outcome, resolved.qty) == ("confirmed", 1)
        assert (resolved.ref.ep, resolved.ref.n) == (drawn.key.ep, drawn.key.n) if drawn.key else False

    on_a_site(tmp_path, play, confirm="none")


def test_a_count_was_taken_behind_what_it_resolved(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(4)
        await take_refill(site.premises, site.cabinet, "1", 10, "B0017")
        await take_draw(site.premises, site.cabinet, "B0017", "1")

        await take_count(site.premises, site.cabinet, "1", 10, "B0017")

        (resolved,) = await site.kinds(DrawResolved)
        (count,) = await site.kinds(Count)
        assert (resolved.outcome, count.n) == ("not_dispensed", resolved.n + 1)
        assert count.position == f"{resolved.ep}/{resolved.n}"

    on_a_site(tmp_path, play, confirm="none")


def test_a_door_that_opens_without_a_command_is_an_event_and_no_draw(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        await site.clock.sleep(11)
        site.locks.door_forced(4, site.clock.line())
        await site.clock.sleep(11)

        assert "door_forced" in await site.events()
        assert await site.kinds(Draw) == []

    on_a_site(tmp_path, play)
