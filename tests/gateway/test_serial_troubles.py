"""What a line, a power cut and people in a hurry do to a session, and what is written down about it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from firmware_sim.faults import LinePlan
from gateway.recording import stamp
from gateway.recover_draws import recover_draws
from gateway.take_draw import DrawResult, intend, take_draw
from tests.gateway.site import CABINET, METER, Site, on_a_site
from wire.records import DeviceEvent, Draw, Reading


def draw_of(site: Site, slot: str = "1") -> asyncio.Task[DrawResult]:
    return asyncio.create_task(take_draw(site.premises, site.cabinet, "B0017", slot))


def test_a_silent_meter_is_set_aside_told_once_and_read_again_when_it_is_back(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.line.cut_power(site.meter)
        await site.clock.sleep(950)
        site.line.restore_power(site.meter)
        await site.clock.sleep(15)

        events = [name for name in await site.events() if name in ("silent", "back")]
        assert events == ["silent", "back"]
        assert len(await site.kinds(Reading)) == 2

    on_a_site(tmp_path, play)


def test_a_dead_meter_costs_the_board_nothing_it_needs(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.line.cut_power(site.meter)
        site.close_door_after(3)
        await site.clock.sleep(1000)

        result = await take_draw(site.premises, site.cabinet, "B0017", "1")

        assert result.outcome == "confirmed"

    on_a_site(tmp_path, play)


def test_an_adapter_that_is_pulled_out_and_put_back_is_opened_again(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(3)
        site.port.unplug()
        await site.clock.sleep(10)
        away = await take_draw(site.premises, site.cabinet, "B0017", "1")
        detail = site.session.devices()[0].detail
        site.port.plug()
        await site.clock.sleep(40)

        back = await take_draw(site.premises, site.cabinet, "B0017", "1")

        assert (away.outcome, away.reason, back.outcome) == ("refused", "unreachable", "confirmed")
        assert detail == "the line is not open"

    on_a_site(tmp_path, play)


def test_an_adapter_that_went_a_moment_ago_lets_nothing_go_and_charges_nothing(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.port.unplug()

        result = await take_draw(site.premises, site.cabinet, "B0017", "1")

        (draw,) = [record for record in await site.records() if isinstance(record, Draw)]
        assert (result.outcome, draw.qty, draw.actuation) == ("not_dispensed", 0, "not_commanded")

    on_a_site(tmp_path, play)


def test_a_second_person_is_told_to_wait(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(5)
        first = draw_of(site, "1")
        await site.clock.sleep(2)

        second = await take_draw(site.premises, site.cabinet, "B0017", "2")

        assert second.outcome == "busy"
        await first
        assert [(draw.slot, draw.outcome) for draw in await site.kinds(Draw)] == [("1", "confirmed")]

    on_a_site(tmp_path, play)


def test_a_door_left_open_is_told_and_the_draw_ends_when_it_is_closed(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(120)

        result = await take_draw(site.premises, site.cabinet, "B0017", "1")

        assert result.outcome == "confirmed"
        assert (await site.events()).count("door_open") == 1
        assert "door_forced" not in await site.events()

    on_a_site(tmp_path, play)


def test_an_open_door_is_not_opened_for_somebody_else(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.locks.door_forced(1, site.clock.line())
        await site.clock.sleep(10)  # longer than a door is believed to stand as it was told

        result = await take_draw(site.premises, site.cabinet, "B0017", "1")

        assert (result.outcome, result.reason) == ("refused", "door_open")
        assert site.locks.pulses[1] == 0

    on_a_site(tmp_path, play)


def test_a_board_that_dies_with_the_door_open_leaves_the_draw_unverified_and_the_slot_in_doubt(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        running = draw_of(site)
        await site.clock.sleep(2)
        site.line.cut_power(site.locks)

        result = await running

        assert result.outcome == "unverified"
        assert site.premises.shelf.doubtful() == [(CABINET, "1")]

    on_a_site(tmp_path, play)


def test_a_browser_that_hangs_up_does_not_stop_a_draw(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(4)
        asked = draw_of(site)
        await site.clock.sleep(2)
        asked.cancel()
        await site.clock.sleep(10)

        assert [draw.outcome for draw in await site.kinds(Draw)] == ["confirmed"]

    on_a_site(tmp_path, play)


@pytest.mark.parametrize(("after", "stays_open", "outcome"), [(2.0, True, "confirmed"), (2.0, False, "unverified")])
def test_a_power_cut_in_a_draw_is_ended_by_evidence_and_never_by_opening_again(
    tmp_path: Path, after: float, *, stays_open: bool, outcome: str
) -> None:
    pulses: list[int] = []

    async def begin(site: Site) -> None:
        draw_of(site)
        await site.clock.sleep(after)
        pulses.append(site.locks.pulses[1])
        await site.journal.abandon()

    async def go_on(site: Site) -> None:
        if stays_open:
            site.locks.door_forced(1, site.clock.line())
            site.line.stir(site.locks)
            asyncio.get_running_loop().call_later(5, site.shut, 1)

        ended = await recover_draws(site.premises, {CABINET: site.cabinet})

        assert ended == 1
        (draw,) = await site.kinds(Draw)
        assert (draw.outcome, site.locks.pulses[1]) == (outcome, 0)
        assert "recovered" in draw.q
        assert CABINET not in site.premises.busy
        assert await site.journal.open_attempts() == []

    on_a_site(tmp_path, begin, boot="a" * 16)
    on_a_site(tmp_path, go_on, boot="b" * 16)
    assert pulses == [1]


def test_an_intent_whose_command_never_left_is_void(tmp_path: Path) -> None:
    async def begin(site: Site) -> None:
        decision = site.premises.decide(CABINET, "B0017", "1", 1)
        await site.premises.keep(intend(decision, stamp(site.clock), site.cabinet, 1, before={}))
        await site.journal.abandon()

    async def go_on(site: Site) -> None:
        await recover_draws(site.premises, {CABINET: site.cabinet})

        assert [(draw.outcome, draw.qty) for draw in await site.kinds(Draw)] == [("void", 0)]

    on_a_site(tmp_path, begin, boot="a" * 16)
    on_a_site(tmp_path, go_on, boot="b" * 16)


@pytest.mark.parametrize("plan", [LinePlan(noise=0.3, flip=0.05, cut=0.05, lose=0.05), LinePlan(lose=0.3)])
def test_on_a_bad_line_no_piece_is_lost_or_invented(tmp_path: Path, plan: LinePlan) -> None:
    async def play(site: Site) -> None:
        site.close_door_after(4)
        left = 0
        for _ in range(30):
            before = site.locks.pulses[1]
            result = await take_draw(site.premises, site.cabinet, "B0017", "1")
            left += site.opened_since_asked
            site.opened_since_asked = 0
            assert site.locks.pulses[1] - before <= 2
            assert result.outcome in ("confirmed", "not_dispensed", "unverified", "refused")
            await site.clock.sleep(30)

        draws = await site.kinds(Draw)
        sure = sum(draw.qty for draw in draws if draw.outcome == "confirmed")
        unsure = sum(draw.qty for draw in draws if draw.outcome == "unverified")
        assert sure <= left <= sure + unsure

    on_a_site(tmp_path, play, plan=plan)


def test_readings_go_on_where_every_fifth_answer_is_lost(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        await site.clock.sleep(20 * 900)

        assert 18 <= len(await site.kinds(Reading)) <= 22
        assert METER in {reading.src for reading in await site.kinds(Reading)}

    on_a_site(tmp_path, play, plan=LinePlan(lose=0.2), lock={"watch": 0})


@pytest.mark.parametrize(
    ("plan", "why"),
    [(LinePlan(lose=1.0), "silence"), (LinePlan(cut=1.0), "noise"), (LinePlan(flip=1.0), "noise")],
    ids=["lost", "cut", "flipped"],
)
def test_a_device_that_cannot_be_heard_is_told_with_the_reason(tmp_path: Path, plan: LinePlan, why: str) -> None:
    async def play(site: Site) -> None:
        await site.clock.sleep(5)

        told = [record for record in await site.kinds(DeviceEvent) if record.event == "silent" and record.src == METER]
        assert [record.data["why"] for record in told] in ([why], ["silence"])
        assert site.session.devices()[1].detail.endswith("probed rarely")

    on_a_site(tmp_path, play, plan=plan)
